//! What a rule does to the life of a batch: its plan when it is created, its looks afterwards.

use serde_json::{Value, json};

use super::book::Fate;
use super::rule::{BatchFault, CountsFault, IdFault, ResultFault, Span};
use crate::batch::BatchStatus;
use crate::sandbox::check::Problem;
use crate::sandbox::timeline::{Forced, Plan};

use std::time::Duration;

/// An id that no file has.
const NO_FILE: &str = "file-of-nobody";

impl Fate {
    /// Bends the plan of a new batch. What makes it fail is put before the complaints about it.
    pub(in crate::sandbox) fn bend(
        &self,
        plan: &mut Plan,
        problems: &mut Vec<Problem>,
        batch: Duration,
    ) {
        for fault in &self.batch {
            match fault {
                BatchFault::Lasts(time) => plan.duration = time.millis(batch),
                BatchFault::Validating(time) => plan.validating = time.millis(batch),
                BatchFault::Finalizing(time) => plan.finalizing = time.millis(batch),
                BatchFault::Fail(failing) => {
                    plan.valid = false;
                    let one = |line| Problem {
                        code: failing.code.clone(),
                        message: failing.text.clone(),
                        param: None,
                        line,
                    };
                    let lines = failing.lines.iter().map(|line| one(Some(*line)));
                    problems.extend(lines);
                    if failing.lines.is_empty() {
                        problems.push(one(None));
                    }
                }
                _ => {}
            }
        }
        // Last: when it is over depends on how long it takes.
        for fault in &self.batch {
            let (status, share) = match fault {
                BatchFault::Expire(share) => (BatchStatus::Expired, share),
                BatchFault::Cancel(share) => (BatchStatus::Cancelled, share),
                _ => continue,
            };
            plan.forced = Some(Forced { status, done: share.of(plan.total) });
        }
    }

    fn first<T>(&self, read: impl Fn(&BatchFault) -> Option<T>) -> Option<T> {
        self.batch.iter().find_map(read)
    }

    /// How long after its creation it is not listed.
    pub(in crate::sandbox) fn listing_lag(&self) -> Option<Span> {
        self.first(|fault| match fault {
            BatchFault::ListingLag(time) => Some(*time),
            _ => None,
        })
    }

    /// How long after its end it names no files.
    pub(in crate::sandbox) fn nameless(&self) -> Option<Span> {
        self.first(|fault| match fault {
            BatchFault::Nameless(time) => Some(*time),
            _ => None,
        })
    }

    /// The word in the place of its status, and for how long.
    pub(in crate::sandbox) fn word(&self) -> Option<(String, Option<Span>)> {
        self.first(|fault| match fault {
            BatchFault::Status(word, time) => Some((word.clone(), *time)),
            _ => None,
        })
    }

    /// Whether it fails when its file is deleted.
    pub(in crate::sandbox) fn dies_with_file(&self) -> bool {
        self.batch.contains(&BatchFault::DiesWithFile)
    }

    /// Changes the ids of its files and its counts in its body. Ids are those of a batch that has
    /// ended.
    pub(in crate::sandbox) fn disguise(&self, body: &mut Value, has_ended: bool) {
        for fault in &self.result {
            match fault {
                ResultFault::OutputId(id) if has_ended => id.put(body, "output_file_id"),
                ResultFault::ErrorId(id) if has_ended => id.put(body, "error_file_id"),
                ResultFault::Counts(counts) => counts.put(body, has_ended),
                _ => {}
            }
        }
    }
}

impl IdFault {
    fn put(self, body: &mut Value, name: &str) {
        body[name] = match self {
            Self::Null => Value::Null,
            Self::Empty => json!(""),
            Self::Object => json!({}),
            Self::Unknown => json!(NO_FILE),
            Self::Absent => {
                remove(body, name);
                return;
            }
        };
    }
}

impl CountsFault {
    fn put(self, body: &mut Value, has_ended: bool) {
        const NAME: &str = "request_counts";
        match self {
            Self::Null => body[NAME] = Value::Null,
            Self::Absent => remove(body, NAME),
            Self::Zero => body[NAME] = json!({"total": 0, "completed": 0, "failed": 0}),
            Self::Wrong if has_ended => {
                let total = body[NAME]["total"].clone();
                body[NAME] = json!({"total": total, "completed": total, "failed": 0});
            }
            Self::Wrong => {}
            Self::Flat => {
                let counts = body[NAME].clone();
                remove(body, NAME);
                for name in ["total", "completed", "failed"] {
                    body[name] = counts[name].clone();
                }
            }
        }
    }
}

fn remove(body: &mut Value, name: &str) {
    if let Some(object) = body.as_object_mut() {
        object.shift_remove(name);
    }
}
