//! One job: where it stands and how it came there, what it waits for, what the provider said.

use std::collections::BTreeMap;

use serde::Serialize;

use super::JobView;
use super::rounds::{BatchView, RoundView, rounds};
use super::waits::{Around, CollectBefore, collect_before, is_unclear, waits_for};
use crate::commands::Context;
use crate::commands::steps::{AskedDocument, Found, call_lines};
use crate::cost::grouped;
use crate::job::lines_in_reason;
use crate::store::{AskedRecord, CallRecord, JobState, ShardState, Store, Transition};
use crate::ui::{CommandError, ExitCode, Verbosity, counted, moment};

/// Shards that are listed one by one without being asked for.
const LISTED: usize = 10;
/// States of a job that are listed at most, the first and the newest ones.
const STEPS: usize = 12;

/// What is shown of one job.
struct View {
    job: JobView,
    history: Vec<Transition>,
    waits_for: Vec<String>,
    collect_before: Option<CollectBefore>,
    rounds: Vec<RoundView>,
    batches: Vec<BatchView>,
    unclear: Vec<CallRecord>,
    /// Who was asked by calls.
    asked: Vec<AskedRecord>,
    /// Unix seconds.
    now: i64,
}

impl View {
    fn of(context: &Context, store: &Store, found: &Found) -> Result<Self, CommandError> {
        let key = &found.job.key;
        let creates: BTreeMap<i64, _> =
            store.creates(key)?.into_iter().map(|create| (create.shard, create)).collect();
        let mut ways = store.shard_transitions(key)?;
        let unclear_creates: Vec<i64> = store
            .shards(key)?
            .iter()
            .filter(|shard| matches!(shard.state, ShardState::Creating | ShardState::Unknown))
            .filter_map(|shard| creates.get(&shard.id).map(|create| create.id))
            .collect();
        let batches: Vec<BatchView> = store
            .shards(key)?
            .into_iter()
            .map(|shard| {
                let way = ways.remove(&shard.id).unwrap_or_default();
                let create = creates.get(&shard.id);
                BatchView::of(shard, create, way)
            })
            .collect();
        let around = Around {
            is_driven: found.is_driven(),
            is_cancel_wished: store.is_cancel_wished(key)?,
            is_at_limit: store.job_history(key)?.exit == Some(ExitCode::Limit.code()),
        };
        let account = context.settings.account(&found.job.provider).ok();
        let now = context.clock.unix();
        Ok(Self {
            job: JobView::of(context, store, found, true)?,
            history: store.transitions(key)?,
            waits_for: waits_for(&found.job, &batches, around),
            collect_before: collect_before(&batches, account.map(|a| a.dialect), now),
            rounds: rounds(&batches),
            batches,
            asked: store.asked(key)?,
            unclear: store
                .calls(key)?
                .into_iter()
                .filter(CallRecord::is_unclear)
                .filter(|call| call.create.is_some_and(|id| unclear_creates.contains(&id)))
                .collect(),
            now,
        })
    }
}

/// The view as `--json` prints it.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    job: &'a JobView,
    history: &'a [Transition],
    waits_for: &'a [String],
    collect_before: Option<CollectBefore>,
    rounds: &'a [RoundView],
    batches: &'a [BatchView],
    unclear_calls: Vec<String>,
    /// Who was asked by calls; empty where all went in batches.
    calls: Vec<AskedDocument<'a>>,
}

/// Shows a job as text or as JSON; with `all`, every shard with its way.
pub(super) fn show(
    context: &Context,
    store: &Store,
    found: &Found,
    all: bool,
) -> Result<(), CommandError> {
    let mut view = View::of(context, store, found)?;
    if let Some(before) = view.collect_before.filter(|before| before.is_urgent) {
        let provider = &view.job.provider;
        context.printer.warning(&format!(
            "results of {} are only at {provider}, which may drop them after {}; fetch them: \
             batchctl download {}",
            counted(before.batches, "batch"),
            moment(before.at),
            view.job.job
        ));
    }
    if context.json {
        if !all {
            view.batches.iter_mut().for_each(|batch| batch.history.clear());
        }
        context.printer.json(&Document {
            schema_version: 1,
            job: &view.job,
            history: &view.history,
            waits_for: &view.waits_for,
            collect_before: view.collect_before,
            rounds: &view.rounds,
            batches: &view.batches,
            unclear_calls: view.unclear.iter().map(unclear).collect(),
            calls: view.asked.iter().map(AskedDocument::of).collect(),
        })?;
        return Ok(());
    }
    let all = all || context.printer.verbosity() >= Verbosity::Verbose;
    for line in view.lines(all) {
        context.printer.row(&line)?;
    }
    Ok(())
}

impl View {
    fn lines(&self, all: bool) -> Vec<String> {
        let job = &self.job;
        let mut lines = vec![format!("job       {}   {}", job.job, job.state)];
        lines.extend(job.reason.as_ref().map(|reason| format!("          {reason}")));
        let asks = format!("asks      {} at {}", job.model, job.provider);
        lines.push(format!("{asks}   started {}", moment(job.created)));
        lines.push(format!("input     {}", job.input));
        lines.extend(job.output.as_ref().map(|output| format!("output    {output}")));
        lines.push(format!("rows      {}: {}", grouped(job.rows), job.in_words));
        lines.extend(job.exploded.as_ref().map(|rows| format!("exploded  {rows}")));
        lines.extend(call_lines(&self.asked));
        lines.extend(job.spent.lines());
        lines.extend(reserved(job, self.batches.iter().map(|shard| shard.state)));
        if let Some(pruned) = job.pruned {
            lines.push(format!("pruned    {}: its answers are only in its table", moment(pruned)));
        }
        lines.extend(steps(&self.history));
        lines.extend(self.shards(all));
        lines.extend(self.unclear.iter().map(|call| format!("unclear   {}", unclear(call))));
        for (number, text) in self.waits_for.iter().enumerate() {
            lines.push(format!("{} {text}", if number == 0 { "waits for" } else { "         " }));
        }
        let before = self.collect_before.map(|before| before.line(&job.provider, self.now));
        lines.extend(before);
        lines.extend(next_steps(job));
        lines
    }

