//! What there is to say of many answers: how they ended, why some are not good, how long they
//! are, and a few of them to look at. Answers are seen once, one after the other, and never kept,
//! so files of any size go through in bounded memory.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use serde_json::Value;

use super::cells::Answer;
use super::histogram::{Histogram, Spread};
use super::values::{FieldReport, FieldValues};
use crate::answer::{Fields, ParseStatus, RowStatus};
use crate::batch::{FailureKind, Usage};

/// Different messages that are told apart; further ones are counted without their words.
const MOST_MESSAGES: usize = 1000;
/// Characters that tell a message from others.
const MESSAGE_LENGTH: usize = 200;
/// Different finish reasons and models that are counted.
const MOST_WORDS: usize = 100;
/// Answers that are shown.
const SAMPLES: usize = 3;
/// Characters kept of a sample.
const SAMPLE_LENGTH: usize = 1000;

/// One answer, or the fate of a row without one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen<'a> {
    /// Where to find it: its id, or its row.
    pub name: &'a str,
    /// What became of it.
    pub status: RowStatus,
    /// What kind of failure it is, where that is known.
    pub class: Option<FailureKind>,
    /// Why it is not good.
    pub error: Option<&'a str>,
    /// Its tokens.
    pub usage: Option<Usage>,
    /// Its text, where it has one.
    pub text: Option<&'a str>,
    /// Why the model stopped.
    pub finish_reason: Option<&'a str>,
    /// The model that answered.
    pub model: Option<&'a str>,
    /// How the wanted JSON was found, where some is wanted.
    pub parse_status: Option<ParseStatus>,
    /// The wanted fields, and what the answer says for each.
    pub values: Option<(&'a Fields, &'a [Option<Value>])>,
    /// How long the answer took, in seconds, where that is known.
    pub seconds: Option<u64>,
}

impl<'a> Seen<'a> {
    /// A row of a job's table with its answer.
    pub(super) fn of_row(
        name: &'a str,
        answer: &'a Answer<'_>,
        fields: Option<&'a Fields>,
    ) -> Self {
        let reply = answer.reply();
        let values = answer.judged.map(|judged| judged.values.as_slice());
        Self {
            name,
            status: answer.status,
            class: answer.judged.and_then(|judged| judged.class),
            error: answer.error.as_deref(),
            usage: answer.usage,
            text: reply.map(|reply| reply.content.as_str()),
            finish_reason: reply.and_then(|reply| reply.finish_reason.as_deref()),
            model: answer.line.and_then(|line| line.model.as_deref()),
            parse_status: answer.judged.and_then(|judged| judged.parse_status),
            values: fields.zip(values),
            seconds: None,
        }
    }
}

/// Rows that are not good for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorGroup {
    /// Their status.
    pub status: RowStatus,
    /// The kind of failure, where that is known.
    pub class: Option<&'static str>,
    /// How many there are.
    pub rows: u64,
    /// What is said of most of them.
    pub message: String,
    /// One that says so.
    pub example: String,
}

/// An answer to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Where it is from.
    pub name: String,
    /// Its beginning.
    pub text: String,
}

/// The sums of what was seen, for programs.
#[derive(Debug, Serialize)]
pub struct Statistics<'a> {
    rows: u64,
    good: u64,
    /// Rows by status; sums to `rows`.
    statuses: BTreeMap<&'static str, u64>,
    broken_lines: u64,
    errors: Vec<ErrorGroup>,
    finish_reasons: &'a BTreeMap<String, u64>,
    models: &'a BTreeMap<String, u64>,
    /// How the wanted JSON was found.
    parse_statuses: &'a BTreeMap<ParseStatus, u64>,
    fields: Vec<FieldReport>,
    prompt_tokens: Option<Spread>,
    completion_tokens: Option<Spread>,
    /// From the making of a batch to an answer of it.
    seconds: Option<Spread>,
}

#[derive(Debug, Default)]
struct Messages {
    rows: u64,
    /// Count and first example by message.
    texts: HashMap<String, (u64, String)>,
}

/// The sum of what was seen.
#[derive(Debug, Default)]
pub struct Analysis {
    counts: BTreeMap<RowStatus, u64>,
    errors: BTreeMap<(RowStatus, Option<&'static str>), Messages>,
    messages: usize,
    finish_reasons: BTreeMap<String, u64>,
    models: BTreeMap<String, u64>,
    prompt: Histogram,
    completion: Histogram,
    seconds: Histogram,
    parse: BTreeMap<ParseStatus, u64>,
    fields: Vec<(String, FieldValues)>,
    samples: Vec<Sample>,
    broken: u64,
}

impl Analysis {
    /// Takes one in.
    pub fn add(&mut self, seen: &Seen<'_>) {
        *self.counts.entry(seen.status).or_default() += 1;
        if !seen.status.is_good() {
            self.add_error(seen);
        }
        if let Some(usage) = seen.usage {
            self.prompt.add(usage.prompt_tokens);
            self.completion.add(usage.completion_tokens);
        }
        if let Some(seconds) = seen.seconds {
            self.seconds.add(seconds);
        }
        self.add_values(seen);
        count_word(&mut self.finish_reasons, seen.finish_reason);
        count_word(&mut self.models, seen.model);
        let text = seen.text.filter(|text| seen.status.is_good() && !text.trim().is_empty());
        if let Some(text) = text.filter(|_| self.samples.len() < SAMPLES) {
            let text = text.chars().take(SAMPLE_LENGTH).collect();
            self.samples.push(Sample { name: seen.name.to_owned(), text });
        }
    }

