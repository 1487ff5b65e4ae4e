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
    let (mut kills, mut finished) = (0, 0);
    while kills < KILLS || finished == 0 {
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
        finished += 1;
        assert_eq!(bench.rows("ok"), 9, "no row is lost");
        assert_eq!(bench.paid().len(), 9);
        assert_eq!(bench.dir.bytes("out.csv"), undisturbed, "P4");
        let rest: Vec<_> = bench.dir.files().into_iter().filter(|f| f != "out.csv.part").collect();
        assert_eq!(rest, ["images", "in.csv", "out.csv"], "the table goes where it was wanted");
    }
    eprintln!("{kills} kills: {finished} jobs finished");
}

#[test]
fn a_batch_whose_answer_died_with_its_process_is_found() {
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
    bench.batchctl(LINE).run().exits(0);
    assert_eq!(bench.gate.count("POST /v1/batches"), 3, "P1: it was found in the listing");
    assert_eq!(bench.rows("ok"), 9);
    bench.nothing_is_paid_twice();
}
