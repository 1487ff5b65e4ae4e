//! A new batch: what is asked for, the check of its input file, the rules that decide its life,
//! its place in the queue, and the line in the ledger that says it exists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::check::{Checked, Problem, Rules, check};
use super::faults::Subject;
use super::refusal::Refusal;
use super::server::Desk;
use super::shelf::{BatchRecord, FileRecord, StoredBatch};
use super::timeline::Plan;
use super::{Answers, EnqueuedTokens, Family, queue};
use crate::base::hex_of_file;

/// The only completion window that OpenAI sells.
const WINDOW: &str = "24h";
/// Bounds on metadata: pairs, characters of a key, characters of a value.
const METADATA: (usize, usize, usize) = (16, 64, 512);
/// The code of a full queue.
const FULL: &str = "token_limit_exceeded";
/// OpenAI refuses fields that it does not know; Zhipu reads past them.
const OPENAI_FIELDS: [&str; 5] =
    ["input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"];

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
        let (family, now) = (desk.family.name(), desk.now());
        let subject = Subject { keys: &keys, account: &desk.account, family, now };
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

/// Creates a batch, or says why not. The input file is checked now; what is wrong with it shows
/// a while later, as a batch that fails.
pub(super) fn create_batch(desk: &Desk, body: &[u8]) -> Result<StoredBatch, Refusal> {
    let wanted = read_create(desk.family, body)?;
    let (file, path) = input_of(desk, &wanted)?;
    let rules = Rules {
        family: desk.family,
        limits: desk.limits(),
        endpoint: &wanted.endpoint,
        check_models: desk.shared.options.checks_models(),
    };
    let checked = check(&path, rules)?;
    let mut record = record_of(desk, wanted, file, checked)?;
    record.input_digest = hex_of_file(&path)?;
    enqueue(desk, &mut record, &path)?;
    desk.shared.note_if_mortal(&record);
    if let Err(error) = desk.shelf().add_batch(&record, &path) {
        desk.shared.queue.leave(&record.id);
        return Err(error.into());
    }
    desk.shared.ledger.append(&bill_of_creation(desk.family, &record)?)?;
    Ok(StoredBatch { record, cancelled: None, settled: None })
}

/// What is written down of a batch, with what the rules make of it.
fn record_of(
    desk: &Desk,
    wanted: Wanted,
    file: FileRecord,
    checked: Checked,
) -> Result<BatchRecord, Refusal> {
    let (now, options) = (desk.now(), &desk.shared.options);
    let keys = wanted.keys(&file);
    let family = desk.family.name();
    let subject = Subject { keys: &keys, account: &desk.account, family, now };
    let fired = desk.shared.faults.for_batch(subject);
    let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(0);
    let mut record = BatchRecord {
        id: desk.shelf().new_batch_id(now)?,
        input_digest: String::new(),
        plan: Plan {
            created: now,
            duration: millis(options.batch_duration),
            expires: now.saturating_add(millis(options.expire_after)),
            total: checked.requests,
            valid: checked.problems.is_empty(),
            upstream: matches!(options.answers, Answers::Upstream(_)),
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
    Ok(record)
}

/// Puts the batch into the queue of its model, or says that it does not fit in: at once, or as a
/// batch that fails.
fn enqueue(desk: &Desk, record: &mut BatchRecord, path: &Path) -> Result<(), Refusal> {
    let queue = &desk.shared.queue;
    let Some(EnqueuedTokens { limit, at_create }) = queue.limit() else { return Ok(()) };
    if !record.plan.valid {
        return Ok(());
    }
    record.prompt_tokens = queue::prompt_tokens(desk, path)?;
    if queue.enter(desk.family, record) {
        return Ok(());
    }
    let message = queue::full_text(record.model.as_deref().unwrap_or_default(), limit);
    if at_create {
        return Err(Refusal::new(429, message).code(FULL));
    }
    record.plan.valid = false;
    record.problems.push(Problem { code: FULL.to_owned(), message, param: None, line: None });
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
        Family::Zhipu => WINDOW.to_owned(),
        _ => text("completion_window")?,
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
