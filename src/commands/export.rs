//! `export JOB [OUT]`: a job's rows in another form. Tables are written the very way that the job's
//! own table is; beside them there is a JSON document with all that is known of each row, and
//! request files for a model that runs elsewhere. Nothing is sent.

mod document;
mod joined;
mod place;
mod questions;
mod requests;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::document::write_document;
use self::requests::write_requests;
use super::Context;
use super::flags::{AnswerArgs, Flags, JsonArg, LookArgs};
use super::steps::{
    Bare, Destination, Found, export_table, find_job, if_pruned, open_store, require_beside,
    with_look,
};
use crate::answer::RowStatus;
use crate::config::{Overrides, nearest};
use crate::table::Format;
use crate::ui::{CommandError, ExitCode, count, counted};

/// Arguments of `export`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Job id, the provider's batch id, or last
    #[arg(value_name = "JOB")]
    pub job: String,
    /// File to write, its ending says the format; "-" is stdout [default: named after job and format]
    #[arg(value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// The same as OUT
    #[arg(short, long, value_name = "FILE", conflicts_with = "out", hide = true)]
    pub output: Option<PathBuf>,
    /// A table (csv, jsonl, xlsx), one document with messages, answers and statistics (json), or the requests anew, for `vllm run-batch`
    #[arg(long, value_name = "FORMAT", value_parser = ["csv", "json", "jsonl", "xlsx", "vllm"])]
    pub format: Option<String>,
    /// Only rows with these statuses, as ok,error; good is ok and cached, bad is all others
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',', value_parser = statuses)]
    pub status: Vec<Statuses>,
    /// What the answers become.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// How the output is written.
    #[command(flatten)]
    pub look: LookArgs,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

impl Flags for Args {
    fn lay(&self, over: &mut Overrides) {
        self.answer.lay(over);
        self.look.lay(over);
    }
}

/// The statuses that one word of `--status` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Vec<RowStatus>);

fn statuses(word: &str) -> Result<Statuses, String> {
    let all = RowStatus::ALL.into_iter();
    match word.trim() {
        "good" => return Ok(Statuses(all.filter(|status| status.is_good()).collect())),
        "bad" => return Ok(Statuses(all.filter(|status| !status.is_good()).collect())),
        _ => {}
    }
    let read = RowStatus::read(word.trim()).map(|status| Statuses(vec![status]));
    read.ok_or_else(|| {
        let words = all.clone().map(RowStatus::as_str).chain(["good", "bad"]);
        match nearest(word, words.clone()) {
            Some(meant) => format!("no status; did you mean {meant}?"),
            None => format!("no status; they are {}", words.collect::<Vec<_>>().join(", ")),
        }
    })
}

/// What is made of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Table(Format),
    Document,
    Requests,
}

impl Kind {
    /// What the flag says, else the ending of the name.
    fn choose(format: Option<&str>, out: Option<&Path>) -> Result<Self, CommandError> {
        let kind = match format {
            Some("vllm") => return Ok(Self::Requests),
            Some(word) => Format::from_name(&Path::new("x").with_extension(word)),
            None => out.and_then(Format::from_name),
        };
        match kind {
            Some(Format::Json) => Ok(Self::Document),
            Some(format) => Ok(Self::Table(format)),
            None => Err(CommandError::usage("the format is not said")
                .hint("end the name of the file in .csv, .json, .jsonl, .xlsx or .tsv")
                .hint("or add --format csv, json, jsonl, xlsx or vllm")),
        }
    }

    /// The name of the file where none is given.
    fn file_of(self, job: &str) -> PathBuf {
        PathBuf::from(match self {
            Self::Table(Format::Xlsx) => format!("{job}.xlsx"),
            Self::Table(Format::Jsonl) => format!("{job}.jsonl"),
            Self::Table(_) => format!("{job}.csv"),
            Self::Document => format!("{job}.json"),
            Self::Requests => format!("{job}.requests.jsonl"),
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Table(Format::Xlsx) => "xlsx",
            Self::Table(Format::Jsonl) => "jsonl",
            Self::Table(Format::Tsv) => "tsv",
            Self::Table(_) => "csv",
            Self::Document => "json",
            Self::Requests => "vllm",
        }
    }
}

/// What was written, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema_version: u32,
    job: &'a str,
    format: &'a str,
    output: Option<String>,
    /// Selected rows of the job.
    rows: u64,
    /// Those of them that were written.
    written: u64,
    /// Rows of which no request can be made; only of request files.
    skipped: Option<u64>,
}

/// Rows read and written, and of request files those that make no request, with the first reason.
#[derive(Debug, Default)]
struct Wrote {
    rows: u64,
    written: u64,
    skipped: u64,
    reason: Option<String>,
    /// Whether a row that is written may be another than one of the rows of the job.
    has_others: bool,
}

