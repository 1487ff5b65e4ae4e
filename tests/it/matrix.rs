//! The fault matrix (reliability, section 8): every cell of it, a fault at a step, is made to
//! happen to a job of three shards and must end as the table says. R: `resume` gives the table of
//! an undisturbed run. B1: the bill has at most one batch per shard and round, and no row twice.
//! E: a clear error, its exit code, the job kept.

mod people;
mod process;
mod scripted;
mod site;
mod wire;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// The rows of the matrix and the steps at which each applies.
const MATRIX: &[(&str, &str)] = &[
    ("kill -9", "build upload create poll download merge write clean"),
    ("power loss", "build upload create poll download merge write clean"),
    ("disk full", "build upload create poll download merge write"),
    ("not sent", "upload create poll download clean"),
    ("reply lost", "upload create poll download clean"),
    ("cut body", "upload create poll download merge clean"),
    ("late delivery", "upload create"),
    ("listing lags", "upload create"),
    ("hang", "upload create poll download clean"),
    ("429", "upload create poll download clean"),
    ("5xx", "upload create poll download clean"),
    ("401 403", "upload create poll download clean"),
    ("404", "create poll download clean"),
    ("file rejected", "upload"),
    ("validation failed", "poll"),
    ("enqueued limit", "create poll"),
    ("expired", "poll download merge write"),
    ("cancelled", "poll download merge write"),
    ("only error file", "poll download merge"),
    ("odd ids", "download merge write"),
    ("cut without length", "download"),
    ("Ctrl-C", "build upload create poll download merge write clean"),
    ("second process", "build upload create poll download merge write clean"),
    ("sleep, clock", "build upload create poll download"),
    ("table edited", "merge write"),
    ("other account", "upload create poll download clean"),
    ("survives the fence", "create download merge"),
];

/// Cells that are not as the matrix wants them, and why.
const LEFT: &[(&str, &str)] = &[(
    "second process/write",
    "not 8: a second process waits until the table stands and then finds the job done",
)];

/// Cells played at the same time: mostly they wait.
const AT_ONCE: usize = 4;

type Play = Box<dyn Fn() -> bool + Send + Sync>;

/// One cell.
struct Cell {
    id: &'static str,
    /// False where this machine does not permit it; panics where the cell fails.
    play: Play,
}

impl Cell {
    fn new(id: &'static str, play: impl Fn() + Send + Sync + 'static) -> Self {
        let play = move || {
            play();
            true
        };
        Self { id, play: Box::new(play) }
    }

    fn maybe(id: &'static str, play: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { id, play: Box::new(play) }
    }
}

fn cells() -> Vec<Cell> {
    // Those that take longest first.
    let mut cells = wire::fence_cells();
    cells.extend(people::second_cells());
    cells.extend(scripted::cells());
    cells.extend(scripted::clean_cells());
    cells.extend(process::dying_cells());
    cells.extend(process::disk_cells());
    cells.extend(wire::refused_cells());
    cells.extend(people::interrupt_cells());
    cells.extend(people::clock_cells());
    cells.extend(people::table_cells());
    cells.extend(people::account_cells());
    cells
}

/// The ids of the matrix in its own order.
fn ids() -> Vec<String> {
    let of = |(fault, steps): &(&str, &str)| -> Vec<String> {
        steps.split(' ').map(|step| format!("{fault}/{step}")).collect()
    };
    MATRIX.iter().flat_map(of).collect()
}

/// How a cell ended.
enum Ended {
    Passed,
    Left(String),
    Failed(String),
}

#[test]
fn every_cell_of_the_matrix_is_played_or_left_with_a_reason() {
    let mut there: Vec<String> = cells().iter().map(|cell| cell.id.to_owned()).collect();
    there.extend(LEFT.iter().map(|(id, _)| (*id).to_owned()));
    there.sort();
    let mut wanted = ids();
    wanted.sort();
    assert_eq!(there, wanted);
}

/// P1 to P5 in every cell. `BATCHCTL_TEST_CELLS=TEXT` plays only those whose id has it.
#[test]
#[expect(clippy::print_stderr, reason = "the list of cells is what this test is for")]
fn the_fault_matrix() {
    let only = std::env::var("BATCHCTL_TEST_CELLS").unwrap_or_default();
    let cells: Vec<Cell> = cells().into_iter().filter(|cell| cell.id.contains(&only)).collect();
    let start = Instant::now();
    let mut ended = play_all(&cells);
    for (id, why) in LEFT.iter().filter(|(id, _)| id.contains(&only)) {
        ended.insert((*id).to_owned(), (Ended::Left((*why).to_owned()), 0.0));
    }
    let (mut passed, mut left, mut failed) = (0, 0, Vec::new());
    for id in ids() {
        match ended.get(&id) {
            None => {}
            Some((Ended::Passed, seconds)) => {
                passed += 1;
                eprintln!("PASS {id} ({seconds:.1} s)");
            }
            Some((Ended::Left(why), _)) => {
                left += 1;
                eprintln!("LEFT {id}: {why}");
            }
            Some((Ended::Failed(why), _)) => {
                eprintln!("FAIL {id}: {why}");
                failed.push(id);
            }
        }
    }
    let (all, seconds) = (passed + failed.len(), start.elapsed().as_secs());
    eprintln!("matrix: {passed} of {all} cells pass, {left} left, in {seconds} s");
    assert_eq!(failed, Vec::<String>::new());
}

fn play_all(cells: &[Cell]) -> BTreeMap<String, (Ended, f64)> {
    let (next, ended) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let start = Instant::now();
                    let end = match catch_unwind(AssertUnwindSafe(|| (cell.play)())) {
                        Ok(true) => Ended::Passed,
                        Ok(false) => Ended::Left("this machine does not permit it".to_owned()),
                        Err(panic) => Ended::Failed(words_of(&*panic)),
                    };
                    let end = (end, start.elapsed().as_secs_f64());
                    ended.lock().expect("no cell holds it").insert(cell.id.to_owned(), end);
                }
            });
        }
    });
    ended.into_inner().expect("no cell holds it")
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
