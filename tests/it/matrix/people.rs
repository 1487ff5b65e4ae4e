//! Cells whose fault is a person, or the machine: Ctrl-C, a second process, sleep, a clock that is
//! wrong, a table that is edited, another account's key.

use std::path::Path;
use std::process::Child;
use std::{fs, thread, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use super::Cell;
use super::site::{CREATE, DELETE, FETCH, LINE, LIST, POLL, Site, UPLOAD};
use crate::support::bench::{signal, until};
use crate::support::gate::Act;
use crate::support::workdir::{Running, WorkDir};

/// A call at which a run is held: name of the column, the call, how many-th, what happens to it.
type Hold = (&'static str, &'static str, usize, fn() -> Act);

const HOLDS: [Hold; 5] = [
    ("build", LIST, 1, || Act::Hang),
    ("upload", UPLOAD, 2, || Act::Hang),
    ("create", CREATE, 2, || Act::DoAndHang),
    ("poll", POLL, 4, || Act::Hang),
    ("download", FETCH, 2, || Act::Stall),
];

fn held((_, call, count, act): Hold) -> (Site, Running) {
    let site =
        Site::ruled(move |seen, n| if seen == call && n == count { act() } else { Act::Pass });
    // The grace of five seconds for a create is a quarter of one.
    let run = site.run(LINE).env("BATCHCTL_TIME_SCALE", "20").start();
    site.bench.gate.wait_for(call, count);
    thread::sleep(Duration::from_millis(40));
    (site, run)
}

fn send(child: &Child, what: Signal) {
    kill_process(Pid::from_child(child), what).expect("the child can be signalled");
}

/// A job of one large shard, whose merge and table take a while.
fn long(site: &Site) {
    let rows: Vec<_> = (0..3000).map(|row| format!("{row},question number {row}")).collect();
    site.bench.dir.write("long.csv", format!("id,text\n{}\n", rows.join("\n")));
}

fn results_are_there(dir: &WorkDir) -> bool {
    let jobs = fs::read_dir(dir.home().join("jobs")).into_iter().flatten().flatten();
    let has = |path: &Path| path.join("results/r1-s0001-output.jsonl").is_file();
    jobs.map(|entry| entry.path()).any(|path| has(&path))
}

/// Stopped between the stored results and the end of the merge.
fn stopped_in_merge() -> (Site, Running) {
    let site = Site::new();
    long(&site);
    let mut run = site.run("workflow long.csv long.out.csv --check-interval 500").start();
    until("the results are stored", || results_are_there(&site.bench.dir) || !run.is_running());
    send(&run.child, Signal::STOP);
    (site, run)
}

/// Held in the middle of its table: nobody reads the pipe.
fn held_in_writing() -> (Site, Child) {
    let site = Site::new();
    long(&site);
    let child = site.run("workflow long.csv - --check-interval 500").spawn();
    until("the job is done", || {
        let list = site.bench.batchctl("status --json").run();
        list.json()["jobs"][0]["state"] == "done"
    });
    thread::sleep(Duration::from_millis(300));
    (site, child)
}

fn all_long_rows(text: &str) {
    assert_eq!(text.lines().count(), 3001);
    assert!(text.lines().skip(1).all(|line| line.contains(",ok,")), "every row is answered");
}

/// 130, both lines, then R; the second one does not make it worse.
fn interrupted(hold: Hold) {
    for times in [1, 2] {
        let (site, run) = held(hold);
        signal(&run.child, "INT");
        if times == 2 {
            thread::sleep(Duration::from_millis(50));
            // Gone already where nothing was under way.
            let _ = kill_process(Pid::from_child(&run.child), Signal::INT);
        }
        let output = run.end();
        site.mend();
        if hold.0 == "build" {
            // No job yet: there is nothing to go on with and nothing to stop.
            output.exits(130).says(&["nothing"]);
            site.run(LINE).run().exits(0);
        } else {
            output.exits(130).says(&["batchctl resume", "batchctl cancel"]);
            site.run("resume last").run().exits(0);
        }
        site.ends_as_undisturbed();
    }
}

fn interrupted_in_merge() {
    let mut codes = Vec::new();
    for _ in 0..6 {
        let (site, run) = stopped_in_merge();
        let _ = kill_process(Pid::from_child(&run.child), Signal::INT);
        let _ = kill_process(Pid::from_child(&run.child), Signal::CONT);
        codes.push(run.end().code);
        site.run("resume last").run().exits(0);
        all_long_rows(&site.bench.dir.read("long.out.csv"));
        site.bench.nothing_is_paid_twice();
        if codes.last() == Some(&Some(130)) {
            return;
        }
    }
    panic!("no 130 among {codes:?}");
}

pub(super) fn interrupt_cells() -> Vec<Cell> {
    let ids = ["Ctrl-C/build", "Ctrl-C/upload", "Ctrl-C/create", "Ctrl-C/poll", "Ctrl-C/download"];
    let mut cells: Vec<Cell> =
        ids.iter().zip(HOLDS).map(|(id, hold)| Cell::new(id, move || interrupted(hold))).collect();
    cells.push(Cell::new("Ctrl-C/merge", interrupted_in_merge));
    cells.push(Cell::new("Ctrl-C/write", || {
        let (site, mut child) = held_in_writing();
        signal(&child, "INT");
        until("it has ended", || !matches!(child.try_wait(), Ok(None)));
        assert_eq!(child.wait().expect("it has ended").code(), Some(130));
        all_long_rows(&site.run("resume last").run().exits(0).stdout);
    }));
    cells.push(Cell::new("Ctrl-C/clean", || {
        let (site, run) = held_in_cleaning();
        signal(&run.child, "INT");
        // The signal itself ends it, which a shell shows as 130.
        assert_eq!(run.end().code, None);
        site.mend();
        site.run("prune last --remote").run().exits(0);
        assert_eq!(site.files(), 0);
        site.ends_as_undisturbed();
    }));
    cells
}

fn held_in_cleaning() -> (Site, Running) {
    let site = Site::new();
    site.run(LINE).run().exits(0);
    site.bench.gate.now(|call, n| if call == DELETE && n == 2 { Act::Hang } else { Act::Pass });
    let run = site.run("prune last --remote").start();
    site.bench.gate.wait_for(DELETE, 2);
    (site, run)
}

/// E 8 for whoever would change the job, a look for whoever only reads; the first goes on.
fn two(hold: Hold) {
    let (site, run) = held(hold);
    for line in [LINE, "resume last"] {
        site.run(line).run().exits(8).says(&["batchctl watch"]);
    }
    site.run("status last").run().exits(0);
    signal(&run.child, "KILL");
    run.end();
    site.mend();
    site.run(LINE).run().exits(0);
    site.ends_as_undisturbed();
}

pub(super) fn second_cells() -> Vec<Cell> {
    vec![
        Cell::new("second process/build", || {
            let site = Site::with(&["--batch-seconds", "1.5"], |_, _| Act::Pass);
            let start = || site.run(LINE).env("BATCHCTL_TIME_SCALE", "50").start();
            let ends = [start(), start()].map(Running::end);
            let mut codes = ends.each_ref().map(|end| end.code);
            codes.sort_unstable();
            assert_eq!(codes, [Some(0), Some(8)], "{}\n{}", ends[0], ends[1]);
            site.ends_as_undisturbed();
        }),
        Cell::new("second process/upload", || two(HOLDS[1])),
        Cell::new("second process/create", || two(HOLDS[2])),
        Cell::new("second process/poll", || two(HOLDS[3])),
        Cell::new("second process/download", || two(HOLDS[4])),
        Cell::new("second process/merge", || {
            let (site, run) = stopped_in_merge();
            // One that is stopped within a transaction holds the whole ledger up.
            let second = site.run("resume last").run();
            send(&run.child, Signal::CONT);
            run.end().exits(0);
            all_long_rows(&site.bench.dir.read("long.out.csv"));
            second.exits(8);
        }),
        Cell::new("second process/clean", || {
            let (site, run) = held_in_cleaning();
            let second = site.run("prune last --remote").run();
            signal(&run.child, "KILL");
            run.end();
            assert_eq!(second.code, Some(8), "{second}");
            site.mend();
            site.run("prune last --remote").run().exits(0);
            assert_eq!(site.files(), 0);
        }),
    ]
}

/// The process stands still for eleven hours by its own clock while this call is answered.
fn sleeps(call: &'static str, count: usize) {
    let site = Site::ruled(move |seen, n| {
        if seen == call && n == count { Act::Late(Duration::from_millis(100)) } else { Act::Pass }
    });
    let run = site.run(LINE).env("BATCHCTL_TIME_SCALE", "100000").start();
    site.bench.gate.wait_for(call, count);
    send(&run.child, Signal::STOP);
    thread::sleep(Duration::from_millis(400));
    send(&run.child, Signal::CONT);
    run.end().exits(0);
    site.ends_as_undisturbed();
}

/// The provider's clock is a day ahead of ours, or behind; and a create's answer is lost besides.
fn clocks_differ(faults: &str) {
    for edit in [|bytes| shifted(bytes, 86_400), |bytes| shifted(bytes, -86_400)] {
        let edit: fn(Vec<u8>) -> Vec<u8> = edit;
        let flags = ["--batch-seconds", "0.3", "--faults", faults];
        let site = Site::with(
            &flags,
            move |call, _| {
                if call == FETCH { Act::Pass } else { Act::Raw(edit) }
            },
        );
        site.run(LINE).run().exits(0);
        site.ends_as_undisturbed();
    }
}

/// An answer with every time in it, the header's and those named `…_at`, moved by so many seconds.
fn shifted(bytes: Vec<u8>, by: i64) -> Vec<u8> {
    let Ok(text) = String::from_utf8(bytes.clone()) else { return bytes };
    let mut moved = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("_at\":") {
        let (before, after) = rest.split_at(at + 5);
        moved += before;
        let spaces = after.len() - after.trim_start().len();
        let digits = after[spaces..].bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = after.split_at(spaces + digits);
        match number.trim().parse::<i64>() {
            Ok(time) => moved += &format!("{}{}", &number[..spaces], time + by),
            Err(_) => moved += number,
        }
        rest = behind;
    }
    moved += rest;
    let header = moved.to_ascii_lowercase().find("\r\ndate: ").map(|at| at + 8);
    if let Some(at) = header {
        let end = moved[at..].find("\r\n").map_or(moved.len(), |end| at + end);
        let parser = jiff::fmt::rfc2822::DateTimeParser::new();
        if let Ok(date) = parser.parse_timestamp(&moved[at..end]) {
            let date = date + jiff::SignedDuration::from_secs(by);
            let printed = jiff::fmt::rfc2822::DateTimePrinter::new();
            let printed = printed.timestamp_to_rfc9110_string(&date);
            moved.replace_range(at..end, &printed.expect("a date of today"));
        }
    }
    moved.into_bytes()
}

pub(super) fn clock_cells() -> Vec<Cell> {
    vec![
        Cell::new("sleep, clock/build", || sleeps(LIST, 1)),
        Cell::new("sleep, clock/upload", || {
            sleeps(UPLOAD, 2);
            clocks_differ("upload#1: after-commit close");
        }),
        Cell::new("sleep, clock/create", || {
            sleeps(CREATE, 2);
            clocks_differ("create#2: after-commit close");
            clocks_differ("create#1: 500");
        }),
        Cell::new("sleep, clock/poll", || {
            sleeps(POLL, 3);
            clocks_differ("retrieve#3: 429 retry-date=20s");
        }),
        Cell::new("sleep, clock/download", || sleeps(FETCH, 1)),
    ]
}

/// R from the copy, whatever became of the table.
fn table_is(changed: fn(&Path), words: &[&str]) {
    let site = Site::new();
    site.run(LINE).arg("--no-wait").run().exits(0);
    // Times of files are told in seconds.
    thread::sleep(Duration::from_millis(1100));
    changed(&site.bench.dir.path("in.csv"));
    site.run("resume last").run().exits(0).says(words);
    site.ends_as_undisturbed();
}

fn edit(path: &Path) {
    fs::write(path, "id,text,photo\n7,somebody was here,\n").expect("the table can be edited");
}

fn remove(path: &Path) {
    fs::remove_file(path).expect("the table can be removed");
}

pub(super) fn table_cells() -> Vec<Cell> {
    vec![
        Cell::new("table edited/merge", || {
            table_is(edit, &[]);
            table_is(remove, &[]);
        }),
        Cell::new("table edited/write", || {
            table_is(edit, &["has changed since"]);
            table_is(remove, &["is gone"]);
        }),
    ]
}

const OTHER: &str = "sandbox-another@elsewhere";

/// E 4 and nothing sent with the other account's key; with the right one the job goes on.
fn other_key(faults: &str, more: &str, code: i32) {
    let site = Site::faulty(faults);
    site.run(&format!("{LINE} {more}")).run().exits(code);
    site.mend();
    let count = || site.bench.gate.count(CREATE) + site.bench.gate.count(UPLOAD);
    let sent = count();
    for line in ["resume last", LINE] {
        let run = site.run(line).env("OPENAI_API_KEY", OTHER);
        run.run().exits(4).says(&["does not know batch"]);
    }
    assert_eq!(count(), sent, "nothing is sent");
    site.resumes();
}

pub(super) fn account_cells() -> Vec<Cell> {
    vec![
        Cell::new("404/poll", || {
            let site = Site::faulty("retrieve#4+: 404");
            let output = site.run(LINE).run().exits(5);
            assert_eq!(site.bench.state(), "waiting", "E: {output}");
            site.run("resume last").run().exits(5);
            assert_eq!(site.bench.gate.count(CREATE), 3);
            site.resumes();
        }),
        Cell::new("other account/upload", || other_key("upload#2+: 401", "", 4)),
        Cell::new("other account/create", || other_key("create#2+: 401", "", 4)),
        Cell::new("other account/poll", || other_key("", "--no-wait", 0)),
        Cell::new("other account/download", || other_key("download: 401", "", 4)),
        Cell::new("other account/clean", || {
            let site = Site::new();
            site.run(LINE).run().exits(0);
            let prune = site.run("prune last --remote").env("OPENAI_API_KEY", OTHER);
            prune.run().exits(4).says(&["does not know batch"]);
            assert_eq!((site.bench.gate.count(DELETE), site.files()), (0, 6));
        }),
    ]
}
