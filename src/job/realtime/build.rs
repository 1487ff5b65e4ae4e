//! Making the request of a row for one member of the chain, from the row lists and the job's own
//! copy of the table: in their order, or of a single row anywhere in it.

use super::chain::Member;
use crate::job::drive::Driver;
use crate::job::{JobError, Objections};
use crate::provider::CallRequest;
use crate::request::{Compiled, CustomId, Question, Source};
use crate::shard::RowEntry;
use crate::store::ShardRecord;
use crate::table::{Position, Row};

/// A request that is ready to be sent to one member.
#[derive(Debug, Clone)]
pub(super) struct Built {
    pub(super) request: CallRequest,
    /// The hash of all that decides its answer, at this member.
    pub(super) key: [u8; 16],
}

/// Builds the requests of one shard.
pub(super) struct Builder<'d> {
    driver: &'d Driver<'d>,
    shard: ShardRecord,
    /// The question as each member is asked it, made ready when it is first needed.
    questions: Vec<Asked>,
    objections: Option<Objections<'d>>,
}

/// A question, as one member is asked it.
struct Asked {
    question: Question,
    /// Whether it is the one that the row list was made with.
    is_own: bool,
    compiled: Option<Compiled>,
}

/// How many members of a chain may be asked for the rows of a shard: the question of a retry, and
/// finished requests, are worded for the first one alone.
pub(super) fn members_for(driver: &Driver<'_>, shard: &ShardRecord, all: usize) -> usize {
    let is_own = shard.asks.ask.is_some() || driver.spec.question.source == Source::Foreign;
    if is_own { all.min(1) } else { all }
}

impl<'d> Builder<'d> {
    /// For the rows of this shard, in this list.
    pub(super) fn new(
        driver: &'d Driver<'d>,
        members: &[Member],
        shard: &ShardRecord,
        entries: &[RowEntry],
    ) -> Result<Self, JobError> {
        let questions: Vec<_> = members.iter().map(|member| &member.question).collect();
        Self::of(driver, &questions, shard, entries)
    }

    /// The same for those who are asked these questions.
    pub(super) fn of(
        driver: &'d Driver<'d>,
        questions: &[&Question],
        shard: &ShardRecord,
        entries: &[RowEntry],
    ) -> Result<Self, JobError> {
        let most = members_for(driver, shard, questions.len());
        let own = driver.question(shard.asks.ask)?;
        let is_retry = shard.asks.ask.is_some();
        let questions = questions.iter().take(most).map(|question| {
            // The row list knows the keys of the shard's own question.
            let is_own = is_retry || **question == own;
            let question = if is_own { own.clone() } else { (*question).clone() };
            Asked { question, is_own, compiled: None }
        });
        let rows = entries.iter().map(|entry| entry.row);
        let range = (rows.clone().min().unwrap_or(0), rows.max().unwrap_or(0));
        let objections =
            if shard.asks.is_reask { Some(driver.objections(shard.round, range)?) } else { None };
        Ok(Self { driver, shard: shard.clone(), questions: questions.collect(), objections })
    }

    /// How many members may be asked.
    pub(super) fn members(&self) -> usize {
        self.questions.len()
    }

    /// The model that a member is asked for.
    pub(super) fn model(&self, member: usize) -> &str {
        &self.questions[member].question.model
    }

    /// Completion tokens that one answer may have, where that is limited.
    pub(super) fn most_output(&self) -> Option<u64> {
        self.questions.first().and_then(|asked| asked.question.most_output())
    }

    fn compiled(&mut self, member: usize) -> Result<&mut Compiled, JobError> {
        let Asked { question, compiled, .. } = &mut self.questions[member];
        if compiled.is_none() {
            *compiled = Some(question.compile(self.driver.table.headers())?);
        }
        Ok(compiled.as_mut().expect("made above"))
    }

    /// The id of a row: ours, or that of a finished request.
    pub(super) fn custom_id(&mut self, row: &Row) -> Result<String, JobError> {
        let job6 = self.driver.job.short().to_owned();
        let id = CustomId { job6, row: row.number(), round: self.shard.round }.to_string();
        let compiled = self.compiled(0)?;
        let id = compiled.custom_id(row, &id).map(std::borrow::Cow::into_owned);
        Ok(id.unwrap_or_default())
    }

    /// The request of a row, or why there can be none.
    pub(super) fn build(
        &mut self,
        member: usize,
        row: &Row,
        entry: &RowEntry,
    ) -> Result<Result<Built, String>, JobError> {
        let objection = match self.objections.as_mut().map(|all| all.of(row.number())).transpose() {
            Ok(objection) => objection,
            Err(reason) => return Ok(Err(reason)),
        };
        let round = self.shard.round;
        let is_own = self.questions[member].is_own;
        let compiled = self.compiled(member)?;
        let room = usize::try_from(entry.line_bytes).unwrap_or(0);
        let mut body = Vec::with_capacity(room);
        if let Err(skip) = compiled.write_body(row, objection.as_ref(), &mut body) {
            return Ok(Err(skip.reason));
        }
        let mut key = entry.content_key;
        if !is_own {
            let id_bytes = CustomId::length(row.number(), round);
            match compiled.measure(row, id_bytes) {
                Ok(measure) => key = measure.content_key,
                Err(skip) => return Ok(Err(skip.reason)),
            }
        }
        let question = &self.questions[member].question;
        let (endpoint, model) = (question.endpoint, question.model.clone());
        Ok(Ok(Built { request: CallRequest { endpoint, model, body: body.into() }, key }))
    }

    /// The same of a row that is looked up by itself.
    pub(super) fn build_one(
        &mut self,
        member: usize,
        entry: &RowEntry,
    ) -> Result<Result<Built, String>, JobError> {
        let RowEntry { row, line, offset, .. } = *entry;
        let mut rows = self.driver.table.rows_from(Position { row, line, offset })?;
        match rows.next_row()? {
            Some(found) => self.build(member, found, entry),
            None => Ok(Err("its row is gone from the job's copy of the table".to_owned())),
        }
    }

    /// The content key of a row at a member, for an answer that is found without its request.
    pub(super) fn key(&mut self, member: usize, entry: &RowEntry) -> Result<[u8; 16], JobError> {
        if self.questions.get(member).is_none_or(|asked| asked.is_own) {
            return Ok(entry.content_key);
        }
        Ok(self.build_one(member, entry)?.map_or(entry.content_key, |built| built.key))
    }
}
