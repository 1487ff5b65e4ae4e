//! The question about money: a terminal asks above a small amount, anything else goes on up to a
//! larger one and stops above it. Loopback and free models cost nothing and are never asked about;
//! what is unknown always is.

use super::limits::{Paid, max_cost, require_daily_budget, tell_unheld};
use super::paid_before::paid_before;
use super::plan::Planned;
use super::sent::{first_request_lines, named_columns};
use super::show::plan_lines;
use super::who::Who;
use crate::commands::Context;
use crate::config::key;
use crate::cost::{Caps, Currency, Forecast, Money, PICO};
use crate::request::Mode;
use crate::ui::{CommandError, ExitCode, counted};

/// What is about to be sent, and what it will cost.
pub(in crate::commands) struct Purchase<'a> {
    /// Who is paid.
    pub(in crate::commands) who: &'a Who,
    /// What is asked, at which price.
    pub(in crate::commands) paid: Paid<'a>,
    /// What is expected.
    pub(in crate::commands) forecast: &'a Forecast,
    /// Whether nothing is charged, whoever answers.
    pub(in crate::commands) is_free: bool,
    /// Whether rows are asked that were asked before.
    pub(in crate::commands) is_again: bool,
}

/// Returns if the plan may be paid for. What leaves, where to, and how much of it stands above
/// the question.
pub(in crate::commands) fn approve(
    context: &Context,
    planned: &Planned,
    who: &Who,
) -> Result<(), CommandError> {
    let estimate = &planned.plan.estimate;
    let forecast = estimate.forecast();
    let purchase = Purchase::of(planned, (&forecast, who));
    let was_asked = purchase.approve(context, || {
        for line in plan_lines(context, planned, who)? {
            context.printer.important(&line);
        }
        context.printer.prose(&format!("Sends     {} to {}", leaves(planned), who.stored_url));
        if let Some(request) = &planned.plan.first_request {
            for line in first_request_lines(&serde_json::from_str(request)?) {
                context.printer.prose(&line);
            }
        }
        Ok(())
    })?;
    if !was_asked && purchase.forecast.requests > 0 {
        if let Some(text) = paid_before(context, planned)? {
            context.printer.note(&text);
        }
        context
            .printer
            .note(&purchase.short_plan(estimate.max_tokens, planned.spec.question.limit_name()));
        if let Some(reasks) = &estimate.reasks {
            let shown = |pico: Option<u64>| match pico.and_then(|pico| estimate.money(pico)) {
                Some(money) => money.show(),
                None => "unknown".to_owned(),
            };
            context.printer.note(&format!("re-asks: {}", reasks.words(shown).join("; ")));
        }
    }
    Ok(())
}

/// Returns if the limits let the plan begin: what only shows it ends as the run would.
pub(in crate::commands) fn require_limits(
    context: &Context,
    planned: &Planned,
    who: &Who,
) -> Result<(), CommandError> {
    Purchase::of(planned, (&planned.plan.estimate.forecast(), who)).limit(context).map(|_| ())
}

impl<'a> Purchase<'a> {
    /// All that a plan sends.
    fn of(planned: &'a Planned, (forecast, who): (&'a Forecast, &'a Who)) -> Self {
        let estimate = &planned.plan.estimate;
        let paid = Paid {
            model: &planned.spec.question.model,
            price: estimate.price.as_ref(),
            mode: estimate.mode,
            unpriced: estimate.unpriced().next().map(|other| other.who.as_str()),
        };
        Self { who, paid, forecast, is_free: estimate.is_free(), is_again: false }
    }

    /// The limit of the job, `None` where there is none; refuses what no limit lets begin.
    pub(in crate::commands) fn limit(
        &self,
        context: &Context,
    ) -> Result<Option<Money>, CommandError> {
        if self.forecast.requests == 0 {
            return Ok(None);
        }
        let limit = max_cost(context, self.who, self.paid)?;
        require_daily_budget(context, self.who, self.paid)?;
        tell_unheld(context, self.who, self.paid);
        // A retry was held against what its job may cost in all.
        if let Some(limit) = limit.filter(|_| !self.is_again) {
            self.require_below(limit)?;
        }
        Ok(limit)
    }

