//! The events of the small world: what can happen next, and what the world is like after it.

use super::state::{
    ALLOWANCE, CLIENTS, CREATES, Client, Create, Entry, Hunt, Look, TICK, Without, World,
};
use crate::job::reconcile::{Step, next_step};

/// One event. Clients and creates are named by their numbers, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// A process starts and takes the lock.
    Starts(usize),
    /// It reads the ledger.
    Reads(usize),
    /// It commits the intent to create.
    Intends(usize),
    /// It sends the create.
    Sends(usize),
    /// It reads the answer, which says that the batch exists, and records it.
    Hears(usize),
    /// It waits no longer for the answer and records that.
    GivesUp(usize),
    /// It asks for a listing, which the provider makes; with the batch or without.
    Asks(usize, bool),
    /// It reads the listing.
    ReadsListing(usize),
    /// The listing gets lost.
    LosesListing(usize),
    /// It asks for the deletion of the input file.
    Fences(usize),
    /// It reads that the file is deleted, and records that.
    HearsDeletion(usize),
    /// It waits no longer for that answer and asks again.
    FencesAgain(usize),
    /// It concludes that the create is absent and records that.
    Concludes(usize),
    /// It hands over to a person.
    HandsOver(usize),
    /// It asks how the batch stands.
    Polls(usize),
    /// It dies.
    Dies(usize),
    /// A create reaches the provider.
    Arrives(u8),
    /// A create gets lost on the way.
    GetsLost(u8),
    /// A deletion reaches the provider.
    DeletionArrives(u8),
    /// A deletion gets lost on the way.
    DeletionGetsLost(u8),
    /// Time passes.
    Ticks,
}

impl World {
    /// Every event that can follow, with the world after it.
    pub(super) fn next(&self, without: Without) -> Vec<(Move, Self)> {
        let mut next = Vec::with_capacity(16);
        for at in 0..CLIENTS {
            self.client_moves(at, without, &mut next);
        }
        for (create, known) in (0u8..).zip(&self.creates) {
            self.provider_moves(create, *known, &mut next);
        }
        let mut later = *self;
        later.tick();
        if later != *self {
            next.push((Move::Ticks, later));
        }
        next
    }

    fn client_moves(&self, at: usize, without: Without, next: &mut Vec<(Move, Self)>) {
        let mut add = |event, change: &dyn Fn(&mut Self)| {
            let mut world = *self;
            change(&mut world);
            next.push((event, world));
        };
        let becomes = |client| move |world: &mut Self| world.clients[at] = client;
        match self.clients[at] {
            Client::Down if without == Without::Lock || !self.is_locked() => {
                add(Move::Starts(at), &becomes(Client::Reads));
                return;
            }
            Client::Down | Client::Done | Client::Asks => return,
            Client::Reads => add(Move::Reads(at), &|world| world.read(at)),
            Client::Decided(create) => add(Move::Intends(at), &|world| {
                world.record(create, Entry::Creating);
                world.restart_search();
                world.clients[at] = Client::Intends(create);
            }),
            Client::Intends(create) => add(Move::Sends(at), &|world| {
                world.creates[usize::from(create)].under_way += 1;
                world.clients[at] = Client::Awaits { create, is_answered: false };
            }),
            Client::Awaits { create, is_answered } => {
                if is_answered {
                    add(Move::Hears(at), &|world| world.adopt(at, create));
                }
                add(Move::GivesUp(at), &|world| {
                    world.record(create, Entry::Unknown);
                    world.clients[at] = Client::Searches(Hunt::new(create));
                });
            }
            Client::Searches(hunt) => self.search_moves(at, hunt, without, next),
            Client::Fences { hunt, is_answered } => {
                if is_answered {
                    add(Move::HearsDeletion(at), &|world| world.fence(at, hunt, without));
                }
                let again = Client::Fences { hunt, is_answered: false };
                add(Move::FencesAgain(at), &|world| {
                    world.creates[usize::from(hunt.create)].deletion = true;
                    world.clients[at] = again;
                });
            }
            Client::Watches(create) => add(Move::Polls(at), &|world| {
                if world.creates[usize::from(create)].batch.is_some() {
                    world.clients[at] = Client::Done;
                } else {
                    // It failed for want of its file and cost nothing.
                    world.record(create, Entry::Absent);
                    world.clients[at] = Client::Reads;
                }
            }),
        }
        let mut world = *self;
        world.clients[at] = Client::Down;
        next.push((Move::Dies(at), world));
    }

