//! The rules in force, and how often each has been met and has fired.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::Faults;
use super::rule::{BatchFault, Call, Fault, ResultFault, Rule, Target};

/// All rules of a server. Counts live as long as it does.
#[derive(Debug)]
pub(in crate::sandbox) struct Book {
    entries: Mutex<Vec<Entry>>,
    /// How long a batch takes: what `x` in a time stands for.
    batch: Duration,
}

#[derive(Debug)]
struct Entry {
    rule: Arc<Rule>,
    /// When it was given (milliseconds).
    given: i64,
    seen: u64,
    fired: u64,
}

/// What a rule is held against.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Subject<'a> {
    /// Create keys and file names.
    pub(in crate::sandbox) keys: &'a [String],
    pub(in crate::sandbox) account: &'a str,
    pub(in crate::sandbox) family: &'a str,
    /// Milliseconds since 1970.
    pub(in crate::sandbox) now: i64,
}

impl Book {
    pub(in crate::sandbox) fn new(faults: &Faults, batch: Duration, now: i64) -> Self {
        let book = Self { entries: Mutex::default(), batch };
        book.add(faults, now);
        book
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts rules behind those that hold already.
    pub(in crate::sandbox) fn add(&self, faults: &Faults, now: i64) {
        let entry =
            |rule: &Rule| Entry { rule: Arc::new(rule.clone()), given: now, seen: 0, fired: 0 };
        self.entries().extend(faults.0.iter().map(entry));
    }

    pub(in crate::sandbox) fn clear(&self) {
        self.entries().clear();
    }

    /// How long a batch takes.
    pub(in crate::sandbox) fn batch(&self) -> Duration {
        self.batch
    }

    /// Each rule with its counts.
    pub(in crate::sandbox) fn show(&self) -> Value {
        let one = |entry: &Entry| {
            json!({
                "rule": entry.rule.text, "seen": entry.seen, "fired": entry.fired,
            })
        };
        Value::Array(self.entries().iter().map(one).collect())
    }

    /// Whether any rule is about this call, and whether one of these asks for a key.
    pub(super) fn watches(&self, call: Call) -> (bool, bool) {
        let entries = self.entries();
        let about: Vec<_> =
            entries.iter().filter(|entry| is_about_call(entry.rule.target, call)).collect();
        (!about.is_empty(), about.iter().any(|entry| entry.rule.when.key.is_some()))
    }

    /// Whether any rule is about calls that answer at once.
    pub(in crate::sandbox) fn watches_realtime(&self) -> bool {
        self.watches(Call::Realtime).0
    }

    /// The first rule that fires for a call; all that fit count it.
    pub(super) fn for_call(&self, call: Call, subject: Subject<'_>) -> Option<Arc<Rule>> {
        self.fired(|rule| is_about_call(rule.target, call), subject, true).pop()
    }

    /// The rules that decide the life and the results of a new batch.
    pub(in crate::sandbox) fn for_batch(&self, subject: Subject<'_>) -> Vec<Arc<Rule>> {
        let is_meant = |rule: &Rule| {
            matches!(rule.target, Target::Batch | Target::Result) && !rule.is_survival()
        };
        self.fired(is_meant, subject, false)
    }

    /// Whether a create of a file that was deleted goes through all the same.
    pub(in crate::sandbox) fn survives(&self, subject: Subject<'_>) -> bool {
        !self.fired(Rule::is_survival, subject, true).is_empty()
    }

    /// Whether deleted files must be kept for a create that survives it.
    pub(in crate::sandbox) fn keeps_deleted(&self) -> bool {
        self.entries().iter().any(|entry| entry.rule.is_survival())
    }

    fn fired(
        &self,
        is_meant: impl Fn(&Rule) -> bool,
        subject: Subject<'_>,
        only_first: bool,
    ) -> Vec<Arc<Rule>> {
        let mut fired = Vec::new();
        let batch = self.batch;
        for entry in self.entries().iter_mut().filter(|entry| is_meant(&entry.rule)) {
            if !entry.fits(subject, batch) {
                continue;
            }
            entry.seen += 1;
            let (rule, number) = (&entry.rule, entry.seen);
            if rule.which.takes(number)
                && rule.when.is_lucky(&rule.text, number)
                && (fired.is_empty() || !only_first)
            {
                entry.fired += 1;
                fired.push(Arc::clone(&entry.rule));
            }
        }
        fired
    }
}

impl Entry {
    fn fits(&self, subject: Subject<'_>, batch: Duration) -> bool {
        let when = &self.rule.when;
        let age = subject.now - self.given;
        when.account.as_deref().is_none_or(|account| account == subject.account)
            && when.family.as_deref().is_none_or(|family| family == subject.family)
            && when.after.is_none_or(|after| age >= after.millis(batch))
            && when.until.is_none_or(|until| age < until.millis(batch))
            && when.key.as_ref().is_none_or(|key| subject.keys.iter().any(|k| k.contains(key)))
    }
}

fn is_about_call(target: Target, call: Call) -> bool {
    match target {
        Target::Call(meant) => meant == call,
        Target::AnyCall => true,
        Target::Batch | Target::Result => false,
    }
}

impl Rule {
    fn is_survival(&self) -> bool {
        self.fault == Fault::Batch(BatchFault::SurvivesDeletion)
    }
}

/// What was decided about a batch when it was created, read again from the words in its record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::sandbox) struct Fate {
    pub(in crate::sandbox) batch: Vec<BatchFault>,
    pub(in crate::sandbox) result: Vec<ResultFault>,
}

