//! The account of a run as a person reads it: what became of every row, what it used, where the
//! table is, and what to do about rows that are not good. No line is wider than 80 cells unless
//! a path or a message is.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::asked::call_lines;
use super::counts::RowCounts;
use super::finish::{reason, word};
use super::hits::Hits;
use crate::answer::RowStatus;
use crate::cost::Spent;
use crate::job::Ending;
use crate::request::Mode;
use crate::result::{parsed_of, shown_share};
use crate::store::AskedRecord;
use crate::ui::{Align, count, counted, duration, grid, shorten};

/// Cells of a line.
const WIDTH: usize = 80;

/// The limit of an answer in tokens that is advised where none was set.
const MORE_ROOM: u32 = 4_096;

/// Cells of a message that are shown; the whole text is in the table's column `error`.
const MESSAGE_WIDTH: usize = 150;

/// An error text and how many rows have it.
#[derive(Debug, Serialize)]
pub(super) struct ErrorGroup {
    /// The text.
    pub(super) error: String,
    /// Rows.
    pub(super) rows: u64,
}

/// What is known at the end.
#[derive(Debug)]
pub(super) struct Account<'a> {
    pub(super) job: &'a str,
    pub(super) provider: &'a str,
    pub(super) ending: &'a Ending,
    /// Whether a batch still runs, and costs.
    pub(super) runs_on: bool,
    /// Whether its answers were removed by `prune`.
    pub(super) is_pruned: bool,
    /// Whether a batch has ended whose answers are not here yet.
    pub(super) is_collecting: bool,
    /// Whether it is not known of a create whether its batch exists.
    pub(super) is_searching: bool,
    pub(super) rows: u64,
    /// They sum to `rows`.
    pub(super) counts: RowCounts,
    /// Whether fields were wanted from each answer.
    pub(super) wants_fields: bool,
    /// Whether a schema judges them.
    pub(super) wants_schema: bool,
    pub(super) errors: Vec<ErrorGroup>,
    /// Further error texts, which are not shown.
    pub(super) more_errors: u64,
    /// Tokens and money.
    pub(super) spent: Spent,
    /// From the start of the job.
    pub(super) took: Duration,
    pub(super) is_sandbox: bool,
    pub(super) output: Option<&'a Path>,
    /// The working folder; files below it are named from it.
    pub(super) folder: &'a Path,
    /// Rows that may be good when asked again as they are.
    pub(super) again: u64,
    /// What that would cost, in trillionths.
    pub(super) again_cost: Option<u64>,
    /// How many rounds a row may run in.
    pub(super) rounds: u32,
    /// How its rows are sent at last.
    pub(super) mode: Mode,
    /// Whether any of its rows were sent in batches, which are the provider's alone.
    pub(super) has_batches: bool,
    /// Who was asked by calls.
    pub(super) asked: Vec<AskedRecord>,
    /// Whether a row without a request may have one later: its image, or the table, is mended.
    pub(super) can_mend: bool,
    /// Rows without a request because of their image.
    pub(super) skipped_images: u64,
    /// Statuses of rows that would end the same way when asked as they are.
    pub(super) stays: Vec<RowStatus>,
    /// The limit of an answer in tokens, if one was set.
    pub(super) max_tokens: Option<u32>,
}

