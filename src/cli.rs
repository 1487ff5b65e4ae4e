//! The top-level parser and the way from a command line to an exit code.

use std::ffi::OsString;
use std::fmt::Write;
use std::io::{self, IsTerminal};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::flags::{Flags, GeneralArgs};
use crate::commands::{
    Context, analyze, cache, cancel, chat, compare, completions, config, convert, demo, download,
    estimate, export, help, login, logout, logs, merge, prices, providers, prune, resolve, resume,
    retry, sandbox, status, submit, trial, watch, workflow,
};
use crate::config::Overrides;
use crate::ui::{Colour, CommandError, ExitCode, Printer, Shell, Verbosity};

/// Ask a language model one question per table row, through half-price Batch APIs.
#[derive(Debug, Parser)]
#[command(name = "batchctl", version, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub general: GeneralArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole way: build, upload, wait, download, merge
    #[command(visible_alias = "run")]
    Workflow(Box<workflow::Args>),
    /// Count requests, bytes and tokens before anything is sent
    Estimate(Box<estimate::Args>),
    /// One question or a conversation; --image FILE asks about a picture
    Chat(Box<chat::Args>),
    /// A few rows now: the prompt, the answers, the price of all rows
    Try(Box<trial::Args>),
    /// What models cost, from when and where the figures are
    Prices(prices::Args),
    /// A small table through the sandbox in seconds, without a key
    Demo(demo::Args),
    /// Table to request files; sends nothing
    #[command(visible_aliases = ["create", "create-input"])]
    Convert(Box<convert::Args>),
    /// Upload request files and create their batches
    Submit(Box<submit::Args>),
    /// All jobs, or one: state, rows, what it waits for
    #[command(visible_alias = "list")]
    Status(status::Args),
    /// Wait for a job with a bar, then write the table
    #[command(visible_alias = "wait")]
    Watch(Box<watch::Args>),
    /// Fetch what there is and write the table; never submits
    Download(Box<download::Args>),
    /// Results back onto the table they came from
    Merge(Box<merge::Args>),
    /// What result files or jobs hold: errors, lengths, cost, samples
    Analyze(Box<analyze::Args>),
    /// Two jobs over the same rows: where they agree, and who is right
    Compare(compare::Args),
    /// A job's rows as a table, a JSON document, or request files
    Export(Box<export::Args>),
    /// Go on with an unfinished job, inside what was approved
    Resume(Box<resume::Args>),
    /// Decide what nobody else can tell: whether a batch exists
    Resolve(resolve::Args),
    /// Stop a job and collect what is done
    Cancel(Box<cancel::Args>),
    /// Pay for rows that are not good: lists classes and price first
    Retry(Box<retry::Args>),
    /// What went wrong with rows and calls, in the provider's words
    Logs(logs::Args),
    /// Remove the files of finished jobs, here and at the provider
    Prune(prune::Args),
    /// Keep a provider's key, typed or piped, in a file of your own
    Login(login::Args),
    /// Forget a key that login kept
    Logout(logout::Args),
    /// Who can be asked, whether they answer, who is left alone
    Providers(providers::Args),
    /// Answers that are used again: look, forget, export, import
    Cache(cache::Args),
    /// Show settings and where they come from
    Config(config::Args),
    /// Print a completion script for your shell
    Completions(completions::Args),
    /// A Batch API on this machine, for tests and rehearsals
    Sandbox(Box<sandbox::Args>),
    /// Help on a command, or budget, exit-codes, faults, json, settings
    Help(help::Args),
}

/// The groups in which the commands are listed.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Run", &["workflow", "estimate", "try", "chat", "prices", "demo"]),
    (
        "Steps",
        &[
            "convert", "submit", "status", "watch", "download", "merge", "analyze", "compare",
            "export",
        ],
    ),
    ("Jobs", &["resume", "retry", "cancel", "resolve", "logs", "prune"]),
    ("Setup", &["login", "logout", "providers", "cache", "config", "completions", "help"]),
    ("Servers", &["sandbox"]),
];

