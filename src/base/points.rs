//! Crash points and error points: how the tests kill this very program at each of its steps, and
//! make each operation on one of its files fail. What is tested is what is released: the points
//! are always compiled in, and cost one atomic load where no rehearsal is asked for.
//!
//! Asked for by environment variables, read once:
//!
//! | variable | what happens |
//! |---|---|
//! | `BATCHCTL_CRASH=12` | aborts at the 12th passage of any point; no destructor runs |
//! | `BATCHCTL_CRASH=NAME`, `NAME#3` | aborts at the first, at the 3rd passage of that point |
//! | `BATCHCTL_CRASH_POWER=1` | a crash takes along what was not synced, as a power loss does |
//! | `BATCHCTL_FAULT=7:enospc` | the 7th file operation fails: `enospc`, `eio`, `eintr`, `short` |
//! | `BATCHCTL_FAULT=NAME:eio`, `NAME#3:eio` | the first, the 3rd operation of that name (`write PATH`) |
//! | `BATCHCTL_CRASH_COUNT=FILE` | appends a line for each passage and each file operation |
//!
//! These are for tests only and stand in no help text.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::power::Unsynced;

/// Passes a crash point: its name, and what it is about. Nothing happens unless a rehearsal is
/// asked for; see [`crate::base::points`].
macro_rules! crash_point {
    ($name:expr, $about:expr) => {
        $crate::base::pass_crash_point($name, &$about)
    };
}
pub(crate) use crash_point;

/// A failure that is put in place of a file operation, or on top of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The operation is not done and this is what the system says.
    Error(io::ErrorKind, Option<i32>),
    /// Only half of the bytes are taken or given.
    Short,
}

impl Fault {
    fn read(word: &str) -> Option<Self> {
        #[cfg(unix)]
        let code = |errno: rustix::io::Errno| Some(errno.raw_os_error());
        #[cfg(unix)]
        let (full, broken) = (code(rustix::io::Errno::NOSPC), code(rustix::io::Errno::IO));
        #[cfg(not(unix))]
        let (full, broken) = (None, None);
        Some(match word {
            "enospc" => Self::Error(io::ErrorKind::StorageFull, full),
            "eio" => Self::Error(io::ErrorKind::Other, broken),
            "eintr" => Self::Error(io::ErrorKind::Interrupted, None),
            "short" => Self::Short,
            _ => return None,
        })
    }

    /// The error, if it is one.
    pub(super) fn error(self) -> Option<io::Error> {
        match self {
            Self::Error(kind, code) => {
                Some(code.map_or_else(|| kind.into(), io::Error::from_raw_os_error))
            }
            Self::Short => None,
        }
    }
}

/// Where the process is to die, or an operation to fail.
#[derive(Debug, PartialEq, Eq)]
enum Crash {
    /// At this passage of any point.
    Passage(u64),
    /// At this passage of this point.
    Point(String, u64),
}

impl Crash {
    fn read(text: &str) -> Self {
        if let Ok(number) = text.parse() {
            return Self::Passage(number);
        }
        match text.rsplit_once('#').map(|(name, turn)| (name, turn.parse())) {
            Some((name, Ok(turn))) => Self::Point(name.to_owned(), turn),
            _ => Self::Point(text.to_owned(), 1),
        }
    }

    /// Whether this is the place: so many passages in all, this many of this name.
    fn is_at(&self, passages: u64, name: &str, turn: u64) -> bool {
        match self {
            Self::Passage(number) => *number == passages,
            Self::Point(wanted, number) => wanted == name && *number == turn,
        }
    }
}

/// What was asked for, and how far the process has come.
#[derive(Debug, Default)]
struct Rehearsal {
    crash: Option<Crash>,
    fault: Option<(Crash, Fault)>,
    has_power_loss: bool,
    log: Option<File>,
    passages: u64,
    operations: u64,
    by_point: HashMap<String, u64>,
    by_operation: HashMap<String, u64>,
    unsynced: Unsynced,
}

impl Rehearsal {
    /// `None` if no variable asks for one. A value that does not read asks for nothing: the
    /// harness looks whether its crash happened.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let fault = variable("BATCHCTL_FAULT").and_then(|text| {
            let (place, word) = text.rsplit_once(':')?;
            Some((Crash::read(place), Fault::read(word)?))
        });
        let log = variable("BATCHCTL_CRASH_COUNT")
            .and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok());
        let crash = variable("BATCHCTL_CRASH").map(|text| Crash::read(&text));
        let is_asked_for = fault.is_some() || log.is_some() || crash.is_some();
        is_asked_for.then(|| Self {
            crash,
            fault,
            log,
            has_power_loss: variable("BATCHCTL_CRASH_POWER").is_some(),
            ..Self::default()
        })
    }

    /// Counts a passage; true if the process is to die at it.
    fn passes(&mut self, name: &str, about: &dyn Display) -> bool {
        let point = format!("{name} {about}");
        self.passages += 1;
        self.note("point", self.passages, &point);
        let turn = self.by_point.entry(point.clone()).or_default();
        *turn += 1;
        self.crash.as_ref().is_some_and(|crash| crash.is_at(self.passages, &point, *turn))
    }

    /// Counts a file operation; what is to go wrong with it.
    fn operates(&mut self, name: &str, path: &Path) -> Option<Fault> {
        let operation = format!("{name} {}", path.display());
        self.operations += 1;
        self.note("operation", self.operations, &operation);
        let turn = self.by_operation.entry(operation.clone()).or_default();
        *turn += 1;
        let (place, fault) = self.fault.as_ref()?;
        place.is_at(self.operations, &operation, *turn).then_some(*fault)
    }

    fn note(&mut self, what: &str, number: u64, name: &str) {
        if let Some(log) = &mut self.log {
            // In one piece, since another process may append to the same file.
            let _ = log.write_all(format!("{what} {number} {name}\n").as_bytes());
        }
    }
}