impl Account<'_> {
    /// The classes of the rows that are not good now, and of those that a `cancel` makes so, as
    /// `retry` takes them. Rows without a request want the table mended, not another question.
    pub(super) fn classes_to_ask(&self) -> String {
        use RowStatus::{Cancelled, Defaulted, Pending, Skipped, Unasked};
        let mut classes: Vec<RowStatus> = Vec::new();
        for (status, rows) in &self.counts.ended {
            let class = if *status == Pending { Cancelled } else { *status };
            let is_left = class.is_good() || matches!(class, Defaulted | Skipped | Unasked);
            if *rows > 0 && !is_left && !classes.contains(&class) {
                classes.push(class);
            }
        }
        classes.iter().map(|class| format!(" --class {}", class.as_str())).collect()
    }

    /// What happened.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline()];
        lines.extend(reason(self.ending).map(|reason| format!("  {reason}")));
        lines.extend(self.statuses());
        for group in &self.errors {
            let text = shorten(&group.error, MESSAGE_WIDTH);
            lines.push(format!("  {} × {text}", count(group.rows)));
        }
        if self.more_errors > 0 {
            let (more, job) = (count(self.more_errors), self.job);
            lines.push(format!("  and {more} more: batchctl logs {job}"));
        }
        lines.extend(self.parsed());
        lines.extend(self.counts.exploded().map(|rows| format!("exploded  {rows}")));
        lines.extend(call_lines(&self.asked));
        lines.extend(self.hits().line());
        lines.extend(self.spent.lines());
        if self.is_sandbox {
            lines.push("sandbox   the answers are made up".to_owned());
        }
        if let Some(output) = self.output {
            lines.push(format!("output    {}", self.name(output)));
        }
        lines
    }

    /// What need not be sent.
    pub(super) fn hits(&self) -> Hits {
        Hits::of(&self.counts.ended, self.rows, &self.spent)
    }

    fn headline(&self) -> String {
        let (job, provider) = (self.job, self.provider);
        let rows = counted(self.rows, "row");
        match self.ending {
            Ending::Stopped(_) if self.is_collecting && !self.runs_on => {
                format!(
                    "job {job} stopped; its batches have ended, their answers wait at {provider}"
                )
            }
            Ending::Stopped(_) if self.runs_on => {
                format!("job {job} stopped; it still runs at {provider}, and still costs")
            }
            Ending::Stopped(_) => format!("job {job} stopped; nothing of it runs at {provider}"),
            Ending::Waiting if self.mode == Mode::Realtime && !self.runs_on => {
                format!("job {job} is not done; its rows are asked while batchctl runs · {rows}")
            }
            Ending::Waiting | Ending::Unclear(_) => {
                format!("job {job} still running at {provider} · {rows}")
            }
            ending => {
                let (who, took) = (self.who_answered(), duration(self.took));
                format!("job {job} {} at {who} · {rows} in {took}", word(ending))
            }
        }
    }

    /// Whose answers these are: the provider's, or of whoever answered calls in its place.
    fn who_answered(&self) -> String {
        let answered = self.asked.iter().filter(|one| one.answers > 0);
        let mut names: Vec<&str> = answered.map(|one| one.provider.as_str()).collect();
        if self.has_batches || names.is_empty() {
            names.insert(0, self.provider);
        }
        let mut seen = Vec::new();
        for name in names {
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
        seen.join(" and ")
    }

    /// One line per status with what it means; nothing to explain where all rows are good.
    fn statuses(&self) -> Vec<String> {
        let rows: Vec<Vec<String>> = self
            .counts
            .shown()
            .into_iter()
            .map(|(status, rows)| {
                let name = format!("  {}", status.as_str());
                let meaning = match status {
                    RowStatus::Defaulted => self.counts.filled_in_words(),
                    RowStatus::Invalid if !self.wants_schema => {
                        "JSON that is against the wanted fields".to_owned()
                    }
                    _ => meaning(status).to_owned(),
                };
                vec![name, count(rows), meaning]
            })
            .collect();
        grid(&rows, &[Align::Left, Align::Right, Align::Left])
    }

    /// How many of the answers held the wanted JSON.
    fn parsed(&self) -> Option<String> {
        let rows = |status| self.counts.ended.get(&status).copied().unwrap_or(0);
        let (found, answers) = parsed_of(rows);
        (self.wants_fields && answers > 0).then(|| {
            let share = shown_share(found, answers);
            format!("parsed    {} of {} ({share})", count(found), counted(answers, "answer"))
        })
    }

    /// A path as short as it can be written from the working folder.
    fn name(&self, path: &Path) -> String {
        let name = path.strip_prefix(self.folder).unwrap_or(path);
        name.display().to_string()
    }

    /// What to do about the rows that are not good, with the price.
    pub(super) fn once_more(&self) -> Vec<String> {
        let bad: u64 =
            self.counts.ended.iter().filter(|(status, _)| !status.is_good()).map(|(_, n)| n).sum();
        if bad == 0 {
            return Vec::new();
        }
        let retry = format!("batchctl retry {}", self.job);
        let mut lines: Vec<String> = self.expired().into_iter().collect();
        if self.again > 0 {
            let which =
                if self.again == bad { "the rest".into() } else { counted(self.again, "row") };
            let price = match self.spent.shown(self.again_cost).as_str() {
                "unknown" => ", price unknown".to_owned(),
                price if self.spent.is_charged => format!(", {}", about(price)),
                price => format!(", would be {}", about(price)),
            };
            let how = match self.mode {
                Mode::Batch => "as one more batch, up to 24 h",
                Mode::Realtime => "once more, by calls",
            };
            lines.extend(beside(format!("  {which} {how}{price}:"), &retry));
        }
        lines.extend(self.otherwise(&retry, bad.saturating_sub(self.again)));
        if !lines.is_empty() {
            lines.push("  leave it: nothing to do".to_owned());
        }
        lines
    }

    /// What to do about so many rows that would end the same way.
    fn otherwise(&self, retry: &str, stays: u64) -> Vec<String> {
        let of = |status| self.counts.ended.get(&status).copied().unwrap_or(0);
        let skipped = of(RowStatus::Skipped).min(stays);
        let cut = of(RowStatus::Truncated).min(stays - skipped);
        let others = stays - skipped - cut;
        let mut lines = Vec::new();
        if cut > 0 {
            let what = format!("  {} cut off, with more room:", counted(cut, "row"));
            let room = self.max_tokens.map_or(MORE_ROOM, |limit| limit.saturating_mul(2));
            let command = format!("{retry} --class truncated --max-tokens {room}");
            lines.extend(beside(what, &command));
        }
        if others > 0 {
            let wants = if others == 1 { "wants" } else { "want" };
            let which = counted(others, "row");
            let what =
                format!("  {which} {wants} another question: add --model or --prompt-file to");
            let is_other =
                |status: &&RowStatus| !matches!(status, RowStatus::Truncated | RowStatus::Skipped);
            let classes: String = self
                .stays
                .iter()
                .filter(is_other)
                .map(|status| format!(" --class {}", status.as_str()))
                .collect();
            lines.extend(beside(what, &format!("{retry}{classes}")));
        }
        if self.can_mend {
            let images = self.skipped_images.min(skipped);
            if images > 0 {
                let what =
                    format!("  {} skipped, once the images are mended:", counted(images, "row"));
                lines.extend(beside(what, &format!("{retry} --class skipped")));
            }
            if skipped > images {
                let which = counted(skipped - images, "row");
                lines.extend([
                    format!("  {which} skipped: mend the table and run the same line again"),
                    "    (it pays only for what is new)".to_owned(),
                ]);
            }
        }
        lines
    }

    /// What expired costs nothing; that it may expire again must be said.
    fn expired(&self) -> Option<String> {
        let expired = *self.counts.ended.get(&RowStatus::Expired)?;
        let good: u64 =
            self.counts.ended.iter().filter(|(status, _)| status.is_good()).map(|(_, n)| n).sum();
        let rounds = if self.rounds == 1 {
            String::new()
        } else {
            format!(" in up to {} rounds", self.rounds)
        };
        Some(format!(
            "expired at {}{rounds}: {} of {} answered, {} not run and not charged",
            self.provider,
            count(good),
            count(self.rows),
            count(expired)
        ))
    }
}

