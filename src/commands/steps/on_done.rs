//! `--on-done CMD`: a command of the user's that is told how a run ended, whatever the end was.
//!
//! Values reach it through its environment and its stdin, never inside the command's text: names
//! and messages from outside cannot become commands. Keys are not handed on.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use serde::Serialize;

use super::counts::RowCounts;
use super::go_on::Drove;
use super::spent::spent;
use super::tables::Tabled;
use crate::base::redact;
use crate::batch::Usage;
use crate::commands::{Context, refine};
use crate::config::key;
use crate::cost::CostDocument;
use crate::provider::PROVIDERS;
use crate::store::{JobRecord, JobState, Store};
use crate::ui::{CommandError, ExitCode, ProgressMode};

/// What the command reads on its stdin.
#[derive(Debug, Serialize)]
struct Notice {
    schema_version: u32,
    job: String,
    state: JobState,
    reason: Option<String>,
    /// What went wrong, where the run ended with an error.
    error: Option<String>,
    exit_code: u8,
    provider: String,
    input: Option<String>,
    output: Option<String>,
    folder: String,
    rows: u64,
    /// Rows by status; sums to `rows`.
    statuses: BTreeMap<&'static str, u64>,
    usage: Usage,
    cost: CostDocument,
    /// The cost in a word.
    #[serde(skip)]
    shown_cost: String,
}

/// Runs a command's work on a job and then the user's command, if one is set. That one's failure
/// is said and changes nothing.
pub(in crate::commands) fn with_on_done(
    context: &Context,
    store: &Store,
    job: &JobRecord,
    work: impl FnOnce() -> Result<Drove, CommandError>,
) -> Result<ExitCode, CommandError> {
    let result = work().map_err(|error| refine(error, None));
    let command = context.settings.get(key::ON_DONE).filter(|command| !command.trim().is_empty());
    if let Some(command) = command {
        let called =
            notice(store, job, &result).and_then(|notice| Ok(call(context, &command, &notice)?));
        match called {
            Ok(None) => {}
            Ok(Some(how)) => context.printer.warning(&format!("the command of --on-done {how}")),
            Err(error) => {
                let text = format!("the command of --on-done did not run: {:#}", error.error);
                context.printer.warning(&text);
            }
        }
    }
    result.map(|drove| drove.exit)
}

fn notice(
    store: &Store,
    job: &JobRecord,
    result: &Result<Drove, CommandError>,
) -> Result<Notice, CommandError> {
    let job = store.job_by_id(&job.key)?.unwrap_or_else(|| job.clone());
    let (exit, error, output) = match result {
        Ok(drove) => (drove.exit, None, drove.table.path.as_ref().map(|p| p.display().to_string())),
        Err(error) => (error.exit, Some(format!("{:#}", error.error)), None),
    };
    let spec: serde_json::Value = serde_json::from_str(&job.spec).unwrap_or_default();
    let counts = match result {
        Ok(Drove { table: Tabled { counts: Some(counts), .. }, .. }) => counts.clone(),
        _ => RowCounts::of(store, &job)?,
    };
    let spent = spent(store, &job, &counts.ended)?;
    Ok(Notice {
        schema_version: 1,
        state: job.state,
        reason: job.reason.clone(),
        error,
        exit_code: exit.code(),
        provider: job.provider.clone(),
        input: spec["source"].as_str().map(str::to_owned),
        output: output.or_else(|| job.output_path.clone()),
        folder: job.folder.clone(),
        rows: job.rows,
        statuses: counts.by_name(),
        usage: spent.all.usage,
        shown_cost: spent.plain(),
        cost: spent.document(),
        job: job.short().to_owned(),
    })
}

/// Runs the command to its end; says how it failed if it did.
fn call(context: &Context, command: &str, notice: &Notice) -> io::Result<Option<String>> {
    let mut child = shell(command);
    let is_json = ProgressMode::read(&context.settings.get(key::PROGRESS)) == ProgressMode::Json;
    // Our stdout carries results only, and stderr in JSON lines nothing else.
    let (out, err) = if is_json {
        (Stdio::null(), Stdio::null())
    } else {
        (Stdio::from(io::stderr()), Stdio::inherit())
    };
    child
        .current_dir(&context.folder)
        .env("BATCHCTL_JOB", &notice.job)
        .env("BATCHCTL_EXIT", notice.exit_code.to_string())
        .env("BATCHCTL_OUTPUT", notice.output.as_deref().unwrap_or_default())
        .env("BATCHCTL_COST", &notice.shown_cost)
        .stdin(Stdio::piped())
        .stdout(out)
        .stderr(err);
    for (name, value) in std::env::vars_os() {
        if is_key(&name.to_string_lossy(), &value.to_string_lossy()) {
            child.env_remove(name);
        }
    }
    let mut child = child.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let document = serde_json::to_string(notice)?;
        // A command that reads nothing is well.
        let _ = writeln!(stdin, "{}", redact(&document));
    }
    let status = child.wait()?;
    Ok((!status.success()).then(|| match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => "was killed".to_owned(),
    }))
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell
}

#[cfg(windows)]
fn shell(command: &str) -> Command {
    use std::os::windows::process::CommandExt;
    let mut shell = Command::new("cmd");
    // As typed: cmd has quoting rules of its own.
    shell.arg("/C").raw_arg(command);
    shell
}

/// Whether a variable is, or holds, a key that this program knows: a notification needs none, and
/// whatever it sends off (`env | mail …`) must not hold one.
fn is_key(name: &str, value: &str) -> bool {
    let is_named = PROVIDERS.iter().any(|dialect| dialect.key_variables.contains(&name));
    is_named || redact(value) != value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    #[test]
    fn keys_are_known_by_name_and_by_value() {
        Secret::new("sk-on-done-test-0001");
        for (name, value, expected) in [
            ("OPENAI_API_KEY", "anything", true),
            ("ZHIPUAI_API_KEY", "", true),
            ("MY_OWN", "sk-on-done-test-0001", true),
            ("URL", "https://x/?key=sk-on-done-test-0001", true),
            ("HOME", "/home/me", false),
            ("BATCHCTL_HOME", "/home/me/b", false),
        ] {
            assert_eq!(is_key(name, value), expected, "{name}");
        }
    }
}
