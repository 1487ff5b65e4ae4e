//! The question about money. Prices are not known to this release, so every price is unknown:
//! a terminal asks, a script must have said `--yes`, and loopback costs nothing.

use super::plan::Planned;
use super::who::Who;
use crate::commands::Context;
use crate::config::key;
use crate::ui::{CommandError, ExitCode};

/// Returns if the plan may be paid for.
pub(in crate::commands) fn approve(
    context: &Context,
    planned: &Planned,
    who: &Who,
) -> Result<(), CommandError> {
    if who.is_loopback || planned.plan.requests() == 0 || context.settings.get(key::YES) {
        return Ok(());
    }
    let price = format!("the price of {} at {} is unknown", planned.spec.question.model, who.name);
    if !context.is_interactive {
        return Err(CommandError::message(ExitCode::Limit, format!("{price}; nothing was sent"))
            .hint("add --yes to send without asking")
            .hint("batchctl estimate   shows requests, bytes and tokens first"));
    }
    if context.printer.confirm(&format!("{price}. Send {} requests?", planned.plan.requests()))? {
        Ok(())
    } else {
        Err(CommandError::message(ExitCode::Limit, "not approved; nothing was sent"))
    }
}
