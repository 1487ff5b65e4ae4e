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
    Bare, Found, exit_of_job, find_job, look, open_store, row_counts, spent, spent_briefly,
};
use crate::batch::Usage;
use crate::config::key;
use crate::cost::{CostDocument, Spent, grouped};
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
    usage: Usage,
    cost: CostDocument,
    /// What `status --exit-status` ends with.
    exit_code: u8,
    /// When its local files were removed.
    pruned: Option<i64>,
    #[serde(skip)]
    spent: Spent,
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
        let counts = row_counts(store, job)?;
        let spent =
            if all { spent(store, job, &counts)? } else { spent_briefly(store, job, &counts)? };
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
            statuses: counts.iter().map(|(s, n)| (s.as_str(), *n)).collect(),
            usage: spent.all.usage,
            cost: spent.document(),
            exit_code: exit_of_job(store, job, allow_partial)?.code(),
            pruned: store.job_history(&job.key)?.pruned,
            spent,
        })
    }

    fn statuses(&self) -> String {
        let parts: Vec<_> =
            self.statuses.iter().map(|(status, n)| format!("{status} {}", grouped(*n))).collect();
        parts.join(", ")
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
    let header = ["job", "state", "started", "provider", "model", "input", "cost", "rows"];
    let rows: Vec<Vec<String>> = views
        .iter()
        .map(|view| {
            vec![
                view.job.clone(),
                view.state.to_string(),
                minute(view.created),
                shorten(&view.provider, 12),
                shorten(&view.model, 20),
                Path::new(&view.input)
                    .file_name()
                    .map_or_else(|| view.input.clone(), |name| name.to_string_lossy().into_owned()),
                view.spent.short(),
                view.statuses(),
            ]
        })
        .collect();
    let header = header.iter().map(ToString::to_string).collect();
    for line in grid(&[vec![header], rows].concat(), &[]) {
        context.printer.row(&line)?;
    }
    Ok(ExitCode::Success)
}
