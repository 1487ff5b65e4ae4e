//! `logs ID`: what went wrong with rows, and what was called, in the provider's words.

use std::time::Duration;

use serde::Serialize;

use super::Context;
use super::flags::JsonArg;
use super::steps::{Bare, Found, find_job, open_store};
use crate::answer::RowStatus;
use crate::config::parse_duration;
use crate::store::{BadRow, BadRows, LoggedCall, Store};
use crate::table::Rows;
use crate::ui::{Align, CommandError, ExitCode, Verbosity, count, counted, grid, moment, shorten};

/// Rows and calls read from the ledger at a time.
const PAGE: usize = 2_000;
/// Calls that are listed however they ended.
const CALLS: usize = 20;
/// Different messages that are counted in the summary.
const MESSAGES: usize = 10;
/// Cells of a message in the summary; the list has the whole text.
const MESSAGE_WIDTH: usize = 150;
/// How calls end.
const CALL_CLASSES: [&str; 5] = ["ok", "not_sent", "rejected", "deferred", "unknown"];

/// Arguments of `logs`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last [default: last]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    #[expect(clippy::doc_markdown, reason = "shown as help")]
    /// Only this class of rows (error, expired, skipped, …) or of calls (ok, not_sent, rejected, deferred, unknown); may be repeated
    #[arg(long = "class", value_name = "CLASS", value_parser = class)]
    pub classes: Vec<Class>,
    /// Only what was recorded within that time, as 90s, 1h, 7d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// What is asked for with `--class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Rows that ended so.
    Row(RowStatus),
    /// Calls that ended so.
    Call(&'static str),
}

fn class(text: &str) -> Result<Class, String> {
    let word = text.trim().to_ascii_lowercase().replace('-', "_");
    if let Some(call) = CALL_CLASSES.into_iter().find(|call| *call == word) {
        return Ok(Class::Call(call));
    }
    let known = bad_statuses();
    known.iter().copied().find(|status| status.as_str() == word).map(Class::Row).ok_or_else(|| {
        let rows: Vec<_> = known.iter().map(|status| status.as_str()).collect();
        format!("rows are {}; calls are {}", rows.join(", "), CALL_CLASSES.join(", "))
    })
}

/// Statuses of settled rows that are not good.
fn bad_statuses() -> Vec<RowStatus> {
    let open = [RowStatus::Pending, RowStatus::Unasked];
    RowStatus::ALL.into_iter().filter(|s| !s.is_good() && !open.contains(s)).collect()
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let found = find_job(context, &store, args.id.as_deref(), Bare::Last)?;
    let ago = args.since.map(|since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    let since = ago.map_or(0, |ago| context.clock.unix().saturating_sub(ago));
    let log = Log::of(&store, &found, &args.classes, since)?;
    if context.json { log.print_json(context) } else { log.print(context) }?;
    Ok(ExitCode::Success)
}

/// What is asked of a job's log.
struct Log<'a> {
    store: &'a Store,
    found: &'a Found,
    since: i64,
    statuses: Vec<RowStatus>,
    /// `None` = all of them.
    call_classes: Option<Vec<&'static str>>,
    calls: Vec<LoggedCall>,
}

impl<'a> Log<'a> {
    fn of(
        store: &'a Store,
        found: &'a Found,
        classes: &[Class],
        since: i64,
    ) -> Result<Self, CommandError> {
        let mut statuses = Vec::new();
        let mut calls = Vec::new();
        for class in classes {
            match class {
                Class::Row(status) => statuses.push(*status),
                Class::Call(call) => calls.push(*call),
            }
        }
        let (statuses, call_classes) =
            if classes.is_empty() { (bad_statuses(), None) } else { (statuses, Some(calls)) };
        let mut log = Self { store, found, since, statuses, call_classes, calls: Vec::new() };
        log.calls = log.read_calls()?;
        Ok(log)
    }

