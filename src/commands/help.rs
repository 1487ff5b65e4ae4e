//! `help [COMMAND|budget|exit-codes|faults|json|settings]`: help on a command or a topic.

use super::Context;
use crate::config::{Place, SETTINGS, nearest};
use crate::sandbox::FAULTS_HELP;
use crate::ui::{Align, CommandError, ExitCode, grid};

/// The topics besides the commands.
const TOPICS: [&str; 5] = ["budget", "exit-codes", "faults", "json", "settings"];

/// The limits of money.
const BUDGET: &str = include_str!("help_budget.txt");

/// The documents of `--json`.
const JSON: &str = include_str!("help_json.txt");
/// What stands below the help of `prices`.
const PRICES: &str = include_str!("help_prices.txt");

/// Arguments of `help`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Command, or one of the topics budget, exit-codes, faults, json, settings
    #[arg(value_name = "COMMAND|TOPIC")]
    pub topic: Vec<String>,
}

/// Prints help on stdout.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let words: Vec<&str> = args.topic.iter().map(String::as_str).collect();
    let text = match words.as_slice() {
        ["budget"] => BUDGET.to_owned(),
        ["exit-codes"] => exit_codes(),
        ["faults"] => FAULTS_HELP.to_owned(),
        ["json"] => JSON.to_owned(),
        ["settings"] => settings(),
        ["prices"] => format!("{}\n{PRICES}", help_of((context.parser)(), &["prices"])?),
        path => help_of((context.parser)(), path)?,
    };
    context.printer.data(text.trim_end())?;
    Ok(ExitCode::Success)
}

/// The long help of a command, or of the program.
fn help_of(mut command: clap::Command, path: &[&str]) -> Result<String, CommandError> {
    command.build();
    for word in path {
        let Some(next) = command.find_subcommand(word) else {
            let known = command.get_subcommands().map(clap::Command::get_name).chain(TOPICS);
            let error = CommandError::usage(format!("there is no command or topic `{word}`"));
            return Err(match nearest(word, known) {
                Some(name) => error.hint(format!("batchctl help {name}")),
                None => error.hint("batchctl help"),
            });
        };
        command = next.clone();
    }
    Ok(command.render_long_help().to_string())
}

fn exit_codes() -> String {
    let rows: Vec<Vec<String>> = ExitCode::ALL
        .iter()
        .map(|exit| vec![exit.code().to_string(), exit.about().into()])
        .collect();
    grid(&rows, &[Align::Right, Align::Left]).join("\n")
}

fn settings() -> String {
    let shown = SETTINGS.iter().filter(|setting| setting.place != Place::Hidden);
    let rows: Vec<Vec<String>> = shown
        .map(|setting| {
            let default = setting.default.unwrap_or("-");
            vec![setting.name.into(), default.into(), setting.about.into()]
        })
        .collect();
    let head = "Set by --set NAME=VALUE, by BATCHCTL_NAME in the environment, or below [defaults] in a configuration file\n\
                (batchctl config path names the files; input and output belong in [job] of ./batchctl.toml).\n";
    let mut lines = vec![head.to_owned()];
    let mut all = vec![vec!["NAME".to_owned(), "DEFAULT".to_owned(), "WHAT IT SETS".to_owned()]];
    all.extend(rows);
    lines.extend(grid(&all, &[]));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_public_and_never_change() {
        insta::assert_snapshot!(exit_codes(), @r"
          0  every row is good (also a dry run, and --no-wait after a clean submit)
          1  unexpected error
          2  wrong usage or configuration
          3  finished, some rows are not good (--allow-partial turns it into 0)
          4  credentials missing or refused
          5  nothing was accepted, too many rows failed, or a person must decide
          6  stopped waiting (--max-wait), the job goes on remotely
          7  stopped by a limit on cost or requests
          8  another process holds the job
          9  local storage failed
        130  interrupted by Ctrl-C, can be resumed
        143  terminated by a signal, can be resumed
        ");
    }

    #[test]
    fn help_of_a_typing_error_names_the_nearest() {
        let error = help_of(crate::cli::parser(), &["workflw"]).unwrap_err();
        assert_eq!(error.hints, ["batchctl help workflow"]);
        assert!(help_of(crate::cli::parser(), &["config", "show"]).unwrap().contains("--json"));
        assert!(help_of(crate::cli::parser(), &["run"]).unwrap().contains("--end-row"));
        assert!(settings().contains("max_shard_bytes") && !settings().contains("time_scale"));
    }
}
