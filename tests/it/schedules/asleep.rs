//! A machine that sleeps, and one whose wall clock is set while a job runs.

use std::time::Duration;

use crate::support::memory::chance::Dice;
use crate::support::memory::clock::Jump;

use super::planned::Planned;

const HOUR: u64 = 3600;
const DAY: i64 = 86_400;
/// Asked that rarely, a job whose machine slept would wait for long after it.
const RARELY: Duration = Duration::from_secs(12 * HOUR);

/// A pause is over when the machine wakes: what ended meanwhile is asked for at once.
#[test]
fn after_a_sleep_of_eight_hours_the_batches_are_asked_after_at_once() {
    let planned = Planned::new();
    let awake = planned.run_with(None, RARELY, |_| ()).expect("it ends");
    let usual = awake.memory.clock.awake();
    let at = usual / 2;
    let slept = planned.run_with(None, RARELY, |clock| {
        clock.jumps(at, Jump::Suspended(Duration::from_secs(8 * HOUR)));
    });
    let slept = slept.expect("it ends");
    // Judging lets days pass.
    let ended = slept.memory.clock.awake();
    slept.judged(&awake.output).expect("it ends well");
    println!("awake it takes {usual} s; asleep from {at} s on, {ended} s");
    assert!(usual - at > 240, "the pause would have gone on: {at} of {usual}");
    assert!(ended < at + 60, "it ends at {ended} s, woken at {at} s");
}

/// Local time is for display: wherever it is set, nothing is paid twice and no answer is lost.
#[test]
fn a_wall_clock_that_is_set_breaks_nothing_p1_p2_p3() {
    let planned = Planned::new();
    let reference = planned.run(None).expect("without faults it ends").output;
    for seed in 1..=SEEDS {
        let mut dice = Dice::new(seed ^ 0x5eed);
        let end = planned.run_with(Some(seed), Duration::from_secs(120), |clock| {
            for _ in 0..=dice.below(4) {
                let by = [-DAY, DAY, -HOUR.cast_signed(), 400][dice.index(4)];
                let jump = match dice.below(3) {
                    0 => Jump::Suspended(Duration::from_secs(8 * HOUR)),
                    _ => Jump::Set(by),
                };
                clock.jumps(dice.below(3 * HOUR), jump);
            }
        });
        if let Err(why) = end.and_then(|end| end.judged(&reference)) {
            panic!("seed {seed}: {why}");
        }
    }
}

/// Seeds with other clocks.
const SEEDS: u64 = 60;