    /// Takes rows in of which nothing is known yet.
    pub fn add_pending(&mut self, rows: u64) {
        if rows > 0 {
            *self.counts.entry(RowStatus::Pending).or_default() += rows;
        }
    }

    /// Takes a line in that cannot be read.
    pub fn add_broken(&mut self) {
        self.broken += 1;
    }

    /// What an answer says for its fields; one without the wanted JSON says nothing of them.
    fn add_values(&mut self, seen: &Seen<'_>) {
        let Some(parse_status) = seen.parse_status else { return };
        *self.parse.entry(parse_status).or_default() += 1;
        let Some((fields, values)) = seen.values else { return };
        if parse_status == ParseStatus::Failed {
            return;
        }
        for (place, (name, value)) in fields.columns().zip(values).enumerate() {
            let is_it = |known: &(String, FieldValues)| known.0 == name;
            // Answers of one job have their fields in one order.
            let at = if self.fields.get(place).is_some_and(is_it) {
                place
            } else {
                self.fields.iter().position(is_it).unwrap_or_else(|| {
                    self.fields.push((name.to_owned(), FieldValues::default()));
                    self.fields.len() - 1
                })
            };
            self.fields[at].1.add(value.as_ref());
        }
    }

    fn add_error(&mut self, seen: &Seen<'_>) {
        let key = (seen.status, seen.class.map(FailureKind::as_str));
        let group = self.errors.entry(key).or_default();
        group.rows += 1;
        let text: String = seen.error.unwrap_or_default().chars().take(MESSAGE_LENGTH).collect();
        if let Some((count, _)) = group.texts.get_mut(&text) {
            *count += 1;
        } else if self.messages < MOST_MESSAGES || group.texts.is_empty() {
            self.messages += 1;
            group.texts.insert(text, (1, seen.name.to_owned()));
        }
    }

    /// All sums together, for programs.
    pub fn statistics(&self) -> Statistics<'_> {
        Statistics {
            rows: self.total(),
            good: self.good(),
            statuses: self.counts.iter().map(|(status, n)| (status.as_str(), *n)).collect(),
            broken_lines: self.broken,
            errors: self.errors(),
            finish_reasons: &self.finish_reasons,
            models: &self.models,
            parse_statuses: &self.parse,
            fields: self.fields(),
            prompt_tokens: self.prompts(),
            completion_tokens: self.completions(),
            seconds: self.seconds(),
        }
    }

    /// All that were seen.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Those that are good.
    pub fn good(&self) -> u64 {
        self.counts.iter().filter(|(status, _)| status.is_good()).map(|(_, n)| n).sum()
    }

    /// How many ended how.
    pub fn counts(&self) -> &BTreeMap<RowStatus, u64> {
        &self.counts
    }

    /// Lines that could not be read.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// Those that are not good by their kind, the most frequent first, each with its commonest
    /// message.
    pub fn errors(&self) -> Vec<ErrorGroup> {
        let mut groups: Vec<ErrorGroup> = self
            .errors
            .iter()
            .map(|((status, class), group)| {
                let commonest = group.texts.iter().max_by(|a, b| {
                    let (a, b) = ((a.1.0, a.0), (b.1.0, b.0));
                    a.0.cmp(&b.0).then(b.1.cmp(a.1))
                });
                let (message, example) =
                    commonest.map(|(text, (_, name))| (text.clone(), name.clone())).unzip();
                ErrorGroup {
                    status: *status,
                    class: *class,
                    rows: group.rows,
                    message: message.unwrap_or_default(),
                    example: example.unwrap_or_default(),
                }
            })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.rows));
        groups
    }

    /// How often the models stopped for which reason.
    pub fn finish_reasons(&self) -> &BTreeMap<String, u64> {
        &self.finish_reasons
    }

    /// How often each model answered, by the name that it was given in the answers.
    pub fn models(&self) -> &BTreeMap<String, u64> {
        &self.models
    }

    /// How long the prompts were, in tokens.
    pub fn prompts(&self) -> Option<Spread> {
        self.prompt.spread()
    }

    /// How long the completions were, in tokens.
    pub fn completions(&self) -> Option<Spread> {
        self.completion.spread()
    }

    /// How often the wanted JSON was found in which way.
    pub fn parse_statuses(&self) -> &BTreeMap<ParseStatus, u64> {
        &self.parse
    }

    /// What the answers say for each field, in the order of their columns.
    pub fn fields(&self) -> Vec<FieldReport> {
        self.fields.iter().map(|(name, values)| values.report(name)).collect()
    }

    /// How long answers took, in seconds.
    pub fn seconds(&self) -> Option<Spread> {
        self.seconds.spread()
    }

    /// The first good answers.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

