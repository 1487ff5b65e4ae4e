//! The small world: what each process, the ledger and the provider hold between two events.

use std::time::Duration;

use crate::job::reconcile::{LISTING_ALLOWANCE, Search};

/// The allowance in ticks; a tick is longer than every pause between two listings.
pub(super) const ALLOWANCE: u8 = 3;
/// One tick of the model's time.
pub(super) const TICK: Duration =
    Duration::from_secs(LISTING_ALLOWANCE.as_secs() / ALLOWANCE as u64);
/// Processes that know of the job.
pub(super) const CLIENTS: usize = 2;
/// Creates that are followed; a world in which the last of them is absent ends there.
pub(super) const CREATES: usize = 3;

/// What is taken out of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    /// Nothing: the protocol as it is.
    Nothing,
    /// The input file is not deleted where the search says it must be.
    Fence,
    /// Two processes may drive the job at once.
    Lock,
    /// One listing is taken for proof, before the fence and after it.
    Wait,
    /// The search after the fence counts from before the fence.
    SecondWait,
    /// The time between two listings counts from answer to answer, not from question to question.
    EarlyClock,
    /// The provider is not known to leave a batch alone whose file was deleted.
    Trust,
}

/// The world between two events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) clients: [Client; CLIENTS],
    /// The newest create that the ledger holds.
    pub(super) newest: u8,
    /// How it stands there.
    pub(super) entry: Entry,
    /// Complete listings without its batch since the search or the fence began; one is as many.
    pub(super) listings: u8,
    /// How long the search has gone on since then, in ticks, at most the allowance.
    pub(super) searched: u8,
    pub(super) creates: [Create; CREATES],
    /// Billable batches of the rows.
    pub(super) billed: u8,
}

/// How the newest create stands in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    /// Its input file is at the provider.
    Uploaded,
    /// The intent to create is committed, and no end.
    Creating,
    /// No clear answer came.
    Unknown,
    /// Its input file was deleted.
    Fenced,
    /// It does not exist and never will.
    Absent,
    /// Its batch is known.
    Running,
}

/// A process; all of it is lost when it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// Not running, and not holding the lock.
    Down,
    /// About to read the ledger.
    Reads,
    /// Has read that this create may be asked for.
    Decided(u8),
    /// Has committed the intent.
    Intends(u8),
    /// Has sent the create.
    Awaits { create: u8, is_answered: bool },
    /// Looks for the batch.
    Searches(Hunt),
    /// Has asked for the deletion of the input file.
    Fences { hunt: Hunt, is_answered: bool },
    /// Has read that the batch exists.
    Watches(u8),
    /// Is through with the job.
    Done,
    /// Has handed over to a person.
    Asks,
}

/// The search for one create's batch, as far as the process alone knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Hunt {
    pub(super) create: u8,
    /// Ticks since this process last asked for a listing that it read whole.
    pub(super) since: Option<u8>,
    /// A listing under way.
    pub(super) look: Option<Look>,
}

/// A listing that the provider has made and the process has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Look {
    /// Ticks from the last one's question to this one's.
    pub(super) waited: u8,
    /// Ticks since the question.
    pub(super) age: u8,
    pub(super) is_match: bool,
}

/// What the provider, and the way to it, hold of one create.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Create {
    /// Creates under way to the provider.
    pub(super) under_way: u8,
    /// Deletions of the input file under way.
    pub(super) deletion: bool,
    pub(super) has_file: bool,
    /// Ticks since a billable batch was made from the file, at most the allowance.
    pub(super) batch: Option<u8>,
    /// A batch was made after the file was deleted: it fails and costs nothing.
    pub(super) dud: bool,
}

impl World {
    /// The file of the first create is uploaded; nobody runs.
    pub(super) fn beginning() -> Self {
        let mut creates = [Create::default(); CREATES];
        creates[0].has_file = true;
        Self {
            clients: [Client::Down; CLIENTS],
            newest: 0,
            entry: Entry::Uploaded,
            listings: 0,
            searched: 0,
            creates,
            billed: 0,
        }
    }

    /// Records how a create stands; what is written late about an older one changes nothing.
    pub(super) fn record(&mut self, create: u8, entry: Entry) {
        if create == self.newest {
            self.entry = entry;
        }
    }

    /// Whether somebody holds the lock of the job.
    pub(super) fn is_locked(&self) -> bool {
        self.clients.iter().any(|c| !matches!(c, Client::Down | Client::Done | Client::Asks))
    }

    /// Begins a search, or begins it anew.
    pub(super) fn restart_search(&mut self) {
        (self.listings, self.searched) = (0, 0);
    }

    /// The search in the ledger as [`next_step`](crate::job::reconcile::next_step) wants it.
    pub(super) fn search(&self, without: Without) -> Search {
        let skips_the_wait = without == Without::Wait && self.listings > 0;
        let searched = if skips_the_wait { ALLOWANCE } else { self.searched };
        Search {
            listings: u32::from(self.listings),
            searched: TICK * u32::from(searched),
            is_fenced: self.entry == Entry::Fenced,
            fence_trusted: without != Without::Trust,
        }
    }

    /// Whether the ledger still has this create to be searched for.
    pub(super) fn is_lost(&self, create: u8) -> bool {
        let is_open = matches!(self.entry, Entry::Creating | Entry::Unknown | Entry::Fenced);
        create == self.newest && is_open
    }

    /// Lets a tick pass.
    pub(super) fn tick(&mut self) {
        let later = |ticks: u8| (ticks + 1).min(ALLOWANCE);
        for client in &mut self.clients {
            if let Client::Searches(hunt) = client {
                hunt.since = hunt.since.map(later);
                hunt.look = hunt.look.map(|look| Look { age: later(look.age), ..look });
            }
        }
        for create in &mut self.creates {
            create.batch = create.batch.map(later);
        }
    }
}

impl Hunt {
    /// A process begins to search: it does not know when another one last looked.
    pub(super) fn new(create: u8) -> Self {
        Self { create, since: None, look: None }
    }
}
