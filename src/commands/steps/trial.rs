//! A few rows now: the prompt as it is sent, the answers in the columns that they will have, and
//! what all rows would cost. It is a job like any other, so the run that follows takes its answers
//! from the row cache.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::begin::begin;
use super::follow::Follow;
use super::go_on::go_on_with;
use super::input::read_in_place;
use super::jobs::open_store;
use super::mode::require_mode;
use super::on_done::with_on_done;
use super::output::Destination;
use super::plan::{Planned, reuse};
use super::scratch::Scratch;
use super::sent::first_request_lines;
use super::signals::Listening;
use super::who::{Need, who_is_asked};
use crate::base::private_dir;
use crate::commands::Context;
use crate::config::{Value as Setting, key};
use crate::cost::{Estimate, Level, Money};
use crate::job::JobError;
use crate::request::Mode;
use crate::ui::{CommandError, ExitCode, Printer, Verbosity, counted};

/// Where the tables of trials are written, below the home.
const FOLDER: &str = "tries";

/// What came of a trial with one model.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Trial {
    /// Who was asked first.
    pub(in crate::commands) provider: String,
    /// The model.
    pub(in crate::commands) model: String,
    /// The job that was made, or found again.
    job: String,
    #[serde(skip)]
    pub(in crate::commands) exit: ExitCode,
    /// The first row's messages, for people.
    #[serde(skip)]
    pub(in crate::commands) prompt: Vec<String>,
    /// The first row's request; `null` where every row was answered before.
    request: Option<Value>,
    /// The answer columns of each row, in the table's order.
    pub(in crate::commands) answers: Vec<Map<String, Value>>,
    /// What all rows of the table would cost.
    pub(in crate::commands) all: Projected,
}

/// What all rows would likely cost; amounts in the currency's unit, `null` = unknown.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Projected {
    rows: u64,
    requests: u64,
    currency: Option<crate::cost::Currency>,
    batch: Option<f64>,
    realtime: Option<f64>,
    #[serde(skip)]
    words: [String; 2],
}

impl Projected {
    fn of(estimate: &Estimate, rows: u64) -> Self {
        let cost = |mode| estimate.sent_bill().cost(mode, Level::Likely);
        let money = |mode| cost(mode).and_then(|pico| estimate.money(pico));
        let words = |mode| match money(mode) {
            Some(money) if money.pico == 0 => "nothing".to_owned(),
            Some(money) => money.show(),
            None => "an unknown amount".to_owned(),
        };
        let units = |mode| money(mode).map(|money: Money| money.units());
        Self {
            rows,
            requests: estimate.sent.requests,
            currency: estimate.price.as_ref().map(|price| price.currency),
            batch: units(Mode::Batch),
            realtime: units(Mode::Realtime),
            words: [words(Mode::Batch), words(Mode::Realtime)],
        }
    }

    /// For people.
    pub(in crate::commands) fn line(&self) -> String {
        let (rows, requests) = (counted(self.rows, "row"), counted(self.requests, "request"));
        let [batch, realtime] = &self.words;
        format!("all {rows}: {requests} left, likely {batch} as a batch, {realtime} now (--now)")
    }
}

/// Asks the first `rows` rows with the settings' model, and tells what all would cost.
pub(in crate::commands) fn try_rows(
    context: &Context,
    input: &Path,
    rows: u64,
) -> Result<Trial, CommandError> {
    Listening::begin(context)?;
    let all = context;
    let context = &context.with_settings(|over| {
        over.text(key::MODE, Some("realtime"));
        over.whole(key::MAX_ROWS, Some(rows));
        over.switch(key::OVERWRITE, true);
        over.set(key::NO_WAIT, Some(Setting::Flag(false)));
    });
    let mut who = who_is_asked(context, Need::Key)?;
    require_mode(context, &who)?;
    let store = open_store(context)?;
    let scratch = Scratch::new(store.home())?;
    let reuse_for_job = reuse(context, &store, &who, true);
    let planned = Planned::make(context, input, &mut who, scratch.folder(), reuse_for_job)?;
    let request: Option<Value> =
        planned.plan.first_request.as_deref().map(serde_json::from_str).transpose()?;
    let prompt = request.as_ref().map(first_request_lines).unwrap_or_default();
    let folder = context.home.join(FOLDER);
    private_dir(&folder).map_err(JobError::file("write", &folder))?;
    let path = folder.join(format!("{}.jsonl", &planned.plan.run_digest[..16]));
    let destination = Destination::File(path.clone());
    let headers = planned.table.headers().to_vec();
    let found = begin(context, &store, scratch, planned, &who, &destination)?;
    let how = Follow { submit: true, wait: true };
    let exit = with_on_done(context, &store, &found.job, || {
        go_on_with(context, &store, &found, &who, how)
    })?;
    let answers = answers(found.spec.output.path.as_deref().unwrap_or(&path), &headers)?;
    // The lengths of these answers are known now; what is to be said was said above.
    let printer = Printer::new(Verbosity::Quiet, all.printer.colour());
    let all = &Context { printer, ..all.clone() };
    let scratch = Scratch::new(store.home())?;
    let (taken, _) = read_in_place(input, all, scratch.folder())?;
    let reuse_for_all = reuse(all, &store, &who, false);
    let planned = Planned::of(all, taken, &who, reuse_for_all)?;
    Ok(Trial {
        provider: who.name.clone(),
        model: who.model.clone(),
        job: found.job.short().to_owned(),
        exit,
        prompt,
        request,
        answers,
        all: Projected::of(&planned.plan.estimate, planned.plan.tally.rows),
    })
}

/// The columns of the written table that the input does not have.
fn answers(path: &Path, headers: &[String]) -> Result<Vec<Map<String, Value>>, CommandError> {
    let text = fs::read_to_string(path).map_err(JobError::file("read", path))?;
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut row: Map<String, Value> = serde_json::from_str(line)?;
        row.retain(|name, _| !headers.contains(name));
        rows.push(row);
    }
    Ok(rows)
}
