//! What each row of a job was asked, from the questions of the job and of its retries.

use std::collections::HashMap;

use crate::commands::steps::{Answers, Found};
use crate::job::{JobError, Objections};
use crate::request::{Compiled, CustomId, Objection, Question, Skip, Source};
use crate::result::{AsSent, Place, Settled};
use crate::shard::RowsReader;
use crate::store::{Asking, Store};
use crate::table::{Row, Rows, Table};
use crate::ui::CommandError;

/// Rows of any table, as the ledger counts them.
const ALL_ROWS: (u64, u64) = (0, i64::MAX as u64);

/// The questions of one job, ready to be put to its rows.
pub(super) struct Questions<'a> {
    answers: &'a Answers,
    /// The rows that were asked: the table that is written may have other cells beside them.
    rows: Rows,
    own: Compiled,
    asks: HashMap<i64, Compiled>,
    /// Shards that ask something else than the job's question.
    of_shard: HashMap<i64, Asking>,
    /// By row and round, of those shards: for rows of which no answer tells the shard.
    of_row: HashMap<(u64, u32), Asking>,
    /// By round, what was said of the answers before.
    objections: HashMap<u32, Objections<'a>>,
    job6: String,
    is_foreign: bool,
}

impl<'a> Questions<'a> {
    /// Those of a job, each changed as told before it is made ready.
    pub(super) fn of(
        store: &Store,
        found: &'a Found,
        answers: &'a Answers,
        change: impl Fn(&mut Question) -> Result<(), CommandError>,
    ) -> Result<Self, CommandError> {
        let table = found.table()?;
        let compile = |question: &Question| -> Result<Compiled, CommandError> {
            let mut question = question.clone();
            change(&mut question)?;
            Ok(question.compile(table.headers()).map_err(JobError::from)?)
        };
        let mut asks = HashMap::new();
        for ask in store.asks(&found.job.key)? {
            asks.insert(ask.id, compile(&serde_json::from_str(&ask.question)?)?);
        }
        let (mut of_shard, mut of_row) = (HashMap::new(), HashMap::new());
        let mut objections = HashMap::new();
        for shard in store.shards(&found.job.key)? {
            if shard.asks == Asking::default() {
                continue;
            }
            of_shard.insert(shard.id, shard.asks);
            let path = found.folder.rows_file(&shard.stem());
            for entry in RowsReader::open(&path).map_err(JobError::from)? {
                of_row.insert((entry.map_err(JobError::from)?.row, shard.round), shard.asks);
            }
            if shard.asks.is_reask && !objections.contains_key(&shard.round) {
                let job = (found.job.key.as_str(), &found.spec);
                let all = Objections::before(store, job, &found.folder, shard.round, ALL_ROWS)?;
                objections.insert(shard.round, all);
            }
        }
        Ok(Self {
            answers,
            rows: rows_of(&table)?,
            own: compile(&found.spec.question)?,
            asks,
            of_shard,
            of_row,
            objections,
            job6: found.job.short().to_owned(),
            is_foreign: found.spec.question.source == Source::Foreign,
        })
    }

    /// The id that a row was last sent under, or would be.
    pub(super) fn id(&self, row: u64, settled: Option<&Settled>) -> String {
        let round = settled.map_or(0, |settled| settled.rounds).max(1);
        CustomId { job6: self.job6.clone(), row, round }.to_string()
    }

    /// Puts the row's question to the row as it was asked; with what was said of its answer before,
    /// where it was asked once more because of that.
    pub(super) fn ask<T>(
        &mut self,
        row: &Row,
        settled: Option<&Settled>,
        put: impl FnOnce(&mut Compiled, &Row, Option<&Objection>) -> Result<T, Skip>,
    ) -> Result<Result<T, Skip>, JobError> {
        let asking = settled.and_then(|settled| match settled.place {
            Some(place) => self.of_shard.get(&self.answers.shard_of(place)?),
            None => self.of_row.get(&(row.number(), settled.rounds)),
        });
        let asking = asking.copied().unwrap_or_default();
        let compiled = match asking.ask {
            Some(ask) => self.asks.get_mut(&ask).unwrap_or(&mut self.own),
            None => &mut self.own,
        };
        let round = settled.map(|settled| settled.rounds).filter(|_| asking.is_reask);
        let objections = round.and_then(|round| self.objections.get_mut(&round));
        let objection = objections.and_then(|all| all.of(row.number()).ok());
        while let Some(asked) = self.rows.next_row()? {
            if asked.number() == row.number() {
                return Ok(put(compiled, asked, objection.as_ref()));
            }
        }
        Ok(put(compiled, row, objection.as_ref()))
    }
}

fn rows_of(table: &Table) -> Result<Rows, CommandError> {
    Ok(table.rows().map_err(JobError::from)?)
}

impl AsSent for Questions<'_> {
    fn body(&mut self, row: &Row, settled: Option<&Settled>, out: &mut Vec<u8>) {
        // A table that cannot be read any more ends the export by the other reading of it.
        let _ = self.ask(row, settled, |compiled, asked, objection| {
            compiled.write_shown(asked, objection, out)
        });
    }

    fn custom_id(&self, row: &Row, settled: &Settled) -> Option<String> {
        let is_sent = settled.rounds > 0 && !self.is_foreign;
        is_sent.then(|| self.id(row.number(), Some(settled)))
    }

    fn seconds(&self, place: Place, answered: Option<i64>) -> Option<u64> {
        self.answers.seconds(place, answered)
    }
}