/// Counts a word from outside; of too many different ones the later are left out.
fn count_word(words: &mut BTreeMap<String, u64>, word: Option<&str>) {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return };
    if let Some(count) = words.get_mut(word) {
        *count += 1;
    } else if words.len() < MOST_WORDS {
        words.insert(word.chars().take(MESSAGE_LENGTH).collect(), 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<'a>(name: &'a str, status: RowStatus, error: Option<&'a str>) -> Seen<'a> {
        let usage = Usage { prompt_tokens: 10, completion_tokens: 4, ..Usage::default() };
        Seen {
            name,
            status,
            class: (status == RowStatus::Error).then_some(FailureKind::Server),
            error,
            usage: status.is_good().then_some(usage),
            text: status.is_good().then_some("an answer"),
            finish_reason: status.is_good().then_some("stop"),
            model: Some("m"),
            ..Seen::default()
        }
    }

    /// S1.14: total, good, errors by kind with an example, three samples.
    #[test]
    fn s1_14_the_sums_of_what_was_seen() {
        let mut all = Analysis::default();
        for name in ["a", "b", "c", "d"] {
            all.add(&seen(name, RowStatus::Ok, None));
        }
        all.add(&seen("e", RowStatus::Error, Some("rare")));
        all.add(&seen("f", RowStatus::Error, Some("often")));
        all.add(&seen("g", RowStatus::Error, Some("often")));
        all.add(&seen("h", RowStatus::Truncated, Some("cut")));
        all.add_broken();
        assert_eq!((all.total(), all.good(), all.broken()), (8, 4, 1));
        assert_eq!(
            all.samples().iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
        let errors = all.errors();
        assert_eq!((errors[0].rows, errors[0].class), (3, Some("server")));
        assert_eq!((errors[0].message.as_str(), errors[0].example.as_str()), ("often", "f"));
        assert_eq!((errors[1].status, errors[1].rows), (RowStatus::Truncated, 1));
        assert_eq!(all.finish_reasons()["stop"], 4);
        assert_eq!(all.models()["m"], 8);
        assert_eq!(all.completions().map(|s| (s.p50, s.max)), Some((4, 4)));
    }

    /// S1.14: how the JSON was found, and what it says for the fields, over sources of several
    /// fields.
    #[test]
    fn s1_14_fields_and_how_they_were_found() {
        let mut all = Analysis::default();
        let (two, one) = (Fields::parse("mood,score").unwrap(), Fields::parse("score").unwrap());
        let values = |list: &[&str]| -> Vec<Option<Value>> {
            list.iter().map(|text| serde_json::from_str(text).ok()).collect()
        };
        let rows = [
            (&two, ParseStatus::Direct, values(&["\"good\"", "4"])),
            (&two, ParseStatus::Repaired, values(&["\"bad\"", "-"])),
            (&two, ParseStatus::Failed, values(&["-", "-"])),
            (&one, ParseStatus::Fenced, values(&["2"])),
        ];
        for (fields, parse_status, values) in &rows {
            all.add(&Seen {
                parse_status: Some(*parse_status),
                values: Some((*fields, values)),
                seconds: Some(7),
                ..seen("r", RowStatus::Ok, None)
            });
        }
        let parsed: Vec<_> = all.parse_statuses().iter().map(|(s, n)| (s.as_str(), *n)).collect();
        assert_eq!(parsed, [("direct", 1), ("fenced", 1), ("repaired", 1), ("failed", 1)]);
        let fields = all.fields();
        assert_eq!((fields[0].name.as_str(), fields[0].filled, fields[0].empty), ("mood", 2, 0));
        assert_eq!((fields[1].name.as_str(), fields[1].filled, fields[1].empty), ("score", 2, 1));
        assert_eq!(fields[1].numbers.map(|n| (n.min, n.median, n.max)), Some((2.0, 2.0, 4.0)));
        assert_eq!(all.seconds().map(|spread| spread.max), Some(7));
    }

    /// What comes from outside fills no memory.
    #[test]
    fn different_words_are_counted_to_a_bound() {
        let mut all = Analysis::default();
        for number in 0..3 * MOST_MESSAGES {
            let text = format!("message {number}");
            let one = seen(&text, RowStatus::Error, Some(&text));
            all.add(&Seen { finish_reason: Some(&text), ..one });
        }
        assert_eq!(all.errors()[0].rows, 3 * MOST_MESSAGES as u64);
        assert_eq!(all.messages, MOST_MESSAGES);
        assert_eq!(all.finish_reasons().len(), MOST_WORDS);
    }
}
