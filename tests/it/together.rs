//! Two processes on one job, and a person in a second terminal (B11).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::bench::{Bench, LINE, until};
use crate::support::gate::Act;
use crate::support::workdir::{Running, WorkDir};

const POLL: &str = "GET /v1/batches/*";

fn still_runs(batch: &mut Value) {
    batch["status"] = "in_progress".into();
    batch["output_file_id"] = Value::Null;
}

/// Pairs that start together, each in a folder and a home that are not there before.
const PAIRS: usize = 100;
/// Pairs at once.
const AT_ONCE: usize = 4;

#[test]
#[expect(clippy::print_stderr, reason = "how the pairs ended, captured otherwise")]
fn of_two_that_start_together_one_drives_100_times() {
    // A second one that comes while the batches run waits for a second, then it is sent away.
    let benches =
        ["0.3", "1.5"].map(|time| Bench::with(&["--batch-seconds", time], |_, _| Act::Pass));
    let turns = AtomicUsize::new(0);
    let attached = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let turn = turns.fetch_add(1, Ordering::SeqCst);
                    if turn >= PAIRS {
                        break;
                    }
                    attached
                        .fetch_add(usize::from(a_pair(&benches[turn % 2], turn)), Ordering::SeqCst);
                }
            });
        }
    });
    for bench in &benches {
        let bill = (bench.made().len(), bench.paid().len());
        assert_eq!(bill, (PAIRS, 3 * PAIRS / 2), "one job of two shards each");
        bench.nothing_is_paid_twice();
    }
    eprintln!("{PAIRS} pairs: {attached:?} attached to a finished job, the others ended with 8");
}

