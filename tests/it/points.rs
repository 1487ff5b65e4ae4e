//! Crash points and error points of the built program: that they strike, and that what they strike
//! goes on. `scripts/crash-test.sh` does this at every passage; here are one of each kind.

use std::fs;

use crate::support::bench::{Bench, LINE};

/// A search for a lost batch that takes hours is over at once.
const SCALE: (&str, &str) = ("BATCHCTL_TIME_SCALE", "20000");

/// P1, P2, P4: before and after the one call that costs money, and before a table gets its name.
#[test]
fn a_run_that_dies_at_a_point_goes_on() {
    let undisturbed = Bench::undisturbed();
    for (point, power) in [
        ("send create the batch", false),
        ("answered create the batch#3", false),
        ("rename OUT", false),
        ("renamed OUT", true),
    ] {
        let bench = Bench::new();
        let out = bench.dir.path("out.csv").display().to_string();
        let mut run = bench.batchctl(LINE).env(SCALE.0, SCALE.1);
        run = run.env("BATCHCTL_CRASH", point.replace("OUT", &out));
        if power {
            run = run.env("BATCHCTL_CRASH_POWER", "1");
        }
        assert_eq!(run.start().end().code, None, "{point}: it is killed by its own hand");
        assert!(!bench.dir.path("out.csv").exists(), "P5: {point}");
        bench.batchctl(LINE).env(SCALE.0, SCALE.1).run().exits(0);
        bench.nothing_is_paid_twice();
        assert_eq!(bench.dir.bytes("out.csv"), undisturbed, "P4: {point}");
    }
}

/// A disk that fails is exit 9 with its name, and the job goes on; what a system call may do at
/// any time, giving less or being interrupted, is not even noticed.
#[test]
fn a_file_operation_that_fails_is_named_and_the_job_goes_on() {
    let counted = Bench::new();
    let count = counted.dir.path("count");
    counted.batchctl(LINE).env("BATCHCTL_CRASH_COUNT", &count).run().exits(0);
    let reference = counted.dir.bytes("out.csv");
    let count = fs::read_to_string(count).expect("the run wrote it");
    // The list of the first shard's rows: until there every run takes the same steps.
    let number = count
        .lines()
        .filter_map(|line| line.strip_prefix("operation "))
        .find(|line| line.contains(" write ") && line.ends_with(".rows.part"))
        .and_then(|line| line.split(' ').next())
        .expect("a list of rows is written");
    for (fault, code, words) in [
        ("enospc", 9, "No space left on device"),
        ("eio", 9, "Input/output error"),
        ("eintr", 0, "wrote"),
        ("short", 0, "wrote"),
    ] {
        let bench = Bench::new();
        let run = bench.batchctl(LINE).env("BATCHCTL_FAULT", format!("{number}:{fault}"));
        run.run().exits(code).says(&[words]);
        bench.batchctl(LINE).run().exits(0);
        bench.nothing_is_paid_twice();
        assert_eq!(bench.dir.bytes("out.csv"), reference, "{fault}");
    }
}
