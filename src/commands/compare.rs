//! `compare A B`: two jobs over the same rows, side by side. It looks only; what it may write is a
//! table of the rows in which they differ.

mod show;

use std::path::{Path, PathBuf};

use self::show::{Document, SideView, lines};
use super::Context;
use super::flags::JsonArg;
use super::steps::{
    Answers, Bare, Destination, Found, Marks, columns, expected, find_job, if_pruned, open_store,
    require_beside, row_counts, spent, write_options,
};
use crate::answer::{Expected, Fields, RowStatus};
use crate::config::nearest;
use crate::job::{JobError, OutputSpec};
use crate::result::{
    Columns, Compared, Comparison, Join, Pairs, Reference, Side, common_columns, compare,
    difference_columns, row_hashes,
};
use crate::store::Store;
use crate::table::{Table, Target, Writer};
use crate::ui::{CommandError, ExitCode};

/// Arguments of `compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last
    #[arg(value_name = "A")]
    pub a: String,
    /// The other job, over the same table
    #[arg(value_name = "B")]
    pub b: String,
    /// Field to compare; may be repeated [default: all that both have, else the whole answer]
    #[arg(long = "field", value_name = "FIELD")]
    pub fields: Vec<String>,
    /// Column of the table that says what is right
    #[arg(long, value_name = "COLUMN")]
    pub reference: Option<String>,
    /// Table of the rows in which they differ; "-" is stdout [default: none]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the output whatever it is
    #[arg(long)]
    pub overwrite: bool,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// One of the two jobs with what is needed of it.
struct Job {
    found: Found,
    table: Table,
    expected: Expected,
    columns: Columns,
    answers: Answers,
}

impl Job {
    fn named(id: &str, context: &Context, store: &Store) -> Result<Self, CommandError> {
        let found = find_job(context, store, Some(id), Bare::Last)?;
        if let Some(words) = if_pruned(store, &found)? {
            return Err(CommandError::usage(words));
        }
        let expected = expected(&found.spec.form)?;
        let columns = columns(expected.wanted(), &found.spec.output);
        let table = found.written_table()?;
        let answers = Answers::of(store, &found)?;
        Ok(Self { found, table, expected, columns, answers })
    }

    fn fields(&self) -> Vec<&str> {
        self.expected.wanted().fields().into_iter().flat_map(Fields::columns).collect()
    }

    fn join(&self) -> Join<'_> {
        Join {
            table: &self.table,
            selection: self.found.written_selection(),
            columns: &self.columns,
            wanted: self.expected.wanted(),
            unsettled: RowStatus::Pending,
            all_rows: false,
            defaults: None,
            only: &[],
            provider: &self.found.spec.provider,
        }
    }

    fn view(&self, store: &Store) -> Result<SideView<'_>, CommandError> {
        let job = &self.found.job;
        let counts = row_counts(store, job)?;
        let good = counts.iter().filter(|(status, _)| status.is_good()).map(|(_, n)| n).sum();
        let open = counts.get(&RowStatus::Pending).copied().unwrap_or_default();
        Ok(SideView {
            job: job.short(),
            provider: &job.provider,
            model: &self.found.spec.question.model,
            rows: job.rows,
            good,
            open,
            spent: spent(store, job, &counts)?,
        })
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let store = open_store(context)?;
    let (a, b) = (Job::named(&args.a, context, &store)?, Job::named(&args.b, context, &store)?);
    if a.found.job.key == b.found.job.key {
        return Err(CommandError::usage(format!("both are job {}", a.found.job.short()))
            .hint("batchctl status   lists the jobs of all folders"));
    }
    let compared = compared(args, context, (&a, &b))?;
    let reference = reference(args, &a.table, &compared)?;
    let destination = match &args.output {
        Some(path) => {
            let source = Path::new(&a.found.spec.source);
            let destination = Destination::choose(Some(path), source, context)?;
            destination.require_not("the input", Path::new(&b.found.spec.source), context)?;
            require_beside(&destination, args.overwrite, &store)?;
            Some(destination)
        }
        None => None,
    };
    let pairs = pairs(&a, &b)?;
    let place = destination.as_ref();
    let names = difference_columns(&compared, reference.is_some());
    let mut writer = place.map(|place| writer(place, &a.table, &names)).transpose()?;
    let (mut from_a, mut from_b) = (a.answers.artifacts(), b.answers.artifacts());
    let found = compare(
        (Side { join: a.join(), artifacts: &mut from_a }, a.answers.all(&store, &a.found.job.key)),
        (Side { join: b.join(), artifacts: &mut from_b }, b.answers.all(&store, &b.found.job.key)),
        &pairs,
        (&compared, reference.as_ref()),
        writer.as_mut(),
    )?;
    if let Some(writer) = writer {
        let inputs = [&a, &b].map(|job| context.folder.join(&job.found.spec.source));
        let marks = Marks::new(context, &store).replacing(args.overwrite, inputs.to_vec());
        finish(context, writer, &marks)?;
    }
    let sides = [a.view(&store)?, b.view(&store)?];
    say(context, args, sides, (&pairs, &found), place)
}

