//! What a job was asked to do, as plain values: stored with the job when it is planned, so that
//! a resume, a merge or a cancel needs nothing but the ledger and the job's folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::JobError;
use crate::answer::RowStatus;
use crate::request::{Form, Mode, Question, RULES, Source};
use crate::shard::Limits;
use crate::store::JobRecord;
use crate::table::{Format, Selection, Shape};

/// The whole request of one job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// [`RULES`](crate::request::RULES) when it was planned.
    pub rules: u32,
    /// The provider's name.
    pub provider: String,
    /// Where its calls go.
    pub base_url: String,
    /// How long the provider may take, in its own words (`24h`).
    pub completion_window: String,
    /// The table as the user named it, absolute; `-` for standard input.
    pub source: String,
    /// blake3 of the table's bytes.
    pub source_digest: String,
    /// Name of the copy below the job's folder; its text is UTF-8 whatever the table's was.
    pub input: String,
    /// How the user's table is written.
    pub shape: Shape,
    /// Which rows are asked.
    pub selection: Selection,
    /// What is asked of each.
    pub question: Question,
    /// What each answer is to hold.
    #[serde(flatten)]
    pub form: Form,
    /// Where and how the table is written.
    pub output: OutputSpec,
    /// Keep request files after their batch exists.
    pub keep_request_files: bool,
    /// What one file may hold; later rounds are cut by it too.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// How the rows of the first round are sent.
    #[serde(default)]
    pub mode: Mode,
    /// Who else is asked by calls where the provider does not answer, in this order; batches are
    /// the first one's alone.
    #[serde(default)]
    pub others: Vec<Other>,
    /// How many rounds a row may run in, where that was said.
    #[serde(default)]
    pub rounds: Option<u32>,
    /// How often a row is asked again whose answer is not the JSON that is wanted.
    #[serde(default)]
    pub reask: u32,
    /// What the line that made the job said of how it runs, by setting: a later command goes on so
    /// unless it says otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub said: BTreeMap<String, String>,
}

/// Where and how the table with the answers is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSpec {
    /// The file, absolute; `None` is standard output.
    pub path: Option<PathBuf>,
    /// Name of the raw answer's column, if not the usual one.
    pub response_column: Option<String>,
    /// The columns of `--details` too.
    pub details: bool,
    /// Unselected rows too, with empty answers.
    pub all_rows: bool,
    /// `row_index` as the first column.
    pub row_index: bool,
    /// Byte-order mark, where it is not to be as in the table.
    pub bom: bool,
    /// No apostrophe before answers that a spreadsheet would run as a formula.
    pub raw_formulas: bool,
    /// Replace a file that is not ours.
    pub overwrite: bool,
    /// What stands in the fields of rows without a good answer, as `field=value`.
    #[serde(default)]
    pub defaults: Vec<String>,
    /// Where result files are copied for the user.
    pub files_folder: Option<PathBuf>,
    /// The format, where the name of the file is not to say it; of one run only.
    #[serde(skip)]
    pub format: Option<Format>,
    /// Rows of these statuses only, where some are named; of one run only.
    #[serde(skip)]
    pub only: Vec<RowStatus>,
    /// The table that the answers are written onto, if it is not the very one that was asked.
    #[serde(default)]
    pub onto: Option<Onto>,
}

/// A table with the same questions in the same rows as the one that was asked, and with other
/// cells beside them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onto {
    /// The table as the user named it, absolute.
    pub source: String,
    /// Name of the copy below the job's folder.
    pub input: String,
    /// How the user's table is written.
    pub shape: Shape,
    /// The rows that were asked, by this table's columns.
    pub selection: Selection,
}

impl OutputSpec {
    /// This with what is asked now on top. A later command can add to the look of a table, not
    /// take from it; where the table goes is not touched.
    pub fn add(&mut self, asked: Self) {
        self.details |= asked.details;
        self.all_rows |= asked.all_rows;
        self.row_index |= asked.row_index;
        self.bom |= asked.bom;
        self.raw_formulas |= asked.raw_formulas;
        self.overwrite |= asked.overwrite;
        self.add_defaults(asked.defaults);
        self.response_column = asked.response_column.or(self.response_column.take());
        self.files_folder = asked.files_folder.or(self.files_folder.take());
    }

    /// A later word about a field goes before an earlier one.
    fn add_defaults(&mut self, asked: Vec<String>) {
        let field = |text: &str| text.split_once('=').map(|(field, _)| field.trim().to_owned());
        self.defaults.retain(|known| asked.iter().all(|new| field(new) != field(known)));
        self.defaults.extend(asked);
    }
}

/// One more provider that a call may go to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Other {
    /// The name it is called by.
    pub provider: String,
    /// The same question as this one is asked it: its model, its address, its names of parameters.
    pub question: Question,
}

impl Spec {
    /// Digest of what is asked of every row, and of whom: rows of other jobs with the same one
    /// tell how long answers are. What a sandbox makes up tells nothing of a real answer.
    pub fn prompt_digest(&self, is_sandbox: bool) -> String {
        let asked = serde_json::json!([
            RULES,
            is_sandbox,
            self.base_url,
            self.question.digest(),
            // Finished requests hold their own questions.
            (self.question.source == Source::Foreign).then_some(&self.source_digest),
        ]);
        crate::base::hex(asked.to_string().as_bytes())
    }

    /// Reads the request that a job was planned with.
    pub fn of(job: &JobRecord) -> Result<Self, JobError> {
        serde_json::from_str(&job.spec)
            .map_err(|e| JobError::Spec { job: job.short().to_owned(), detail: e.to_string() })
    }
}
