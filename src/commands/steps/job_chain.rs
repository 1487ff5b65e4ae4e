//! The failover chain of a job, open for calls: who may be asked, in which order, how long, and
//! within which limits.

use super::jobs::Found;
use super::mode::finish;
use super::payee::Payee;
use super::who::Who;
use crate::commands::Context;
use crate::config::{SetLimits, key};
use crate::cost::Price;
use crate::job::{CallLimits, CallOptions, Chain, JobError, Member, terms_of};
use crate::provider::open_chat;
use crate::request::{Mode, Question};
use crate::store::Store;
use crate::ui::{CommandError, ExitCode};

/// The chain of a job; `None` where nothing of it is sent by calls.
pub(super) fn chain_of_job<'a>(
    context: &'a Context,
    store: &'a Store,
    found: &Found,
    who: &Who,
) -> Result<Option<Chain<'a>>, CommandError> {
    let is_called = found.spec.mode == Mode::Realtime
        || finish(context, found.spec.mode) == Mode::Realtime
        || store.shards(&found.job.key)?.iter().any(|shard| shard.mode == Mode::Realtime);
    if !is_called {
        return Ok(None);
    }
    let terms = terms_of(&found.job);
    let mut members = Vec::new();
    if who.calls.has_key {
        let whom = (who.name.as_str(), who.model.as_str(), who.stored_url.as_str());
        members.push(member(whom, &who.calls, &found.spec.question, terms.price)?);
    }
    for (at, (payee, asked)) in who.others.iter().zip(&found.spec.others).enumerate() {
        if !payee.calls.has_key {
            continue;
        }
        if payee.stored_url != asked.question.base_url {
            context.printer.note(&format!(
                "{} was at {} when the job was planned, and is at {} now: it is left out",
                payee.name, asked.question.base_url, payee.stored_url
            ));
            continue;
        }
        let price = terms.others.get(at).cloned().flatten();
        members.push(member(whom(payee), &payee.calls, &asked.question, price)?);
    }
    let settings = &context.settings;
    let options = CallOptions {
        retries: small(settings.get(key::RETRIES)),
        retry_delay: settings.get(key::RETRY_DELAY),
        failure_threshold: small(settings.get(key::FAILURE_THRESHOLD)),
        cool_down: settings.get(key::COOL_DOWN),
    };
    let chain = Chain::new(members, options, store, context.clock.as_ref());
    Ok(Some(chain.map_err(JobError::from)?))
}

fn whom(payee: &Payee) -> (&str, &str, &str) {
    (&payee.name, &payee.model, &payee.stored_url)
}

fn member(
    (name, model, stored_url): (&str, &str, &str),
    calls: &super::payee::Calls,
    question: &Question,
    price: Option<Price>,
) -> Result<Member, CommandError> {
    let api =
        open_chat(&calls.settings).map_err(|error| CommandError::new(ExitCode::Usage, error))?;
    let SetLimits { concurrency, rpm, tpm } = calls.limits;
    Ok(Member {
        name: name.to_owned(),
        model: model.to_owned(),
        api,
        question: question.clone(),
        price,
        stored_url: stored_url.to_owned(),
        limits: CallLimits { concurrency, rpm, tpm },
        timeout: calls.timeout,
    })
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
