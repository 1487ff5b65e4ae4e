//! How rows are sent: in batches or by calls, and what becomes of those that are left.

use super::who::Who;
use crate::commands::Context;
use crate::config::{Source, key};
use crate::provider::Dialect;
use crate::request::Mode;
use crate::ui::CommandError;

/// What `--mode` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Wanted {
    /// One of both.
    Of(Mode),
    /// Calls where few rows are to be asked.
    Auto,
}

/// What the settings ask for.
pub(in crate::commands) fn wanted(context: &Context) -> Wanted {
    match context.settings.get(key::MODE).as_str() {
        "realtime" => Wanted::Of(Mode::Realtime),
        "auto" => Wanted::Auto,
        _ => Wanted::Of(Mode::Batch),
    }
}

/// Whether a service takes batches.
pub(in crate::commands) fn takes_batches(dialect: &Dialect) -> bool {
    dialect.batches
}

/// The mode to plan in, and the number of requests below which it is calls after all.
pub(super) fn to_plan(context: &Context, who: &Who) -> (Mode, Option<u64>) {
    match wanted(context) {
        Wanted::Of(mode) => (mode, None),
        Wanted::Auto if !takes_batches(who.api.dialect()) => (Mode::Realtime, None),
        Wanted::Auto => (Mode::Batch, Some(context.settings.get(key::BATCH_THRESHOLD))),
    }
}

/// How rows are sent that are left of those that were sent so: in the same way, unless it was
/// said otherwise.
pub(in crate::commands) fn finish(context: &Context, mode: Mode) -> Mode {
    let is_said = context.settings.source(key::FINISH) != Some(&Source::Default);
    match context.settings.get(key::FINISH).as_str() {
        "realtime" => Mode::Realtime,
        "batch" if is_said => Mode::Batch,
        _ => mode,
    }
}

/// Whether a run by these settings may make calls.
pub(super) fn may_call(context: &Context) -> bool {
    wanted(context) != Wanted::Of(Mode::Batch) || finish(context, Mode::Batch) == Mode::Realtime
}

/// Refuses before anything is sent what the service cannot do, and says who is left out of a
/// batch.
pub(in crate::commands) fn require_mode(context: &Context, who: &Who) -> Result<(), CommandError> {
    require_waiting(context)?;
    let is_batch = wanted(context) == Wanted::Of(Mode::Batch);
    let needs_batch = is_batch || finish(context, Mode::Realtime) == Mode::Batch;
    if needs_batch && !takes_batches(who.api.dialect()) {
        let name = &who.name;
        let error = CommandError::usage(format!("{name} is asked by calls only; nothing was sent"));
        return Err(if is_batch {
            error.hint("add --now to ask by calls, at the realtime price")
        } else {
            error.hint("leave out --finish batch")
        });
    }
    if is_batch && !who.others.is_empty() {
        let others: Vec<&str> = who.others.iter().map(|other| other.name.as_str()).collect();
        let others = others.join(", ");
        context.printer.note(&if may_call(context) {
            format!("the batch is {}'s alone; {others} may be asked by calls", who.name)
        } else {
            format!("a batch is {}'s alone; {others} would be asked by calls (--now)", who.name)
        });
    }
    Ok(())
}

/// Refuses a line that would not wait for calls: nobody takes them in once this program ended.
fn require_waiting(context: &Context) -> Result<(), CommandError> {
    let is_said = context.settings.source(key::NO_WAIT) == Some(&Source::Flag);
    let is_meant = is_said && context.settings.get(key::NO_WAIT);
    if !is_meant || wanted(context) != Wanted::Of(Mode::Realtime) {
        return Ok(());
    }
    Err(CommandError::usage(
        "--no-wait leaves a batch with the provider, and calls are answered while this runs; \
         nothing was sent",
    )
    .hint("drop --no-wait to ask now, or --now to leave a batch"))
}

/// Says in one line what `--mode auto` came to.
pub(super) fn tell_auto(context: &Context, who: &Who, (mode, requests): (Mode, u64)) {
    if wanted(context) != Wanted::Auto || requests == 0 {
        return;
    }
    if mode == Mode::Realtime && context.settings.get(key::NO_WAIT) {
        context.printer.note("calls are waited for: --no-wait is for batches");
    }
    let threshold = context.settings.get(key::BATCH_THRESHOLD);
    let requests = crate::ui::counted(requests, "request");
    context.printer.note(&match mode {
        Mode::Realtime if !takes_batches(who.api.dialect()) => {
            let name = &who.name;
            format!("{requests}: sent now, as {name} is asked by calls only (--mode auto)")
        }
        Mode::Realtime if threshold > 0 => {
            format!("{requests}, fewer than {threshold}: sent now, by calls (--mode auto)")
        }
        Mode::Realtime => format!("{requests}: sent now, by calls (--mode auto)"),
        Mode::Batch => {
            format!("{requests}, {threshold} or more: sent in batches (--mode auto)")
        }
    });
}
