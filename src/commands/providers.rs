//! `providers list|test|health`: who can be asked, whether they answer, and who is left alone.

mod health;
mod list;
mod test;

use std::time::Duration;

use super::Context;
use super::flags::{Flags, JsonArg, wait};
use crate::config::{Overrides, Value, key};
use crate::ui::{CommandError, ExitCode};

/// Arguments of `providers`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to do [default: list]
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What `providers` can do.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Action {
    /// Every provider that can be named: address, key, usual model, what it takes
    List(JsonArg),
    /// Ask one tiny question each, and tell who answers
    Test(TestArgs),
    /// Who answered last and who is left alone for a while after failures
    Health(HealthArgs),
}

/// Arguments of `providers test`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TestArgs {
    /// Whom to ask, a chain's name for each of its members [default: whom a run would ask]
    #[arg(value_name = "NAME[:MODEL]")]
    pub names: Vec<String>,
    /// Ask all whose key is there
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// How long each may take [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = wait)]
    pub timeout: Option<Duration>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Arguments of `providers health`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct HealthArgs {
    /// Forget the failures of this provider, or of a chain's: it is asked again at once; may be repeated
    #[arg(long = "reset", value_name = "NAME")]
    pub reset: Vec<String>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

impl Args {
    /// Whether one JSON document is wanted.
    pub fn json(&self) -> JsonArg {
        match &self.action {
            None => JsonArg::default(),
            Some(Action::List(json)) => *json,
            Some(Action::Test(args)) => args.json,
            Some(Action::Health(args)) => args.json,
        }
    }
}

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        if let Some(Action::Test(args)) = &self.action {
            over.set(key::TIMEOUT, args.timeout.map(Value::Duration));
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    match &args.action {
        None | Some(Action::List(_)) => list::run(context),
        Some(Action::Test(args)) => test::run(args, context),
        Some(Action::Health(args)) => health::run(args, context),
    }
}
