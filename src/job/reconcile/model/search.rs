//! The search through every world that can come about, nearest first, so that the first wrong one
//! has the shortest story.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::moves::Move;
use super::state::{Client, Without, World};

/// Every world that can come about, in the order in which they were found.
#[derive(Debug)]
pub(super) struct Explored {
    without: Without,
    worlds: Vec<World>,
    /// The world and the event from which each one came first.
    origins: Vec<(u32, Move)>,
    numbers: HashMap<World, u32>,
    /// A world in which the same rows are billed twice.
    pub(super) wrong: Option<u32>,
}

/// Explores until a world with two billable batches is found, or all are known.
pub(super) fn explore(without: Without) -> Explored {
    let beginning = World::beginning();
    let mut explored = Explored {
        without,
        worlds: vec![beginning],
        origins: vec![(0, Move::Ticks)],
        numbers: HashMap::from([(beginning, 0)]),
        wrong: None,
    };
    let mut from = 0;
    while let Some(world) = explored.worlds.get(from as usize).copied() {
        for (event, next) in world.next(without) {
            let number = explored.add(next, from, event);
            if next.billed > 1 {
                explored.wrong = Some(number);
                return explored;
            }
        }
        from += 1;
    }
    explored
}

impl Explored {
    fn add(&mut self, world: World, from: u32, event: Move) -> u32 {
        let number = u32::try_from(self.worlds.len()).expect("the world is small");
        match self.numbers.entry(world) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                free.insert(number);
                self.worlds.push(world);
                self.origins.push((from, event));
                number
            }
        }
    }

    /// How many worlds there are.
    pub(super) fn len(&self) -> usize {
        self.worlds.len()
    }

    /// The worlds.
    pub(super) fn worlds(&self) -> &[World] {
        &self.worlds
    }

    /// The shortest story that leads to a world.
    pub(super) fn story(&self, mut number: u32) -> Vec<Move> {
        let mut story = Vec::new();
        while number != 0 {
            let (from, event) = self.origins[number as usize];
            story.push(event);
            number = from;
        }
        story.reverse();
        story
    }

    /// A world from which a run in which nothing more goes wrong never comes to its end: a known
    /// batch, absence and a new create, or a question to a person.
    pub(super) fn stuck(&self) -> Option<u32> {
        let mut ends = vec![false; self.worlds.len()];
        for first in 0..self.worlds.len() {
            let mut path = Vec::new();
            let mut at = first;
            while !ends[at] {
                path.push(at);
                if path.len() > 1_000 {
                    return u32::try_from(first).ok();
                }
                let world = &self.worlds[at];
                if world.clients.iter().any(|c| matches!(c, Client::Done | Client::Asks)) {
                    break;
                }
                let Some(next) = self.calm_next(world) else {
                    return u32::try_from(first).ok();
                };
                at = self.numbers[&next] as usize;
            }
            for at in path {
                ends[at] = true;
            }
        }
        None
    }

    fn calm_next(&self, world: &World) -> Option<World> {
        let next = world.next(self.without).into_iter();
        let ranked = next.filter_map(|(event, next)| Some((event.calm_rank(world)?, next)));
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, next)| next)
    }
}
