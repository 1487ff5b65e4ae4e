//! The top-level parser and the way from a command line to an exit code.



use clap::{CommandFactory, Parser, Subcommand};

use crate::commands::flags::{Flags, GeneralArgs};
use crate::commands::{
    Context, cancel, completions, config, convert, demo, download, estimate, help, login, logout,
    merge, resume, sandbox, status, submit, watch, workflow,
};
use crate::config::Overrides;
use crate::ui::{CommandError, ExitCode};

/// Ask a language model one question per table row, through half-price Batch APIs.
#[derive(Debug, Parser)]
#[command(name = "batchctl", version, disable_help_subcommand = true)]
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
    /// The whole way: build, upload, submit, wait, download, merge
    #[command(visible_alias = "run")]
    Workflow(Box<workflow::Args>),
    /// Count requests, bytes and tokens before anything is sent
    Estimate(Box<estimate::Args>),
    /// A small table through the sandbox in seconds, without a key
    Demo(demo::Args),
    /// A table to request files; sends nothing
    #[command(visible_aliases = ["create", "create-input"])]
    Convert(Box<convert::Args>),
    /// Upload request files and create their batches
    Submit(Box<submit::Args>),
    /// All jobs, or one: state, rows, what it waits for
    #[command(visible_alias = "list")]
    Status(status::Args),
    /// Wait for a job with a progress bar, then write the table
    #[command(visible_alias = "wait")]
    Watch(Box<watch::Args>),
    /// Fetch what there is and write the table; never submits
    Download(Box<download::Args>),
    /// Results back onto the table they came from
    Merge(Box<merge::Args>),
    /// Go on with an unfinished job, inside what was approved
    Resume(Box<resume::Args>),
    /// Stop a job and collect what is done
    Cancel(Box<cancel::Args>),
    /// Keep a provider's key, typed or piped, in a file only you can read
    Login(login::Args),
    /// Forget a key that login kept
    Logout(logout::Args),
    /// Show settings and where they come from
    Config(config::Args),
    /// Print a completion script for your shell
    Completions(completions::Args),
    /// A Batch API on this machine, for tests and rehearsals
    Sandbox(Box<sandbox::Args>),
    /// Help on a command, or on exit-codes or settings
    Help(help::Args),
}

impl Command {
    /// What this command's own flags say.
    fn flags(&self) -> Option<&dyn Flags> {
        Some(match self {
            Self::Workflow(args) => &**args,
            Self::Estimate(args) => &**args,
            Self::Convert(args) => &**args,
            Self::Submit(args) => &**args,
            Self::Watch(args) => &**args,
            Self::Download(args) => &**args,
            Self::Merge(args) => &**args,
            Self::Resume(args) => &**args,
            Self::Cancel(args) => &**args,
            _ => return None,
        })
    }

    fn run(&self, context: &Context) -> Result<ExitCode, CommandError> {
        match self {
            Self::Workflow(args) => workflow::run(args, context),
            Self::Estimate(args) => estimate::run(args, context),
            Self::Demo(args) => demo::run(args, context),
            Self::Convert(args) => convert::run(args, context),
            Self::Submit(args) => submit::run(args, context),
            Self::Status(args) => status::run(args, context),
            Self::Watch(args) => watch::run(args, context),
            Self::Download(args) => download::run(args, context),
            Self::Merge(args) => merge::run(args, context),
            Self::Resume(args) => resume::run(args, context),
            Self::Cancel(args) => cancel::run(args, context),
            Self::Login(args) => login::run(args, context),
            Self::Logout(args) => logout::run(args, context),
            Self::Config(args) => config::run(args, context),
            Self::Completions(args) => completions::run(args, context),
            Self::Sandbox(args) => sandbox::run(args, context),
            Self::Help(args) => help::run(args, context),
        }
    }
}

/// Parses, runs, and returns the exit code. (Temporary.)
pub fn main() -> ExitCode {
    use std::sync::{Arc, OnceLock};
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() { Ok(c) => c, Err(e) => { let _ = e.print(); return ExitCode::Usage; } };
    let around = crate::config::Surroundings::of_process(None).unwrap();
    let mut over = Overrides::default();
    cli.general.lay(&mut over);
    if let Some(f) = cli.command.flags() { f.lay(&mut over); }
    let printer = crate::ui::Printer::new(crate::ui::Verbosity::Normal, crate::ui::Colour::default());
    let settings = match crate::config::Settings::load(&around) { Ok(s) => s.with(&over), Err(e) => { printer.error(&CommandError::new(ExitCode::Usage, e)); return ExitCode::Usage; } };
    let home = around.home().unwrap();
    let speed = settings.get(crate::config::key::TIME_SCALE);
    let context = Context { printer: printer.clone(), settings, home, folder: around.folder.clone(), clock: Arc::new(crate::base::SystemClock::with_speed(speed)), json: false, is_interactive: crate::ui::is_interactive(), runtime: Arc::new(OnceLock::new()) };
    match cli.command.run(&context) { Ok(e) => e, Err(e) => { printer.error(&e); e.exit } }
}
