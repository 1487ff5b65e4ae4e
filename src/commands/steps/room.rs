//! Whether the limits of a job have room for a retry. It is found out before anything is changed:
//! a job that is over stays so until all of the retry may go.

use super::again_price::AgainPrice;
use super::jobs::Found;
use super::limits::max_cost_of_retry;
use super::who::Who;
use crate::commands::Context;
use crate::cost::Money;
use crate::job::RetryPlan;
use crate::store::Store;
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
    let asked = (price.model.as_str(), price.price());
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

fn refused(text: String) -> CommandError {
    CommandError::message(ExitCode::Limit, text)
}