    fn which(&self) -> BadRows<'_> {
        BadRows { job: &self.found.job.key, since: self.since, statuses: &self.statuses }
    }

    /// The calls: a few for each shard, so that all of a job fit into memory.
    fn read_calls(&self) -> Result<Vec<LoggedCall>, CommandError> {
        let wanted = |call: &LoggedCall| {
            let class = call.class.as_deref().unwrap_or("unknown");
            self.call_classes.as_ref().is_none_or(|classes| classes.contains(&class))
        };
        let mut calls = Vec::new();
        let mut after = 0;
        loop {
            let key = &self.found.job.key;
            let page = self.store.calls_after(key, self.since, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(calls) };
            after = last.id;
            calls.extend(page.into_iter().filter(wanted));
        }
    }

    fn rows(&self) -> Pages<'_> {
        // Without the table, as after `prune`, rows have no lines.
        let table = self.found.table().ok();
        let lines = table.and_then(|table| table.rows().ok());
        Pages { log: self, page: Vec::new().into_iter(), next: 0, lines: Lines { rows: lines } }
    }

    fn print(&self, context: &Context) -> Result<(), CommandError> {
        let job = &self.found.job;
        let say = |line: String| context.printer.row(&line);
        let (bad, messages) = self.store.bad_counts(&self.which())?;
        let of = counted(job.rows, "row");
        let bad_of = format!("{} of {of} not good", count(bad));
        say(format!("job       {}   {}   {bad_of}", job.short(), job.state))?;
        for (status, text, rows) in self.store.bad_messages(&self.which(), MESSAGES)? {
            say(format!("  {} × {status}: {}", count(rows), shorten(&text, MESSAGE_WIDTH)))?;
        }
        if messages > MESSAGES as u64 {
            say(format!("  {messages} different messages in all"))?;
        }
        for line in self.call_lines(context.printer.verbosity() >= Verbosity::Verbose) {
            say(line)?;
        }
        for row in self.rows() {
            say(row?.line())?;
        }
        Ok(())
    }

    /// The calls, without those that went well where there are many.
    fn call_lines(&self, all: bool) -> Vec<String> {
        let all = all || self.call_classes.is_some() || self.calls.len() <= CALLS;
        let is_shown = |call: &&LoggedCall| all || call.class.as_deref() != Some("ok");
        let shown: Vec<_> = self.calls.iter().filter(is_shown).collect();
        let mut lines = Vec::new();
        let left_out = self.calls.len() - shown.len();
        if left_out > 0 {
            let calls = counted(left_out as u64, "call");
            lines.push(format!("calls     {calls} went well (all of them: -v)"));
        }
        let rows: Vec<Vec<String>> = shown.into_iter().map(call_cells).collect();
        let align = [Align::Left, Align::Left, Align::Left, Align::Left];
        lines.extend(grid(&rows, &align));
        lines
    }

    fn print_json(&self, context: &Context) -> Result<(), CommandError> {
        let (bad, distinct) = self.store.bad_counts(&self.which())?;
        let messages = self.store.bad_messages(&self.which(), PAGE)?;
        let head = Head {
            schema_version: 1,
            job: self.found.job.short(),
            rows: self.found.job.rows,
            not_good: bad,
            distinct_messages: distinct,
            messages: messages
                .into_iter()
                .map(|(status, error, rows)| Message { status, error, rows })
                .collect(),
            calls: self.calls.iter().map(CallView::of).collect(),
        };
        context.printer.json_with_list(&head, "not_good_rows", self.rows())
    }
}

/// The document of `--json` but for its rows.
#[derive(Serialize)]
struct Head<'a> {
    schema_version: u32,
    job: &'a str,
    rows: u64,
    not_good: u64,
    distinct_messages: u64,
    /// The commonest ones first.
    messages: Vec<Message>,
    calls: Vec<CallView<'a>>,
}

#[derive(Serialize)]
struct Message {
    status: RowStatus,
    error: String,
    rows: u64,
}

