//! Asking rows of a finished job again: what may be asked, what it costs, and the way back into
//! the job.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::again_json::show_again;
use super::again_price::AgainPrice;
use super::asking::given_text;
use super::begin::save_output;
use super::finish::{ending_of, report};
use super::follow::Follow;
use super::go_on::{Drove, go_on, if_pruned};
use super::jobs::{Found, held};
use super::mode::{Wanted, takes_batches, tell_auto, wanted};
use super::plan::sized;
use super::reask::reasks_like;
use super::room::require_room;
use super::tables::Tabled;
use super::tell_form::{tell_form, tells_form};
use super::waits;
use super::who::{Who, who_of_retry};
use crate::answer::{Expected, RowStatus};
use crate::base::FileLock;
use crate::commands::Context;
use crate::config::{Source as Layer, key};
use crate::job::{JobError, RetryPlan, WantedRows, plan_retry};
use crate::request::{Mode, Question, Source};
use crate::store::{OpenRow, Store};
use crate::table::Table;
use crate::ui::{Align, CommandError, ExitCode, bytes, count, counted, grid};

/// Rows of which no request can be made that are named.
const SHOWN: usize = 3;

/// What a retry is to do.
pub(in crate::commands) struct Change {
    /// Only rows of these classes; empty is all that may succeed.
    pub(in crate::commands) classes: Vec<RowStatus>,
    /// Another model.
    pub(in crate::commands) model: Option<String>,
    /// Another limit of an answer's tokens.
    pub(in crate::commands) max_tokens: Option<u32>,
    /// Another prompt.
    pub(in crate::commands) prompt: Option<String>,
    /// The file of another prompt.
    pub(in crate::commands) prompt_file: Option<PathBuf>,
    /// How often rows are asked again because of their answers, from now on.
    pub(in crate::commands) reask: Option<u64>,
    /// Send nothing.
    pub(in crate::commands) only_shows: bool,
    /// Only rows without an answer that nobody stopped.
    pub(in crate::commands) is_rest: bool,
}

impl Change {
    /// What a batch leaves.
    pub(in crate::commands) const REST: Self = Self {
        classes: Vec::new(),
        model: None,
        max_tokens: None,
        prompt: None,
        prompt_file: None,
        reask: None,
        only_shows: false,
        is_rest: true,
    };

    /// The line that asks for it.
    fn line(&self, context: &Context, job: &str) -> String {
        let mut line = format!("batchctl retry {job}");
        let mut add = |flag: &str, value: &str| {
            line += &format!(" {flag} {}", context.shell.quote(value));
        };
        self.classes.iter().for_each(|class| add("--class", class.as_str()));
        self.model.iter().for_each(|model| add("--model", model));
        self.max_tokens.iter().for_each(|most| add("--max-tokens", &most.to_string()));
        self.prompt.iter().for_each(|prompt| add("--prompt", prompt));
        self.prompt_file.iter().for_each(|file| add("--prompt-file", &file.to_string_lossy()));
        self.reask.iter().for_each(|times| add("--reask", &times.to_string()));
        line
    }
}