    fn search_moves(&self, at: usize, hunt: Hunt, without: Without, next: &mut Vec<(Move, Self)>) {
        let mut add = |event, change: &dyn Fn(&mut Self)| {
            let mut world = *self;
            change(&mut world);
            next.push((event, world));
        };
        let becomes = |hunt| move |world: &mut Self| world.clients[at] = Client::Searches(hunt);
        if !self.is_lost(hunt.create) {
            add(Move::Reads(at), &|world| world.clients[at] = Client::Reads);
            return;
        }
        if let Some(look) = hunt.look {
            add(Move::LosesListing(at), &becomes(Hunt { look: None, ..hunt }));
            add(Move::ReadsListing(at), &|world| world.read_listing(at, hunt, look, without));
            if !look.is_match && self.entry != Entry::Fenced {
                // The provider's clock may know of time in which no process ran.
                add(Move::ReadsListing(at), &|world| {
                    world.read_listing(at, hunt, look, without);
                    world.searched = ALLOWANCE;
                });
            }
            return;
        }
        match next_step(&self.search(without)) {
            Step::Look { after } => {
                assert!(after <= TICK, "a tick is longer than every pause");
                let waited = hunt.since.unwrap_or(0);
                let look = |is_match| Some(Look { waited, age: 0, is_match });
                let create = &self.creates[usize::from(hunt.create)];
                if create.batch.is_some() || create.dud {
                    add(Move::Asks(at, true), &becomes(Hunt { look: look(true), ..hunt }));
                }
                if create.batch.is_none_or(|age| age < ALLOWANCE) {
                    add(Move::Asks(at, false), &becomes(Hunt { look: look(false), ..hunt }));
                }
            }
            Step::Fence if without == Without::Fence => {
                add(Move::Fences(at), &|world| world.fence(at, hunt, without));
            }
            Step::Fence => add(Move::Fences(at), &|world| {
                world.creates[usize::from(hunt.create)].deletion = true;
                world.clients[at] = Client::Fences { hunt, is_answered: false };
            }),
            Step::Absent => add(Move::Concludes(at), &|world| {
                world.record(hunt.create, Entry::Absent);
                world.clients[at] = Client::Reads;
            }),
            Step::AskPerson => {
                add(Move::HandsOver(at), &|world| world.clients[at] = Client::Asks);
            }
        }
    }

    fn provider_moves(&self, create: u8, known: Create, next: &mut Vec<(Move, Self)>) {
        let at = usize::from(create);
        if known.under_way > 0 {
            let mut lost = *self;
            lost.creates[at].under_way -= 1;
            let mut arrived = lost;
            arrived.take_create(create);
            next.push((Move::Arrives(create), arrived));
            next.push((Move::GetsLost(create), lost));
        }
        if known.deletion {
            let mut lost = *self;
            lost.creates[at].deletion = false;
            let mut arrived = lost;
            arrived.creates[at].has_file = false;
            for client in &mut arrived.clients {
                if let Client::Fences { hunt, is_answered } = client
                    && hunt.create == create
                {
                    *is_answered = true;
                }
            }
            next.push((Move::DeletionArrives(create), arrived));
            next.push((Move::DeletionGetsLost(create), lost));
        }
    }

    /// A process reads the ledger and decides what it is about.
    fn read(&mut self, at: usize) {
        let create = self.newest;
        self.clients[at] = match self.entry {
            Entry::Uploaded => Client::Decided(create),
            Entry::Creating | Entry::Unknown | Entry::Fenced => Client::Searches(Hunt::new(create)),
            Entry::Running => Client::Watches(create),
            Entry::Absent if usize::from(create) + 1 == CREATES => Client::Done,
            // A new file under a new name, from which a new create may be made.
            Entry::Absent => {
                self.restart_search();
                self.newest += 1;
                self.entry = Entry::Uploaded;
                self.creates[usize::from(self.newest)].has_file = true;
                Client::Reads
            }
        };
    }

    fn read_listing(&mut self, at: usize, hunt: Hunt, look: Look, without: Without) {
        if look.is_match {
            return self.adopt(at, hunt.create);
        }
        let (waited, since) = match without {
            Without::EarlyClock => (hunt.since.unwrap_or(0), 0),
            _ => (look.waited, look.age),
        };
        self.listings = 1;
        self.searched = (self.searched + waited).min(ALLOWANCE);
        self.clients[at] = Client::Searches(Hunt { since: Some(since), look: None, ..hunt });
    }

    fn adopt(&mut self, at: usize, create: u8) {
        self.record(create, Entry::Running);
        self.clients[at] = Client::Watches(create);
    }

    fn fence(&mut self, at: usize, hunt: Hunt, without: Without) {
        self.record(hunt.create, Entry::Fenced);
        if without != Without::SecondWait {
            self.restart_search();
        }
        self.clients[at] = Client::Searches(Hunt::new(hunt.create));
    }

    /// The provider makes a batch; without its input file it fails and costs nothing.
    fn take_create(&mut self, create: u8) {
        let known = &mut self.creates[usize::from(create)];
        if known.has_file {
            known.batch = Some(0);
            self.billed += 1;
        } else {
            known.dud = true;
        }
        let waits = |client: &&mut Client| matches!(client, Client::Awaits { create: its, is_answered: false } if *its == create);
        if let Some(client) = self.clients.iter_mut().find(waits) {
            *client = Client::Awaits { create, is_answered: true };
        }
    }
}

impl Move {
    /// What happens first in a world where nothing goes wrong any more; `None` for what does not
    /// happen there.
    pub(super) fn calm_rank(self, world: &World) -> Option<u8> {
        match self {
            Self::GivesUp(at) => match world.clients[at] {
                // Nothing of it is under way any more, so an answer never comes.
                Client::Awaits { create, is_answered: false }
                    if world.creates[usize::from(create)].under_way == 0 =>
                {
                    Some(2)
                }
                _ => None,
            },
            Self::FencesAgain(at) => match world.clients[at] {
                Client::Fences { hunt, is_answered: false }
                    if !world.creates[usize::from(hunt.create)].deletion =>
                {
                    Some(2)
                }
                _ => None,
            },
            Self::LosesListing(_)
            | Self::Dies(_)
            | Self::GetsLost(_)
            | Self::DeletionGetsLost(_) => None,
            Self::DeletionArrives(_) | Self::Arrives(_) => Some(0),
            Self::Asks(at, is_match) => match world.clients[at] {
                // It waits until a tick has passed since the last listing.
                Client::Searches(hunt) if hunt.since == Some(0) => Some(5),
                _ => Some(if is_match { 1 } else { 2 }),
            },
            Self::Ticks => Some(4),
            _ => Some(1),
        }
    }
}
