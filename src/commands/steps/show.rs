//! A plan shown to people and programs before anything is sent: what `estimate` prints, what
//! `--dry-run` prints, what stands above the question about money.

use std::path::Path;

use serde::Serialize;

use super::cost_json::{CostDocument, PriceDocument};
use super::paid_before::paid_before;
use super::plan::Planned;
use super::who::Who;
use crate::commands::Context;
use crate::cost::{Estimate, Heading, Range, labelled};
use crate::job::{JobFolder, build_shard, waves};
use crate::request::Mode;
use crate::ui::{CommandError, ExitCode, counted};

/// The plan, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    input: &'a str,
    provider: &'a str,
    model: &'a str,
    /// How it would be sent: `batch` or `realtime`.
    mode: Mode,
    /// Who would be asked by calls where the first does not answer, as `PROVIDER MODEL`.
    others: Vec<&'a str>,
    rows: u64,
    estimate: &'a Estimate,
    /// `null` where images are sent whose rule is unknown.
    input_tokens: Option<u64>,
    /// Completion tokens of all requests; `null` = unknown.
    output_tokens: Range,
    /// Finished rows of the same prompt that the length of answers is learned from; 0 = assumed.
    learned_from: u64,
    /// `null` = unknown, never 0.
    price: Option<PriceDocument<'a>>,
    /// `null` = unknown, never 0.
    cost: Option<CostDocument>,
    /// Prompt tokens that may be queued at the same time; `null` = unknown.
    may_be_queued: Option<u64>,
    /// How many times the provider's queue fills up; `null` = unknown.
    waves: Option<u64>,
    first_request: Option<serde_json::Value>,
}

/// The lines for people.
pub(in crate::commands) fn plan_lines(
    context: &Context,
    planned: &Planned,
    who: &Who,
) -> Result<Vec<String>, CommandError> {
    let spec = &planned.spec;
    let source = named_from(&context.folder, &spec.source);
    let published = who.api.limits(spec.question.endpoint);
    let mut lines =
        vec![format!("Input     {source}   {}", counted(planned.plan.tally.rows, "row"))];
    lines.extend(planned.plan.estimate.lines(&Heading {
        model: &spec.question.model,
        provider: &who.name,
        limit: spec.question.limit_name(),
        detail: spec.question.images.detail.into(),
        limits: Some((published.max_requests, published.max_bytes)),
        queue: planned.may_be_queued.map(|limit| (limit, waves(&planned.plan.shards, limit))),
    }));
    if let Some(text) = paid_before(context, planned)? {
        lines.extend(labelled("Again", &[text]));
    }
    if who.is_loopback {
        lines.push("Sandbox   nothing leaves this machine and nothing is charged".to_owned());
    }
    Ok(lines)
}

/// A file as a person in this folder names it.
pub(super) fn named_from<'a>(folder: &Path, file: &'a str) -> &'a str {
    let inside = Path::new(file).strip_prefix(folder).ok().and_then(Path::to_str);
    inside.unwrap_or(file)
}

/// Prints the plan on stdout.
pub(in crate::commands) fn show_estimate(
    context: &Context,
    planned: &Planned,
    who: &Who,
) -> Result<ExitCode, CommandError> {
    show(context, planned, who, None)
}

/// Builds every request file as it would be sent, prints the plan and the first request, sends
/// nothing.
pub(in crate::commands) fn show_plan(
    context: &Context,
    planned: &Planned,
    who: &Who,
    folder: &JobFolder,
) -> Result<ExitCode, CommandError> {
    let reporter = context.reporter();
    for shard in &planned.plan.shards {
        let shard = shard.as_record();
        let (spec, table) = (&planned.spec, &planned.table);
        let built = build_shard(spec, table, folder, "0000000000", (&shard, None))?;
        reporter.report(&crate::job::Event::Built {
            shard: shard.number,
            shards: planned.plan.shards.len() as u64,
            requests: shard.rows,
            bytes: built.bytes,
        });
        let path = folder.request_file(&shard.stem());
        crate::base::remove_file(&path).map_err(crate::job::JobError::file("remove", &path))?;
    }
    show(context, planned, who, planned.plan.first_request.as_deref())
}

fn show(
    context: &Context,
    planned: &Planned,
    who: &Who,
    first_request: Option<&str>,
) -> Result<ExitCode, CommandError> {
    let plan = &planned.plan;
    if context.json {
        context.printer.json(&Document {
            schema_version: 1,
            input: &planned.spec.source,
            provider: &who.name,
            model: &planned.spec.question.model,
            mode: plan.mode,
            others: plan.estimate.payees().map(|other| other.who.as_str()).collect(),
            rows: plan.tally.rows,
            estimate: &plan.estimate,
            input_tokens: plan.estimate.sent.input_tokens(),
            output_tokens: plan.estimate.forecast().output_tokens,
            learned_from: plan.estimate.learned_from,
            price: plan.estimate.price.as_ref().map(PriceDocument::of),
            cost: CostDocument::of(&plan.estimate),
            may_be_queued: planned.may_be_queued,
            waves: planned.may_be_queued.map(|limit| waves(&plan.shards, limit)),
            first_request: first_request.map(serde_json::from_str).transpose()?,
        })?;
        return Ok(ExitCode::Success);
    }
    for line in plan_lines(context, planned, who)? {
        context.printer.data(&line)?;
    }
    if let Some(request) = first_request {
        show_request(context, request)?;
    }
    Ok(ExitCode::Success)
}

/// The first request of what would be sent.
pub(super) fn show_request(context: &Context, request: &str) -> Result<(), CommandError> {
    let request: serde_json::Value = serde_json::from_str(request)?;
    context.printer.data("First request, as it would be sent:")?;
    context.printer.data(&serde_json::to_string_pretty(&shortened(request))?)?;
    context.printer.data("Nothing was sent.")?;
    Ok(())
}

/// The request with the middle of its images left out: a screen is no place for megabytes of
/// base64.
fn shortened(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) if text.starts_with("data:") && text.len() > 120 => {
            Value::String(format!("{}… ({} characters)", &text[..60], text.len()))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(shortened).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, shortened(value))).collect())
        }
        other => other,
    }
}