/// Asks rows of a job again: lists them with their price, asks about money, and drives the job.
pub(in crate::commands) fn retry(
    context: &Context,
    store: &Store,
    mut found: Found,
    change: &Change,
) -> Result<Drove, CommandError> {
    let lock = lock(&found)?;
    // Whoever held it until now may have changed how it stands.
    found.job = store.job_by_id(&found.job.key)?.unwrap_or(found.job);
    require_over(store, &found)?;
    let open = store.open_rows(&found.job.key)?;
    if open.is_empty() {
        let job = found.job.short();
        context.printer.note(&format!("every row of job {job} is good: nothing is asked again"));
        return as_it_stands(context, store, &found);
    }
    let who = who_of_retry(context, &found, change.model.as_deref())?;
    let table = found.table()?;
    let question = asked_otherwise(context, &found, change, &who, &table)?;
    let is_changed = question != found.spec.question;
    found.spec.reask = reasks_like(context, &found.spec, &question)?;
    let statuses = change.classes.clone();
    let wanted = WantedRows { statuses, is_changed, is_rest: change.is_rest };
    let rows: Vec<u64> =
        open.iter().filter(|row| wanted.takes(row.status, row.class)).map(|row| row.row).collect();
    let mode = retry_mode(context, &found, (&who, rows.len()));
    let price = AgainPrice::of(store, (&found, &who), &question)?.by(mode);
    for line in listed(&open, &wanted, &price) {
        context.printer.note(&line);
    }
    if rows.is_empty() {
        context.printer.note(if change.classes.is_empty() {
            "none of them would end otherwise as they stand; change what is asked (--model, \
             --max-tokens, --prompt), or name them with --class"
        } else {
            "no row is of the class that was named; nothing is asked again"
        });
        return as_it_stands(context, store, &found);
    }
    let limits = found.spec.limits;
    let limits = limits.unwrap_or_else(|| who.api.limits(question.endpoint).with_margin());
    let specs = (&found.spec, &question);
    let files = (&table, &found.folder);
    let limits = sized(limits, mode);
    let mut plan = plan_retry(store, &found.job.key, specs, files, &limits, &rows)?;
    plan.shards.iter_mut().for_each(|shard| shard.mode = mode);
    plan.reserve(price.first(plan.requests()).reserve);
    tell_plan(context, &plan, &price);
    if change.only_shows {
        show_again(context, &found, &plan, &price)?;
        let line = change.line(context, found.job.short());
        require_room(context, store, (&found, &who), (&plan, &price), &line)?;
        price.require_limits(context, &who, plan.requests())?;
        return Ok(stands(&found, ExitCode::Success));
    }
    if plan.requests() == 0 {
        return as_it_stands(context, store, &found);
    }
    let line = change.line(context, found.job.short());
    require_room(context, store, (&found, &who), (&plan, &price), &line)?;
    price.approve(context, &who, plan.requests())?;
    let other = is_changed.then_some(&question);
    let new_price = price.price().filter(|_| question.model != found.spec.question.model);
    let terms = price.terms_with(&found, plan.requests());
    // Before it is over no longer, the job does not go by it.
    if mode == Mode::Realtime && question == found.spec.question {
        // What these leave goes out so too.
        found.spec.mode = mode;
    }
    save_output(store, &mut found)?;
    plan.begin(store, &found.job.key, (other, new_price), &terms, context.clock.unix())?;
    // Driving takes the lock itself.
    drop((lock, who));
    found.job = store.job_by_id(&found.job.key)?.expect("it was just put back to work");
    go_on(context, store, &found, Follow { submit: true, wait: waits(context) })
}

/// How rows are asked again: as the line says, else as those of the job were at last.
fn retry_mode(context: &Context, found: &Found, (who, rows): (&Who, usize)) -> Mode {
    let is_said = context.settings.source(key::MODE) != Some(&Layer::Default);
    match wanted(context) {
        Wanted::Of(mode) if is_said => mode,
        Wanted::Of(_) => found.spec.mode,
        Wanted::Auto => {
            let threshold = context.settings.get(key::BATCH_THRESHOLD);
            let is_few = (rows as u64) < threshold || !takes_batches(who.api.dialect());
            let mode = if is_few { Mode::Realtime } else { Mode::Batch };
            tell_auto(context, who, (mode, rows as u64));
            mode
        }
    }
}

/// Takes the lock of a job before its ledger is changed.
pub(super) fn lock(found: &Found) -> Result<FileLock, CommandError> {
    match found.folder.lock() {
        Ok(lock) => Ok(lock),
        Err(crate::base::LockError::Held(holder)) => Err(held(&found.job, &holder)),
        Err(error) => Err(JobError::lock(found.job.short())(error).into()),
    }
}

/// Only what is over has rows that are known to be bad.
fn require_over(store: &Store, found: &Found) -> Result<(), CommandError> {
    if let Some(words) = if_pruned(store, found)? {
        return Err(
            CommandError::usage(words).hint("the same line with --again pays for all of it anew")
        );
    }
    if found.job.state.is_over() {
        return Ok(());
    }
    let job = found.job.short();
    Err(CommandError::usage(format!("job {job} is not over: it is {}", found.job.state))
        .hint(format!("batchctl resume {job}   goes on with it"))
        .hint(format!(
            "batchctl cancel {job}   stops it; what was not answered can be asked again"
        )))
}

/// The account of a job with which nothing is done.
fn as_it_stands(context: &Context, store: &Store, found: &Found) -> Result<Drove, CommandError> {
    let drove = stands(found, ExitCode::Success);
    let about = (&drove.ending, false);
    let exit = report(context, store, found, about, Some(&drove.table), drove.took)?;
    Ok(Drove { exit, ..drove })
}