impl Command {
    /// What this command's own flags say.
    fn flags(&self) -> Option<&dyn Flags> {
        Some(match self {
            Self::Workflow(args) => &**args,
            Self::Estimate(args) => &**args,
            Self::Try(args) => &**args,
            Self::Chat(args) => &**args,
            Self::Convert(args) => &**args,
            Self::Submit(args) => &**args,
            Self::Watch(args) => &**args,
            Self::Download(args) => &**args,
            Self::Merge(args) => &**args,
            Self::Export(args) => &**args,
            Self::Resume(args) => &**args,
            Self::Cancel(args) => &**args,
            Self::Retry(args) => &**args,
            Self::Providers(args) => args,
            _ => return None,
        })
    }

    /// Whether it must work although the configuration cannot be read.
    fn is_without_settings(&self) -> bool {
        matches!(self, Self::Help(_) | Self::Completions(_))
            || matches!(self, Self::Config(args) if !args.needs_settings())
    }

    /// Whether one JSON document is wanted on stdout.
    fn wants_json(&self) -> bool {
        let arg = match self {
            Self::Workflow(args) => args.json,
            Self::Estimate(args) => args.json,
            Self::Try(args) => args.json,
            Self::Chat(args) => args.json,
            Self::Prices(args) => args.json,
            Self::Demo(args) => args.json,
            Self::Convert(args) => args.json,
            Self::Submit(args) => args.json,
            Self::Status(args) => args.json,
            Self::Watch(args) => args.json,
            Self::Download(args) => args.json,
            Self::Merge(args) => args.json,
            Self::Analyze(args) => args.json,
            Self::Compare(args) => args.json,
            Self::Export(args) => args.json,
            Self::Resume(args) => args.json,
            Self::Cancel(args) => args.json,
            Self::Retry(args) => args.json,
            Self::Logs(args) => args.json,
            Self::Prune(args) => args.json,
            Self::Cache(args) => args.json(),
            Self::Providers(args) => args.json(),
            _ => return false,
        };
        arg.json
    }

    /// The same line through the sandbox, which needs no key.
    fn rehearsal(&self, arguments: &[OsString], shell: Shell) -> Option<String> {
        if !matches!(self, Self::Workflow(_)) {
            return None;
        }
        let mut words = vec!["batchctl".to_owned()];
        let mut rest = arguments.iter().skip(1).map(|word| word.to_string_lossy());
        while let Some(word) = rest.next() {
            if word == "--provider" || word == "--service-order" {
                rest.next();
            } else if !word.starts_with("--provider=") && !word.starts_with("--service-order=") {
                words.push(shell.quote(&word));
            }
        }
        words.push("--provider sandbox".to_owned());
        Some(words.join(" "))
    }

    fn run(&self, context: &Context) -> Result<ExitCode, CommandError> {
        match self {
            Self::Workflow(args) => workflow::run(args, context),
            Self::Estimate(args) => estimate::run(args, context),
            Self::Try(args) => trial::run(args, context),
            Self::Chat(args) => chat::run(args, context),
            Self::Prices(args) => prices::run(args, context),
            Self::Demo(args) => demo::run(args, context),
            Self::Convert(args) => convert::run(args, context),
            Self::Submit(args) => submit::run(args, context),
            Self::Status(args) => status::run(args, context),
            Self::Watch(args) => watch::run(args, context),
            Self::Download(args) => download::run(args, context),
            Self::Merge(args) => merge::run(args, context),
            Self::Analyze(args) => analyze::run(args, context),
            Self::Compare(args) => compare::run(args, context),
            Self::Export(args) => export::run(args, context),
            Self::Resume(args) => resume::run(args, context),
            Self::Resolve(args) => resolve::run(args, context),
            Self::Cancel(args) => cancel::run(args, context),
            Self::Retry(args) => retry::run(args, context),
            Self::Logs(args) => logs::run(args, context),
            Self::Prune(args) => prune::run(args, context),
            Self::Login(args) => login::run(args, context),
            Self::Logout(args) => logout::run(args, context),
            Self::Providers(args) => providers::run(args, context),
            Self::Cache(args) => cache::run(args, context),
            Self::Config(args) => config::run(args, context),
            Self::Completions(args) => completions::run(args, context),
            Self::Sandbox(args) => sandbox::run(args, context),
            Self::Help(args) => help::run(args, context),
        }
    }
}

