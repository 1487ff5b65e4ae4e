//! The table of all settings: name, kind, default, who may set it.

use std::marker::PhantomData;
use std::time::Duration;

use super::value::Kind;

/// The name of a setting together with the type of its value.
pub struct Key<T> {
    /// The name as it is written in files, after `--set`, and in capitals after `BATCHCTL_`.
    pub name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    const fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> std::fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Who may set a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Every layer.
    Anywhere,
    /// Not a project's file and not `.env`: it could spend money, redirect a key, open a folder
    /// or overwrite a file for whoever enters a cloned folder. The text says which.
    NotProject(&'static str),
    /// Every layer, but a project's file and `.env` only lower what the user set: entering a cloned
    /// folder must not spend more.
    Lower,
    /// Only `[job]` of a project's file (and its own flags).
    Job,
    /// Every layer, but shown nowhere: for tests.
    Hidden,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its value when nobody says anything, as one would type it.
    pub default: Option<&'static str>,
    /// Who may set it.
    pub place: Place,
    /// One sentence.
    pub about: &'static str,
}

/// The setting of this name; `-` and `_` are the same.
pub fn named(name: &str) -> Option<&'static Setting> {
    let name = name.trim().replace('-', "_");
    SETTINGS.iter().find(|setting| setting.name == name)
}

macro_rules! settings {
    ($(#[doc = $about:literal] $constant:ident: $type:ty = $name:literal, $kind:expr, $default:expr, $place:expr;)*) => {
        /// The settings as constants.
        pub(super) mod constants {
            use super::{Duration, Key};
            $(#[doc = $about] pub const $constant: Key<$type> = Key::new($name);)*
        }

        /// Every setting there is, in the order in which a row meets them.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: $name, kind: $kind, default: $default, place: $place, about: $about.trim_ascii(),
        },)*];

        #[cfg(test)]
        pub(super) fn check_types(settings: &super::Settings) {
            $(let _: $type = settings.get(constants::$constant);)*
        }
    };
}

const BUDGET: Place = Place::NotProject("it decides about money");
const ADDRESS: Place = Place::NotProject("it decides where data and keys go");
const FOLDERS: Place = Place::NotProject("it decides which files may be read");
const COMMANDS: Place = Place::NotProject("it decides which command is run");
const REMOVES: Place = Place::NotProject("it decides which files are removed");
const FILES: Place = Place::NotProject("it decides which files may be replaced");

