//! `completions SHELL`: a completion script on stdout.

use super::Context;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `completions`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Prints the script.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut (context.parser)(), "batchctl", &mut script);
    context.printer.data(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::Success)
}
