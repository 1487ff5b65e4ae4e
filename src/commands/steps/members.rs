//! From those who are asked to the members of a chain, opened for calls: those without a key are
//! left out.

use std::time::Duration;

use super::mode::finish;
use super::who::Who;
use crate::commands::Context;
use crate::config::key;
use crate::job::{CallOptions, Chain, Member, Spec};
use crate::request::Mode;
use crate::store::{ShardState, Store};
use crate::ui::CommandError;

use super::jobs::Found;

/// How long a call for a row may take where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The chain of a job, where rows of it may be called; `None` where none will be.
pub(super) fn chain_of_job<'a>(
    context: &'a Context,
    store: &'a Store,
    found: &Found,
    who: &Who,
) -> Result<Option<Chain<'a>>, CommandError> {
    let mode = found.spec.mode;
    let open = [ShardState::Planned, ShardState::Calling];
    let may_call = mode == Mode::Realtime
        || finish(context, mode) == Mode::Realtime
        || !store.shards_of_mode(&found.job.key, Mode::Realtime, &open, 1)?.is_empty();
    if !may_call {
        return Ok(None);
    }
    let members = members(context, who, &found.spec)?;
    let options = call_options(context);
    Ok(Some(Chain::new(members, options, store, context.clock.as_ref())?))
}

/// How failed calls are dealt with, as the settings say.
pub(in crate::commands) fn call_options(context: &Context) -> CallOptions {
    let settings = &context.settings;
    let whole = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    CallOptions {
        retries: whole(settings.get(key::RETRIES)),
        retry_delay: settings.get(key::RETRY_DELAY),
        failure_threshold: whole(settings.get(key::FAILURE_THRESHOLD)),
        cool_down: settings.get(key::COOL_DOWN),
    }
}

fn members(context: &Context, who: &Who, spec: &Spec) -> Result<Vec<Member>, CommandError> {
    let mut members = Vec::new();
    if who.calls.has_key {
        let about = (who.name.as_str(), who.stored_url.as_str());
        let asked = (spec.question.clone(), who.price.as_ref());
        members.push(who.calls.member(about, asked, TIMEOUT)?);
    }
    for other in &who.others {
        let is = |one: &&crate::job::Other| {
            one.provider == other.name && one.question.model == other.model
        };
        let Some(asked) = spec.others.iter().find(is) else { continue };
        if other.stored_url != asked.question.base_url {
            // Its answers would be another service's than those that were asked for.
            context.printer.note(&format!(
                "{} was at {} when the job was planned and is at {} now: it is left out",
                other.name, asked.question.base_url, other.stored_url
            ));
        } else if other.calls.has_key {
            let about = (other.name.as_str(), other.stored_url.as_str());
            let asked = (asked.question.clone(), other.price.as_ref());
            members.push(other.calls.member(about, asked, TIMEOUT)?);
        }
    }
    Ok(members)
}