    /// Every shard where they are few or all are wanted; else the rounds, and the shards that
    /// somebody must look at.
    fn shards(&self, all: bool) -> Vec<String> {
        if all || self.batches.len() <= LISTED {
            return self.batches.iter().map(|batch| batch.line(all)).collect();
        }
        let mut lines: Vec<String> = self.rounds.iter().flat_map(RoundView::lines).collect();
        let odd = |b: &&BatchView| b.state == ShardState::Rejected || is_unclear(b);
        let odd: Vec<_> = self.batches.iter().filter(odd).collect();
        lines.extend(odd.iter().take(LISTED).map(|batch| batch.line(false)));
        if odd.len() > LISTED {
            lines.push(format!("          and {} more like these", odd.len() - LISTED));
        }
        lines.push("          each shard: --shards".to_owned());
        lines
    }
}

/// What shards that are begun and not settled may still cost.
fn reserved(job: &JobView, mut states: impl Iterator<Item = ShardState>) -> Option<String> {
    let reserved = job.spent.reserved?;
    let charged = if job.spent.is_charged { "" } else { ", nothing of it is charged" };
    let what = reserved_for(&mut states);
    Some(format!("reserved  {} for {what}{charged}", job.spent.shown(reserved)))
}

/// What money is set aside for: calls end with whoever makes them, batches run on.
fn reserved_for(states: &mut dyn Iterator<Item = ShardState>) -> &'static str {
    let (mut calls, mut batches) = (false, false);
    for state in states {
        match state {
            ShardState::Calling => calls = true,
            ShardState::Planned | ShardState::Settled => {}
            _ => batches = true,
        }
    }
    match (calls, batches) {
        (true, false) => "rows that go out by calls",
        (true, true) => "batches that run and rows that go out by calls",
        (false, _) => "batches that run",
    }
}

/// The states over time, the middle left out where there are many.
fn steps(history: &[Transition]) -> Vec<String> {
    let line = |(number, step): (usize, &Transition)| {
        let label = if number == 0 { "states   " } else { "         " };
        let detail = step.detail.as_ref().map(|text| format!("   {text}")).unwrap_or_default();
        format!("{label} {}  {}{detail}", moment(step.at), step.state)
    };
    let mut lines: Vec<String> = history.iter().enumerate().map(line).collect();
    if lines.len() > STEPS {
        let left_out = lines.len() - STEPS;
        let middle = format!("          … {left_out} more (all of them: --json)");
        lines.splice(STEPS / 2..STEPS / 2 + left_out, [middle]);
    }
    lines
}

fn next_steps(view: &JobView) -> Vec<String> {
    match view.state {
        JobState::Prepared | JobState::Running | JobState::Waiting => {
            // At a limit the plain line would only meet it again.
            let reason = view.reason.as_deref().unwrap_or_default();
            let mut lines: Vec<String> =
                lines_in_reason(reason).map(|line| format!("go on     {line}")).collect();
            if lines.is_empty() {
                lines.push(format!("go on     batchctl resume {}", view.job));
            }
            lines.push(format!("stop it   batchctl cancel {}", view.job));
            lines
        }
        JobState::NeedsOperator => vec![
            "a batch may or may not exist, so nothing more is sent: look for it in the provider's \
             console"
                .to_owned(),
            format!("it is there   batchctl resolve {} --batch BATCH", view.job),
            format!("it is not     batchctl resolve {} --absent", view.job),
        ],
        JobState::Done | JobState::Cancelled => Vec::new(),
    }
}

/// A call of which nobody knows what it did.
fn unclear(call: &CallRecord) -> String {
    let class = call.class.as_deref().unwrap_or("no end recorded");
    let words = call.excerpt.as_deref().map(|words| format!(": {words}")).unwrap_or_default();
    format!("{} begun {}, {class}{words}", call.kind, moment(call.started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_set_aside_for_what_is_under_way() {
        use ShardState::{Calling, Planned, Running, Settled};
        let table = [
            (&[Settled, Running, Planned][..], "batches that run"),
            (&[Settled, Calling, Planned], "rows that go out by calls"),
            (&[Running, Calling], "batches that run and rows that go out by calls"),
        ];
        for (states, expected) in table {
            assert_eq!(reserved_for(&mut states.iter().copied()), expected);
        }
    }

    #[test]
    fn a_long_way_is_told_from_its_ends() {
        let step = |n: i64| Transition { state: format!("s{n}"), detail: None, at: n };
        let short: Vec<_> = (0..3).map(step).collect();
        assert_eq!(steps(&short).len(), 3);
        assert!(steps(&short)[0].starts_with("states    "));
        let long: Vec<_> = (0..100).map(step).collect();
        let lines = steps(&long);
        assert_eq!(lines.len(), STEPS + 1);
        assert!(lines[6].contains("88 more") && lines[12].ends_with("s99"), "{lines:#?}");
    }
}
