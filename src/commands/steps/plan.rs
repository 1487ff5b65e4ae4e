//! From settings and a table to a plan: the same way for `workflow`, `estimate` and `convert`.

use std::path::Path;

use super::asking::{Asked, ask, others};
use super::asking_like::ask_like;
use super::choice::{require_fillable, selection};
use super::follow::rounds;
use super::form::{expected, form, wants_json};
use super::input::{Taken, synced_meanwhile, take_in};
use super::kept::said;
use super::learned::{may_be_queued, pricing};
use super::limits::{Paid, lowest_limit};
use super::mode::{tell_auto, to_plan};
use super::reask::{reasks, reasks_like};
use super::reshape::require_shape;
use super::who::Who;
use crate::cache::CacheRules;
use crate::commands::Context;
use crate::config::key;
use crate::cost::{grouped, unpack_early};
use crate::job::{JobError, JobFolder, Lists, Most, OutputSpec, Plan, Reuse, Spec, Tally, plan};
use crate::request::{Form, Mode, RULES};
use crate::shard::Limits;
use crate::store::Store;
use crate::table::{Selection, Table};
use crate::ui::{CommandError, ExitCode};

/// A table that was taken in, with what is asked of it.
pub(in crate::commands) struct Prepared {
    /// The table.
    pub(in crate::commands) table: Table,
    /// What will be asked.
    pub(in crate::commands) spec: Spec,
    /// The limits by which files are cut.
    pub(in crate::commands) limits: Limits,
    /// Fewer requests are sent by calls after all.
    calls_below: Option<u64>,
    notes: Vec<String>,
    warnings: Vec<String>,
}

/// A table with a plan for it.
pub(in crate::commands) struct Planned {
    /// The copy of the table.
    pub(in crate::commands) table: Table,
    /// What will be asked.
    pub(in crate::commands) spec: Spec,
    /// What will be sent.
    pub(in crate::commands) plan: Plan,
    /// The prompt tokens that may be queued at the provider, where that is known.
    pub(in crate::commands) may_be_queued: Option<u64>,
}

impl Planned {
    /// Takes a table in and plans the job that the settings describe.
    pub(in crate::commands) fn make(
        context: &Context,
        input: &Path,
        who: &mut Who,
        folder: &JobFolder,
        reuse: Option<Reuse<'_>>,
    ) -> Result<Self, CommandError> {
        unpack_early(&who.model);
        let taken = take_in(input, context, folder)?;
        taken.decide(context, who)?;
        let copy = taken.table.text_path().to_owned();
        let prepared = Prepared::of(context, taken, who)?;
        synced_meanwhile(&copy, || Self::prepared(context, prepared, who, Lists::In(folder), reuse))
    }

    /// Plans for a table that was taken in, for the figures alone: nothing can be built.
    pub(in crate::commands) fn of(
        context: &Context,
        taken: Taken,
        who: &Who,
        reuse: Option<Reuse<'_>>,
    ) -> Result<Self, CommandError> {
        let prepared = Prepared::of(context, taken, who)?;
        Self::prepared(context, prepared, who, Lists::Nowhere, reuse)
    }

    /// Plans the question of a job anew, with what the line says of it on top, for the figures
    /// alone.
    pub(in crate::commands) fn like(
        context: &Context,
        (input, job): (&Path, &Spec),
        who: &mut Who,
        folder: &JobFolder,
        reuse: Option<Reuse<'_>>,
    ) -> Result<Self, CommandError> {
        unpack_early(&who.model);
        let taken = take_in(input, context, folder)?;
        taken.decide(context, who)?;
        let prepared = Prepared::like(context, taken, who, job)?;
        Self::prepared(context, prepared, who, Lists::Nowhere, reuse)
    }

    fn prepared(
        context: &Context,
        prepared: Prepared,
        who: &Who,
        lists: Lists<'_>,
        reuse: Option<Reuse<'_>>,
    ) -> Result<Self, CommandError> {
        let reporter = context.reporter();
        let Prepared { table, spec, limits, calls_below, .. } = &prepared;
        let queued = match spec.mode {
            Mode::Batch => may_be_queued(context, who)?,
            Mode::Realtime => None,
        };
        let pricing = pricing(context, who, spec)?;
        let cost = lowest_limit(
            context,
            who,
            Paid {
                model: &spec.question.model,
                price: pricing.price.as_ref(),
                mode: spec.mode,
                unpriced: None,
            },
        );
        let requests = context.settings.get(key::MAX_REQUESTS);
        let limits = (limits, Most { tokens: queued, cost, requests, calls_below: *calls_below });
        let plan = plan((spec, &pricing), table, limits, lists, reuse, reporter.as_ref())?;
        prepared.check(context, &plan.tally)?;
        tell_auto(context, who, (plan.mode, plan.requests()));
        let Prepared { table, mut spec, .. } = prepared;
        spec.mode = plan.mode;
        let may_be_queued = queued.filter(|_| plan.mode == Mode::Batch);
        Ok(Self { table, spec, plan, may_be_queued })
    }
}