/// A price that is not certain.
fn about(price: &str) -> String {
    match price.strip_prefix('<') {
        Some(more) => format!("less than {more}"),
        None => format!("about {price}"),
    }
}

/// What a command is for and the command, in one line if that is narrow enough.
fn beside(what: String, command: &str) -> Vec<String> {
    if what.chars().count() + 3 + command.chars().count() <= WIDTH {
        return vec![format!("{what}   {command}")];
    }
    vec![what, format!("    {command}")]
}

/// What a person should know about rows of this status.
fn meaning(status: RowStatus) -> &'static str {
    match status {
        RowStatus::Ok | RowStatus::Pending | RowStatus::Defaulted => "",
        RowStatus::Cached => "answered by an earlier job",
        RowStatus::Truncated => "cut off by the token limit: raise --max-tokens",
        RowStatus::Refused => "the model would not answer",
        RowStatus::Unparsed => "no JSON in the answer; raw_response keeps it",
        RowStatus::Invalid => "JSON that is against the schema",
        RowStatus::Error => "no answer; the column error says why",
        RowStatus::Expired => "not run in time",
        RowStatus::Cancelled => "cancelled before they ran",
        RowStatus::Missing => "in none of the provider's result files",
        RowStatus::Skipped => "no request could be made",
        RowStatus::Unasked => "never sent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Usage, Used};
    use crate::cost::Currency;
    use crate::job::StopCause;

    fn used(rows: u64, prompt_tokens: u64, completion_tokens: u64, known: u64) -> Used {
        let usage = Usage { prompt_tokens, completion_tokens, ..Usage::default() };
        Used { rows, usage, known, unpriced: 0 }
    }

    fn account<'a>(ending: &'a Ending, counts: &[(RowStatus, u64)]) -> Account<'a> {
        Account {
            job: "k7f2qd",
            provider: "openai",
            ending,
            runs_on: true,
            is_pruned: false,
            is_collecting: false,
            is_searching: false,
            rows: counts.iter().map(|(_, rows)| rows).sum(),
            counts: RowCounts { ended: counts.iter().copied().collect(), ..RowCounts::default() },
            wants_fields: false,
            wants_schema: false,
            errors: Vec::new(),
            more_errors: 0,
            spent: Spent { is_charged: true, ..Spent::default() },
            took: Duration::from_secs(1052),
            is_sandbox: false,
            output: Some(Path::new("/tables/out 1.csv")),
            folder: Path::new("/tables"),
            again: 0,
            again_cost: None,
            rounds: 3,
            mode: Mode::Batch,
            has_batches: true,
            asked: Vec::new(),
            can_mend: true,
            skipped_images: 0,
            stays: Vec::new(),
            max_tokens: None,
        }
    }

    #[test]
    fn the_account_of_a_run_with_bad_rows() {
        let counts = [(RowStatus::Ok, 1118), (RowStatus::Unparsed, 4), (RowStatus::Skipped, 80)];
        let account = Account {
            again: 4,
            wants_fields: true,
            errors: vec![ErrorGroup { error: "image not found: 图/a.png".into(), rows: 80 }],
            more_errors: 2,
            skipped_images: 78,
            spent: Spent {
                currency: Some(Currency::USD),
                is_charged: true,
                all: used(1_122, 18_900, 27_000, 1_710_000_000_000),
                not_good: used(4, 70, 190, 30_000_000_000),
                is_complete: true,
                ..Spent::default()
            },
            again_cost: Some(6_000_000_000),
            ..account(&Ending::Done, &counts)
        };
        let lines = [account.lines(), account.once_more()].concat();
        insta::assert_snapshot!(lines.join("\n"), @r"
        job k7f2qd done at openai · 1,202 rows in 17m 32s
          ok        1,118
          unparsed      4  no JSON in the answer; raw_response keeps it
          skipped      80  no request could be made
          80 × image not found: 图/a.png
          and 2 more: batchctl logs k7f2qd
        parsed    1,118 of 1,122 answers (99.6 %)
        tokens    18,900 prompt, 27,000 completion
        cost      $1.71 in batch
                  of it $0.030 for 4 answers that are not good
        output    out 1.csv
          4 rows as one more batch, up to 24 h, about $0.0060:   batchctl retry k7f2qd
          78 rows skipped, once the images are mended:
            batchctl retry k7f2qd --class skipped
          2 rows skipped: mend the table and run the same line again
            (it pays only for what is new)
          leave it: nothing to do
        ");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
    }

    /// The lines to type work as they stand.
    #[test]
    fn rows_that_would_end_the_same_way_have_lines_that_can_be_typed() {
        let counts = [(RowStatus::Truncated, 2), (RowStatus::Invalid, 1), (RowStatus::Refused, 3)];
        let account = Account {
            stays: vec![RowStatus::Truncated, RowStatus::Invalid, RowStatus::Refused],
            max_tokens: Some(250),
            ..account(&Ending::Done, &counts)
        };
        assert!(account.lines().join("\n").contains("JSON that is against the wanted fields"));
        insta::assert_snapshot!(account.once_more().join("\n"), @r"
          2 rows cut off, with more room:
            batchctl retry k7f2qd --class truncated --max-tokens 500
          4 rows want another question: add --model or --prompt-file to
            batchctl retry k7f2qd --class invalid --class refused
          leave it: nothing to do
        ");
        assert_eq!(about("<$0.0001"), "less than $0.0001");
    }

    /// The sketch of what is said of rows that expired.
    #[test]
    fn what_expired_is_not_charged_and_may_go_out_again() {
        let counts = [(RowStatus::Ok, 1120), (RowStatus::Expired, 80)];
        let account = Account { again: 80, ..account(&Ending::Done, &counts) };
        insta::assert_snapshot!(account.once_more().join("\n"), @r"
        expired at openai in up to 3 rounds: 1,120 of 1,200 answered, 80 not run and not charged
          the rest as one more batch, up to 24 h, price unknown:   batchctl retry k7f2qd
          leave it: nothing to do
        ");
    }

    #[test]
    fn endings_say_what_still_costs() {
        let stopped = Ending::Stopped(StopCause::Interrupt);
        let pending = [(RowStatus::Pending, 300)];
        let on = account(&stopped, &pending);
        assert!(on.lines()[0].contains("still costs"));
        let off = Account { runs_on: false, ..account(&stopped, &pending) };
        assert!(off.lines()[0].contains("nothing of it runs"));
        let good = account(&Ending::Done, &[(RowStatus::Ok, 3)]);
        assert_eq!(good.lines()[0], "job k7f2qd done at openai · 3 rows in 17m 32s");
        assert!(good.once_more().is_empty(), "nothing to do where all is good");
    }
    /// Field report 42: a line to type names rows that there are.
    #[test]
    fn field_42_classes_are_those_that_have_rows() {
        use RowStatus::{Cancelled, Error, Invalid, Ok, Pending, Skipped, Unparsed};
        let table: [(&[(RowStatus, u64)], &str); 5] = [
            (&[(Ok, 3), (Error, 30), (Pending, 9)], " --class error --class cancelled"),
            (&[(Ok, 3), (Unparsed, 30), (Invalid, 2)], " --class unparsed --class invalid"),
            (&[(Unparsed, 30), (Error, 0)], " --class unparsed"),
            (&[(Cancelled, 2), (Pending, 9), (Skipped, 1)], " --class cancelled"),
            (&[(Ok, 3)], ""),
        ];
        for (counts, expected) in table {
            assert_eq!(account(&Ending::Done, counts).classes_to_ask(), expected, "{counts:?}");
        }
    }
}
