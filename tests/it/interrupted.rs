//! kill -9 at any moment: no shard is billed twice, no row is lost, and the table is the same in
//! the end (P1, P2, P4).

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::bench::{Bench, LINE, signal};
use crate::support::gate::Act;

/// Kills over all jobs.
const KILLS: usize = 30;
/// Kills of one job at most.
const KILLS_OF_ONE: usize = 4;

/// A small generator; the seed is printed with every failure.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "the seed of a failure, captured otherwise")]
fn kill_9_at_random_moments() {
    let undisturbed = Bench::undisturbed();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos();
    let seed = std::env::var("BATCHCTL_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(u64::from(now) | 1);
    eprintln!("BATCHCTL_TEST_SEED={seed}");
    let mut random = Random(seed);
    let (mut kills, mut finished, mut unclear) = (0, 0, 0);
    while kills < KILLS || finished == 0 {
        assert!(unclear < 20, "hardly every kill falls between a create and its answer");
        let bench = Bench::ruled(|_, _| Act::Late(Duration::from_millis(8)));
        for _ in 0..KILLS_OF_ONE {
            let mut run = bench.batchctl(LINE).start();
            thread::sleep(Duration::from_millis(30 + random.below(900)));
            if !run.is_running() {
                break;
            }
            signal(&run.child, "KILL");
            if run.end().code.is_some() {
                break; // it was faster than the kill
            }
            kills += 1;
            bench.nothing_is_paid_twice();
        }
        if bench.batchctl("status --json").run().json()["jobs"].as_array().is_none_or(Vec::is_empty)
        {
            bench.batchctl(LINE).run().exits(0);
        }
        bench.resume_until_over(3);
        bench.nothing_is_paid_twice();
        assert_eq!(
            bench.batchctl("status --json").run().json()["jobs"].as_array().map(Vec::len),
            Some(1)
        );
        if bench.state() == "needs_operator" {
            unclear += 1;
            continue;
        }
        finished += 1;
        assert_eq!(bench.rows("ok"), 9, "no row is lost");
        assert_eq!(bench.paid().len(), 9);
        assert_eq!(bench.dir.bytes("out.csv"), undisturbed, "P4");
        let rest: Vec<_> = bench.dir.files().into_iter().filter(|f| f != "out.csv.part").collect();
        assert_eq!(rest, ["images", "in.csv", "out.csv"], "the table goes where it was wanted");
    }
    eprintln!("{kills} kills: {finished} jobs finished, {unclear} need a person");
}

#[test]
fn a_kill_between_a_create_and_its_answer_is_never_sent_again() {
    let bench = Bench::ruled(|call, n| match (call, n) {
        ("POST /v1/batches", 2) => Act::DoAndHang,
        _ => Act::Pass,
    });
    let run = bench.batchctl(LINE).arg("--set").arg("parallel_uploads=1").start();
    bench.gate.wait_for("POST /v1/batches", 2);
    thread::sleep(Duration::from_millis(200));
    signal(&run.child, "KILL");
    run.end();
    assert_eq!(bench.made().len(), 2, "the second one exists, and nobody here knows");
    let job = bench.job();
    for (line, code) in [
        (LINE.to_owned(), 5),
        (format!("resume {job}"), 5),
        (format!("watch {job}"), 5),
        (format!("download {job}"), 5),
        (format!("status {job}"), 0),
        (LINE.to_owned(), 5),
        (format!("cancel {job}"), 5),
        (format!("resume {job}"), 5),
        (LINE.to_owned(), 5),
    ] {
        let output = bench.batchctl(&line).run().exits(code);
        assert_eq!(bench.gate.count("POST /v1/batches"), 2, "P1: {output}");
        assert_eq!(bench.state(), "needs_operator", "{output}");
        if line.starts_with("status") {
            assert!(output.stdout.contains("unclear   create begun at"), "{output}");
            assert!(output.stdout.contains("r1-s0002-c1"), "{output}");
        }
    }
    assert_eq!(bench.rows("ok"), 3, "what ran was collected all the same");
    assert_eq!(bench.rows("cancelled"), 3, "what was never sent");
    assert_eq!(bench.rows("pending"), 3, "what nobody knows");
    bench.nothing_is_paid_twice();
}