impl Prepared {
    /// Finds out what the settings ask of a table.
    pub(in crate::commands) fn of(
        context: &Context,
        taken: Taken,
        who: &Who,
    ) -> Result<Self, CommandError> {
        let asked = ask(context, &taken, who)?;
        let selection = selection(context, &taken.table)?;
        let (form, output) = (form(context)?, output_spec(context));
        let expected = expected(&form)?;
        let headers = taken.table.headers();
        require_fillable(("--skip-filled", None), &selection, headers, expected.wanted(), &output)?;
        require_shape(expected.wanted(), &output, selection.filled_column().is_some())?;
        let reask = reasks(context, &form, &asked.question)?;
        Self::with(context, taken, who, (asked, selection, form, reask))
    }

    /// The question of a job, as far as the line words no other. The rows are those of the line:
    /// after a few rows the question is what all of them cost.
    fn like(context: &Context, taken: Taken, who: &Who, job: &Spec) -> Result<Self, CommandError> {
        let question = ask_like(context, (&taken, who), job)?;
        let selection = selection(context, &taken.table)?;
        let asked = Asked { question, notes: Vec::new() };
        let form = job.form.clone();
        let reask = reasks_like(context, job, &asked.question)?;
        Self::with(context, taken, who, (asked, selection, form, reask))
    }

    fn with(
        context: &Context,
        taken: Taken,
        who: &Who,
        (asked, selection, form, reask): (Asked, Selection, Form, u32),
    ) -> Result<Self, CommandError> {
        let settings = &context.settings;
        let others = others((&asked.question, who), &form)?;
        let (mode, calls_below) = to_plan(context, who);
        let spec = Spec {
            rules: RULES,
            provider: who.name.clone(),
            base_url: who.stored_url.clone(),
            completion_window: settings.get(key::COMPLETION_WINDOW),
            source: taken.source.to_string_lossy().into_owned(),
            source_digest: taken.digest,
            input: taken.name,
            shape: taken.table.shape().clone(),
            selection,
            question: asked.question,
            form,
            output: output_spec(context),
            keep_request_files: settings.get(key::KEEP_TEMP_FILES),
            limits: None,
            mode,
            others,
            rounds: rounds(context),
            reask,
            said: said(context),
        };
        let limits = limits(context, who, &spec);
        let spec = Spec { limits: Some(limits), ..spec };
        let warnings = who.warnings(context);
        Ok(Self { table: taken.table, spec, limits, calls_below, notes: asked.notes, warnings })
    }

    /// Tells what a person should know of the rows, and stops where they cannot be what was meant.
    pub(in crate::commands) fn check(
        &self,
        context: &Context,
        tally: &Tally,
    ) -> Result<(), CommandError> {
        for note in self.notes.iter().chain(&tally.notes) {
            context.printer.note(note);
        }
        for warning in &self.warnings {
            context.printer.warning(warning);
        }
        self.require_rows(tally)?;
        self.require_images(context, tally)
    }

    /// The first rows without a request and why, so that a person can tell a wrong folder from
    /// a few bad files.
    fn tell_failing_images(context: &Context, tally: &Tally) {
        let skipped = &tally.skipped;
        for record in skipped.iter().take(SHOWN_SKIPS) {
            let why = record.error.as_deref().unwrap_or("no request can be made");
            context.printer.note(&format!("  row {}: {why}", record.row));
        }
        if let Some(more) = skipped.len().checked_sub(SHOWN_SKIPS).filter(|more| *more > 0) {
            context.printer.note(&format!("  and {} more", grouped(more as u64)));
        }
    }

    /// A selection without rows is a slip, not a result.
    fn require_rows(&self, tally: &Tally) -> Result<(), CommandError> {
        if tally.rows > 0 {
            return Ok(());
        }
        let mut rows = self.table.rows().map_err(JobError::from)?;
        let mut count = 0_u64;
        while rows.next_row().map_err(JobError::from)?.is_some() {
            count += 1;
        }
        let source = &self.spec.source;
        Err(CommandError::usage(if count == 0 {
            format!("{source} has a header and no rows")
        } else {
            format!("no row of {source} is selected; it has rows 0 to {}", count - 1)
        }))
    }

