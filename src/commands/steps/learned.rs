//! What a plan takes from the ledger of earlier jobs: how long answers were, and how much a
//! provider let be queued.

use super::jobs::open_store;
use super::mode::finish;
use super::who::Who;
use crate::commands::Context;
use crate::config::key;
use crate::cost::{Lengths, PricedMember, Pricing, Reasking, text_tokens};
use crate::job::{LEARNED_FOR, Spec, form_line};
use crate::request::{Endpoint, Mode};
use crate::store::{Queue, Store};
use crate::ui::CommandError;

/// What the requests are priced by: the price of this day, the limit of an answer, and how long
/// the answers of finished rows of the same prompt were.
pub(super) fn pricing(context: &Context, who: &Who, spec: &Spec) -> Result<Pricing, CommandError> {
    let mut reasking = reasking(spec, &spec.question.model);
    let mut lengths = Lengths::default();
    if Store::exists(&context.home) {
        let (store, prompt) = (open_store(context)?, spec.prompt_digest(who.is_sandbox));
        lengths = lengths_of(&store, &prompt)?;
        learn_shares(&store, &prompt, &mut reasking)?;
    }
    let others = members((who, spec), &lengths);
    Ok(Pricing {
        price: who.price.clone(),
        max_tokens: spec.question.most_output(),
        is_embedding: spec.question.endpoint == Endpoint::Embeddings,
        lengths,
        reasking,
        mode: spec.mode,
        finish: finish(context, spec.mode),
        others,
    })
}

/// What calls to the further members of a chain are priced by.
pub(super) fn members((who, spec): (&Who, &Spec), lengths: &Lengths) -> Vec<PricedMember> {
    let members = who.others.iter().zip(&spec.others);
    let members = members.filter(|(other, _)| other.calls.has_key);
    members
        .map(|(other, asked)| PricedMember {
            who: other.label(),
            pricing: Pricing {
                price: other.price.clone(),
                max_tokens: asked.question.most_output(),
                is_embedding: asked.question.endpoint == Endpoint::Embeddings,
                mode: Mode::Realtime,
                finish: Mode::Realtime,
                lengths: lengths.clone(),
                ..Pricing::default()
            },
        })
        .collect()
}

/// How often rows of a job are asked again because of their answer, at this model; of how common
/// such answers are nothing is known yet.
pub(super) fn reasking(spec: &Spec, model: &str) -> Reasking {
    let form = form_line(spec).filter(|_| spec.reask > 0);
    let form_tokens = form.map_or(0, |form| text_tokens(model, &form));
    Reasking { times: spec.reask, form_tokens, ..Reasking::default() }
}

/// Learns from finished rows of this prompt how common answers are that are not as wanted.
pub(super) fn learn_shares(
    store: &Store,
    prompt: &str,
    reasking: &mut Reasking,
) -> Result<(), CommandError> {
    if reasking.times > 0 {
        let shares = store.bad_shares(prompt, LEARNED_ROWS)?;
        (reasking.first, reasking.again) = (shares.first, shares.again);
    }
    Ok(())
}

/// How long the answers of finished rows of this prompt were.
pub(super) fn lengths_of(store: &Store, prompt: &str) -> Result<Lengths, CommandError> {
    Ok(Lengths::of(&store.answer_lengths(prompt, LEARNED_ROWS)?))
}

/// Finished rows that the length of answers is learned from at most.
const LEARNED_ROWS: u32 = 10_000;

/// The prompt tokens that may be queued: what the user set, else what a refusal told, else what
/// is published for the account's tier.
pub(super) fn may_be_queued(context: &Context, who: &Who) -> Result<Option<u64>, CommandError> {
    let set = context.settings.get(key::MAX_ENQUEUED_TOKENS);
    if set.is_some() || !Store::exists(&context.home) {
        return Ok(set.or(who.published_queue));
    }
    let queue = Queue {
        base_url: who.stored_url.clone(),
        account: who.account.clone(),
        model: who.model.clone(),
    };
    let since = context.clock.unix() - LEARNED_FOR;
    let store = open_store(context)?;
    let mut learned = store.learned_limit(&queue, since)?;
    if learned.is_none() {
        // A plan needs no key, so it may not know whose account it is.
        learned = store.learned_limit(&Queue { account: String::new(), ..queue }, since)?;
    }
    Ok(learned.or(who.published_queue))
}
