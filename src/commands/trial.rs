//! `try INPUT`: a few rows now, before all of them are paid for.

use std::path::PathBuf;

use serde::Serialize;

use super::Context;
use super::flags::{AnswerArgs, Flags, JsonArg, QuestionArgs, RangeArgs, ReadArgs, whole};
use super::steps::{Trial, try_rows};
use crate::config::{Overrides, key};
use crate::ui::{CommandError, ExitCode, shorten};

/// Rows that are asked where nothing is said.
const ROWS: u64 = 3;
/// Cells of an answer that are shown.
const SHOWN: usize = 400;

/// Arguments of `try`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Table to ask about (.csv .tsv .jsonl .json .xlsx) [default: input of [job] in ./batchctl.toml]
    #[arg(value_name = "INPUT")]
    pub input: Option<PathBuf>,
    /// Rows to ask [default: 3]
    #[arg(short = 'n', long = "max-rows", value_name = "N", value_parser = rows)]
    pub rows: Option<u64>,
    /// Model to ask; may be repeated, each is asked the same rows [default: the provider's]
    #[arg(short, long = "model", value_name = "MODEL", help_heading = "Who is asked")]
    pub models: Vec<String>,
    /// Who is asked and paid: openai, zhipu, sandbox (no key), your own; several in turn, or a chain [default: openai]
    #[arg(
        long,
        alias = "service-order",
        value_name = "NAME[:MODEL],…",
        help_heading = "Who is asked"
    )]
    pub provider: Option<String>,
    /// Which rows.
    #[command(flatten)]
    pub range: RangeArgs,
    /// What is asked.
    #[command(flatten)]
    pub question: QuestionArgs,
    /// What the answers become.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// How the table is read.
    #[command(flatten)]
    pub read: ReadArgs,
    /// What it may spend.
    #[command(flatten)]
    pub spend: TrialSpendArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// What a trial may spend.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Money")]
pub struct TrialSpendArgs {
    /// Answer the question about money with yes (no other question)
    #[arg(short, long)]
    pub yes: bool,
}

impl Flags for TrialSpendArgs {
    fn lay(&self, over: &mut Overrides) {
        over.switch(key::YES, self.yes);
    }
}

/// Who is asked, as far as it is the same for all.
impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        over.text(key::PROVIDER, self.provider.as_deref());
        self.range.lay(over);
        self.question.lay(over);
        self.answer.lay(over);
        self.read.lay(over);
        self.spend.lay(over);
    }
}

fn rows(text: &str) -> Result<u64, String> {
    whole(text, "a number of rows", 1, Some(1_000))
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    models: &'a [Trial],
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let setting = context.settings.get(key::INPUT).map(PathBuf::from);
    let input = args.input.clone().or(setting).ok_or_else(|| {
        CommandError::usage("no table was named").hint("batchctl try in.csv -n 3")
    })?;
    if input.as_os_str() == "-" {
        return Err(CommandError::usage("a trial reads its table twice; name a file"));
    }
    let mut models: Vec<Option<&str>> = Vec::new();
    for model in args.models.iter().map(|model| Some(model.as_str())) {
        if !models.contains(&model) {
            models.push(model);
        }
    }
    if models.is_empty() {
        models.push(None);
    }
    let mut trials = Vec::new();
    for model in models {
        let asking = context.with_settings(|over| over.text(key::MODEL, model));
        // The account of each job is told on stderr; the one document is printed here.
        let asking = Context { json: false, ..asking };
        trials.push(try_rows(&asking, &input, args.rows.unwrap_or(ROWS))?);
    }
    if context.json {
        context.printer.json(&Document { schema_version: 1, models: &trials })?;
    } else {
        for line in lines(&trials) {
            context.printer.data(&line)?;
        }
    }
    Ok(trials
        .iter()
        .map(|trial| trial.exit)
        .max_by_key(|exit| exit.code())
        .unwrap_or(ExitCode::Success))
}

/// The prompt, each row with the answer of every model, and what all rows would cost.
fn lines(trials: &[Trial]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    if let Some(first) = trials.iter().find(|trial| !trial.prompt.is_empty()) {
        lines.extend(first.prompt.iter().cloned());
    }
    let rows = trials.iter().map(|trial| trial.answers.len()).max().unwrap_or(0);
    for row in 0..rows {
        lines.push(format!("Answer {}", row + 1));
        for trial in trials {
            if trials.len() > 1 {
                lines.push(format!("  {} {}", trial.provider, trial.model));
            }
            let Some(answer) = trial.answers.get(row) else { continue };
            for (name, value) in answer {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if !text.is_empty() {
                    lines.push(format!("    {name}: {}", shorten(&text, SHOWN)));
                }
            }
        }
    }
    for trial in trials {
        let whom = format!("{} {}", trial.provider, trial.model);
        lines.push(format!("{whom}: {}", trial.all.line()));
    }
    lines
}
