//! Whether the limits of a job have room for a retry. It is found out before anything is changed:
//! a job that is over stays so until all of the retry may go.

use super::again_price::AgainPrice;
use super::jobs::Found;
use super::limits::max_cost_of_retry;
use super::who::Who;
use crate::commands::Context;
use crate::config::{Source, key};
use crate::cost::Money;
use crate::job::{RetryPlan, terms_of};
use crate::store::{Budget, Item, Store};
use crate::ui::{CommandError, ExitCode, counted};

/// Returns if what the job has spent and what the retry is likely to cost stay below the most it
/// may cost, and its first shard can be reserved. `line` is what was typed, for the remedy.
pub(super) fn require_room(
    context: &Context,
    store: &Store,
    (found, who): (&Found, &Who),
    (plan, price): (&RetryPlan, &AgainPrice),
    line: &str,
) -> Result<(), CommandError> {
    require_requests(context, store, found, (plan, line))?;
    let asked = price.paid();
    let Some(limit) = max_cost_of_retry(context, who, found, asked)? else { return Ok(()) };
    let forecast = price.forecast(plan.requests());
    let (spent, reserved) = store.charged(&found.job.key, limit.currency.code())?;
    let spent = spent.saturating_add(reserved);
    let first = plan.shards.first().and_then(|shard| shard.reserve);
    let Some((likely, first)) = forecast.cost.likely.zip(first) else {
        let text = "what these rows could cost is unknown, so --max-cost cannot be held";
        return Err(refused(format!("{text}; nothing was sent")));
    };
    if spent.saturating_add(likely.max(first)) <= limit.pico {
        return Ok(());
    }
    let money = |pico| Money { pico, ..limit };
    let enough = forecast.may_cost().unwrap_or(likely).max(likely).max(first);
    let enough = money(spent.saturating_add(enough)).rounded_up();
    let text = format!(
        "job {} has cost {}; {} once more are likely to cost {} (its first file {} at most), and \
         --max-cost is {}; nothing was sent",
        found.job.short(),
        money(spent).show(),
        counted(plan.requests(), "request"),
        money(likely).show(),
        money(first).show(),
        limit.show()
    );
    Err(refused(text).hint(format!("{line} --max-cost {}", enough.typed())))
}

/// The same for the number of requests.
fn require_requests(
    context: &Context,
    store: &Store,
    found: &Found,
    (plan, line): (&RetryPlan, &str),
) -> Result<(), CommandError> {
    let is_flag = context.settings.source(key::MAX_REQUESTS) == Some(&Source::Flag);
    let said = context.settings.get(key::MAX_REQUESTS).filter(|_| is_flag);
    let max_requests = said.or(terms_of(&found.job).max_requests);
    let budget = Budget { max_requests, ..Budget::none() };
    let Some(first) = store.shards(&found.job.key)?.into_iter().next() else { return Ok(()) };
    let (item, charged) = store.counted(first.id, &budget, context.clock.unix())?;
    let item = Item { rows: plan.requests(), ..item };
    let Some(over) = budget.passed_by(&item, &charged) else { return Ok(()) };
    let sent = over.spent.saturating_add(over.reserved);
    let text = format!(
        "job {} has sent {}, and {} more would pass its max_requests of {}; nothing was sent",
        found.job.short(),
        counted(sent, "request"),
        plan.requests(),
        over.most
    );
    let enough = sent.saturating_add(plan.requests());
    Err(refused(text).hint(format!("{line} --set max_requests={enough}")))
}

fn refused(text: String) -> CommandError {
    CommandError::message(ExitCode::Limit, text)
}