#[derive(Serialize)]
struct CallView<'a> {
    call: &'static str,
    shard: Option<String>,
    started: i64,
    /// The end of the last one where several ended alike.
    ended: Option<i64>,
    /// How many ended alike.
    times: u64,
    /// `null` = no end is recorded.
    class: Option<&'a str>,
    http: Option<u16>,
    remote_id: Option<&'a str>,
    words: Option<&'a str>,
}

impl<'a> CallView<'a> {
    fn of(call: &'a LoggedCall) -> Self {
        Self {
            call: call.kind.as_str(),
            shard: call.shard.map(stem),
            started: call.started,
            ended: call.ended,
            times: call.times,
            class: call.class.as_deref(),
            http: call.http,
            remote_id: call.remote_id.as_deref(),
            words: call.excerpt.as_deref(),
        }
    }
}

fn stem((round, number): (u32, u64)) -> String {
    format!("r{round}-s{number:04}")
}

fn call_cells(call: &LoggedCall) -> Vec<String> {
    let http = call.http.map(|http| format!("HTTP {http}"));
    let again = call.ended.filter(|_| call.times > 1);
    let again = again.map(|last| format!("({} times until {})", count(call.times), moment(last)));
    let words = [http, call.remote_id.clone(), call.excerpt.clone(), again];
    let words: Vec<_> = words.into_iter().flatten().collect();
    vec![
        moment(call.started),
        call.kind.to_string(),
        call.shard.map(stem).unwrap_or_default(),
        call.class.clone().unwrap_or_else(|| "no end recorded".to_owned()),
        words.join("  "),
    ]
}

/// A row of the list.
#[derive(Serialize)]
struct RowView {
    /// When its outcome was recorded, in Unix seconds.
    at: Option<i64>,
    row: u64,
    /// Where it begins in the table, from 1.
    line: Option<u64>,
    round: u32,
    status: RowStatus,
    error: Option<String>,
}

impl RowView {
    fn line(&self) -> String {
        let at = self.at.map_or_else(|| "-".repeat(19), moment);
        let line = self.line.map(|line| format!(" (line {line})")).unwrap_or_default();
        // One entry, one line: messages may hold several.
        let error = self.error.as_deref().unwrap_or("no reason given").replace('\n', " ");
        format!("{at}  row {}{line}  {}  {error}", self.row, self.status.as_str())
    }
}

/// The rows of a log, read page by page so that they are never all in memory.
struct Pages<'a> {
    log: &'a Log<'a>,
    page: std::vec::IntoIter<BadRow>,
    next: u64,
    lines: Lines,
}

impl Iterator for Pages<'_> {
    type Item = Result<RowView, CommandError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0 {
            match self.log.store.bad_rows_from(&self.log.which(), self.next, PAGE) {
                Ok(page) => self.page = page.into_iter(),
                Err(error) => return Some(Err(error.into())),
            }
        }
        let bad = self.page.next()?;
        self.next = bad.row + 1;
        Some(Ok(RowView {
            at: bad.settled,
            row: bad.row,
            line: self.lines.of(bad.row),
            round: bad.round,
            status: bad.status,
            error: bad.error,
        }))
    }
}

/// The lines of rows, looked up in one walk through the job's copy of its table.
struct Lines {
    rows: Option<Rows>,
}

impl Lines {
    fn of(&mut self, wanted: u64) -> Option<u64> {
        let rows = self.rows.as_mut()?;
        loop {
            match rows.next_row() {
                Ok(Some(row)) if row.number() == wanted => return Some(row.line()),
                Ok(Some(row)) if row.number() < wanted => {}
                _ => break,
            }
        }
        self.rows = None;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_of_rows_or_of_calls() {
        assert_eq!(class("error"), Ok(Class::Row(RowStatus::Error)));
        assert_eq!(class("Not-Sent"), Ok(Class::Call("not_sent")));
        for good in ["ok2", "pending", "cached", ""] {
            let error = class(good).unwrap_err();
            assert!(error.contains("truncated") && error.contains("rejected"), "{error}");
        }
    }
}