    /// Many failing images are a wrong folder rather than many bad files.
    fn require_images(&self, context: &Context, tally: &Tally) -> Result<(), CommandError> {
        let failed: u64 =
            tally.skip_kinds.iter().filter(|(kind, _)| kind.is_image()).map(|(_, n)| n).sum();
        if failed == 0 {
            return Ok(());
        }
        let settings = &context.settings;
        let rows = tally.rows;
        let text = format!("the images of {failed} of {rows} rows cannot be sent");
        let first = tally.first_bad_image.as_deref();
        let refuse = |text: String| {
            let mut error = CommandError::usage(text);
            error.hints.extend(first.map(|first| format!("first: {first}")));
            let root = tally.image_root.as_ref().filter(|_| failed == rows);
            let root = root.map(|root| root.display().to_string());
            error.hints.push(match root {
                Some(root) => format!("add --image-root {}", context.shell.quote(&root)),
                None => self.looked_in(),
            });
            error
        };
        if failed == rows {
            return Err(refuse(format!("{text}: nothing is left to ask")));
        }
        if settings.get(key::STRICT_IMAGES) {
            return Err(refuse(format!("{text} (strict_images is set)")));
        }
        if settings.get(key::ALLOW_MISSING_IMAGES) || failed * 10 <= rows {
            Self::tell_failing_images(context, tally);
            context.printer.warning(&format!("{text}; they will be skipped"));
            return Ok(());
        }
        if context.is_interactive {
            Self::tell_failing_images(context, tally);
            return if context.printer.confirm(&format!("{text}. Go on without them?"))? {
                Ok(())
            } else {
                Err(CommandError::message(ExitCode::Usage, "stopped; nothing was sent"))
            };
        }
        if failed * 2 > rows {
            return Err(refuse(format!("{text}, more than half"))
                .hint("--allow-missing-images goes on without them"));
        }
        context.printer.warning(&format!("{text}; they will be skipped"));
        Ok(())
    }

    /// Where images were looked for.
    fn looked_in(&self) -> String {
        let roots = &self.spec.question.images.roots;
        let roots: Vec<_> = roots.iter().map(|root| root.display().to_string()).collect();
        format!("looked in: {}; --image-root DIR adds a folder", roots.join(", "))
    }
}

/// The limits of a shard that is sent so. Of calls that a kill cut off only so many are looked
/// through, and money is set aside and given back in parts of this size.
pub(super) fn sized(limits: Limits, mode: Mode) -> Limits {
    match mode {
        Mode::Batch => limits,
        Mode::Realtime => Limits { max_requests: limits.max_requests.min(MOST_CALLS), ..limits },
    }
}

/// The most rows of a shard whose rows are called one by one.
const MOST_CALLS: u64 = 5_000;

/// Rows without a request that are shown before the question whether to go on.
const SHOWN_SKIPS: usize = 3;

/// What planning may make use of: nothing where the line pays for all anew.
pub(in crate::commands) fn reuse<'a>(
    context: &Context,
    store: &'a Store,
    who: &Who,
    is_for_job: bool,
) -> Option<Reuse<'a>> {
    let pays_anew = context.settings.get(key::AGAIN);
    let rules = cache_rules(context);
    (!pays_anew).then_some(Reuse { store, is_sandbox: who.is_sandbox, is_for_job, rules })
}

/// Which earlier answers the settings allow to be used.
pub(in crate::commands) fn cache_rules(context: &Context) -> CacheRules {
    let settings = &context.settings;
    let (no_cache, ttl) = (settings.get(key::NO_CACHE), settings.get(key::CACHE_TTL));
    CacheRules::new(no_cache, ttl, context.clock.unix())
}

/// Where and how the settings want the table; the place itself is added by the command.
pub(in crate::commands) fn output_spec(context: &Context) -> OutputSpec {
    let settings = &context.settings;
    let filled = settings.get(key::SKIP_FILLED);
    OutputSpec {
        path: None,
        response_column: settings
            .get(key::RESPONSE_COLUMN)
            .or_else(|| filled.clone().filter(|_| !wants_json(context))),
        details: settings.get(key::DETAILS),
        all_rows: settings.get(key::ALL_ROWS) || filled.is_some(),
        row_index: settings.get(key::ROW_INDEX),
        bom: settings.get(key::BOM).unwrap_or(false),
        raw_formulas: settings.get(key::CSV_RAW),
        overwrite: settings.get(key::OVERWRITE),
        defaults: settings.get(key::DEFAULT),
        files_folder: settings.get(key::OUTPUT_DIR).map(|dir| context.folder.join(dir)),
        format: None,
        only: Vec::new(),
        onto: None,
    }
}

/// The provider's limits with their margin, lowered by what the settings say.
fn limits(context: &Context, who: &Who, spec: &Spec) -> Limits {
    let settings = &context.settings;
    let mut limits = who.api.limits(spec.question.endpoint).with_margin();
    if let Some(most) = settings.get(key::MAX_SHARD_REQUESTS) {
        limits.max_requests = limits.max_requests.min(most.max(1));
    }
    if let Some(most) = settings.get(key::MAX_SHARD_BYTES) {
        limits.max_bytes = limits.max_bytes.min(most);
    }
    sized(limits, spec.mode)
}