impl Fate {
    /// Rules that cannot be read, such as those of another version, are passed over.
    pub(in crate::sandbox) fn of(rules: &[String]) -> Self {
        let mut fate = Self::default();
        for rule in rules.iter().filter_map(|text| super::parse::rule(text).ok()) {
            match rule.fault {
                Fault::Batch(fault) => fate.batch.push(fault),
                Fault::Result(fault) => fate.result.push(fault),
                Fault::Call(_) | Fault::NotReady(_) | Fault::Unlisted(_) => {}
            }
        }
        fate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(rules: &str) -> Book {
        Book::new(&Faults::parse(rules).unwrap(), Duration::from_secs(2), 1000)
    }

    fn at(now: i64) -> Subject<'static> {
        Subject { keys: &[], account: "", family: "openai", now }
    }

    #[test]
    fn rules_fire_when_they_are_due_and_count() {
        let table = [
            ("create: close", [true; 6]),
            ("create#2: close", [false, true, false, false, false, false]),
            ("create#2-4: close", [false, true, true, true, false, false]),
            ("create#5+: close", [false, false, false, false, true, true]),
            ("any%3: close", [false, false, true, false, false, true]),
            ("create after=2: close", [false, false, true, true, true, true]),
            ("create until=2s: close", [true, true, false, false, false, false]),
            ("create#2 after=1x: close", [false, false, false, true, false, false]),
            ("create account=a: close", [false; 6]),
            ("create family=zhipu: close", [false; 6]),
            ("create family=openai: close", [true; 6]),
            ("create key=x: close", [false; 6]),
            ("list: close", [false; 6]),
            ("batch: expire", [false; 6]),
        ];
        for (rules, expected) in table {
            let book = book(rules);
            let got: Vec<bool> = (0..6)
                .map(|n| book.for_call(Call::Create, at(1000 + n * 1000)).is_some())
                .collect();
            assert_eq!(got, expected, "{rules}");
            let fired = expected.iter().filter(|fired| **fired).count();
            assert_eq!(book.show()[0]["fired"], fired, "{rules}");
        }
    }

    #[test]
    fn the_first_rule_takes_effect_on_calls_and_all_on_batches() {
        let book = book("create#2: 500; create: 503; any: 404; batch: expire; result: bom");
        let words: Vec<String> =
            (0..3).map(|_| book.for_call(Call::Create, at(1000)).unwrap().text.clone()).collect();
        assert_eq!(words, ["create: 503", "create#2: 500", "create: 503"]);
        assert_eq!(book.for_batch(at(1000)).len(), 2);
        assert_eq!(book.show()[2], json!({"rule": "any: 404", "seen": 3, "fired": 0}));
        book.clear();
        assert_eq!(book.watches(Call::Create), (false, false));
    }

    #[test]
    fn the_dice_falls_the_same_way_each_time() {
        let run = |rules: &str| -> Vec<bool> {
            let book = book(rules);
            (0..400).map(|_| book.for_call(Call::List, at(1000)).is_some()).collect()
        };
        let first = run("list chance=0.25 seed=3: close");
        assert_eq!(first, run("list chance=0.25 seed=3: close"));
        assert_ne!(first, run("list chance=0.25 seed=4: close"));
        let fired = first.iter().filter(|fired| **fired).count();
        assert!((60..140).contains(&fired), "{fired}");
    }
}
