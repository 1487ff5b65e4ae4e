//! What goes wrong, drawn from a seed: the same seed, the same faults.

use std::collections::BTreeMap;

/// A thing that can go wrong, at a call or with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The call never leaves.
    NotSent,
    /// 429, without saying how long.
    Busy,
    /// 429 with a `Retry-After`.
    BusyFor,
    /// No answer, and nothing was done.
    LostBefore,
    /// No answer, and it was done.
    LostAfter,
    /// The same after ten minutes of silence.
    HangsBefore,
    HangsAfter,
    /// No answer, and it is done hours later.
    Late,
    /// The queue of the account is full.
    QueueFull,
    /// The input file is not yet taken in.
    NotReady,
    /// A reading fails.
    ReadFails,
    /// A status word nobody knows.
    OddWord,
    /// A download ends early and looks complete.
    CutDownload,
    /// The batch expires with a part done.
    Expires,
    /// Somebody cancels the batch with a part done.
    IsCancelled,
    /// The queue turns out to be full after the batch was made.
    FailsForTheQueue,
    /// The check of the file names lines.
    FailsForLines,
    /// An answer is in no file.
    MissingLine,
    /// An answer's line does not read.
    BrokenLine,
    /// A request is refused.
    BadRequest,
    /// An answer stands twice.
    Twice,
    /// A good answer and a failure of one row, in either order.
    GoodThenBad,
    BadThenGood,
    /// A line of another job.
    ForeignLine,
    /// A line that was never an answer.
    Garbage,
    /// Counts that are wrong or not there.
    OddCounts,
    /// The files are named some minutes after the end.
    LateFiles,
}

impl Fault {
    /// Whether rows may end without the answer they would have had.
    pub(crate) fn is_lossy(self) -> bool {
        matches!(
            self,
            Self::CutDownload
                | Self::Expires
                | Self::IsCancelled
                | Self::FailsForLines
                | Self::MissingLine
                | Self::BrokenLine
                | Self::BadRequest
        )
    }
}

/// Numbers from a seed (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below this one, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// An index of a list that is not empty.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("it is below a usize")
    }

    /// Whether something with this chance in a hundred happens.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// The faults of one seed.
#[derive(Debug)]
pub(crate) struct Faults {
    /// How many more there will be.
    left: u64,
    /// The chance of one at each occasion, in a hundred.
    chance: u64,
    /// Kinds that this seed knows.
    kinds: u64,
    /// Whether the next occasion is not left to chance.
    pub(crate) is_due: bool,
    /// How often each has happened.
    pub(crate) happened: BTreeMap<Fault, u64>,
    /// Those that nobody has taken note of yet.
    pub(crate) fresh: Vec<Fault>,
}

impl Faults {
    /// None at all.
    pub(crate) fn none() -> Self {
        Self {
            left: 0,
            chance: 0,
            kinds: 0,
            is_due: false,
            happened: BTreeMap::new(),
            fresh: Vec::new(),
        }
    }

    /// Those of a seed: some seeds have many, some few, and each leaves kinds out.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let kinds = dice.next() | dice.next();
        let left = dice.below(14);
        Self {
            left,
            chance: 8 + dice.below(40),
            kinds,
            is_due: false,
            happened: BTreeMap::new(),
            fresh: Vec::new(),
        }
    }

    /// What goes wrong at this occasion, if anything.
    pub(crate) fn at(&mut self, dice: &mut Dice, options: &[Fault]) -> Option<Fault> {
        let is_due = std::mem::take(&mut self.is_due) || dice.percent(self.chance);
        if self.left == 0 || options.is_empty() || !is_due {
            return None;
        }
        let fault = options[dice.index(options.len())];
        if self.kinds >> (fault as u32) & 1 == 0 {
            return None;
        }
        self.left -= 1;
        *self.happened.entry(fault).or_default() += 1;
        self.fresh.push(fault);
        Some(fault)
    }

    /// How many have happened.
    pub(crate) fn count(&self) -> u64 {
        self.happened.values().sum()
    }

    pub(crate) fn had(&self, is_one: impl Fn(Fault) -> bool) -> bool {
        self.happened.keys().any(|fault| is_one(*fault))
    }
}
