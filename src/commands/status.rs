//! `status [ID]`: all jobs, or one.

mod one;
mod rounds;
mod waits;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::Context;
use super::flags::JsonArg;
use super::steps::{
    Bare, Found, RowCounts, exit_of_job, find_job, look, open_store, spent, spent_briefly,
};
use crate::answer::RowStatus;
use crate::batch::Usage;
use crate::config::key;
use crate::cost::{CostDocument, Spent};
use crate::store::{JobState, Store};
use crate::ui::{CommandError, ExitCode, grid, minute, shorten};

/// Arguments of `status`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last [default: all jobs]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// List every shard, however many there are
    #[arg(long, requires = "id")]
    pub shards: bool,
    /// End with the exit code that the job ended with, 6 while it goes on
    #[arg(long, requires = "id")]
    pub exit_status: bool,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let Some(id) = &args.id else { return list(context, &store) };
    let found = find_job(context, &store, Some(id), Bare::Last)?;
    look(context, &store, &found);
    let job = store.job_by_id(&found.job.key)?.expect("jobs are never removed");
    let found = Found::of(&store, job)?;
    one::show(context, &store, &found, args.shards)?;
    if !args.exit_status {
        return Ok(ExitCode::Success);
    }
    exit_of_job(&store, &found.job, context.settings.get(key::ALLOW_PARTIAL))
}

/// One job as `--json` prints it.
#[derive(Debug, Serialize)]
struct JobView {
    job: String,
    state: JobState,
    reason: Option<String>,
    provider: String,
    model: String,
    input: String,
    output: Option<String>,
    folder: String,
    created: i64,
    updated: i64,
    rows: u64,
    statuses: BTreeMap<&'static str, u64>,
    /// What the rows were that are `defaulted` in the table.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    defaulted: BTreeMap<&'static str, u64>,
    /// Rows that they became in the newest table.
    rows_out: Option<u64>,
    usage: Usage,
    cost: CostDocument,
    /// What `status --exit-status` ends with.
    exit_code: u8,
    /// When its local files were removed.
    pruned: Option<i64>,
    #[serde(skip)]
    spent: Spent,
    #[serde(skip)]
    in_words: String,
    #[serde(skip)]
    exploded: Option<String>,
}

impl JobView {
    /// With `all`, what was saved too, which takes a look at every row.
    fn of(
        context: &Context,
        store: &Store,
        found: &Found,
        all: bool,
    ) -> Result<Self, CommandError> {
        let job = &found.job;
        let counts = RowCounts::of(store, job)?;
        let ended = &counts.ended;
        let spent = if all { spent(store, job, ended)? } else { spent_briefly(store, job, ended)? };
        let allow_partial = context.settings.get(key::ALLOW_PARTIAL);
        Ok(Self {
            job: job.short().to_owned(),
            state: job.state,
            reason: job.reason.clone(),
            provider: job.provider.clone(),
            model: found.spec.question.model.clone(),
            input: found.spec.source.clone(),
            output: job.output_path.clone(),
            folder: job.folder.clone(),
            created: job.created,
            updated: job.updated,
            rows: job.rows,
            statuses: counts.by_name(),
            defaulted: counts.filled_by_name(),
            rows_out: counts.rows_out,
            in_words: counts.in_words(),
            exploded: counts.exploded(),
            usage: spent.all.usage,
            cost: spent.document(),
            exit_code: exit_of_job(store, job, allow_partial)?.code(),
            pruned: store.job_history(&job.key)?.pruned,
            spent,
        })
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.job.clone(),
            self.state.to_string(),
            minute(self.created),
            shorten(&self.provider, 12),
            shorten(&self.model, 20),
            self.input_name(),
            self.spent.short(),
            self.in_words.clone(),
        ]
    }

    fn few_cells(&self) -> Vec<String> {
        let is_good = |status: &str| RowStatus::read(status).is_some_and(RowStatus::is_good);
        let good: u64 =
            self.statuses.iter().filter(|(status, _)| is_good(status)).map(|(_, n)| n).sum();
        // Rounded down, so that only all of them are 100 %.
        let tenths = good * 1000 / self.rows.max(1);
        // Without the year.
        let started = minute(self.created).chars().skip("2026-".len()).collect();
        vec![
            self.job.clone(),
            self.state.to_string(),
            started,
            shorten(&self.model, 11),
            shorten(&self.input_name(), 10),
            self.spent.short(),
            format!("{}.{} %", tenths / 10, tenths % 10),
        ]
    }

    fn input_name(&self) -> String {
        let name = Path::new(&self.input).file_name();
        name.map_or_else(|| self.input.clone(), |name| name.to_string_lossy().into_owned())
    }
}

