//! The batch calls: create (the input file is checked then), look, list, cancel.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path as FilePath, PathBuf};

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::batch_shape::shape;
use super::check::{Problem, Rules, check};
use super::faults::Subject;
use super::files::{limit, listing};
use super::refusal::Refusal;
use super::server::{Desk, blocking};
use super::shelf::{BatchRecord, FileRecord, StoredBatch, page};
use super::timeline::Plan;
use super::{Answers, EnqueuedTokens, Family, Limits, engine, queue};
use crate::base::hex_of_file;

/// Pages are this long at most, and this long unless asked otherwise.
const PAGE: (usize, usize) = (100, 20);
/// The only completion window that OpenAI sells.
const WINDOW: &str = "24h";
/// Bounds on metadata: pairs, characters of a key, characters of a value.
const METADATA: (usize, usize, usize) = (16, 64, 512);
/// OpenAI refuses fields that it does not know; Zhipu reads past them.
const OPENAI_FIELDS: [&str; 5] =
    ["input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"];

impl Desk {
    /// The limits that hold here.
    pub(super) fn limits(&self) -> Limits {
        self.shared.options.limits.unwrap_or_else(|| self.family.limits())
    }
}

/// `POST /batches`
pub(super) async fn create(desk: Desk, body: Bytes) -> Response {
    let worker = desk.clone();
    let created = blocking(move || create_batch(&worker, &body)).await;
    if let Ok(batch) = &created {
        engine::follow(&desk, &batch.record.id);
    }
    desk.reply(created.map(|batch| shape(&desk, &batch)))
}

/// What a create asks for.
struct Wanted {
    input_file_id: String,
    endpoint: String,
    completion_window: String,
    metadata: Option<BTreeMap<String, String>>,
    delete_input: bool,
}

/// The input file that a create names: one of the caller's, ready, and not deleted, unless a
/// rule says that a create survives that.
fn input_of(desk: &Desk, wanted: &Wanted) -> Result<(FileRecord, PathBuf), Refusal> {
    let (shelf, id) = (desk.shelf(), &wanted.input_file_id);
    let not_found = || {
        let text = format!("No such File object: {}", id.chars().take(80).collect::<String>());
        Refusal::new(404, text).param("input_file_id")
    };
    let mut found = shelf.file(id)?.map(|file| (file, shelf.data_path(id)));
    if found.is_none()
        && let Some(file) = shelf.deleted_file(id)?
    {
        let keys = wanted.keys(&file);
        let subject = Subject { keys: &keys, account: &desk.account, now: desk.now() };
        let survives = desk.shared.faults.survives(subject);
        found = survives.then(|| (file, shelf.deleted_path(id)));
    }
    let (file, path) =
        found.filter(|(file, _)| *file.account == *desk.account).ok_or_else(not_found)?;
    if file.ready_at.is_some_and(|ready| desk.now() < ready) {
        return Err(not_found());
    }
    if file.purpose != "batch" {
        let text = format!("File '{id}' has the purpose '{}', not 'batch'.", file.purpose);
        return Err(Refusal::bad(text).param("input_file_id"));
    }
    Ok((file, path))
}

impl Wanted {
    /// What a rule can know the batch by.
    fn keys(&self, file: &FileRecord) -> Vec<String> {
        let metadata = self.metadata.iter().flat_map(BTreeMap::values);
        metadata.chain([&file.filename]).cloned().collect()
    }
}

fn create_batch(desk: &Desk, body: &[u8]) -> Result<StoredBatch, Refusal> {
    let wanted = read_create(desk.family, body)?;
    let shelf = desk.shelf();
    let (file, path) = input_of(desk, &wanted)?;
    let upstream = matches!(desk.shared.options.answers, Answers::Upstream(_));
    let rules = Rules {
        family: desk.family,
        limits: desk.limits(),
        endpoint: &wanted.endpoint,
        check_models: desk.shared.options.checks_models(),
    };
    let checked = check(&path, rules)?;
    let now = desk.now();
    let keys = wanted.keys(&file);
    let fired = desk.shared.faults.for_batch(Subject { keys: &keys, account: &desk.account, now });
    let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(0);
    let options = &desk.shared.options;
    let mut record = BatchRecord {
        id: shelf.new_batch_id(now)?,
        input_digest: hex_of_file(&path)?,
        plan: Plan {
            created: now,
            duration: millis(options.batch_duration),
            expires: now.saturating_add(millis(options.expire_after)),
            total: checked.requests,
            valid: checked.problems.is_empty(),
            upstream,
            validating: 0,
            finalizing: 0,
            forced: None,
        },
        model: checked.model,
        problems: checked.problems,
        endpoint: wanted.endpoint,
        input_file_id: wanted.input_file_id,
        completion_window: wanted.completion_window,
        metadata: wanted.metadata,
        delete_input: wanted.delete_input,
        account: desk.account.to_string(),
        input_name: file.filename,
        prompt_tokens: 0,
        faults: fired.iter().map(|rule| rule.text.clone()).collect(),
    };
    record.fate().bend(&mut record.plan, &mut record.problems, options.batch_duration);
    enqueue(desk, &mut record, &path)?;
    desk.shared.note_if_mortal(&record);
    if let Err(error) = shelf.add_batch(&record, &path) {
        desk.shared.queue.leave(&record.id);
        return Err(error.into());
    }
    desk.shared.ledger.append(&bill_of_creation(desk.family, &record)?)?;
    Ok(StoredBatch { record, cancelled: None, settled: None })
}