impl Wrote {
    /// In words: rows of the job and rows of the file are not one of the other where the file has
    /// more or others.
    fn in_words(&self) -> String {
        let (written, rows) = (self.written, self.rows);
        if self.has_others {
            return format!("{} ({} asked)", counted(written, "row"), count(rows));
        }
        format!("{} of {}", count(written), counted(rows, "row"))
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let named = args.out.as_deref().or(args.output.as_deref());
    let kind = Kind::choose(args.format.as_deref(), named)?;
    let store = open_store(context)?;
    let found = find_job(context, &store, Some(&args.job), Bare::Last)?;
    if let Some(words) = if_pruned(&store, &found)? {
        return Err(CommandError::usage(words));
    }
    let file = named.map_or_else(|| kind.file_of(found.job.short()), Path::to_owned);
    let mut found = with_look(found, Some(&file), context)?;
    let output = &mut found.spec.output;
    output.only = args.status.iter().flat_map(|statuses| statuses.0.clone()).collect();
    output.files_folder = None;
    let place = output.path.clone();
    let destination = place.clone().map_or(Destination::Stdout, Destination::File);
    let overwrite = context.settings.get(crate::config::key::OVERWRITE);
    require_beside(&destination, overwrite, &store)?;
    let wrote = match kind {
        Kind::Table(format) => {
            output.format = Some(format);
            let summary = export_table(context, &store, &found)?;
            let output = &found.spec.output;
            let is_filling = found.written_selection().filled_column().is_some();
            Wrote {
                rows: summary.selected,
                written: summary.written,
                has_others: summary.is_exploded || output.all_rows || is_filling,
                ..Wrote::default()
            }
        }
        Kind::Document => write_document(context, &store, &found)?,
        Kind::Requests => write_requests(context, &store, &found)?,
    };
    tell(context, &found, kind, place.as_deref(), &wrote)?;
    Ok(ExitCode::Success)
}

fn tell(
    context: &Context,
    found: &Found,
    kind: Kind,
    place: Option<&Path>,
    wrote: &Wrote,
) -> Result<(), CommandError> {
    let job = found.job.short();
    if wrote.skipped > 0 {
        let reason = wrote.reason.as_deref().unwrap_or_default();
        let rows = counted(wrote.skipped, "row");
        context.printer.warning(&format!("{rows} cannot be asked and left out; {reason}"));
    }
    if context.json {
        context.printer.json(&Report {
            schema_version: 1,
            job,
            format: kind.word(),
            output: place.map(|path| path.display().to_string()),
            rows: wrote.rows,
            written: wrote.written,
            skipped: (kind == Kind::Requests).then_some(wrote.skipped),
        })?;
        return Ok(());
    }
    let Some(path) = place else { return Ok(()) };
    let shown = path.strip_prefix(&context.folder).unwrap_or(path).display().to_string();
    context.printer.note(&format!("wrote {} of job {job} to {shown}", wrote.in_words()));
    if kind == Kind::Requests {
        let (file, model) =
            (context.shell.quote(&shown), context.shell.quote(&found.spec.question.model));
        context.printer.note(&format!(
            "run them:  vllm run-batch -i {file} -o results.jsonl --model MODEL --served-model-name \
             {model}"
        ));
        context.printer.note(&format!(
            "and merge: batchctl merge results.jsonl --original-csv   (their ids are those of job {job})"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_20_the_format_is_what_the_flag_says_or_the_name() {
        let table = [
            (None, Some("out.csv"), Some(Kind::Table(Format::Csv))),
            (None, Some("out.TSV"), Some(Kind::Table(Format::Tsv))),
            (None, Some("a/out.xlsx"), Some(Kind::Table(Format::Xlsx))),
            (None, Some("out.jsonl"), Some(Kind::Table(Format::Jsonl))),
            (None, Some("out.json"), Some(Kind::Document)),
            (Some("vllm"), Some("out.jsonl"), Some(Kind::Requests)),
            (Some("json"), Some("-"), Some(Kind::Document)),
            (Some("csv"), None, Some(Kind::Table(Format::Csv))),
            (None, Some("-"), None),
            (None, Some("out"), None),
            (None, None, None),
        ];
        for (format, out, expected) in table {
            let kind = Kind::choose(format, out.map(Path::new)).ok();
            assert_eq!(kind, expected, "{format:?} {out:?}");
        }
    }

    #[test]
    fn words_of_statuses() {
        assert_eq!(statuses("error"), Ok(Statuses(vec![RowStatus::Error])));
        let (good, bad) = (statuses("good").unwrap().0, statuses("bad").unwrap().0);
        assert_eq!(good, [RowStatus::Ok, RowStatus::Cached]);
        assert_eq!(good.len() + bad.len(), RowStatus::ALL.len());
        assert_eq!(statuses("eror").unwrap_err(), "no status; did you mean error?");
        assert!(statuses("whatever").unwrap_err().contains("truncated, refused"));
    }
}