static REHEARSAL: OnceLock<Option<Mutex<Rehearsal>>> = OnceLock::new();

fn rehearsal() -> Option<MutexGuard<'static, Rehearsal>> {
    let rehearsal = REHEARSAL
        .get_or_init(|| Rehearsal::of(|name| std::env::var(name).ok()).map(Mutex::new))
        .as_ref()?;
    Some(rehearsal.lock().unwrap_or_else(PoisonError::into_inner))
}

/// What [`crash_point!`] calls.
pub(crate) fn pass_crash_point(name: &'static str, about: &dyn Display) {
    if let Some(mut rehearsal) = rehearsal()
        && rehearsal.passes(name, about)
    {
        if rehearsal.has_power_loss {
            rehearsal.unsynced.lose();
        }
        // The lock is still held: no other thread takes a step more.
        std::process::abort();
    }
}

/// What is to go wrong with the file operation that comes now.
pub(super) fn next_fault(name: &'static str, path: &Path) -> Option<Fault> {
    rehearsal()?.operates(name, path)
}

/// Tells what a power loss would take, where one is rehearsed.
pub(super) fn on_unsynced(note: impl FnOnce(&mut Unsynced)) {
    if let Some(mut rehearsal) = rehearsal()
        && rehearsal.has_power_loss
    {
        note(&mut rehearsal.unsynced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(variables: &[(&str, &str)]) -> Option<Rehearsal> {
        Rehearsal::of(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// The passage at which a run over these points dies, if it does.
    fn dies_at(crash: &str, points: &[&str]) -> Option<usize> {
        let mut rehearsal = asked(&[("BATCHCTL_CRASH", crash)]).unwrap();
        points.iter().position(|point| rehearsal.passes(point, &"x"))
    }

    #[test]
    fn a_crash_comes_at_the_passage_that_was_asked_for() {
        let points = ["a", "b", "a", "a"];
        for (crash, expected) in [
            ("1", Some(0)),
            ("4", Some(3)),
            ("5", None),
            ("b x", Some(1)),
            ("a x", Some(0)),
            ("a x#3", Some(3)),
            ("a x#4", None),
            ("b", None),
        ] {
            assert_eq!(dies_at(crash, &points), expected, "{crash}");
        }
    }

    #[test]
    fn a_fault_comes_at_its_operation_and_once() {
        let mut rehearsal = asked(&[("BATCHCTL_FAULT", "2:short")]).unwrap();
        let mut next = || rehearsal.operates("write", Path::new("out.csv"));
        assert_eq!([next(), next(), next()], [None, Some(Fault::Short), None]);
        let mut named = asked(&[("BATCHCTL_FAULT", "write a:b.csv#2:eio")]).unwrap();
        let mut next = |name| named.operates("write", Path::new(name)).is_some();
        assert_eq!([next("a:b.csv"), next("x"), next("a:b.csv")], [false, false, true]);
        for (word, kind) in [
            ("enospc", Some(io::ErrorKind::StorageFull)),
            ("eintr", Some(io::ErrorKind::Interrupted)),
            ("short", None),
        ] {
            let fault = Fault::read(word).unwrap();
            assert_eq!(fault.error().map(|error| error.kind()), kind, "{word}");
        }
    }

    #[test]
    fn nothing_is_rehearsed_unless_it_is_asked_for() {
        assert!(asked(&[]).is_none());
        assert!(asked(&[("BATCHCTL_CRASH_POWER", "1")]).is_none());
        for bad in ["", "7", "7:nonsense"] {
            assert!(asked(&[("BATCHCTL_FAULT", bad)]).is_none(), "{bad}");
        }
    }

    #[test]
    fn passages_and_operations_are_counted_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("count");
        let mut rehearsal =
            asked(&[("BATCHCTL_CRASH_COUNT", &path.display().to_string())]).unwrap();
        assert!(!rehearsal.passes("sync", &"a.rows"));
        assert_eq!(rehearsal.operates("sync", Path::new("a.rows")), None);
        assert!(!rehearsal.passes("synced", &"a.rows"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "point 1 sync a.rows\noperation 1 sync a.rows\npoint 2 synced a.rows\n");
    }
}
