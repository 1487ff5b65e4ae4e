//! `cache stats|clean-expired|clean-all|show-details|export|import`: the answers that later jobs of
//! this home use again. Nothing here touches a job's own answers, its table or its account.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use self::shown::{details, document, stats_document, stats_lines};
use super::Context;
use super::flags::JsonArg;
use super::steps::{cache_rules, open_store};
use crate::base::AtomicFile;
use crate::cache::{CacheError, CacheRules, clean, export, import, newest};
use crate::config::{key, parse_duration};
use crate::store::Store;
use crate::ui::{CommandError, ExitCode, count, counted};

mod shown;

/// Arguments of `cache`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What `cache` can do.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Action {
    /// How many entries there are, how old, and what they saved
    Stats(StatsArgs),
    #[expect(clippy::doc_markdown, reason = "shown as help")]
    /// Forget the entries that are too old: by cache_ttl, or by the age that is named
    #[command(alias = "clean_expired")]
    CleanExpired(StatsArgs),
    /// Forget every entry; jobs keep their answers, but no later job uses them
    #[command(alias = "clean_all")]
    CleanAll(CleanArgs),
    /// The newest entries one by one: who answered, when, what it cost, how often it was used
    #[command(alias = "show_details")]
    ShowDetails(ShowArgs),
    /// Write all entries into a file, one JSON line each, for another home
    Export(ExportArgs),
    /// Take the entries of such a file over; what is here already stays
    Import(ImportArgs),
}

