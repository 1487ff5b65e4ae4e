//! Writes the table with the answers that were read, and tells what became of the lines.

use super::origin::{Origin, Origins};
use super::read::{Lines, Reading, filling_line};
use crate::answer::{RowStatus, Wanted};
use crate::commands::Context;
use crate::commands::steps::{
    FillReport, Found, Marks, MergeReport, MergeSource, columns, cost_of_lines, defaults,
    keep_fitting, report_merge, require_fillable, require_shape, selection_for, write_options,
};
use crate::config::{is_loopback, key};
use crate::cost::Money;
use crate::job::{JobError, OutputSpec, Prices};
use crate::result::{Asked, Join, Merged, Share};
use crate::table::{Selection, Target, WriteOptions, Writer};
use crate::ui::{CommandError, ExitCode};

/// Writes the table and prints the account.
pub(super) fn write(
    reading: &Reading<'_>,
    origins: &Origins,
    lines: &Lines,
    mut output: OutputSpec,
) -> Result<ExitCode, CommandError> {
    let Reading { context, table, .. } = *reading;
    let Chosen { rows, are_all_asked } = chosen_rows(reading, origins, lines)?;
    let wanted = lines.expected.wanted();
    let fill = rows.filled_column();
    if let Some(column) = fill {
        fill_in(&mut output, context, (!wanted.is_json()).then(|| &table.headers()[column]));
        let line = filling_line(reading, wanted, &table.headers()[column]);
        require_fillable(("--fill", Some(line)), &rows, table.headers(), wanted, &output)?;
    }
    require_shape(wanted, &output, fill.is_some())?;
    if reading.args.answer.defaults.is_empty() {
        output.defaults = kept_defaults(origins, wanted, output.defaults);
    }
    let defaults = defaults(wanted, &output)?;
    let columns = columns(wanted, &output);
    let target = output.path.clone().map_or(Target::Stdout, Target::Path);
    let options = WriteOptions { fill, ..write_options(&output, &target, table) };
    let mut writer =
        Writer::create(target, table, columns.names(), &options).map_err(JobError::from)?;
    let join = Join {
        table,
        selection: &rows,
        columns: &columns,
        wanted,
        unsettled: unsettled(reading, lines),
        all_rows: output.all_rows,
        defaults: defaults.as_ref(),
        only: &[],
        provider: "",
    };
    let asked = lines.asked.as_ref().filter(|_| !are_all_asked).map_or(Asked::All, Asked::Rows);
    let merged = lines.index.write(join, &lines.ontos, asked, &mut writer);
    let merged = merged.map_err(|error| lines.explain(reading, error))?;
    let filled = fill.map(|column| FillReport {
        column: table.headers()[column].clone(),
        filled: writer.filled(),
        left: merged.summary.selected.saturating_sub(writer.filled()),
    });
    finish(reading, writer, output.overwrite)?;
    let report = MergeReport {
        cost: cost(reading, origins, lines, &merged)?,
        is_charged: origins.all().iter().filter_map(Origin::job).any(is_charged),
        summary: merged.summary,
        sources: shares(reading, &merged.shares)?,
        filled,
        output: output.path,
    };
    report_merge(context, &report, reading.args.allow_partial)
}

/// What the newest job that is over put in the cells of rows without a good answer, as far as the
/// wanted fields take it; where it put nothing, what is given.
fn kept_defaults(origins: &Origins, wanted: Wanted<'_>, given: Vec<String>) -> Vec<String> {
    let jobs = origins.all().iter().rev().filter_map(Origin::job);
    let mut over = jobs.filter(|found| found.job.state.is_over());
    let kept = over.find(|found| !found.spec.output.defaults.is_empty());
    let Some(found) = kept else { return given };
    let mut defaults = found.spec.output.defaults.clone();
    keep_fitting(&mut defaults, wanted);
    defaults
}

/// The look of a table of which a column is filled: all rows, and the raw answer in the column,
/// unless a field of the answers is to fill it.
fn fill_in(output: &mut OutputSpec, context: &Context, raw: Option<&String>) {
    output.all_rows = true;
    output.response_column = context.settings.get(key::RESPONSE_COLUMN).or(raw.cloned());
}

/// Gives the table its name, and marks it as ours before that.
fn finish(reading: &Reading<'_>, writer: Writer, overwrite: bool) -> Result<(), CommandError> {
    let Reading { context, store, .. } = *reading;
    let files = reading.sources.files.iter().map(|file| context.folder.join(file));
    let inputs = files.chain([context.folder.join(reading.table.source_path())]).collect();
    let marks = Marks::new(context, store).replacing(overwrite, inputs);
    let written = writer.finish_for(&marks).map_err(JobError::from)?;
    for note in &written.notes {
        context.printer.note(note);
    }
    Ok(())
}

/// What the lines cost, where all of them are of jobs that are known: that of one by its prices,
/// that of several by their accounts, if all are in one currency and all or none were charged.
fn cost(
    reading: &Reading<'_>,
    origins: &Origins,
    lines: &Lines,
    merged: &Merged,
) -> Result<Option<Money>, CommandError> {
    if let [Origin::Job(found)] = origins.all()
        && lines.ontos.len() == 1
    {
        return cost_of_lines(reading.store, &found.job, &merged.summary);
    }
    let jobs: Vec<&Found> = origins.all().iter().filter_map(Origin::job).collect();
    let is_of_jobs = !jobs.is_empty() && jobs.len() == lines.ontos.len();
    let Some(pico) = merged.cost.filter(|_| is_of_jobs) else { return Ok(None) };
    let mut kinds = Vec::new();
    for found in jobs {
        kinds.push((Prices::of(reading.store, &found.job)?.currency(), is_charged(found)));
    }
    kinds.dedup();
    Ok(match kinds.as_slice() {
        [(Some(currency), _)] => Some(Money { currency: *currency, pico }),
        _ => None,
    })
}

fn is_charged(found: &Found) -> bool {
    !is_loopback(&found.job.base_url)
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
    let given = selection_for(reading.context, reading.table, "--fill")?;
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
    let mut rows = Selection::only(asked.clone());
    let headers = reading.table.headers();
    // A job that filled a column fills it here too, as far as it is empty.
    let filled = origins.all().iter().rev().find_map(|origin| origin.selection().filled_name());
    if let Some(name) = filled.filter(|name| headers.iter().any(|header| header == name)) {
        rows = rows.skipping_filled(name, headers).map_err(JobError::from)?;
    }
    Ok(Chosen { rows, are_all_asked: true })
}

/// The status of rows that were asked and of which nothing is known.
fn unsettled(reading: &Reading<'_>, lines: &Lines) -> RowStatus {
    let goes_on = |found: &Found| !found.job.state.is_over();
    match &lines.asked {
        _ if reading.sources.is_running => RowStatus::Pending,
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