    /// Returns if it may be paid for, and whether a person was asked; `show` prints what stands
    /// above the question.
    pub(in crate::commands) fn approve(
        &self,
        context: &Context,
        show: impl FnOnce() -> Result<(), CommandError>,
    ) -> Result<bool, CommandError> {
        if self.forecast.requests == 0 {
            return Ok(false);
        }
        let limit = self.limit(context)?;
        if self.who.is_loopback || self.is_free || context.settings.get(key::YES) {
            return Ok(false);
        }
        let unasked = self.unasked(context)?;
        let may_cost = self.forecast.may_cost().and_then(|pico| self.money(pico));
        let is_small = may_cost.zip(unasked).is_some_and(|(cost, most)| cost.pico <= most.pico);
        if is_small || (limit.is_some() && !context.is_interactive) {
            return Ok(false);
        }
        if !context.is_interactive {
            return Err(self.refusal(may_cost.zip(unasked)));
        }
        show()?;
        if context.printer.confirm(&self.question())? {
            return Ok(true);
        }
        Err(CommandError::message(ExitCode::Limit, "not approved; nothing was sent"))
    }

    /// A limit below what is likely would only be hit half-way.
    fn require_below(&self, limit: Money) -> Result<(), CommandError> {
        let Some(likely) = self.forecast.cost.likely.and_then(|pico| self.money(pico)) else {
            let text = format!(
                "{}, so the limit of {} cannot be held; nothing was sent",
                self.unknown(),
                limit.show()
            );
            return Err(CommandError::message(ExitCode::Limit, text));
        };
        if likely.pico <= limit.pico {
            return Ok(());
        }
        let enough = self.forecast.may_cost().unwrap_or(likely.pico).max(likely.pico);
        let enough = Money { pico: enough, ..likely }.rounded_up();
        let text = format!(
            "{} {} likely to cost {}, above the limit of {}; nothing was sent",
            self.requests(),
            if self.forecast.requests == 1 { "is" } else { "are" },
            likely.show(),
            limit.show()
        );
        Err(CommandError::message(ExitCode::Limit, text)
            .hint(format!("add --max-cost {} to send all of it", enough.typed()))
            .hint("or ask fewer rows, with --end-row or --where"))
    }

    /// Up to which amount nobody is asked; `None` where every amount is asked about.
    fn unasked(&self, context: &Context) -> Result<Option<Money>, CommandError> {
        let Some(price) = self.paid.price else { return Ok(None) };
        let currency = price.currency;
        let usage = |error| {
            CommandError::new(ExitCode::Usage, error).context(key::CONFIRM_ABOVE.name.to_owned())
        };
        let set = context.settings.get(key::CONFIRM_ABOVE).map(|text| text.parse::<Caps>());
        let set = set.transpose().map_err(usage)?.and_then(|caps| caps.of(currency));
        let cents = match (currency, context.is_interactive) {
            (Currency::USD, true) => Some(50),
            (Currency::USD, false) => Some(100),
            (Currency::CNY, true) => Some(300),
            (Currency::CNY, false) => Some(700),
            _ => None,
        };
        let usual = cents.map(|cents| Money { currency, pico: PICO / 100 * cents });
        // Where nobody can be asked, what a person wants to be asked about does not matter.
        Ok(if context.is_interactive { set.or(usual) } else { usual.or(set) })
    }

    /// Stops where nobody can be asked: because of the amount that is above what goes unasked, or
    /// because it is not known.
    fn refusal(&self, amounts: Option<(Money, Money)>) -> CommandError {
        let Some((may_cost, unasked)) = amounts else {
            let text = match self.figures() {
                _ if self.paid.unpriced.is_some() => {
                    format!("{}; nothing was sent", self.unknown())
                }
                None => format!("{}; nothing was sent", self.unknown()),
                Some(figures) => format!(
                    "{}: {figures}, and nothing says how much may go unasked; nothing was sent",
                    self.requests()
                ),
            };
            return CommandError::message(ExitCode::Limit, text)
                .hint("add --yes to send without asking")
                .hint("add --dry-run to see what would be sent");
        };
        let text = format!(
            "{}: {}, which is above the {} that goes unasked; nothing was sent",
            self.requests(),
            self.figures().unwrap_or_default(),
            unasked.show()
        );
        let limit = may_cost.rounded_up().typed();
        CommandError::message(ExitCode::Limit, text)
            .hint(format!("add --max-cost {limit} to send, and to stop before it costs more"))
            .hint("add --yes to send without asking")
            .hint("add --dry-run to see what would be sent")
    }