/// Lets `-1` be a value of every flag that takes one: what is wrong with it the flag knows best.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let takes_value = |arg: &clap::Arg| !arg.is_positional() && arg.get_action().takes_values();
    let command = command
        .mut_args(|arg| if takes_value(&arg) { arg.allow_negative_numbers(true) } else { arg });
    command.mut_subcommands(with_negative_numbers)
}

/// The parser with the commands listed in their groups.
pub fn parser() -> clap::Command {
    let command = with_negative_numbers(Cli::command());
    let mut list = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(list, "{group}");
        for name in names {
            let Some(found) = command.find_subcommand(name) else { continue };
            let about = found.get_about().map(ToString::to_string).unwrap_or_default();
            let aliases: Vec<&str> = found.get_visible_aliases().collect();
            let aliases = match aliases.as_slice() {
                [] => String::new(),
                names => format!(" (or: {})", names.join(", ")),
            };
            let _ = writeln!(list, "  {name:<12} {about}{aliases}");
        }
    }
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{list}\n{{options}}\n\n\
         batchctl help COMMAND shows all flags of a command.\n\
         Without a key begin with: batchctl demo\n"
    );
    command.help_template(template)
}

/// Runs a command line, the program's name first, and gives back its exit code. Everything that
/// is to be said has been said.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(error) = key_as_flag(&arguments) {
        plain_printer().error(&error);
        return error.exit;
    }
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return show_usage(&error),
    };
    let context = match build_context(&cli) {
        Ok(context) => context,
        Err(error) => return failed(&error, &plain_printer(), cli.command.wants_json()),
    };
    match cli.command.run(&context) {
        Ok(exit) => exit,
        Err(error) if error.is_broken_pipe() => ExitCode::Success,
        Err(error) => {
            let rehearsal = cli.command.rehearsal(&arguments, context.shell);
            let error = crate::commands::refine(error, rehearsal.as_deref());
            failed(&error, &context.printer, context.json)
        }
    }
}

/// Says what went wrong, to a program too where it waits for a document.
fn failed(error: &CommandError, printer: &Printer, wants_json: bool) -> ExitCode {
    printer.error(error);
    if wants_json {
        // Nobody is there to be told that stdout is closed.
        let _ = printer.error_document(error);
    }
    error.exit
}

/// Reads a command line, the program's name first.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = parser().try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// A printer for what fails before the settings are known.
fn plain_printer() -> Printer {
    let variable = |name: &str| std::env::var(name).ok();
    let colour = Colour::decide("auto", variable, io::stderr().is_terminal());
    Printer::new(Verbosity::Normal, colour)
}

/// Help goes to stdout with exit 0, a usage error to stderr with exit 2.
fn show_usage(error: &clap::Error) -> ExitCode {
    let is_help = !error.use_stderr();
    match error.print() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::Unexpected,
        _ if is_help => {
            let _ = io::Write::flush(&mut io::stdout());
            ExitCode::Success
        }
        _ => ExitCode::Usage,
    }
}

/// Settings with the flags on top, and what depends on them.
fn build_context(cli: &Cli) -> Result<Context, CommandError> {
    let mut over = Overrides::default();
    for assignment in &cli.general.settings {
        over.assign(assignment).map_err(crate::commands::config_error)?;
    }
    cli.general.lay(&mut over);
    if let Some(flags) = cli.command.flags() {
        flags.lay(&mut over);
    }
    let context = Context::build(&cli.general, &over, cli.command.is_without_settings(), parser)?;
    Ok(Context { json: cli.command.wants_json(), ..context })
}

/// People try to hand over a key as a flag, where every program on the machine could read it.
/// The answer must come before the parser's, which would repeat the key.
fn key_as_flag(arguments: &[OsString]) -> Option<CommandError> {
    let is_key = |argument: &&OsString| {
        let text = argument.to_string_lossy();
        let Some(name) = text.strip_prefix("--") else { return false };
        let name = name.split('=').next().unwrap_or_default().replace(['-', '_'], "");
        name.to_ascii_lowercase().ends_with("apikey")
    };
    let until_end = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    until_end.clone().find(is_key)?;
    let set = Shell::of_process().set_variable("OPENAI_API_KEY", "…");
    Some(
        CommandError::usage("keys are never flags: other programs and your history would see them")
            .hint(format!("batchctl login openai      or   {set}")),
    )
}

#[cfg(test)]
mod tests;