fn stands(found: &Found, exit: ExitCode) -> Drove {
    let path = found.job.output_path.as_deref().map(PathBuf::from);
    let table = Tabled { path, counts: None };
    Drove { ending: ending_of(&found.job), exit, table, took: Duration::ZERO }
}

/// The job's question with what is to be otherwise.
fn asked_otherwise(
    context: &Context,
    found: &Found,
    change: &Change,
    who: &Who,
    table: &Table,
) -> Result<Question, CommandError> {
    let mut question = found.spec.question.clone();
    let file = change.prompt_file.as_ref().map(|path| path.to_string_lossy().into_owned());
    let prompt = given_text(context, change.prompt.clone(), file)?;
    let is_foreign = question.source == Source::Foreign;
    if is_foreign && (prompt.is_some() || change.model.is_some() || change.max_tokens.is_some()) {
        return Err(CommandError::usage(
            "the requests of this job came ready-made and are sent as they stand",
        )
        .hint("change them in their file and submit that"));
    }
    if let Some(model) = &change.model {
        question.model.clone_from(model);
        let field = who.api.dialect().max_tokens_field(question.endpoint, model);
        field.clone_into(&mut question.max_tokens_field);
    }
    question.max_tokens = change.max_tokens.or(question.max_tokens);
    let Some(prompt) = prompt else {
        if change.model.is_some() {
            tell_again(&mut question, found, who)?;
        }
        return Ok(question);
    };
    if matches!(question.source, Source::Messages { .. }) {
        return Err(CommandError::usage(
            "the rows of this job hold their own messages; there is no prompt to change",
        ));
    }
    question.source = Source::Prompt { template: prompt.text, jinja: prompt.is_jinja };
    let usage = |error| CommandError::new(ExitCode::Usage, error);
    if question.wants_input_column(table.headers()).map_err(usage)?
        && question.input_column.is_none()
        && question.images.columns.is_empty()
    {
        return Err(CommandError::usage(
            "the new prompt names no column: every row would ask the same",
        )
        .hint("write {column} where a cell belongs"));
    }
    tell_again(&mut question, found, who)?;
    Ok(question)
}

/// Words the form of the answers anew, for another prompt or another model, unless nothing was
/// told of it.
fn tell_again(question: &mut Question, found: &Found, who: &Who) -> Result<(), CommandError> {
    if tells_form(question) {
        let expected = Expected::read(&found.spec.form);
        let expected = expected.map_err(|error| CommandError::new(ExitCode::Unexpected, error))?;
        tell_form(question, &expected, (&who.name, who.api.dialect()));
    }
    Ok(())
}

/// The rows that are not good, by class, with what is asked again of them and its price.
fn listed(open: &[OpenRow], wanted: &WantedRows, price: &AgainPrice) -> Vec<String> {
    let mut classes: BTreeMap<RowStatus, (u64, u64)> = BTreeMap::new();
    for row in open {
        let (all, again) = classes.entry(row.status).or_default();
        *all += 1;
        *again += u64::from(wanted.takes(row.status, row.class));
    }
    let head = ["class", "rows", "again", "price"].map(str::to_owned).to_vec();
    let rows = classes.into_iter().map(|(status, (all, again))| {
        let price = if again > 0 { price.likely(again) } else { String::new() };
        vec![status.as_str().to_owned(), count(all), count(again), price]
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    grid(&rows, &[Align::Left, Align::Right, Align::Right, Align::Left])
}

/// What would be sent.
fn tell_plan(context: &Context, plan: &RetryPlan, price: &AgainPrice) {
    for (row, reason) in plan.unbuilt.iter().take(SHOWN) {
        context.printer.note(&format!("  row {row}: {reason}"));
    }
    if !plan.unbuilt.is_empty() {
        let rows = counted(plan.unbuilt.len() as u64, "row");
        context.printer.note(&format!("no request can be made of {rows}"));
    }
    context.printer.note(&format!(
        "round {}: {} in {}, {}, {}",
        plan.round,
        counted(plan.requests(), "request"),
        counted(plan.shards.len() as u64, "shard"),
        bytes(plan.bytes()),
        match price.likely(plan.requests()).as_str() {
            "unknown" => "price unknown",
            likely => likely,
        }
    ));
    if let Some(reasks) = price.reasks(plan.requests()).filter(|_| plan.requests() > 0) {
        context.printer.note(&reasks);
    }
}