settings! {
    /// The input table of this folder's job.
    INPUT: Option<String> = "input", Kind::Text, None, Place::Job;
    /// The output table of this folder's job.
    OUTPUT: Option<String> = "output", Kind::Text, None, Place::Job;

    /// The sheet of a workbook, by name or number; the first that is not hidden.
    SHEET: Option<String> = "sheet", Kind::Text, None, Place::Anywhere;

    /// The first row to ask, counted from 0.
    START_ROW: u64 = "start_row", Kind::Whole, Some("0"), Place::Anywhere;
    /// The row to stop before.
    END_ROW: Option<u64> = "end_row", Kind::Whole, None, Place::Anywhere;
    /// Only rows for which these hold: column=value, column!=value, column in (a, b).
    WHERE: Vec<String> = "where", Kind::List, None, Place::Anywhere;
    /// Rows for which this column is empty are asked, and the answer is written into it.
    SKIP_FILLED: Option<String> = "skip_filled", Kind::Text, None, Place::Anywhere;
    /// That many of these rows, drawn at random.
    SAMPLE: Option<u64> = "sample", Kind::Whole, None, Place::Anywhere;
    /// What the drawing starts from: the same number draws the same rows.
    SEED: u64 = "seed", Kind::Whole, Some("0"), Place::Anywhere;
    /// At most that many rows.
    MAX_ROWS: Option<u64> = "max_rows", Kind::Whole, None, Place::Anywhere;

    /// Who is asked, and paid: NAME or NAME:MODEL; several, or the name of a chain, for calls.
    PROVIDER: Option<String> = "provider", Kind::Names, None, Place::Anywhere;
    /// The model.
    MODEL: Option<String> = "model", Kind::Text, None, Place::Anywhere;

    /// The question, with `{column}` where a cell belongs; @file reads it from a file.
    PROMPT: Option<String> = "prompt", Kind::Text, None, Place::Anywhere;
    /// The file that holds the question.
    PROMPT_FILE: Option<String> = "prompt_file", Kind::Text, None, Place::Anywhere;
    /// The system message; @file reads it from a file.
    SYSTEM: Option<String> = "system", Kind::Text, None, Place::Anywhere;
    /// The file that holds the system message.
    SYSTEM_FILE: Option<String> = "system_file", Kind::Text, None, Place::Anywhere;
    /// The column that is asked about; * means all of them.
    INPUT_COLUMN: Option<String> = "input_column", Kind::Text, None, Place::Anywhere;
    /// Columns that hold images.
    IMAGE_COLUMN: Vec<String> = "image_column", Kind::List, None, Place::Anywhere;
    /// Folders that images may come from.
    IMAGE_ROOT: Vec<String> = "image_root", Kind::List, None, FOLDERS;
    /// How closely images are looked at.
    IMAGE_DETAIL: String = "image_detail", Kind::Choice(&["high", "low", "auto"]), Some("high"), Place::Anywhere;
    /// Larger images are made smaller, in pixels of the longer side.
    IMAGE_MAX_SIDE: Option<u64> = "image_max_side", Kind::Whole, None, Place::Anywhere;
    /// Sampling temperature.
    TEMPERATURE: Option<f64> = "temperature", Kind::Number, None, Place::Anywhere;
    /// The most tokens an answer may have.
    MAX_TOKENS: Option<u64> = "max_tokens", Kind::Whole, None, Place::Anywhere;
    /// Further request parameters, as key=json.
    PARAM: Vec<String> = "param", Kind::Pairs, None, Place::Anywhere;
    /// What is called.
    ENDPOINT: String = "endpoint", Kind::Choice(&["chat", "embeddings", "responses"]), Some("chat"), Place::Anywhere;
    /// Go on however many images fail.
    ALLOW_MISSING_IMAGES: bool = "allow_missing_images", Kind::Flag, Some("false"), Place::Anywhere;

    /// Keys of a JSON answer that become columns.
    JSON_FIELDS: Option<String> = "json_fields", Kind::Names, None, Place::Anywhere;
    /// The JSON schema of the answers: a file, or the schema itself.
    JSON_SCHEMA: Option<String> = "json_schema", Kind::Text, None, Place::Anywhere;
    /// Do not tell the model which JSON is wanted.
    NO_JSON_HINT: bool = "no_json_hint", Kind::Flag, Some("false"), Place::Anywhere;
    /// What stands in the field of a row without a good answer once its job is over, as field=value.
    DEFAULT: Vec<String> = "default", Kind::List, None, Place::Anywhere;
    /// Make a row of each thing in an answer that is a list.
    EXPLODE: bool = "explode", Kind::Flag, Some("false"), Place::Anywhere;
    /// How often a row is asked again whose answer is not the JSON that is wanted.
    REASK: u64 = "reask", Kind::Whole, Some("0"), Place::Anywhere;
    /// The name of the column with the raw answer.
    RESPONSE_COLUMN: Option<String> = "response_column", Kind::Text, None, Place::Anywhere;
    /// Add columns about each answer: ids, tokens, finish reason.
    DETAILS: bool = "details", Kind::Flag, Some("false"), Place::Anywhere;
    /// Write the rows that were not selected too.
    ALL_ROWS: bool = "all_rows", Kind::Flag, Some("false"), Place::Anywhere;

    /// The longest time between two questions to the provider.
    CHECK_INTERVAL: Option<Duration> = "check_interval", Kind::Duration, None, Place::Anywhere;
    /// Stop waiting after that long; the job goes on remotely.
    MAX_WAIT: Option<Duration> = "max_wait", Kind::Duration, None, Place::Anywhere;
    /// How rows are sent: in batches, by calls, or by calls where they are few.
    MODE: String = "mode", Kind::Choice(&["batch", "realtime", "auto"]), Some("batch"), Place::Anywhere;
    /// Fewer rows than this are sent by calls where the mode is auto.
    BATCH_THRESHOLD: u64 = "batch_threshold", Kind::Whole, Some("20"), Place::Anywhere;
    /// The most calls at once; found out where nothing is said.
    CONCURRENCY: Option<u64> = "concurrency", Kind::Positive, None, Place::Anywhere;
    /// The most calls in a minute; learned from the provider where nothing is said.
    RPM: Option<u64> = "rpm", Kind::Positive, None, Place::Anywhere;
    /// The most tokens in a minute, prompts and answers; learned where nothing is said.
    TPM: Option<u64> = "tpm", Kind::Positive, None, Place::Anywhere;
    /// How long one call may take; 120s for tables and 30s for chat if nothing is said.
    TIMEOUT: Option<Duration> = "timeout", Kind::Wait, None, Place::Anywhere;
    /// How often a call is made again that failed in passing.
    RETRIES: u64 = "retries", Kind::Whole, Some("3"), Place::Anywhere;
    /// The first wait before a call is made again; it doubles, and is drawn at random below that.
    RETRY_DELAY: Duration = "retry_delay", Kind::Duration, Some("1s"), Place::Anywhere;
    /// Failures in a row after which a provider is left alone for a while.
    FAILURE_THRESHOLD: u64 = "failure_threshold", Kind::Positive, Some("3"), Place::Anywhere;
    /// How long such a provider is left alone.
    COOL_DOWN: Duration = "cool_down", Kind::Duration, Some("60s"), Place::Anywhere;
    /// How old an earlier answer may be that is used again; any age if nothing is said.
    CACHE_TTL: Option<Duration> = "cache_ttl", Kind::Duration, None, Place::Anywhere;
    /// Use no earlier answer; equal rows are still asked once.
    NO_CACHE: bool = "no_cache", Kind::Flag, Some("false"), BUDGET;
    /// Do not wait for the answers.
    NO_WAIT: bool = "no_wait", Kind::Flag, Some("false"), Place::Anywhere;
    /// Rounds that a row may run in; 3 if nothing is said.
    ROUNDS: Option<u64> = "rounds", Kind::Whole, None, Place::Anywhere;
    /// How the last rows are finished: as further batches, by calls, or not at all.
    FINISH: String = "finish", Kind::Choice(&["batch", "realtime", "none"]), Some("batch"), Place::Anywhere;
    /// Nothing more is sent once more than this share of a shard's rows (20 at least) failed; 1 is never.
    ABORT_SHARE: f64 = "abort_share", Kind::Number, Some("0.5"), Place::Anywhere;
    /// Keep the request files.
    KEEP_TEMP_FILES: bool = "keep_temp_files", Kind::Flag, Some("false"), Place::Anywhere;
    /// Pay for every row anew, whatever was answered before.
    AGAIN: bool = "again", Kind::Flag, Some("false"), BUDGET;
    /// A handle for scripts: the same name with other content is refused.
    NAME: Option<String> = "name", Kind::Text, None, Place::Anywhere;
    /// Copy the provider's result files into this folder.
    OUTPUT_DIR: Option<String> = "output_dir", Kind::Text, None, Place::Anywhere;
    /// Exit 0 though some rows are not good.
    ALLOW_PARTIAL: bool = "allow_partial", Kind::Flag, Some("false"), Place::Anywhere;
    /// The command that is run in your shell when a run ends.
    ON_DONE: Option<String> = "on_done", Kind::Text, None, COMMANDS;
    /// Remove a job's files at the provider once its table is written.
    REMOTE_CLEANUP: bool = "remote_cleanup", Kind::Flag, Some("false"), REMOVES;

    /// Answer money questions with yes.
    YES: bool = "yes", Kind::Flag, Some("false"), BUDGET;
    /// Above this price a terminal asks first; 0.50 USD or 3 CNY if nothing is said.
    CONFIRM_ABOVE: Option<String> = "confirm_above", Kind::Amounts, None, BUDGET;
    /// The most a job may cost over all its rounds; a project's file may only lower it.
    MAX_COST: Option<String> = "max_cost", Kind::Amounts, None, Place::Lower;
    /// The most all jobs of this home may cost in a day; a project's file may only lower it.
    DAILY_BUDGET: Option<String> = "daily_budget", Kind::Amounts, None, Place::Lower;
    /// The most requests a job may send over all its rounds; a project's file may only lower it.
    MAX_REQUESTS: Option<u64> = "max_requests", Kind::Whole, None, Place::Lower;

    /// Replace the output whatever it is.
    OVERWRITE: bool = "overwrite", Kind::Flag, Some("false"), FILES;
    /// The encoding of the table.
    ENCODING: Option<String> = "encoding", Kind::Text, None, Place::Anywhere;
    /// The character between cells.
    DELIMITER: Option<String> = "delimiter", Kind::Text, None, Place::Anywhere;
    /// Write a byte order mark, so that Excel reads UTF-8.
    BOM: Option<bool> = "bom", Kind::Flag, None, Place::Anywhere;
    /// Put a column with the row number first.
    ROW_INDEX: bool = "row_index", Kind::Flag, Some("false"), Place::Anywhere;
    /// What is done with rows that have too few or too many cells.
    RAGGED: String = "ragged", Kind::Choice(&["error", "pad", "skip"]), Some("error"), Place::Anywhere;
    /// Write answers that look like spreadsheet formulas as they are.
    CSV_RAW: bool = "csv_raw", Kind::Flag, Some("false"), Place::Anywhere;
    /// Send nothing if any image fails.
    STRICT_IMAGES: bool = "strict_images", Kind::Flag, Some("false"), Place::Anywhere;
    /// The column whose cells are JSON arrays of messages.
    MESSAGES_COLUMN: Option<String> = "messages_column", Kind::Text, None, Place::Anywhere;

    /// The completion window asked for.
    COMPLETION_WINDOW: String = "completion_window", Kind::Text, Some("24h"), Place::Anywhere;
    /// The most requests in one file, below the provider's limit.
    MAX_SHARD_REQUESTS: Option<u64> = "max_shard_requests", Kind::Whole, None, Place::Anywhere;
    /// The most bytes in one file, below the provider's limit.
    MAX_SHARD_BYTES: Option<u64> = "max_shard_bytes", Kind::Size, None, Place::Anywhere;
    /// The most prompt tokens that may be queued for one model at the same time.
    MAX_ENQUEUED_TOKENS: Option<u64> = "max_enqueued_tokens", Kind::Whole, None, Place::Anywhere;
    /// The account's usage tier at the provider, which decides how many tokens may be queued.
    TIER: Option<u64> = "tier", Kind::Whole, None, Place::Anywhere;
    /// Files that are uploaded at the same time.
    PARALLEL_UPLOADS: u64 = "parallel_uploads", Kind::Whole, Some("2"), Place::Anywhere;

    /// How progress is shown.
    PROGRESS: String = "progress", Kind::Choice(&["auto", "bar", "plain", "json", "none"]), Some("auto"), Place::Anywhere;
    /// When colour is used.
    COLOR: String = "color", Kind::Choice(&["auto", "always", "never"]), Some("auto"), Place::Anywhere;
    /// The proxy: a URL, system, or none.
    PROXY: Option<String> = "proxy", Kind::Text, None, ADDRESS;
    /// Waits are that many times shorter.
    TIME_SCALE: f64 = "time_scale", Kind::Number, Some("1"), Place::Hidden;
    /// The day that prices are as old as.
    TODAY: Option<String> = "today", Kind::Text, None, Place::Hidden;
    /// Calls are given up that many times sooner.
    TIMEOUT_SCALE: f64 = "timeout_scale", Kind::Number, Some("1"), Place::Hidden;
}
