//! `status [ID]`: all jobs, or one.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::Context;
use super::flags::JsonArg;
use super::steps::{Bare, Found, find_job, look, open_store};
use crate::answer::RowStatus;
use crate::batch::Usage;
use crate::cost::grouped;
use crate::job::last_seen;
use crate::store::{CallRecord, JobState, ShardState, Store};
use crate::ui::{CommandError, ExitCode, counted, grid, shorten};

/// Arguments of `status`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last [default: all jobs]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    match &args.id {
        None => list(context, &store),
        Some(id) => {
            let found = find_job(context, &store, Some(id), Bare::Last)?;
            look(context, &store, &found);
            let id = found.job.key.clone();
            let found = find_job(context, &store, Some(&id), Bare::Last)?;
            one(context, &store, &found)
        }
    }
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
    /// `null` = unknown.
    cost: Option<f64>,
}

impl JobView {
    fn of(store: &Store, found: &Found) -> Result<Self, CommandError> {
        let job = &found.job;
        let mut statuses: BTreeMap<&'static str, u64> =
            store.status_counts(&job.key)?.iter().map(|(s, n)| (s.as_str(), *n)).collect();
        let settled: u64 = statuses.values().sum();
        if settled < job.rows {
            statuses.insert(RowStatus::Pending.as_str(), job.rows - settled);
        }
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
            statuses,
            usage: store.usage(&job.key)?,
            cost: None,
        })
    }

    fn statuses(&self) -> String {
        let parts: Vec<_> =
            self.statuses.iter().map(|(status, n)| format!("{status} {}", grouped(*n))).collect();
        parts.join(", ")
    }
}

fn list(context: &Context, store: &Store) -> Result<ExitCode, CommandError> {
    let views: Result<Vec<_>, CommandError> =
        store.jobs()?.into_iter().map(|job| JobView::of(store, &Found::of(store, job)?)).collect();
    let views = views?;
    if context.json {
        context.printer.json(&serde_json::json!({ "schema_version": 1, "jobs": views }))?;
        return Ok(ExitCode::Success);
    }
    if views.is_empty() {
        context.printer.note("no jobs yet; batchctl demo   runs a small one without a key");
        return Ok(ExitCode::Success);
    }
    let header = ["job", "state", "started", "provider", "model", "input", "rows"];
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
                view.statuses(),
            ]
        })
        .collect();
    let header = header.iter().map(ToString::to_string).collect();
    for line in grid(&[vec![header], rows].concat(), &[]) {
        context.printer.data(&line)?;
    }
    Ok(ExitCode::Success)
}

/// A moment in local time to the minute, for lists.
fn minute(unix: i64) -> String {
    let mut text = moment(unix);
    text.truncate("2026-11-21 12:54".len());
    text
}

/// A moment in local time, as people write it.
fn moment(unix: i64) -> String {
    jiff::Timestamp::from_second(unix).map_or_else(
        |_| "?".to_owned(),
        |time| {
            time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        },
    )
}

/// A batch of a job as `--json` prints it.
#[derive(Debug, Serialize)]
struct BatchView {
    shard: String,
    state: ShardState,
    rows: u64,
    batch: Option<String>,
    /// The provider's own word.
    status: Option<String>,
    /// When the provider said so, in Unix seconds.
    as_of: Option<i64>,
    completed: Option<u64>,
    failed: Option<u64>,
    expires_at: Option<i64>,
    detail: Option<String>,
}

fn one(context: &Context, store: &Store, found: &Found) -> Result<ExitCode, CommandError> {
    let view = JobView::of(store, found)?;
    let creates: BTreeMap<i64, _> =
        store.creates(&found.job.key)?.into_iter().map(|create| (create.shard, create)).collect();
    let batches: Vec<BatchView> = store
        .shards(&found.job.key)?
        .into_iter()
        .map(|shard| {
            let create = creates.get(&shard.id);
            let seen = create.and_then(last_seen);
            BatchView {
                shard: shard.stem(),
                state: shard.state,
                rows: shard.rows,
                batch: create.and_then(|create| create.batch_id.clone()),
                status: create.and_then(|create| create.status_word.clone()),
                as_of: create.map(|create| create.updated),
                completed: seen.as_ref().and_then(|batch| batch.counts.completed),
                failed: seen.as_ref().and_then(|batch| batch.counts.failed),
                expires_at: seen.as_ref().and_then(|batch| batch.expires_at),
                detail: shard.detail,
            }
        })
        .collect();
    let open: Vec<_> =
        store.calls(&found.job.key)?.into_iter().filter(CallRecord::is_unclear).collect();
    if context.json {
        let open: Vec<_> = open.iter().map(ToString::to_string).collect();
        context.printer.json(&serde_json::json!({
            "schema_version": 1, "job": view, "batches": batches, "unclear_calls": open,
        }))?;
        return Ok(ExitCode::Success);
    }
    let say = |line: String| context.printer.data(&line);
    say(format!("job       {}   {}", view.job, view.state))?;
    if let Some(reason) = &view.reason {
        say(format!("          {reason}"))?;
    }
    say(format!(
        "asks      {} at {}   started {}",
        view.model,
        view.provider,
        moment(view.created)
    ))?;
    say(format!("input     {}", view.input))?;
    if let Some(output) = &view.output {
        say(format!("output    {output}"))?;
    }
    say(format!("rows      {}: {}", grouped(view.rows), view.statuses()))?;
    if view.usage.total() > 0 {
        say(format!(
            "tokens    {} prompt, {} completion   cost unknown",
            grouped(view.usage.prompt_tokens),
            grouped(view.usage.completion_tokens)
        ))?;
    }
    for batch in &batches {
        say(batch.line())?;
    }
    for call in open {
        say(format!("unclear   {call}"))?;
    }
    for hint in next_steps(&view) {
        say(hint)?;
    }
    Ok(ExitCode::Success)
}

impl BatchView {
    fn line(&self) -> String {
        let mut line = format!("shard     {}   {}", self.shard, self.state);
        match self.completed {
            Some(completed) => {
                line += &format!("   {}/{}", grouped(completed), grouped(self.rows));
            }
            None => line += &format!("   {}", counted(self.rows, "row")),
        }
        if let Some(failed) = self.failed.filter(|failed| *failed > 0) {
            line += &format!("   failed {}", grouped(failed));
        }
        if let (Some(word), Some(as_of)) = (&self.status, self.as_of) {
            line += &format!("   {word} as of {}", moment(as_of));
        }
        if let Some(batch) = &self.batch {
            line += &format!("\n          {batch}");
        }
        if let Some(detail) = &self.detail {
            line += &format!("\n          {detail}");
        }
        line
    }
}

fn next_steps(view: &JobView) -> Vec<String> {
    match view.state {
        JobState::Prepared | JobState::Running | JobState::Waiting => vec![
            format!("go on     batchctl resume {}", view.job),
            format!("stop it   batchctl cancel {}", view.job),
        ],
        JobState::NeedsOperator => vec![
            "a batch may or may not exist, so nothing more is sent: look for it in the provider's \
             console"
                .to_owned(),
        ],
        JobState::Done | JobState::Cancelled => Vec::new(),
    }
}
