//! Writes the table with the answers that were read, and tells what became of the lines.

use std::io;

use super::fix::Fixes;
use super::origin::{Origin, Origins};
use super::read::{Lines, Reading};
use crate::answer::RowStatus;
use crate::commands::steps::{
    FillReport, Found, MergeReport, MergeSource, columns, cost_of_lines, defaults, digest_at,
    report_merge, require_fillable, require_shape, selection, write_options,
};
use crate::config::key;
use crate::job::{JobError, OutputSpec};
use crate::result::{Asked, Join, Share};
use crate::table::{Selection, Target, Writer};
use crate::ui::{CommandError, ExitCode};

/// Writes the table and prints the account.
pub(super) fn write(
    reading: &Reading<'_>,
    origins: &Origins,
    lines: &Lines,
    mut output: OutputSpec,
) -> Result<ExitCode, CommandError> {
    let Reading { context, store, table, .. } = *reading;
    let Chosen { rows: chosen, are_all_asked } = chosen_rows(reading, origins, lines)?;
    let wanted = lines.expected.wanted();
    if let Some(column) = chosen.filled_column() {
        output.all_rows = true;
        output.response_column = match context.settings.get(key::RESPONSE_COLUMN) {
            None if !wanted.is_json() => Some(table.headers()[column].clone()),
            given => given,
        };
        require_fillable("--fill", &chosen, table.headers(), wanted, &output)?;
    }
    require_shape(wanted, &output, chosen.filled_column().is_some())?;
    let defaults = defaults(wanted, &output)?;
    let columns = columns(wanted, &output);
    let target = output.path.clone().map_or(Target::Stdout, Target::Path);
    let mut options = write_options(&output, &target, table);
    options.fill = chosen.filled_column();
    let mut writer =
        Writer::create(target, table, columns.names(), &options).map_err(JobError::from)?;
    let join = Join {
        table,
        selection: &chosen,
        columns: &columns,
        wanted,
        unsettled: unsettled(reading, lines),
        all_rows: output.all_rows,
        defaults: defaults.as_ref(),
        only: &[],
        provider: "",
    };
    let Lines { index, ontos, asked, .. } = lines;
    let asked = asked.as_ref().filter(|_| !are_all_asked).map_or(Asked::All, Asked::Rows);
    let merged = index.write(join, ontos, asked, &mut writer);
    let merged = merged.map_err(|error| Fixes::of(reading).explain(error, index))?;
    let filled = chosen.filled_column().map(|column| FillReport {
        column: table.headers()[column].clone(),
        filled: writer.filled(),
        left: merged.summary.selected.saturating_sub(writer.filled()),
    });
    let mark = |digest: &str| {
        let Some(path) = &output.path else { return Ok(()) };
        let earlier = digest_at(path)?;
        let digests = (digest, earlier.as_deref());
        store
            .mark_output(&path.to_string_lossy(), digests, None, context.clock.unix())
            .map_err(io::Error::other)
    };
    let written = writer.finish_after(mark).map_err(JobError::from)?;
    for note in &written.notes {
        context.printer.note(note);
    }
    let job = match origins.all() {
        [only] if ontos.len() == 1 => only.job(),
        _ => None,
    };
    let usage = merged.summary.usage;
    let cost = job.map(|found| cost_of_lines(store, &found.job, usage)).transpose()?.flatten();
    let sources = shares(reading, &merged.shares)?;
    let summary = merged.summary;
    let report = MergeReport { summary, cost, sources, filled, output: output.path };
    report_merge(context, &report, reading.args.allow_partial)
}

/// The rows that are written.
struct Chosen {
    rows: Selection,
    /// Whether each of them was asked, so that none must be looked up.
    are_all_asked: bool,
}

/// The rows that the line asks for; where it says nothing, those that were asked.
fn chosen_rows(
    reading: &Reading<'_>,
    origins: &Origins,
    lines: &Lines,
) -> Result<Chosen, CommandError> {
    let given = selection(reading.context, reading.table)?;
    let Some(asked) = lines.asked.as_ref().filter(|_| given.is_everything()) else {
        return Ok(Chosen { rows: given, are_all_asked: false });
    };
    let mut selections = origins.all().iter().map(Origin::selection);
    if let Some(only) = lines.only {
        let rows = origins.all()[only].selection().clone();
        return Ok(Chosen { rows, are_all_asked: true });
    }
    let has_others =
        lines.ontos.iter().any(|onto| lines.index.groups()[onto.group].kind().job6().is_none());
    if has_others || selections.any(Selection::is_everything) {
        return Ok(Chosen { rows: given, are_all_asked: false });
    }
    Ok(Chosen { rows: Selection::only(asked.clone()), are_all_asked: true })
}

/// The status of rows that were asked and of which nothing is known.
fn unsettled(reading: &Reading<'_>, lines: &Lines) -> RowStatus {
    let goes_on = |found: &Found| !found.job.state.is_over();
    match &lines.asked {
        None => RowStatus::Unasked,
        Some(_) if reading.sources.jobs.iter().any(goes_on) => RowStatus::Pending,
        Some(_) => RowStatus::Missing,
    }
}

/// What came of each file and job.
fn shares(reading: &Reading<'_>, shares: &[Share]) -> Result<Vec<MergeSource>, CommandError> {
    let mut shares = shares.iter();
    let mut next = |source: String, files: usize| {
        let all = shares.by_ref().take(files);
        let add = |sum: MergeSource, share: &Share| MergeSource {
            lines: sum.lines + share.lines,
            rows: sum.rows + share.rows,
            ..sum
        };
        all.fold(MergeSource { source, lines: 0, rows: 0 }, add)
    };
    let mut all = Vec::new();
    for found in &reading.sources.jobs {
        let files = reading.store.artifacts(&found.job.key)?.len();
        all.push(next(format!("job {}", found.job.short()), files));
    }
    for file in &reading.sources.files {
        all.push(next(file.display().to_string(), 1));
    }
    let earlier = next("answers of earlier jobs".to_owned(), usize::MAX);
    all.extend((earlier.lines > 0).then_some(earlier));
    Ok(all)
}