    fn question(&self) -> String {
        let again = if self.is_again { " once more" } else { "" };
        let requests = counted(self.forecast.requests, "request");
        let now = self.now();
        match self.figures() {
            _ if self.paid.unpriced.is_some() => {
                format!("{}. Send {requests}{again}{now}?", self.unknown())
            }
            None => format!("{}. Send {requests}{again}{now}?", self.unknown()),
            Some(figures) => format!("Send {requests}{again}{now} for {figures}?"),
        }
    }

    /// `likely $0.021, at most $0.028`; `None` where the price is unknown.
    pub(in crate::commands) fn figures(&self) -> Option<String> {
        let Forecast { cost, reserve, .. } = self.forecast;
        let show = |pico: u64| self.money(pico).map(|money| money.show());
        let likely = show(cost.likely?)?;
        let more = match (cost.high, cost.worst, reserve) {
            (Some(high), ..) => format!("hardly more than {}", show(high)?),
            (_, Some(worst), _) => format!("at most {}", show(worst)?),
            (_, _, Some(reserve)) => {
                format!("{} set aside as there is no --max-tokens", show(*reserve)?)
            }
            _ => return Some(format!("likely {likely}")),
        };
        Some(format!("likely {likely}, {more}"))
    }

    /// One line before anything is sent, where nobody is asked: what it will cost, for what, at
    /// whom, by which prices.
    fn short_plan(&self, max_tokens: Option<u64>, named: &str) -> String {
        let requests = counted(self.forecast.requests, "request");
        let now = self.now();
        let whom = format!("{requests}{now} at {}, {}", self.who.name, self.paid.model);
        let is_free = self.is_free;
        let dated = self.paid.price.map(|price| format!(", {}", price.dated())).unwrap_or_default();
        let limit = max_tokens.filter(|_| self.forecast.cost.high.is_none());
        let limit = limit.map(|most| format!(" ({named} {most})")).unwrap_or_default();
        let text = match self.figures() {
            _ if is_free => format!("free: {whom}{dated}"),
            None => format!("{}: {whom}", self.unknown()),
            Some(figures) => format!("{figures}{limit} for {whom}{dated}"),
        };
        if self.who.is_loopback {
            return format!("rehearsal, nothing is charged; at the provider: {text}");
        }
        text
    }

    fn requests(&self) -> String {
        let again = if self.is_again { " once more" } else { "" };
        let requests = counted(self.forecast.requests, "request");
        format!("{requests} to {} at {}{again}{}", self.paid.model, self.who.name, self.now())
    }

    /// What is to be known of the price: calls cost more than a batch.
    fn now(&self) -> &'static str {
        match self.paid.mode {
            Mode::Batch => "",
            Mode::Realtime => " by calls, now",
        }
    }

    fn unknown(&self) -> String {
        let (model, provider) = (self.paid.model, &self.who.name);
        let known = self.paid.price.is_some();
        if let Some(other) = self.paid.unpriced {
            let paid = self.paid.price.map(|price| format!(" in {}", price.currency));
            let paid = paid.unwrap_or_default();
            return format!("calls may go to {other}, whose price{paid} is unknown");
        }
        if known && self.forecast.input_tokens.is_none() {
            return format!("what images cost with {model} at {provider} is unknown");
        }
        let which = match (known, self.paid.mode) {
            (false, _) => "",
            (true, Mode::Batch) => "batch ",
            (true, Mode::Realtime) => "realtime ",
        };
        format!("the {which}price of {model} at {provider} is unknown")
    }

    fn money(&self, pico: u64) -> Option<Money> {
        Some(Money { currency: self.paid.price?.currency, pico })
    }
}

/// The columns whose cells leave this machine.
fn leaves(planned: &Planned) -> String {
    let images = &planned.spec.question.images.columns;
    let mut parts = Vec::new();
    if !planned.plan.columns.is_empty() {
        parts.push(named_columns(&planned.plan.columns));
    }
    if !images.is_empty() {
        parts.push(format!("the images of {}", named_columns(images)));
    }
    if parts.is_empty() {
        return "the requests as they stand".to_owned();
    }
    parts.join(" and ")
}
