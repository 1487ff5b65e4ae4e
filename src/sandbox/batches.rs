//! The batch calls: create (see `create`), look, list, cancel.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde_json::Value;

use super::batch_shape::shape;
use super::create::create_batch;
use super::files::{limit, listing};
use super::refusal::Refusal;
use super::server::{Desk, blocking};
use super::shelf::{StoredBatch, page};
use super::{Family, Limits, engine};

/// Pages are this long at most, and this long unless asked otherwise.
const PAGE: (usize, usize) = (100, 20);
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
