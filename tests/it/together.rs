//! Two processes on one job, and a person in a second terminal (B11).

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::bench::{Bench, LINE, until};
use crate::support::gate::Act;

const POLL: &str = "GET /v1/batches/*";

fn still_runs(batch: &mut Value) {
    batch["status"] = "in_progress".into();
    batch["output_file_id"] = Value::Null;
}

#[test]
fn of_two_that_start_together_one_drives() {
    let bench = Bench::with(&["--batch-seconds", "1.5"], |_, _| Act::Pass);
    for turn in 0..20 {
        // Another question each time, so that each turn is a job of its own.
        let line =
            format!("workflow in.csv out{turn}.csv --set max_shard_requests=3 -p Q{turn}:{{text}}");
        let line = format!("{line} --check-interval 2");
        let runs = [bench.batchctl(&line).start(), bench.batchctl(&line).start()];
        let ends = runs.map(super::support::workdir::Running::end);
        let mut codes = ends.each_ref().map(|end| end.code);
        codes.sort_unstable();
        assert_eq!(codes, [Some(0), Some(8)], "turn {turn}\n{}\n{}", ends[0], ends[1]);
        let loser = ends.iter().find(|end| end.code == Some(8)).expect("one of them");
        assert!(loser.stderr.contains("batchctl watch "), "{loser}");
        bench.nothing_is_paid_twice();
    }
    assert_eq!(bench.made().len(), 60, "three shards of twenty jobs");
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
    let cancel = bench.batchctl("cancel").run().exits(0);
    assert!(cancel.stderr.contains("driven by another process"), "{cancel}");
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