/// The fields that are compared: those named, else all that both have, else the answers as texts.
fn compared(
    args: &Args,
    context: &Context,
    (a, b): (&Job, &Job),
) -> Result<Vec<Compared>, CommandError> {
    let (of_a, of_b) = (a.fields(), b.fields());
    let whole = || vec![Compared { name: "response".to_owned(), places: None }];
    if of_a.is_empty() && of_b.is_empty() && args.fields.is_empty() {
        return Ok(whole());
    }
    let place = |fields: &[&str], name: &str| fields.iter().position(|field| *field == name);
    let both = |name: &str| {
        let places = place(&of_a, name).zip(place(&of_b, name))?;
        Some(Compared { name: name.to_owned(), places: Some(places) })
    };
    let common: Vec<Compared> = of_a.iter().filter_map(|name| both(name)).collect();
    let listed = |job: &Job, fields: &[&str]| match fields {
        [] => format!("job {} asked for no fields", job.found.job.short()),
        fields => format!("job {} has {}", job.found.job.short(), fields.join(", ")),
    };
    let both_listed = format!("{}; {}", listed(a, &of_a), listed(b, &of_b));
    if args.fields.is_empty() {
        if common.is_empty() {
            context.printer.note(&format!(
                "the jobs have no field in common ({both_listed}): their whole answers are compared"
            ));
            return Ok(whole());
        }
        return Ok(common);
    }
    if common.is_empty() {
        let (one, other) = (a.found.job.short(), b.found.job.short());
        let what = format!("the jobs have no field in common: {both_listed}");
        return Err(CommandError::usage(what)
            .hint(format!("batchctl compare {one} {other}   compares their whole answers")));
    }
    let neither = |what: String| CommandError::usage(what).hint(both_listed.clone());
    let named = args.fields.iter().map(|name| {
        both(name).ok_or_else(|| {
            let meant = nearest(name, common.iter().map(|field| field.name.as_str()));
            let meant = meant.map(|meant| format!(" (nearest: `{meant}`)")).unwrap_or_default();
            neither(format!("--field names `{name}`, which is not a field of both{meant}"))
        })
    });
    named.collect()
}

/// The column that knows what is right, and the field it is for.
fn reference(
    args: &Args,
    table: &Table,
    compared: &[Compared],
) -> Result<Option<Reference>, CommandError> {
    let Some(name) = &args.reference else { return Ok(None) };
    let headers = table.headers();
    let column = headers.iter().position(|header| header == name).ok_or_else(|| {
        let meant = nearest(name, headers.iter().map(String::as_str));
        let meant = meant.map(|meant| format!(" (nearest: `{meant}`)")).unwrap_or_default();
        CommandError::usage(format!(
            "--reference names the column `{name}`, which the table does not have{meant}"
        ))
        .hint(format!("columns: {}", headers.join(", ")))
    })?;
    if compared.len() > 1 {
        let names: Vec<&str> = compared.iter().map(|field| field.name.as_str()).collect();
        return Err(CommandError::usage(format!(
            "which field is the column `{name}` for? {} are compared",
            names.join(", ")
        ))
        .hint(format!("name one: --field {}", names[0])));
    }
    Ok(Some(Reference { column, field: 0 }))
}

/// Which row of one job is which of the other, by the cells of the columns that both tables have.
fn pairs(a: &Job, b: &Job) -> Result<Pairs, CommandError> {
    let (of_a, of_b): (Vec<usize>, Vec<usize>) =
        common_columns(&a.table, &b.table).into_iter().unzip();
    let hashes = |job: &Job, columns: &[usize]| {
        row_hashes(&job.table, job.found.written_selection(), columns)
    };
    let pairs = if of_a.is_empty() {
        Pairs::default()
    } else {
        Pairs::find(&hashes(a, &of_a)?, &hashes(b, &of_b)?)
    };
    if pairs.matched > 0 {
        return Ok(pairs);
    }
    let (one, other) = (a.found.job.short(), b.found.job.short());
    Err(CommandError::usage(format!("no row of job {one} is a row of job {other}")).hint(format!(
        "they were asked about {} and {}; only answers to the same rows can be compared",
        a.found.spec.source, b.found.spec.source
    )))
}

fn writer(place: &Destination, table: &Table, names: &[String]) -> Result<Writer, CommandError> {
    let target = match place.path() {
        Some(path) => Target::Path(path.to_owned()),
        None => Target::Stdout,
    };
    let options = write_options(&OutputSpec::default(), &target, table);
    Ok(Writer::create(target, table, names, &options).map_err(JobError::from)?)
}

fn finish(context: &Context, writer: Writer, marks: &Marks<'_>) -> Result<(), CommandError> {
    let written = writer.finish_for(marks).map_err(JobError::from)?;
    for note in &written.notes {
        context.printer.note(note);
    }
    Ok(())
}

fn say(
    context: &Context,
    args: &Args,
    [a, b]: [SideView<'_>; 2],
    (pairs, found): (&Pairs, &Comparison),
    place: Option<&Destination>,
) -> Result<ExitCode, CommandError> {
    let path = place.and_then(Destination::path);
    if context.json {
        let output = path.map(|path| path.display().to_string());
        context.printer.json(&Document::of((&a, &b), pairs, found, output))?;
        return Ok(ExitCode::Success);
    }
    for line in lines((&a, &b), pairs, found) {
        // Where the table goes to stdout, the account must not stand in it.
        if place.is_some() && path.is_none() {
            context.printer.note(&line);
        } else {
            context.printer.data(&line)?;
        }
    }
    if let Some(path) = path {
        let shown = path.strip_prefix(&context.folder).unwrap_or(path);
        context.printer.note(&format!("wrote the rows that differ to {}", shown.display()));
    } else if place.is_none() && found.disagreements > 0 {
        let mut line = format!("batchctl compare {} {}", a.job, b.job);
        let mut add = |flag: &str, value: &str| {
            line += &format!(" {flag} {}", context.shell.quote(value));
        };
        args.fields.iter().for_each(|field| add("--field", field));
        args.reference.iter().for_each(|column| add("--reference", column));
        context.printer.note(&format!("all of them as a table: {line} -o disagreements.csv"));
    }
    Ok(ExitCode::Success)
}