/// Arguments of `cache stats` and `cache clean-expired`.
#[derive(Debug, Clone, clap::Args)]
pub struct StatsArgs {
    #[expect(clippy::doc_markdown, reason = "shown as help")]
    /// Entries answered longer ago than that are expired, as 7d, 12h [default: the setting cache_ttl; without one nothing expires]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub older_than: Option<Duration>,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Arguments of `cache clean-all`.
#[derive(Debug, Clone, clap::Args)]
pub struct CleanArgs {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Arguments of `cache show-details`.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// That many entries, the newest first
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Arguments of `cache export`.
#[derive(Debug, Clone, clap::Args)]
pub struct ExportArgs {
    /// The file to write; the answers stand in it as they came
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    pub overwrite: bool,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// Arguments of `cache import`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// A file that cache export wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

impl Args {
    /// Whether one JSON document is wanted on stdout.
    pub fn json(&self) -> JsonArg {
        match &self.action {
            Action::Stats(args) | Action::CleanExpired(args) => args.json,
            Action::CleanAll(args) => args.json,
            Action::ShowDetails(args) => args.json,
            Action::Export(args) => args.json,
            Action::Import(args) => args.json,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    match &args.action {
        Action::Stats(args) => stats(args, context, &store),
        Action::CleanExpired(args) => clean_expired(args, context, &store),
        Action::CleanAll(args) => clean_all(args, context, &store),
        Action::ShowDetails(args) => show(args, context, &store),
        Action::Export(args) => write_out(args, context, &store),
        Action::Import(args) => take_in(args, context, &store),
    }
}

/// The age from which entries are too old, if any is.
fn age(args: &StatsArgs, context: &Context) -> Option<Duration> {
    args.older_than.or_else(|| context.settings.get(key::CACHE_TTL))
}

fn stats(args: &StatsArgs, context: &Context, store: &Store) -> Result<ExitCode, CommandError> {
    let age = age(args, context);
    let totals = store.cache_totals(CacheRules::new(false, age, context.clock.unix()).since)?;
    let hits = store.cache_hits()?;
    if context.json {
        context.printer.json(&stats_document(&totals, age, &hits))?;
    } else {
        for line in stats_lines(&totals, age, &hits) {
            context.printer.data(&line)?;
        }
    }
    Ok(ExitCode::Success)
}

fn clean_expired(
    args: &StatsArgs,
    context: &Context,
    store: &Store,
) -> Result<ExitCode, CommandError> {
    let Some(age) = age(args, context) else {
        if context.json {
            tell_forgotten(context, 0)?;
        }
        context.printer.note("nothing expires: cache_ttl is not set");
        context.printer.note("an age for once: batchctl cache clean-expired --older-than 7d");
        return Ok(ExitCode::Success);
    };
    let since = CacheRules::new(false, Some(age), context.clock.unix()).since;
    let expired = store.cache_totals(since)?.expired;
    clean(store, Some(since))?;
    tell_forgotten(context, expired)?;
    Ok(ExitCode::Success)
}

fn clean_all(args: &CleanArgs, context: &Context, store: &Store) -> Result<ExitCode, CommandError> {
    let entries = store.cache_totals(i64::MIN)?.entries;
    if entries > 0 && !args.yes {
        let what = if entries == 1 { "entry" } else { "entries" };
        let question =
            format!("forget {} {what}? Later jobs pay for rows like these again.", count(entries));
        if !context.is_interactive {
            return Err(CommandError::usage(format!("nothing was forgotten: {question}"))
                .hint("do it: batchctl cache clean-all --yes"));
        }
        if !context.printer.confirm(&question)? {
            return Err(CommandError::usage("stopped; nothing was forgotten"));
        }
    }
    clean(store, None)?;
    tell_forgotten(context, entries)?;
    Ok(ExitCode::Success)
}

fn tell_forgotten(context: &Context, entries: u64) -> Result<(), CommandError> {
    if context.json {
        return Ok(context.printer.json(&json!({ "schema_version": 1, "forgotten": entries }))?);
    }
    let what = if entries == 1 { "entry" } else { "entries" };
    let kept = if entries > 0 { "; the jobs keep their answers" } else { "" };
    context.printer.note(&format!("forgot {} {what}{kept}", count(entries)));
    Ok(())
}

fn show(args: &ShowArgs, context: &Context, store: &Store) -> Result<ExitCode, CommandError> {
    let entries = newest(store, args.limit)?;
    if context.json {
        let entries: Vec<_> = entries.iter().map(document).collect();
        context.printer.json(&json!({ "schema_version": 1, "entries": entries }))?;
        return Ok(ExitCode::Success);
    }
    if entries.is_empty() {
        context.printer.note("the cache is empty");
    }
    for line in entries.iter().flat_map(details) {
        context.printer.data(&line)?;
    }
    Ok(ExitCode::Success)
}

fn write_out(
    args: &ExportArgs,
    context: &Context,
    store: &Store,
) -> Result<ExitCode, CommandError> {
    let path = context.folder.join(&args.file);
    let shown = args.file.display();
    if path.exists() && !args.overwrite {
        return Err(CommandError::usage(format!("{shown} is there already"))
            .hint("--overwrite replaces it"));
    }
    let failed = |source| CacheError::File { what: "write", path: path.clone(), source };
    let mut file = AtomicFile::create(&path).map_err(failed)?;
    let rules = CacheRules { is_read: true, ..cache_rules(context) };
    let done = export(store, rules, &path, &mut file)?;
    file.flush().and_then(|()| file.commit()).map_err(failed)?;
    if context.json {
        context.printer.json(&json!({
            "schema_version": 1, "file": shown.to_string(), "written": done.written,
            "unreadable": done.unreadable,
        }))?;
        return Ok(ExitCode::Success);
    }
    let what = if done.written == 1 { "entry" } else { "entries" };
    context.printer.note(&format!("wrote {} {what} to {shown}", count(done.written)));
    if done.unreadable > 0 {
        let left_out = count(done.unreadable);
        context.printer.warning(&format!("{left_out} left out: their answers cannot be read"));
    }
    Ok(ExitCode::Success)
}

fn take_in(args: &ImportArgs, context: &Context, store: &Store) -> Result<ExitCode, CommandError> {
    let done = import(store, &context.folder.join(&args.file))?;
    let told: Vec<String> =
        done.told.iter().map(|refused| format!("line {}: {}", refused.line, refused.why)).collect();
    if let Some(first) = told.first() {
        let refused = counted(done.refused, "line");
        let which = if done.refused == 1 { "" } else { "the first, " };
        let file = args.file.display();
        context.printer.warning(&format!("{file}: {refused} refused: {which}{first}"));
        told.iter().skip(1).for_each(|line| context.printer.detail(line));
    }
    if context.json {
        let refused = done.told.iter().map(|refused| json!([refused.line, refused.why]));
        let refused: Vec<_> = refused.collect();
        context.printer.json(&json!({
            "schema_version": 1, "taken": done.taken, "known": done.known,
            "refused": done.refused, "refused_lines": refused,
        }))?;
    } else {
        let mut text = format!("took {} over", counted(done.taken, "answer"));
        if done.known > 0 {
            text += &format!(", {} here already", count(done.known));
        }
        if done.refused > 0 {
            text += &format!(", {} refused", counted(done.refused, "line"));
        }
        context.printer.note(&text);
    }
    Ok(if done.refused > 0 { ExitCode::SomeRowsBad } else { ExitCode::Success })
}
