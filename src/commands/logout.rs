//! `logout [PROVIDER]`: forget a key that `login` kept.

use super::{Context, config_error};
use crate::config::Keyring;
use crate::ui::{CommandError, ExitCode};

/// Arguments of `logout`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Whose key is forgotten
    #[arg(value_name = "PROVIDER", default_value = "openai")]
    pub provider: String,
}

/// Removes the key from the key file, and says if one stays in the environment.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let mut keyring = Keyring::open(&context.home).map_err(config_error)?;
    let name = &args.provider;
    if keyring.forget(name).map_err(config_error)? {
        context
            .printer
            .note(&format!("the key for {name} is gone from {}", keyring.path().display()));
    } else {
        // Only now, so that the key of a provider whose section is gone can be forgotten.
        context.settings.account(name).map_err(config_error)?;
        context.printer.note(&format!("login kept no key for {name}"));
    }
    if context.settings.present_keys().contains(name) {
        context.printer.note("a key for it is still set in the environment or in ./.env");
    }
    Ok(ExitCode::Success)
}
