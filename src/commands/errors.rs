//! Errors of the configuration with their exit codes and with what to do about them.

use super::Context;
use crate::config::ConfigError;
use crate::ui::{CommandError, ExitCode, Shell};

/// A configuration error as the error of a command.
pub fn config_error(error: ConfigError) -> CommandError {
    let (exit, hints) = remedy(&error);
    CommandError { exit, hints, ..CommandError::new(exit, error) }
}

/// A configuration error met on the way to a call: for a missing key, says what it is needed for,
/// and how the same line is rehearsed without one. `line` is the command as it was typed, without
/// the program's name, `None` where a rehearsal makes no sense or the parser will name it.
pub fn missing_key(
    error: ConfigError,
    needed_for: &str,
    line: Option<&str>,
    _context: &Context,
) -> CommandError {
    let is_missing = matches!(error, ConfigError::NoKey { .. });
    let mut error = config_error(error);
    if is_missing {
        error.hints.insert(0, format!("needed for: {needed_for}"));
        let line = line.map(|line| format!("batchctl {line} --provider sandbox"));
        error.hints.extend(line.as_deref().map(rehearse));
    }
    error
}

fn rehearse(line: &str) -> String {
    format!("no key? rehearse the whole run: {line}")
}

/// Gives an error that nobody looked at the exit code and the hints of the configuration error
/// in its chain, if there is one; then `?` is enough where settings are read. `rehearsal` is the
/// same line without a key, for a missing one.
pub fn refine(mut error: CommandError, rehearsal: Option<&str>) -> CommandError {
    let Some(cause) = error.error.chain().find_map(|cause| cause.downcast_ref::<ConfigError>())
    else {
        return error;
    };
    if error.exit == ExitCode::Unexpected {
        let (exit, hints) = remedy(cause);
        error.exit = exit;
        error.hints.extend(hints);
    }
    let is_missing = matches!(cause, ConfigError::NoKey { .. });
    let is_said = error.hints.iter().any(|hint| hint.starts_with("no key?"));
    if is_missing && !is_said {
        error.hints.extend(rehearsal.map(rehearse));
    }
    error
}

/// The exit code of a configuration error, and what to do about it.
fn remedy(error: &ConfigError) -> (ExitCode, Vec<String>) {
    let shell = Shell::of_process();
    match error {
        ConfigError::NoKey { provider, variable, present } => {
            (ExitCode::Credentials, key_hints(provider, variable.as_deref(), present, shell))
        }
        ConfigError::KeyElsewhere { provider, .. } => {
            (ExitCode::Credentials, vec![format!("batchctl login {}", shell.quote(provider))])
        }
        ConfigError::OpenKeyFile { path } => {
            let path = shell.quote(&path.display().to_string());
            (ExitCode::Credentials, vec![format!("chmod 600 {path}")])
        }
        ConfigError::NoProvider { names, .. } => {
            (ExitCode::Usage, vec![format!("known: {}", names.join(", "))])
        }
        ConfigError::Unknown { what: "setting", .. } => {
            (ExitCode::Usage, vec!["all settings: batchctl help settings".to_owned()])
        }
        _ => (ExitCode::Usage, Vec::new()),
    }
}

fn key_hints(
    provider: &str,
    variable: Option<&str>,
    present: &[String],
    shell: Shell,
) -> Vec<String> {
    let login = format!("batchctl login {}", shell.quote(provider));
    let mut hints = vec![match variable {
        Some(variable) => format!("{login}      or   {}", shell.set_variable(variable, "…")),
        None => login,
    }];
    if !present.is_empty() {
        hints.push(format!("keys present: {} (choose with --provider NAME)", present.join(", ")));
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Colour;

    #[test]
    fn each_error_has_its_exit_code_and_remedy() {
        let no_key = || ConfigError::NoKey {
            provider: "openai".into(),
            variable: Some("OPENAI_API_KEY".into()),
            present: vec!["zhipu".into()],
        };
        let lines = key_hints("openai", Some("OPENAI_API_KEY"), &["zhipu".into()], Shell::Posix);
        assert_eq!(
            lines,
            [
                "batchctl login openai      or   export OPENAI_API_KEY=…",
                "keys present: zhipu (choose with --provider NAME)"
            ]
        );
        let table = [
            (no_key(), ExitCode::Credentials, "fix: batchctl login openai"),
            (
                ConfigError::OpenKeyFile { path: "/h/keys.toml".into() },
                ExitCode::Credentials,
                "fix: chmod 600 /h/keys.toml",
            ),
            (
                ConfigError::NoProvider {
                    name: "x".into(),
                    nearest: None,
                    names: vec!["openai".into()],
                },
                ExitCode::Usage,
                "known: openai",
            ),
            (ConfigError::NoHome, ExitCode::Usage, "set BATCHCTL_HOME"),
        ];
        for (error, exit, expected) in table {
            let error = config_error(error);
            let text = error.lines(Colour::Never).join("\n");
            assert_eq!(error.exit, exit, "{text}");
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn an_error_nobody_looked_at_gets_its_exit_code_and_hints() {
        let no_key = ConfigError::NoKey {
            provider: "zhipu".into(),
            variable: Some("ZHIPUAI_API_KEY".into()),
            present: Vec::new(),
        };
        let error = CommandError::from(no_key).context("upload of shard 1 needs a key");
        let error = refine(error, Some("batchctl workflow in.csv --provider sandbox"));
        assert_eq!(error.exit, ExitCode::Credentials);
        assert_eq!(error.hints.len(), 2);
        assert_eq!(
            error.hints[1],
            "no key? rehearse the whole run: batchctl workflow in.csv --provider sandbox"
        );
        let other = refine(CommandError::from(anyhow::anyhow!("disk")), Some("x"));
        assert_eq!((other.exit, other.hints.len()), (ExitCode::Unexpected, 0));
    }
}
