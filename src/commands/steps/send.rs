//! The whole way of a table, from the plan to the answers.

use std::path::Path;

use super::begin::{begin, waits};
use super::follow::Follow;
use super::go_on::go_on_with;
use super::input::read_in_place;
use super::jobs::{Found, open_store};
use super::mode::require_mode;
use super::money::require_limits;
use super::on_done::with_on_done;
use super::output::{Destination, require_place};
use super::plan::{Planned, Scratch, reuse};
use super::show::{show_estimate, show_plan};
use super::signals::Listening;
use super::who::{Need, Who, who_asked_like, who_is_asked};
use crate::commands::Context;
use crate::cost::unpack_early;
use crate::store::Store;
use crate::ui::{CommandError, ExitCode};

/// Plans a table, attaches to the job that this line made before or makes one, drives it.
pub(in crate::commands) fn send(
    input: &Path,
    mut who: Who,
    destination: &Destination,
    context: &Context,
) -> Result<ExitCode, CommandError> {
    Listening::begin(context)?;
    require_mode(context, &who)?;
    if let Some(path) = destination.path() {
        require_place(path)?;
    }
    unpack_early(&who.model);
    let store = open_store(context)?;
    let scratch = Scratch::new(store.home())?;
    let reuse = reuse(context, &store, &who, true);
    let planned = Planned::make(context, input, &mut who, scratch.folder(), reuse)?;
    let how = Follow { submit: true, wait: waits(context) };
    begin_and_go_on(context, &store, (scratch, planned), (&who, destination), how)
}

/// Finds or makes the job of a plan and drives it; the command of `--on-done` is told how that
/// ended as soon as there is a job.
pub(in crate::commands) fn begin_and_go_on(
    context: &Context,
    store: &Store,
    (scratch, planned): (Scratch, Planned),
    (who, destination): (&Who, &Destination),
    how: Follow,
) -> Result<ExitCode, CommandError> {
    let digest = planned.plan.run_digest.clone();
    let found = match begin(context, store, scratch, planned, who, destination) {
        Ok(found) => found,
        Err(error) => {
            let known = store.job_by_digest(&digest)?.filter(|_| error.exit != ExitCode::Usage);
            let Some(job) = known else { return Err(error) };
            return with_on_done(context, store, &job, || Err(error));
        }
    };
    with_on_done(context, store, &found.job, || go_on_with(context, store, &found, who, how))
}

/// The same from names alone, for commands that fill in the rest themselves.
pub(in crate::commands) fn run_workflow(
    input: &Path,
    output: &Path,
    context: &Context,
) -> Result<ExitCode, CommandError> {
    let who = who_is_asked(context, Need::Key)?;
    let destination = Destination::choose(Some(output), input, context)?;
    send(input, who, &destination, context)
}

/// Plans a table and prints what it would cost; sends nothing. Where a run is meant, it ends as
/// the limits would end that.
pub(in crate::commands) fn estimate(
    input: &Path,
    mut who: Who,
    context: &Context,
    is_of_run: bool,
) -> Result<ExitCode, CommandError> {
    if is_of_run {
        require_mode(context, &who)?;
    }
    let store = open_store(context)?;
    let scratch = Scratch::new(store.home())?;
    let reuse = reuse(context, &store, &who, false);
    unpack_early(&who.model);
    // No job follows that would need a copy.
    let (taken, unchanged) = read_in_place(input, context, scratch.folder())?;
    taken.decide(context, &mut who)?;
    let planned = Planned::of(context, taken, &who, reuse)?;
    unchanged.check()?;
    let exit = show_estimate(context, &planned, &who)?;
    if is_of_run {
        require_limits(context, &planned, &who)?;
    }
    Ok(exit)
}

/// The same for the question, the provider and the rows of a job, with what the line says on top.
pub(in crate::commands) fn estimate_like(
    context: &Context,
    store: &Store,
    (input, found): (&Path, &Found),
) -> Result<ExitCode, CommandError> {
    let mut who = who_asked_like(context, found)?;
    let scratch = Scratch::new(store.home())?;
    let reuse = reuse(context, store, &who, false);
    let planned = Planned::like(context, (input, &found.spec), &mut who, scratch.folder(), reuse)?;
    show_estimate(context, &planned, &who)
}

/// Builds everything, shows the plan and the first request, sends nothing; it ends as the limits
/// would end the run.
pub(in crate::commands) fn dry_run(
    input: &Path,
    mut who: Who,
    context: &Context,
) -> Result<ExitCode, CommandError> {
    require_mode(context, &who)?;
    let store = open_store(context)?;
    let scratch = Scratch::new(store.home())?;
    let reuse = reuse(context, &store, &who, false);
    let planned = Planned::make(context, input, &mut who, scratch.folder(), reuse)?;
    let exit = show_plan(context, &planned, &who, scratch.folder())?;
    require_limits(context, &planned, &who)?;
    Ok(exit)
}
