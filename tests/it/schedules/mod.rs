//! Random schedules of faults and deaths, drawn from seeds, on a provider in memory (P1 to P4):
//! whatever goes wrong, the job ends, nothing is billed twice and no good answer is lost.
//!
//! `BATCHCTL_SEEDS=17` runs one seed alone and prints its schedule, `BATCHCTL_SEEDS=1..5000` many.

#![expect(clippy::print_stdout, reason = "what was tried is part of what this test says")]

mod planned;
mod promises;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::support::memory::chance::Fault;

use planned::Planned;
use promises::End;

const KEY: &str = "k7f2qd0000";
const ROWS: u64 = 24;
const A_SHARD: u64 = 8;
/// Seeds of a usual run.
const SEEDS: (u64, u64) = (1, 300);

#[test]
fn schedules_of_faults_from_seeds_never_pay_twice_and_lose_no_answer_p1_p2_p3_p4() {
    let (first, last) = seeds();
    let planned = Planned::new();
    let reference = planned.run(None).expect("without faults it ends").output;
    let start = Instant::now();
    let next = AtomicU64::new(first);
    let total = Mutex::new(Total::default());
    let wrong: Mutex<BTreeMap<u64, String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed > last {
                        break;
                    }
                    match planned.run(Some(seed)).and_then(|end| end.judged(&reference)) {
                        Ok(end) if first == last => println!("{}", end.memory.log()),
                        Ok(end) => total.lock().unwrap_or_else(PoisonError::into_inner).add(&end),
                        Err(why) => {
                            wrong.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, why);
                        }
                    }
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("seeds {first}..{last} in {:.1} s: {total}", start.elapsed().as_secs_f64());
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((seed, why)) = wrong.first_key_value() {
        let all: Vec<_> = wrong.keys().collect();
        panic!("{} seeds failed: {all:?}\nBATCHCTL_SEEDS={seed} runs this one:\n{why}", all.len());
    }
    if (first, last) == SEEDS {
        total.require_all();
    }
}

/// `BATCHCTL_SEEDS`, one seed or `from..to`, both included.
fn seeds() -> (u64, u64) {
    let Ok(text) = std::env::var("BATCHCTL_SEEDS") else { return SEEDS };
    let number = |text: &str| text.trim_matches('=').parse().expect("BATCHCTL_SEEDS is a number");
    match text.split_once("..") {
        Some((first, last)) => (number(first), number(last)),
        None => (number(&text), number(&text)),
    }
}

fn text_of(row: u64) -> String {
    format!("question {row} 你好")
}

/// What all seeds together have seen.
#[derive(Default)]
struct Total {
    seeds: u64,
    runs: u64,
    deaths: u64,
    restored: u64,
    clean: u64,
    rounds: u64,
    faults: BTreeMap<Fault, u64>,
}

impl Total {
    fn add(&mut self, end: &End) {
        self.seeds += 1;
        self.runs += end.runs as u64;
        self.deaths += end.deaths;
        self.restored += end.restored;
        self.clean += u64::from(end.is_clean());
        self.rounds += u64::from(end.bill_rounds > 1);
        for (fault, count) in end.memory.faults(|faults| faults.happened.clone()) {
            *self.faults.entry(fault).or_default() += count;
        }
    }

    /// A fault that never happened was not tested.
    fn require_all(&self) {
        assert!(self.deaths > 100 && self.clean > 50 && self.rounds > 5, "{self}");
        assert_eq!(self.faults.len(), Fault::LateFiles as usize + 1, "{self}");
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seeds, runs, deaths, restored, clean, rounds, faults } = self;
        write!(
            f,
            "{seeds} good, {runs} runs, {deaths} deaths, {restored} older homes, {clean} without a \
             lossy fault, {rounds} with a second round; {faults:?}"
        )
    }
}