/// Puts the batch into the queue of its model, or says that it does not fit in: at once, or as a
/// batch that fails.
fn enqueue(desk: &Desk, record: &mut BatchRecord, path: &FilePath) -> Result<(), Refusal> {
    let queue = &desk.shared.queue;
    let Some(EnqueuedTokens { limit, at_create }) = queue.limit() else { return Ok(()) };
    if !record.plan.valid {
        return Ok(());
    }
    record.prompt_tokens = queue::prompt_tokens(desk, path)?;
    if queue.enter(desk.family, record) {
        return Ok(());
    }
    const CODE: &str = "token_limit_exceeded";
    let message = queue::full_text(record.model.as_deref().unwrap_or_default(), limit);
    if at_create {
        return Err(Refusal::new(429, message).code(CODE));
    }
    record.plan.valid = false;
    record.problems.push(Problem { code: CODE.to_owned(), message, param: None, line: None });
    Ok(())
}

fn read_create(family: Family, body: &[u8]) -> Result<Wanted, Refusal> {
    let body: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(format!("The body is not a JSON object: {error}")))?;
    let unknown = body.keys().find(|name| !OPENAI_FIELDS.contains(&name.as_str()));
    if let (Family::OpenAi, Some(name)) = (family, unknown) {
        let text = format!("Unknown parameter: '{name}'.");
        return Err(Refusal::bad(text).code("unknown_parameter").param(name));
    }
    let text = |name: &str| {
        let text = body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| Refusal::missing(name))
    };
    let endpoint = text("endpoint")?;
    if family.endpoint(&endpoint).is_none() {
        let known = family.endpoints();
        let text = format!("Invalid 'endpoint': '{endpoint}' is not one of {known}.");
        return Err(Refusal::bad(text).code("invalid_value").param("endpoint"));
    }
    let completion_window = match family {
        Family::OpenAi => text("completion_window")?,
        Family::Zhipu => WINDOW.to_owned(),
    };
    if completion_window != WINDOW {
        let text = format!("Invalid 'completion_window': it must be '{WINDOW}'.");
        return Err(Refusal::bad(text).code("invalid_value").param("completion_window"));
    }
    let delete = body.get("auto_delete_input_file").and_then(Value::as_bool).unwrap_or(true);
    Ok(Wanted {
        input_file_id: text("input_file_id")?,
        endpoint,
        completion_window,
        metadata: metadata(body.get("metadata"))?,
        delete_input: family == Family::Zhipu && delete,
    })
}

fn metadata(value: Option<&Value>) -> Result<Option<BTreeMap<String, String>>, Refusal> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let (pairs, key, text) = METADATA;
    let read: Option<BTreeMap<String, String>> = serde_json::from_value(value.clone()).ok();
    let fits = |map: &BTreeMap<String, String>| {
        map.len() <= pairs
            && map.iter().all(|(k, v)| k.chars().count() <= key && v.chars().count() <= text)
    };
    read.filter(fits).map(Some).ok_or_else(|| {
        let bounds =
            format!("at most {pairs} pairs of strings, keys of {key} and values of {text}");
        Refusal::bad(format!("Invalid 'metadata': {bounds} characters.")).param("metadata")
    })
}