/// Two of the same line at the same time. Returns whether the second one came when the first was
/// done; otherwise it was sent away.
fn a_pair(bench: &Bench, turn: usize) -> bool {
    let dir = WorkDir::new();
    dir.write("in.csv", "id,text\n1,one\n2,two\n3,three\n");
    // Another question each time: the same one would be taken over from the account.
    let line = format!(
        "workflow in.csv out.csv -p Q{turn}:{{text}} --set max_shard_requests=2 --check-interval 2"
    );
    let run = |line: &str| {
        dir.batchctl(line).env("BATCHCTL_TIME_SCALE", "20").openai_at(bench.gate.address())
    };
    let runs = [run(&line).start(), run(&line).start()];
    let ends = runs.map(Running::end);
    let mut codes = ends.each_ref().map(|end| end.code);
    codes.sort_unstable();
    let is_expected = codes == [Some(0), Some(8)] || codes == [Some(0), Some(0)];
    assert!(is_expected, "{}\n{}", ends[0], ends[1]);
    if let Some(loser) = ends.iter().find(|end| end.code == Some(8)) {
        assert!(loser.stderr.contains("batchctl watch "), "{loser}");
    }
    let list = run("status --json").run().exits(0).json();
    assert_eq!(list["jobs"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list["jobs"][0]["state"], "done", "{list}");
    assert_eq!(dir.read("out.csv").matches(",ok,").count(), 3, "{}", dir.read("out.csv"));
    assert_eq!(dir.files(), ["in.csv", "out.csv"], "one table, nothing left over");
    codes == [Some(0), Some(0)]
}

#[test]
fn a_second_terminal_watches_to_the_end() {
    let bench = Bench::with(&["--batch-seconds", "1.5"], |_, _| Act::Pass);
    let driver = bench.batchctl(LINE).start();
    bench.gate.wait_for(POLL, 1);
    let job = bench.job();
    let watcher = bench.batchctl(&format!("watch {job}")).start();
    let resume = bench.batchctl(&format!("resume {job}")).run().exits(8);
    assert!(resume.stderr.contains(&format!("batchctl watch {job}")), "{resume}");
    driver.end().exits(0);
    watcher.end().exits(0).says(&["done at openai", "ok 9"]);
    bench.nothing_is_paid_twice();
}

/// `status` takes the lock while it asks; a run that starts then waits for it.
#[test]
fn a_look_does_not_keep_a_run_from_starting() {
    let bench = Bench::new();
    bench.batchctl(LINE).arg("--no-wait").run().exits(0);
    bench.gate.now(|_, _| Act::Late(Duration::from_millis(200)));
    thread::sleep(Duration::from_secs(1));
    let look = bench.batchctl("status last --set check_interval=0.1").start();
    bench.gate.wait_for("GET /", 2);
    let run = bench.batchctl("resume").run();
    look.end().exits(0);
    run.exits(0);
}

#[test]
fn a_cancel_from_a_second_terminal_is_obeyed() {
    let bench = Bench::with(&["--batch-seconds", "3"], |_, _| Act::Pass);
    // At its own pace, asking rarely: the wish is seen between two questions.
    let line = LINE.replace("--check-interval 2", "--check-interval 60");
    let driver = bench.batchctl(&line).env("BATCHCTL_TIME_SCALE", "1").start();
    bench.gate.wait_for(POLL, 3);
    thread::sleep(Duration::from_millis(1200));
    let cancel = bench.batchctl("cancel").run();
    // A driver that obeys within the second for which a lock is waited for has left it the rest.
    let words = if cancel.code == Some(3) { "cancelled at" } else { "driven by another process" };
    assert!(matches!(cancel.code, Some(0 | 3)) && cancel.stderr.contains(words), "{cancel}");
    driver.end().exits(3).says(&["cancelled"]);
    assert_eq!(bench.state(), "cancelled");
    assert!(bench.rows("ok") > 0, "what had finished is collected: {}", bench.status());
    assert!(bench.rows("cancelled") > 0);
    assert_eq!(bench.dir.read("out.csv").lines().count(), 10);
    assert_eq!(bench.gate.count("POST /v1/batches/*/cancel"), 3, "once each");
    bench.batchctl("cancel last").run().exits(3).says(&["cancelled already"]);
    bench.batchctl(LINE).run().exits(3);
    assert_eq!(bench.gate.count("POST /v1/batches"), 3, "the same line sends nothing");
    bench.nothing_is_paid_twice();
}

#[test]
fn a_cancel_of_what_nobody_drives() {
    let bench = Bench::with(&["--batch-seconds", "3"], |_, _| Act::Pass);
    bench.batchctl(LINE).arg("--no-wait").run().exits(0);
    bench.batchctl("cancel").run().exits(3);
    assert_eq!(bench.state(), "cancelled");
    assert_eq!(bench.dir.read("out.csv").lines().count(), 10);

    // Before anything was sent: nothing is asked of the provider.
    let bench = Bench::ruled(|call, _| match call {
        "POST /v1/files" => Act::Hang,
        _ => Act::Pass,
    });
    let run = bench.batchctl(LINE).start();
    bench.gate.wait_for("POST /v1/files", 1);
    super::support::bench::signal(&run.child, "KILL");
    run.end();
    let output = bench.batchctl("cancel").run().exits(3);
    assert_eq!((bench.state(), bench.rows("cancelled")), ("cancelled".to_owned(), 9), "{output}");
    assert_eq!(bench.gate.count("POST /v1/batches"), 0);
}

/// A wish that comes while a create waits to be repeated keeps it from being repeated.
#[test]
fn a_cancel_between_two_tries_of_a_create() {
    let bench = Bench::ruled(|call, _| {
        match call {
        "POST /v1/batches" => Act::Say(
            b"HTTP/1.1 429 Slow\r\nretry-after: 3\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                .to_vec(),
        ),
        _ => Act::Pass,
    }
    });
    let line = "workflow in.csv out.csv --check-interval 2";
    let run = bench.batchctl(line).env("BATCHCTL_TIME_SCALE", "1").start();
    bench.gate.wait_for("POST /v1/batches", 1);
    // 0 where the driver obeys, 3 where it has obeyed already.
    let cancel = bench.batchctl("cancel").run();
    assert!(matches!(cancel.code, Some(0 | 3)), "{cancel}");
    run.end().exits(3);
    assert_eq!(bench.gate.count("POST /v1/batches"), 1);
    assert_eq!((bench.state(), bench.rows("cancelled")), ("cancelled".to_owned(), 9));
}

/// The table is replaced in place while another program has it open, and put beside it when
/// somebody changed it.
#[test]
fn a_table_that_is_open_or_edited_meanwhile() {
    let bench = Bench::ruled(|call, n| match (call, n) {
        (POLL, n) if n % 3 == 0 && n < 40 => Act::Edit(still_runs),
        _ => Act::Pass,
    });
    let run = bench.batchctl(LINE).start();
    until("a table was written in between", || bench.dir.path("out.csv").is_file());
    let mut open = std::fs::File::open(bench.dir.path("out.csv")).expect("it is there");
    run.end().exits(0);
    let mut old = String::new();
    std::io::Read::read_to_string(&mut open, &mut old).expect("the old table is whole");
    assert_eq!(old.lines().count(), 10, "P5");
    assert!(old.contains("pending"), "{old}");
    assert!(!bench.dir.read("out.csv").contains("pending"));

    bench.dir.write("out.csv", "mine\n");
    let output = bench.batchctl("download last").run().exits(0);
    assert_eq!(bench.dir.read("out.csv"), "mine\n", "{output}");
    assert!(bench.dir.path(&format!("out.{}.csv", bench.job())).is_file());
}