fn list(context: &Context, store: &Store) -> Result<ExitCode, CommandError> {
    let views: Result<Vec<_>, CommandError> = store
        .jobs()?
        .into_iter()
        .map(|job| JobView::of(context, store, &Found::of(store, job)?, false))
        .collect();
    let views = views?;
    if context.json {
        context.printer.json(&serde_json::json!({ "schema_version": 1, "jobs": views }))?;
        return Ok(ExitCode::Success);
    }
    if views.is_empty() {
        context.printer.note("no jobs yet; batchctl demo   runs a small one without a key");
        return Ok(ExitCode::Success);
    }
    for line in lines(&views, context.printer.columns()) {
        context.printer.row(&line)?;
    }
    Ok(ExitCode::Success)
}

/// A line for each job; on a terminal none is wider than that, so some columns are shorter there.
fn lines(views: &[JobView], columns: Option<usize>) -> Vec<String> {
    let wide = ["job", "state", "started", "provider", "model", "input", "cost", "rows"];
    let narrow = ["job", "state", "started", "model", "input", "cost", "good"];
    let header = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let of = |head: Vec<String>, cells: fn(&JobView) -> Vec<String>| {
        let rows: Vec<_> = std::iter::once(head).chain(views.iter().map(cells)).collect();
        grid(&rows, &[])
    };
    let lines = of(header(&wide), JobView::cells);
    let Some(most) = columns.map(|columns| columns.saturating_sub(1)) else { return lines };
    if lines.iter().all(|line| line.chars().count() <= most) {
        return lines;
    }
    let lines = of(header(&narrow), JobView::few_cells);
    lines.iter().map(|line| shorten(line, most)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_job_has_one_line_of_a_terminal() {
        let spent = Spent { is_charged: true, ..Spent::default() };
        let view = JobView {
            job: "k7f2qd".into(),
            state: JobState::NeedsOperator,
            reason: None,
            provider: "a-provider-of-my-own".into(),
            model: "a-model-with-a-very-long-name-2026-11-21".into(),
            input: "/home/me/the reviews of last year.csv".into(),
            output: None,
            folder: String::new(),
            created: 0,
            updated: 0,
            rows: 1_000_000,
            statuses: BTreeMap::from([("error", 3), ("ok", 999_000), ("truncated", 997)]),
            defaulted: BTreeMap::new(),
            rows_out: None,
            in_words: "ok 999,000, truncated 997, error 3".into(),
            exploded: None,
            usage: Usage::default(),
            cost: spent.document(),
            exit_code: 0,
            pruned: None,
            spent,
        };
        let views = [view];
        assert!(lines(&views, None)[1].contains("truncated 997"), "a pipe has it whole");
        assert_eq!(lines(&views, Some(400)), lines(&views, None));
        let narrow = lines(&views, Some(80));
        assert!(narrow.iter().all(|line| line.chars().count() < 80), "{narrow:#?}");
        assert!(narrow[1].ends_with("99.9 %"), "{narrow:#?}");
        assert!(lines(&views, Some(30)).iter().all(|line| line.chars().count() < 30));
    }
}
