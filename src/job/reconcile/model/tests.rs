//! What the model check promises (P1), and that it sees what it is there to see. Shown with
//! `cargo test --lib reconcile::model -- --nocapture`: the worlds explored and the shortest
//! story of each double create.

#![expect(clippy::print_stdout, reason = "the stories are what this check is read for")]

use super::moves::Move;
use super::search::{Explored, explore};
use super::state::{Client, Entry, Without, World};

/// Explores a protocol with a part taken out; the double create must be found. Returns its
/// shortest story.
fn must_find(without: Without) -> Vec<Move> {
    let explored = explore(without);
    let Some(wrong) = explored.wrong else {
        panic!("without {without:?}: {} worlds and no double create", explored.len());
    };
    let story = explored.story(wrong);
    println!("without {without:?}, found after {} worlds:{}", explored.len(), shown(&story));
    story
}

/// A story, one event a line.
fn shown(story: &[Move]) -> String {
    story.iter().map(|event| format!("\n  {event:?}")).collect()
}

fn none_wrong(explored: &Explored) {
    let story = |number: Option<u32>| number.map(|number| shown(&explored.story(number)));
    assert_eq!(story(explored.wrong), None, "two billable batches");
    assert_eq!(story(explored.stuck()), None, "from here it never ends");
}

fn place_of(story: &[Move], event: Move) -> usize {
    story.iter().position(|found| *found == event).expect("the story has this event")
}

#[test]
fn p1_the_protocol_never_makes_two_billable_batches_and_always_ends() {
    let explored = explore(Without::Nothing);
    println!("{} worlds explored", explored.len());
    none_wrong(&explored);
    assert!(explored.len() > 50_000);
    let some = |holds: &dyn Fn(&World) -> bool| assert!(explored.worlds().iter().any(holds));
    some(&|world| world.creates[0].dud && world.creates[1].batch.is_some());
    some(&|world| world.newest == 2 && world.entry == Entry::Running);
    some(&|world| world.creates.iter().all(|create| create.under_way > 0));
}

#[test]
fn p1_without_the_fence_a_late_create_runs_twice() {
    let story = must_find(Without::Fence);
    assert!(place_of(&story, Move::Fences(0)) < place_of(&story, Move::Arrives(0)));
}

#[test]
fn p1_without_the_lock_two_processes_create_twice() {
    let story = must_find(Without::Lock);
    assert!(place_of(&story, Move::Sends(0)) < place_of(&story, Move::Sends(1)));
    assert!(!story.contains(&Move::Dies(0)));
}

#[test]
fn p1_without_the_wait_a_batch_not_yet_listed_runs_twice() {
    let story = must_find(Without::Wait);
    assert!(!story.contains(&Move::Ticks), "one listing at once is not enough");
}

/// A create that arrived just before the file was deleted is listed as late as any other.
#[test]
fn p1_without_the_second_wait_a_batch_made_before_the_fence_runs_twice() {
    let story = must_find(Without::SecondWait);
    assert!(place_of(&story, Move::Arrives(0)) < place_of(&story, Move::DeletionArrives(0)));
}

/// A listing shows what was there when it was asked for, not when its answer was read.
#[test]
fn p1_a_listing_counts_from_its_question() {
    must_find(Without::EarlyClock);
}

#[test]
fn p1_where_the_fence_is_not_trusted_a_person_is_asked() {
    let explored = explore(Without::Trust);
    none_wrong(&explored);
    let worlds = explored.worlds();
    assert!(worlds.iter().any(|world| world.clients.contains(&Client::Asks)));
    // A file stays, so no batch fails for want of it, and nothing shows absence.
    assert!(worlds.iter().all(|world| world.entry != Entry::Absent));
}
