//! From settings and a table to a plan: the same way for `workflow`, `estimate` and `convert`.

use std::path::Path;

use super::asking::{Asked, ask};
use super::input::{Taken, take_in};
use super::who::Who;
use crate::commands::Context;
use crate::config::key;
use crate::cost::grouped;
use crate::job::{JobError, JobFolder, OutputSpec, Plan, Spec, plan};
use crate::request::RULES;
use crate::shard::Limits;
use crate::table::{Condition, RowRange, Selection, Table};
use crate::ui::{CommandError, ExitCode};

/// A folder for planning that is removed again unless a job adopts it.
pub(in crate::commands) struct Scratch {
    folder: Option<JobFolder>,
}

impl Scratch {
    /// Makes one in the home.
    pub(in crate::commands) fn new(home: &Path) -> Result<Self, CommandError> {
        let folder = JobFolder::scratch(home).map_err(JobError::file("write", home))?;
        Ok(Self { folder: Some(folder) })
    }

    /// The folder.
    pub(in crate::commands) fn folder(&self) -> &JobFolder {
        self.folder.as_ref().expect("only `keep` takes it, and that consumes the scratch")
    }

    /// Leaves the folder in place for its job.
    pub(in crate::commands) fn keep(mut self) -> JobFolder {
        self.folder.take().expect("taken only here")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            // Best effort: the next plan of this process number empties it.
            let _ = folder.remove();
        }
    }
}

/// A table with a plan for it.
pub(in crate::commands) struct Planned {
    /// The copy of the table.
    pub(in crate::commands) table: Table,
    /// What will be asked.
    pub(in crate::commands) spec: Spec,
    /// What will be sent.
    pub(in crate::commands) plan: Plan,
}

impl Planned {
    /// Takes a table in and plans the job that the settings describe.
    pub(in crate::commands) fn make(
        context: &Context,
        input: &Path,
        who: &Who,
        folder: &JobFolder,
    ) -> Result<Self, CommandError> {
        let taken = take_in(input, context, folder)?;
        let asked = ask(context, &taken.table, &taken.source, who)?;
        Self::of(context, taken, asked, who, folder)
    }

    fn of(
        context: &Context,
        taken: Taken,
        asked: Asked,
        who: &Who,
        folder: &JobFolder,
    ) -> Result<Self, CommandError> {
        let settings = &context.settings;
        let selection = selection(context, taken.table.headers())?;
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
            fields: settings.get(key::JSON_FIELDS),
            output: output_spec(context),
            keep_request_files: settings.get(key::KEEP_TEMP_FILES),
        };
        let limits = limits(context, who, &spec);
        let reporter = context.reporter();
        let plan = plan(&spec, &taken.table, &limits, folder, reporter.as_ref())?;
        for note in asked.notes.iter().chain(&plan.notes) {
            context.printer.note(note);
        }
        let planned = Self { table: taken.table, spec, plan };
        planned.require_rows()?;
        planned.require_images(context)?;
        Ok(planned)
    }

    /// The first rows without a request and why, so that a person can tell a wrong folder from
    /// a few bad files.
    fn tell_failing_images(&self, context: &Context) {
        let skipped = &self.plan.skipped;
        for record in skipped.iter().take(SHOWN_SKIPS) {
            let why = record.error.as_deref().unwrap_or("no request can be made");
            context.printer.note(&format!("  row {}: {why}", record.row));
        }
        if let Some(more) = skipped.len().checked_sub(SHOWN_SKIPS).filter(|more| *more > 0) {
            context.printer.note(&format!("  and {} more", grouped(more as u64)));
        }
    }

    /// A selection without rows is a slip, not a result.
    fn require_rows(&self) -> Result<(), CommandError> {
        if self.plan.rows > 0 {
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
    fn require_images(&self, context: &Context) -> Result<(), CommandError> {
        let failed: u64 =
            self.plan.skip_kinds.iter().filter(|(kind, _)| kind.is_image()).map(|(_, n)| n).sum();
        if failed == 0 {
            return Ok(());
        }
        let settings = &context.settings;
        let rows = self.plan.rows;
        let text = format!("the images of {failed} of {rows} rows cannot be sent");
        let first = self.plan.skipped.iter().find_map(|record| record.error.clone());
        let refuse = |text: String| {
            let mut error = CommandError::usage(text);
            error.hints.extend(first.clone().map(|first| format!("first: {first}")));
            let root = self.plan.image_root.as_deref();
            error.hints.extend(root.map(|root| format!("--image-root {}", root.display())));
            error
        };
        if failed == rows {
            return Err(refuse(format!("{text}: nothing is left to ask")));
        }
        if settings.get(key::STRICT_IMAGES) {
            return Err(refuse(format!("{text} (strict_images is set)")));
        }
        if settings.get(key::ALLOW_MISSING_IMAGES) || failed * 10 <= rows {
            self.tell_failing_images(context);
            context.printer.warning(&format!("{text}; they will be skipped"));
            return Ok(());
        }
        self.tell_failing_images(context);
        if context.is_interactive {
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
}

/// Rows without a request that are shown before the question whether to go on.
const SHOWN_SKIPS: usize = 3;

/// The rows that the settings select.
pub(in crate::commands) fn selection(
    context: &Context,
    headers: &[String],
) -> Result<Selection, CommandError> {
    let settings = &context.settings;
    let range = RowRange { start: settings.get(key::START_ROW), end: settings.get(key::END_ROW) };
    let usage = |error| CommandError::new(ExitCode::Usage, error);
    let conditions: Result<Vec<Condition>, _> =
        settings.get(key::WHERE).iter().map(|text| Condition::parse(text, headers)).collect();
    Selection::new(range, conditions.map_err(usage)?, settings.get(key::MAX_ROWS), headers)
        .map_err(usage)
}

/// Where and how the settings want the table; the place itself is added by the command.
pub(in crate::commands) fn output_spec(context: &Context) -> OutputSpec {
    let settings = &context.settings;
    OutputSpec {
        path: None,
        response_column: settings.get(key::RESPONSE_COLUMN),
        details: settings.get(key::DETAILS),
        all_rows: settings.get(key::ALL_ROWS),
        row_index: settings.get(key::ROW_INDEX),
        bom: settings.get(key::BOM).unwrap_or(false),
        raw_formulas: settings.get(key::CSV_RAW),
        overwrite: settings.get(key::OVERWRITE),
        files_folder: settings.get(key::OUTPUT_DIR).map(|dir| context.folder.join(dir)),
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
    limits
}
