//! Errors of the configuration with their exit codes and with what to do about them.

use std::io;

use super::Context;
use crate::base::{LockError, is_disk_trouble};
use crate::batch::FailureKind;
use crate::cache::CacheError;
use crate::config::ConfigError;
use crate::job::JobError;
use crate::result::ResultError;
use crate::store::StoreError;
use crate::table::TableError;
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

/// Gives an error that nobody looked at the exit code and the hints that its cause calls for;
/// then `?` is enough wherever settings, tables and files are read. `rehearsal` is the same line
/// without a key, for a missing one.
pub fn refine(mut error: CommandError, rehearsal: Option<&str>) -> CommandError {
    if error.exit == ExitCode::Unexpected {
        let found = error.error.chain().find_map(exit_of);
        error.exit = found.unwrap_or(ExitCode::Unexpected);
        if error.error.chain().any(is_full) {
            error.hints.insert(0, "make room on that disk, then type the same line again".into());
        }
    }
    let Some(cause) = error.error.chain().find_map(|cause| cause.downcast_ref::<ConfigError>())
    else {
        return error;
    };
    if error.hints.is_empty() {
        error.hints = remedy(cause).1;
    }
    let is_missing = matches!(cause, ConfigError::NoKey { .. });
    let is_said = error.hints.iter().any(|hint| hint.starts_with("no key?"));
    if is_missing && !is_said {
        error.hints.extend(rehearsal.map(rehearse));
    }
    error
}

/// The exit code that one cause in a chain calls for, `None` where it is none of ours.
fn exit_of(cause: &(dyn std::error::Error + 'static)) -> Option<ExitCode> {
    if let Some(error) = cause.downcast_ref::<ConfigError>() {
        return Some(remedy(error).0);
    }
    if let Some(error) = cause.downcast_ref::<JobError>() {
        return Some(exit_of_job(error));
    }
    if let Some(error) = cause.downcast_ref::<TableError>() {
        return Some(exit_of_table(error));
    }
    if let Some(error) = cause.downcast_ref::<ResultError>() {
        return Some(match error {
            ResultError::Table(error) => exit_of_table(error),
            ResultError::Settled(_) => ExitCode::Storage,
            ResultError::Read { source, .. } if is_disk_trouble(source) => ExitCode::Storage,
            _ => ExitCode::Usage,
        });
    }
    if let Some(error) = cause.downcast_ref::<StoreError>() {
        return Some(exit_of_store(error));
    }
    if let Some(error) = cause.downcast_ref::<CacheError>() {
        return Some(match error {
            CacheError::Store(error) => exit_of_store(error),
            CacheError::Lock(LockError::Held(_)) => ExitCode::Locked,
            CacheError::File { what: "read", source, .. } if !is_disk_trouble(source) => {
                ExitCode::Usage
            }
            CacheError::Lock(_) | CacheError::File { .. } => ExitCode::Storage,
        });
    }
    let error = cause.downcast_ref::<io::Error>()?;
    is_disk_trouble(error).then_some(ExitCode::Storage)
}

fn exit_of_job(error: &JobError) -> ExitCode {
    match error {
        JobError::Table(error) => exit_of_table(error),
        JobError::Request(_) => ExitCode::Usage,
        JobError::Held { .. } => ExitCode::Locked,
        JobError::Call(error) if error.is_local() => ExitCode::Storage,
        JobError::Call(error) if error.failure.kind == FailureKind::Credentials => {
            ExitCode::Credentials
        }
        JobError::Call(_) => ExitCode::NothingAccepted,
        JobError::Spec { .. } | JobError::Random(_) => ExitCode::Unexpected,
        JobError::Store(error) => exit_of_store(error),
        JobError::Unkept { source, .. } => exit_of_job(source),
        JobError::Rows(_) | JobError::File { .. } | JobError::NoSpace { .. } => ExitCode::Storage,
    }
}

fn exit_of_store(error: &StoreError) -> ExitCode {
    if error.is_busy() { ExitCode::Locked } else { ExitCode::Storage }
}

/// What a table holds is the user's to mend; what cannot be written is the disk's.
fn exit_of_table(error: &TableError) -> ExitCode {
    match error {
        TableError::Io { action, .. } if !matches!(*action, "open" | "read") => ExitCode::Storage,
        // A disk that does not give back what it took is nothing the user wrote.
        TableError::Io { source, .. } if is_disk_trouble(source) => ExitCode::Storage,
        _ => ExitCode::Usage,
    }
}

/// Whether the disk is the cause and not the user or the provider.
pub(super) fn is_storage(cause: &(dyn std::error::Error + 'static)) -> bool {
    exit_of(cause) == Some(ExitCode::Storage)
}

/// Whether a disk without room is the cause.
fn is_full(cause: &(dyn std::error::Error + 'static)) -> bool {
    let full = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    };
    let of_table = |error: &TableError| match error {
        TableError::Io { source, .. } => full(source),
        _ => false,
    };
    if let Some(error) = cause.downcast_ref::<JobError>() {
        return match error {
            JobError::Store(error) => error.is_disk_full(),
            JobError::File { source, .. } => full(source),
            JobError::Table(error) => of_table(error),
            JobError::Call(error) => error.local.as_ref().is_some_and(full),
            JobError::Unkept { source, .. } => is_full(source.as_ref()),
            JobError::NoSpace { .. } => true,
            _ => false,
        };
    }
    cause.downcast_ref::<TableError>().is_some_and(of_table)
        || cause.downcast_ref::<StoreError>().is_some_and(StoreError::is_disk_full)
        || cause.downcast_ref::<io::Error>().is_some_and(full)
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
            let text = error.lines().join("\n");
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

    #[test]
    fn a_ledger_that_another_process_holds_is_exit_8() {
        let busy = || StoreError::Busy { path: "/h/batchctl.db".into() };
        for error in [CommandError::from(busy()), CommandError::from(JobError::from(busy()))] {
            assert_eq!(refine(error, None).exit, ExitCode::Locked);
        }
    }

    /// A fault of our own disk is exit 9 in whatever room it shows.
    #[test]
    fn a_full_disk_is_exit_9_wherever_it_shows() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let path = || std::path::PathBuf::from("/out.csv");
        let table = || TableError::Io { action: "write", path: path(), source: full() };
        let errors = [
            CommandError::from(JobError::from(table())),
            CommandError::from(ResultError::from(table())),
            CommandError::from(ResultError::Read { path: path(), source: full() }),
            CommandError::from(JobError::file("write", &path())(full())),
            CommandError::from(StoreError::Home { path: path(), source: full() }),
        ];
        for error in errors {
            let error = refine(error, None);
            assert_eq!(error.exit, ExitCode::Storage, "{:?}", error.error);
        }
    }
}
