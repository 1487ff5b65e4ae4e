//! `login [PROVIDER]`: keep a key in the home folder.

use super::{Context, config_error};
use crate::base::Secret;
use crate::config::{Kept, Keyring};
use crate::ui::{CommandError, ExitCode};

/// Arguments of `login`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Whose key it is
    #[arg(value_name = "PROVIDER", default_value = "openai")]
    pub provider: String,
}

/// Reads a key, typed without echo or piped, and keeps it for the provider's present address.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let account = context.settings.account(&args.provider).map_err(config_error)?;
    if account.is_sandbox() {
        context.printer.note("the sandbox needs no key");
        return Ok(ExitCode::Success);
    }
    let question = format!("key for {} at {} (not shown): ", account.name, account.base_url);
    let key = context.printer.read_key(&question)?;
    check(&key, &account.name)?;
    context.make_home()?;
    let mut keyring = Keyring::open(&context.home).map_err(config_error)?;
    let kept = Kept { key: Secret::new(key), base_url: account.base_url.clone() };
    keyring.keep(&account.name, kept).map_err(config_error)?;
    let path = keyring.path().display();
    context.printer.note(&format!(
        "key for {} kept in {path} (only you can read it); it is sent to {} only",
        account.name, account.base_url
    ));
    Ok(ExitCode::Success)
}

/// A key must fit a header line; what was pasted by mistake often does not.
fn check(key: &str, provider: &str) -> Result<(), CommandError> {
    if key.is_empty() {
        return Err(CommandError::usage("no key was given")
            .hint(format!("batchctl login {provider} < key.txt")));
    }
    if !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err(CommandError::usage(
            "that is not a key: it holds spaces or other characters that no key has",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_key_is_not_kept() {
        for (text, is_key) in [
            ("sk-abc_123", true),
            ("id.secret", true),
            ("", false),
            ("two words", false),
            ("sk-\u{1b}[0m", false),
            ("密钥", false),
        ] {
            assert_eq!(check(text, "openai").is_ok(), is_key, "{text}");
        }
    }
}
