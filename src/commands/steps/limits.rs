//! The limits of a job as the settings say them, in the currency of its price.

use super::jobs::Found;
use super::who::Who;
use crate::commands::Context;
use crate::config::{Key, Source, key};
use crate::cost::{Caps, Currency, Money, Price};
use crate::job::{DailyBudget, Member, day_used_up, terms_of};
use crate::request::Mode;
use crate::store::{JobRecord, Store};
use crate::ui::{CommandError, ExitCode};

/// What is asked, and the price that it is paid at.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Paid<'a> {
    /// The model.
    pub(in crate::commands) model: &'a str,
    /// Its price; `None` = unknown.
    pub(in crate::commands) price: Option<&'a Price>,
    /// How it is sent.
    pub(in crate::commands) mode: Mode,
    /// Somebody of the chain without a price in this currency.
    pub(in crate::commands) unpriced: Option<&'a str>,
}

impl<'a> Paid<'a> {
    /// What a job asks, as it was planned.
    fn of_job(found: &'a Found, price: Option<&'a Price>) -> Self {
        let model = found.spec.question.model.as_str();
        Self { model, price, mode: found.spec.mode, unpriced: None }
    }

    /// The price, where there is one for requests that are sent so.
    fn priced(&self) -> Option<&'a Price> {
        self.price.filter(|price| match self.mode {
            Mode::Batch => price.batch.is_some(),
            Mode::Realtime => price.realtime.is_some(),
        })
    }
}

/// The most a job may cost, by `--max-cost` or its setting; `None` = no limit. Exit 2 where it is
/// in another currency than the price, exit 7 where there is no price to hold it against.
pub(in crate::commands) fn max_cost(
    context: &Context,
    who: &Who,
    asked: Paid<'_>,
) -> Result<Option<Money>, CommandError> {
    limit(context, who, key::MAX_COST, asked)
}

/// The lower of both limits, in trillionths, by which shards are cut; one that cannot be held is
/// refused elsewhere.
pub(super) fn lowest_limit(context: &Context, who: &Who, asked: Paid<'_>) -> Option<u64> {
    let set = |key| limit(context, who, key, asked).ok().flatten().map(|money| money.pico);
    [key::MAX_COST, key::DAILY_BUDGET].into_iter().filter_map(set).min()
}

/// Refuses what `daily_budget` could not be held for: exit 2 where it is in another currency than
/// the price, exit 7 where there is no price.
pub(in crate::commands) fn require_daily_budget(
    context: &Context,
    who: &Who,
    asked: Paid<'_>,
) -> Result<(), CommandError> {
    limit(context, who, key::DAILY_BUDGET, asked).map(|_| ())
}

/// Refuses calls outside of a job where `daily_budget` is used up: exit 7. What such calls cost is
/// counted by [`charge_call`].
pub(in crate::commands) fn require_day_left<'a>(
    context: &Context,
    store: &Store,
    members: impl IntoIterator<Item = &'a Member>,
) -> Result<(), CommandError> {
    let Some(text) = context.settings.get(key::DAILY_BUDGET) else { return Ok(()) };
    let caps: Caps = text.parse().map_err(|error| CommandError::new(ExitCode::Usage, error))?;
    for member in members {
        let limit = member.price.as_ref().and_then(|price| caps.of(price.currency));
        let Some(limit) = limit else { continue };
        let about = (limit, member.stored_url.as_str());
        if let Some(charged) = day_used_up(store, about, context.clock.unix())? {
            let words = format!(
                "{} is spent or reserved today, and daily_budget is {}; {} was not asked",
                charged.show(),
                limit.show(),
                member.title()
            );
            let higher = "tomorrow, or with a higher limit: --set daily_budget=AMOUNT";
            return Err(CommandError::message(ExitCode::Limit, words).hint(higher));
        }
    }
    Ok(())
}

/// Counts what a call outside of a job cost against the budget of its day; `None` = unknown, which
/// nothing can be counted for.
pub(in crate::commands) fn charge_call(
    context: &Context,
    store: &Store,
    member: &Member,
    cost: Option<Money>,
) -> Result<(), CommandError> {
    let Some(cost) = cost else { return Ok(()) };
    let about = (member.stored_url.as_str(), cost.currency.code());
    Ok(store.charge_single_call(about, cost.pico, context.clock.unix())?)
}

/// Says in a rehearsal which limits of a file could not be held where it is paid.
pub(super) fn tell_unheld(context: &Context, who: &Who, Paid { model, price, .. }: Paid<'_>) {
    let Some(currency) = price.map(|price| price.currency).filter(|_| who.is_loopback) else {
        return;
    };
    for key in [key::MAX_COST, key::DAILY_BUDGET] {
        let caps = context.settings.get(key).and_then(|text| text.parse::<Caps>().ok());
        if let Some(caps) = caps.filter(|caps| caps.of(currency).is_none()) {
            let name = key.name;
            context.printer.note(&format!(
                "{name} is {caps}, {model} is paid in {currency}: a real run would be refused"
            ));
        }
    }
}

