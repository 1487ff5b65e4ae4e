//! One question, one answer.

use super::ask::Asker;
use crate::commands::Context;
use crate::commands::steps::Signals;
use crate::job::StopCause;
use crate::request::Turn;
use crate::ui::{CommandError, ExitCode, Flow};

/// Asks, and prints the answer: as it comes on a terminal, whole elsewhere.
pub(super) fn once(
    context: &Context,
    asker: &Asker<'_>,
    turn: Turn,
) -> Result<ExitCode, CommandError> {
    let is_flowing = context.printer.is_terminal() && !context.json;
    let mut flow = Flow::default();
    let turns = [turn];
    let heard = context.block_on(async {
        let mut signals = Signals::new()?;
        let flow = is_flowing.then_some(&mut flow);
        tokio::select! {
            end = asker.ask(context, &turns, flow) => end.map(Ok),
            cause = signals.next() => Ok(Err(cause)),
        }
    })??;
    flow.end(&context.printer)?;
    let answered = match heard {
        Ok(Ok(answered)) => answered,
        Ok(Err(nobody)) => return Err(nobody.into_error(context)),
        Err(cause) => return Ok(stopped(context, cause)),
    };
    if context.json {
        answered.print_document(context)?;
    } else if !is_flowing && !answered.said.text.is_empty() {
        context.printer.data(answered.said.text.trim_end_matches('\n'))?;
    }
    answered.tell(context);
    Ok(answered.exit())
}

/// Whoever was asked may bill what nobody reads any more.
pub(super) fn stopped(context: &Context, cause: StopCause) -> ExitCode {
    context.printer.important("stopped; what was asked may still be billed");
    match cause {
        StopCause::Interrupt => ExitCode::Interrupted,
        StopCause::Terminate => ExitCode::Terminated,
    }
}
