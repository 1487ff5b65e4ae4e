//! The question about money. Prices are not known to this release, so every price is unknown:
//! a terminal asks, a script must have said `--yes`, and loopback costs nothing.

use super::plan::Planned;
use super::sent::{first_request_lines, named_columns};
use super::show::plan_lines;
use super::who::Who;
use crate::commands::Context;
use crate::config::key;
use crate::ui::{CommandError, ExitCode, counted};

/// Returns if the plan may be paid for. What leaves, where to, and how much of it stands above
/// the question.
pub(in crate::commands) fn approve(
    context: &Context,
    planned: &Planned,
    who: &Who,
) -> Result<(), CommandError> {
    let requests = planned.plan.requests();
    if who.is_loopback || requests == 0 || context.settings.get(key::YES) {
        return Ok(());
    }
    let price = format!("the price of {} at {} is unknown", planned.spec.question.model, who.name);
    if !context.is_interactive {
        return Err(CommandError::message(ExitCode::Limit, format!("{price}; nothing was sent"))
            .hint("add --yes to send without asking")
            .hint("add --dry-run to see what would be sent"));
    }
    for line in plan_lines(planned, who) {
        context.printer.important(&line);
    }
    context.printer.important(&format!("Sends     {} to {}", leaves(planned), who.stored_url));
    if let Some(request) = &planned.plan.first_request {
        for line in first_request_lines(&serde_json::from_str(request)?) {
            context.printer.important(&line);
        }
    }
    let question = format!("{price}. Send {}?", counted(requests, "request"));
    if context.printer.confirm(&question)? {
        Ok(())
    } else {
        Err(CommandError::message(ExitCode::Limit, "not approved; nothing was sent"))
    }
}

/// The same for rows of a job that are asked again; what they are stands above the question.
pub(in crate::commands) fn approve_again(
    context: &Context,
    who: &Who,
    model: &str,
    requests: u64,
) -> Result<(), CommandError> {
    if who.is_loopback || context.settings.get(key::YES) {
        return Ok(());
    }
    let price = format!("the price of {model} at {} is unknown", who.name);
    if !context.is_interactive {
        return Err(CommandError::message(ExitCode::Limit, format!("{price}; nothing was sent"))
            .hint("add --yes to send without asking"));
    }
    let question = format!("{price}. Send {} once more?", counted(requests, "request"));
    if context.printer.confirm(&question)? {
        Ok(())
    } else {
        Err(CommandError::message(ExitCode::Limit, "not approved; nothing was sent"))
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