/// The most that a retry leaves its job: what the line says, else what the job was made under.
pub(super) fn max_cost_of_retry(
    context: &Context,
    who: &Who,
    found: &Found,
    paid: Paid<'_>,
) -> Result<Option<Money>, CommandError> {
    if context.settings.source(key::MAX_COST) == Some(&Source::Flag) {
        return max_cost(context, who, paid);
    }
    let Some(limit) = terms_of(&found.job).max_cost else { return Ok(None) };
    let asked = (paid.model, who.name.as_str());
    match paid.priced() {
        None => Err(unknown_price("price", &format!("--max-cost {}", limit.typed()), asked)),
        Some(price) if price.currency != limit.currency => {
            let caps = limit.typed().parse::<Caps>();
            let caps = caps.map_err(|error| CommandError::new(ExitCode::Usage, error))?;
            Err(other_currency("--max-cost", &caps, asked, price.currency))
        }
        Some(_) => Ok(Some(limit)),
    }
}

/// The most that all jobs of this home may cost in a day, for a job that there is.
pub(super) fn daily_budget(context: &Context, found: &Found, who: &Who) -> DailyBudget {
    let price = terms_of(&found.job).price;
    match limit(context, who, key::DAILY_BUDGET, Paid::of_job(found, price.as_ref())) {
        Ok(None) => DailyBudget::None,
        Ok(Some(money)) => DailyBudget::Of(money),
        Err(error) => DailyBudget::Unclear(error.error.to_string()),
    }
}

/// The job with the limits that the line says anew: they hold from now on.
pub(super) fn with_limits(
    context: &Context,
    store: &Store,
    found: &Found,
    who: &Who,
) -> Result<JobRecord, CommandError> {
    let mut job = found.job.clone();
    let before = terms_of(&job);
    let mut terms = before.clone();
    // What a file says was the rule when the job was made; only a person's word changes it.
    if context.settings.source(key::MAX_COST) == Some(&Source::Flag) {
        let asked = Paid::of_job(found, before.price.as_ref());
        terms.max_cost = max_cost(context, who, asked)?;
    }
    if context.settings.source(key::MAX_REQUESTS) == Some(&Source::Flag) {
        terms.max_requests = context.settings.get(key::MAX_REQUESTS);
    }
    if terms != before {
        let json = serde_json::to_string(&terms)?;
        store.set_terms(&job.key, &json)?;
        job.terms = Some(json);
    }
    Ok(job)
}

fn limit(
    context: &Context,
    who: &Who,
    key: Key<Option<String>>,
    paid: Paid<'_>,
) -> Result<Option<Money>, CommandError> {
    let model = paid.model;
    let Some(text) = context.settings.get(key) else { return Ok(None) };
    let caps: Caps = text.parse().map_err(|error| CommandError::new(ExitCode::Usage, error))?;
    let source = context.settings.source(key);
    let is_flag = source == Some(&Source::Flag) && key.name == key::MAX_COST.name;
    let name = if is_flag { "--max-cost" } else { key.name };
    // Nothing is charged on loopback, so what a file says of money is not in its way.
    let may_pass = who.is_loopback && source != Some(&Source::Flag);
    // Without a price in the mode that is paid no figure could ever be held against it.
    let Some(price) = paid.priced() else {
        if may_pass {
            return Ok(None);
        }
        let what = match (paid.price, paid.mode) {
            (None, _) => "price",
            (Some(_), Mode::Batch) => "batch price",
            (Some(_), Mode::Realtime) => "realtime price",
        };
        return Err(unknown_price(what, &format!("{name} {caps}"), (model, &who.name)));
    };
    if let Some(other) = paid.unpriced.filter(|_| !may_pass) {
        return Err(unheld_chain(&format!("{name} {caps}"), other));
    }
    match caps.of(price.currency) {
        None if may_pass => Ok(None),
        None => Err(other_currency(name, &caps, (model, &who.name), price.currency)),
        held => Ok(held),
    }
}

/// A call may go to somebody of whom nobody knows the price, or who is paid in another currency.
fn unheld_chain(limit: &str, other: &str) -> CommandError {
    CommandError::message(
        ExitCode::Limit,
        format!(
            "calls may go to {other}, whose price is unknown or in another currency, so {limit} \
             cannot be held; nothing was sent"
        ),
    )
    .hint(
        "leave it out of the chain, or set its price below [prices.\"MODEL\"] of your config.toml",
    )
}

fn unknown_price(what: &str, limit: &str, (model, provider): (&str, &str)) -> CommandError {
    CommandError::message(
        ExitCode::Limit,
        format!(
            "the {what} of {model} at {provider} is unknown, so {limit} cannot be held; \
             nothing was sent"
        ),
    )
    .hint(format!(
        "below [prices.\"{model}\"] of your config.toml set input and output (for a million \
         tokens), batch_factor and currency"
    ))
}

fn other_currency(
    name: &str,
    caps: &Caps,
    (model, provider): (&str, &str),
    currency: Currency,
) -> CommandError {
    CommandError::usage(format!(
        "{name} is {caps}, and {model} at {provider} is paid in {currency}; nothing was sent"
    ))
    .hint(format!("give a limit in {currency} too:   \"{caps}, 30{currency}\""))
}
