//! How a job runs and what it may spend.

use std::path::PathBuf;
use std::time::Duration;

use super::question::path;
use super::{Flags, wait, whole};
use crate::config::{Overrides, Value, key, parse_duration};
use crate::cost::{Caps, MoneyError};

/// How long to wait, for commands that wait for a job.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Running")]
pub struct PaceArgs {
    /// Time between two checks, as 90s, 5m or plain seconds [default: grows from 5 s to 60 s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, hide_short_help = true)]
    pub check_interval: Option<Duration>,
    /// Stop waiting after that long, as 30m, 24h; the job goes on remotely [default: until it ends]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, hide_short_help = true)]
    pub max_wait: Option<Duration>,
    /// Copy the provider's result files into this folder too
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub output_dir: Option<PathBuf>,
    /// Exit 0 instead of 3 when some rows are not good
    #[arg(long, hide_short_help = true)]
    pub allow_partial: bool,
    #[expect(clippy::doc_markdown, reason = "shown as help")]
    /// Run this in your shell at every end of a run; it gets BATCHCTL_JOB, _EXIT, _OUTPUT, _COST and JSON on stdin
    #[arg(long, value_name = "COMMAND", hide_short_help = true)]
    pub on_done: Option<String>,
}

impl Flags for PaceArgs {
    fn lay(&self, over: &mut Overrides) {
        over.set(key::CHECK_INTERVAL, self.check_interval.map(Value::Duration));
        over.set(key::MAX_WAIT, self.max_wait.map(Value::Duration));
        over.text(key::OUTPUT_DIR, path(self.output_dir.as_ref()).as_deref());
        over.switch(key::ALLOW_PARTIAL, self.allow_partial);
        over.text(key::ON_DONE, self.on_done.as_deref());
    }
}

/// How rows are sent.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Running")]
pub struct ModeArgs {
    /// How rows are sent: batch (half price, up to 24 h), realtime (calls, now), auto (calls where they are few) [default: batch]
    #[arg(long, value_name = "MODE", value_parser = ["batch", "realtime", "auto"], hide_short_help = true)]
    pub mode: Option<String>,
    /// Ask now, by calls at the realtime price; the same as --mode realtime
    #[arg(long, conflicts_with = "mode")]
    pub now: bool,
    /// How often a call is made again that failed in passing [default: 3]
    #[arg(long, value_name = "N", value_parser = retries, hide_short_help = true)]
    pub retries: Option<u64>,
    /// How long one call may take; a setting, the flag is accepted for older scripts [default: 120s]
    #[arg(long, value_name = "TIME", value_parser = wait, hide = true)]
    pub timeout: Option<Duration>,
}

impl Flags for ModeArgs {
    fn lay(&self, over: &mut Overrides) {
        let mode = if self.now { Some("realtime") } else { self.mode.as_deref() };
        over.text(key::MODE, mode);
        over.whole(key::RETRIES, self.retries);
        over.set(key::TIMEOUT, self.timeout.map(Value::Duration));
    }
}

/// Reads how often a call is made again.
pub(in crate::commands) fn retries(text: &str) -> Result<u64, String> {
    whole(text, "a number of retries", 0, Some(100))
}

/// How a job runs from its first file to its end.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Running")]
pub struct RunningArgs {
    /// How long to wait.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// By batch or by calls.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// Submit and return; `batchctl watch` collects the answers later
    #[arg(long, conflicts_with = "max_wait")]
    pub no_wait: bool,
    /// Rounds a row may run in while it expires, gets lost or fails in passing [default: 3]
    #[arg(long, value_name = "N", value_parser = rounds, hide_short_help = true)]
    pub rounds: Option<u64>,
    /// What becomes of rows left after the first round: another batch, calls (realtime), or none [default: as they were sent]
    #[arg(long, value_name = "HOW", value_parser = ["batch", "realtime", "none"], hide_short_help = true)]
    pub finish: Option<String>,
    /// Keep the request files in the job's folder [default: removed once submitted]
    #[arg(long, hide_short_help = true)]
    pub keep_temp_files: bool,
    /// Completion window asked for; a setting, the flag is accepted for older scripts [default: 24h]
    #[arg(long, value_name = "WINDOW", hide = true)]
    pub completion_window: Option<String>,
}

/// Which job a line makes, or finds again.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Running")]
pub struct NewJobArgs {
    /// Pay for every row anew: take no answer of an earlier job, send equal rows one by one
    #[arg(long, hide_short_help = true)]
    pub again: bool,
    /// Handle for scripts, accepted where a job id is; the same name with other content is refused
    #[arg(long, value_name = "KEY", value_parser = job_name, hide_short_help = true)]
    pub name: Option<String>,
}

impl Flags for NewJobArgs {
    fn lay(&self, over: &mut Overrides) {
        over.switch(key::AGAIN, self.again);
        over.text(key::NAME, self.name.as_deref());
    }
}

/// A name that can be told from the words that stand for jobs.
fn rounds(text: &str) -> Result<u64, String> {
    whole(text, "a number of rounds", 1, Some(20))
}

fn job_name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a name is wanted".into()),
        "last" => Err("`last` is the newest job of this folder".into()),
        name => Ok(name.to_owned()),
    }
}

impl Flags for RunningArgs {
    fn lay(&self, over: &mut Overrides) {
        self.pace.lay(over);
        self.mode.lay(over);
        over.switch(key::NO_WAIT, self.no_wait);
        over.whole(key::ROUNDS, self.rounds);
        over.text(key::FINISH, self.finish.as_deref());
        over.switch(key::KEEP_TEMP_FILES, self.keep_temp_files);
        over.text(key::COMPLETION_WINDOW, self.completion_window.as_deref());
    }
}

/// What may be spent.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Money")]
pub struct LimitArgs {
    /// Most the job may cost over all its rounds, as 5USD or 30CNY; it stops before it could cost more [default: no limit]
    #[arg(long, value_name = "AMOUNT", value_parser = amounts, allow_hyphen_values = true)]
    pub max_cost: Option<String>,
}

impl Flags for LimitArgs {
    fn lay(&self, over: &mut Overrides) {
        over.text(key::MAX_COST, self.max_cost.as_deref());
    }
}

/// An amount, or one for each of several currencies.
fn amounts(text: &str) -> Result<String, MoneyError> {
    Ok(text.parse::<Caps>()?.to_string())
}

/// Whether money is asked about.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Money")]
pub struct YesArgs {
    /// Answer the question about money with yes (no other question)
    #[arg(short, long)]
    pub yes: bool,
}

impl Flags for YesArgs {
    fn lay(&self, over: &mut Overrides) {
        over.switch(key::YES, self.yes);
    }
}

/// What may be spent without asking, and whether anything is.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Money")]
pub struct SpendArgs {
    /// The limit.
    #[command(flatten)]
    pub limit: LimitArgs,
    /// The question about money.
    #[command(flatten)]
    pub yes: YesArgs,
    /// Build all, show the first request and the plan, send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print what it would cost and stop; the same as `batchctl estimate` with the same flags
    #[arg(long, conflicts_with = "dry_run", hide_short_help = true)]
    pub estimate_cost: bool,
}

impl SpendArgs {
    /// Whether nothing is to be sent.
    pub fn only_shows(&self) -> bool {
        self.dry_run || self.estimate_cost
    }
}

impl Flags for SpendArgs {
    fn lay(&self, over: &mut Overrides) {
        self.limit.lay(over);
        self.yes.lay(over);
    }
}