/// How a creation's line in the ledger begins; no other line does.
fn creation_start(family: Family, id: &str) -> String {
    format!(r#"{{"event":"created","family":"{}","batch":"{id}","#, family.name())
}

fn bill_of_creation(family: Family, record: &BatchRecord) -> Result<Vec<u8>, Refusal> {
    let rest = json!({
        "at": record.plan.created / 1000,
        "account": record.account,
        "endpoint": record.endpoint,
        "metadata": record.metadata,
        "input_file_id": record.input_file_id,
        "input_digest": record.input_digest,
        "requests": record.plan.total,
        "valid": record.plan.valid,
    });
    let rest = serde_json::to_string(&rest).map_err(Refusal::fault)?;
    Ok(format!("{}{}", creation_start(family, &record.id), &rest[1..]).into_bytes())
}

/// Bills the creation that a kill may have kept out of the ledger: only the newest batch can be
/// one, or one of a few that were created at once.
pub(super) fn bill_forgotten(desk: &Desk) -> std::io::Result<()> {
    const AT_ONCE: usize = 16;
    let ids = desk.shelf().batch_ids()?;
    let newest = ids.iter().rev().take(AT_ONCE);
    let mut missing = newest.clone().map(|id| creation_start(desk.family, id)).collect();
    desk.shared.ledger.drop_present(&mut missing)?;
    for id in newest.filter(|id| missing.contains(&creation_start(desk.family, id))) {
        if let Some(batch) = desk.shelf().batch(id)? {
            let line = bill_of_creation(desk.family, &batch.record);
            desk.shared.ledger.append(&line.map_err(|e| std::io::Error::other(e.message))?)?;
        }
    }
    Ok(())
}

/// `GET /batches/{id}`
pub(super) async fn retrieve(desk: Desk, Path(id): Path<String>) -> Response {
    let found = find(&desk, &id);
    if let Ok(batch) = &found {
        if let Some(trouble) = desk.shared.trouble(&id) {
            engine::follow(&desk, &id);
            return desk.reply(Err(Refusal::fault(trouble)));
        }
        if batch.settled.is_none() && batch.record.plan.valid {
            engine::follow(&desk, &id);
        }
    }
    desk.reply(found.map(|batch| shape(&desk, &batch)))
}

fn find(desk: &Desk, id: &str) -> Result<StoredBatch, Refusal> {
    let found = desk.shelf().batch(id)?;
    found.filter(|batch| *batch.record.account == *desk.account).ok_or_else(|| {
        let id: String = id.chars().take(80).collect();
        Refusal::new(404, format!("No batch found with id '{id}'."))
    })
}

/// `GET /batches`
pub(super) async fn list(desk: Desk, Query(query): Query<HashMap<String, String>>) -> Response {
    let worker = desk.clone();
    desk.reply(blocking(move || list_page(&worker, &query)).await)
}

fn list_page(desk: &Desk, query: &HashMap<String, String>) -> Result<Value, Refusal> {
    let limit = limit(query, PAGE.0, PAGE.1)?;
    let after = query.get("after").map(String::as_str);
    let (mut data, mut has_more) = (Vec::new(), false);
    for id in page(desk.shelf().batch_ids()?, after, false) {
        let Some(batch) = desk.shelf().batch(&id)?.filter(|batch| is_listed(desk, batch)) else {
            continue;
        };
        if data.len() == limit {
            has_more = true;
            break;
        }
        data.push(shape(desk, &batch));
    }
    Ok(listing(&data, has_more))
}

/// Whether the caller finds it in the list by now.
fn is_listed(desk: &Desk, batch: &StoredBatch) -> bool {
    let record = &batch.record;
    let lag = record.fate().listing_lag();
    let lag = lag.map_or(0, |lag| lag.millis(desk.shared.options.batch_duration));
    *record.account == *desk.account && desk.now() >= record.plan.created.saturating_add(lag)
}

/// `POST /batches/{id}/cancel`
pub(super) async fn cancel(desk: Desk, Path(id): Path<String>) -> Response {
    let worker = desk.clone();
    desk.reply(blocking(move || cancel_batch(&worker, &id)).await)
}

fn cancel_batch(desk: &Desk, id: &str) -> Result<Value, Refusal> {
    let batch = find(desk, id)?;
    let now = desk.now();
    let status = batch.settled.as_ref().map(|settled| settled.status);
    let status = status.unwrap_or_else(|| batch.record.plan.at(now, batch.cancelled).status);
    if status.is_terminal() {
        let text = format!("Cannot cancel a batch with status '{status}'.");
        let http = if desk.family == Family::OpenAi { 409 } else { 400 };
        return Err(Refusal::new(http, text));
    }
    if batch.cancelled.is_none() {
        desk.shelf().cancel(id, now)?;
        desk.shared.wake(id);
    }
    Ok(shape(desk, &find(desk, id)?))
}
