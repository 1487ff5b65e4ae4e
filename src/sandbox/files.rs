//! The file calls: upload (streamed to disk), list, look, read, delete.

use std::collections::HashMap;
use std::path::{Path as FilePath, PathBuf};

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartRejection};
use axum::extract::{Extension, Multipart, Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio_util::io::ReaderStream;

use super::check::check_zhipu_upload;
use super::family::MAX_FILE_BYTES;
use super::faults::HeldBack;
use super::refusal::Refusal;
use super::server::{Desk, blocking};
use super::shelf::{FileRecord, page};
use super::{Family, settle};

/// Pages are this long at most, and unless asked otherwise.
const PAGE: usize = 10_000;
/// Input files are kept for thirty days unless the upload says otherwise (seconds).
const KEPT_FOR: i64 = 30 * 24 * 3600;
/// A reader's piece: large enough that 200 MB do not take long on loopback.
const PIECE: usize = 256 << 10;
/// What is read of an upload that is too large before the connection is closed.
const MAX_READ: u64 = 2 * MAX_FILE_BYTES;

/// A file as a client sees it.
fn shape(record: &FileRecord) -> Value {
    json!({
        "id": record.id,
        "object": "file",
        "bytes": record.bytes,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "filename": record.filename,
        "purpose": record.purpose,
        "status": "processed",
    })
}

fn no_such_file(id: &str) -> Refusal {
    let id: String = id.chars().take(80).collect();
    Refusal::new(404, format!("No such File object: {id}")).param("id")
}

/// `POST /files`
pub(super) async fn upload(
    desk: Desk,
    held: Option<Extension<HeldBack>>,
    multipart: Result<Multipart, MultipartRejection>,
) -> Response {
    let outcome = match multipart {
        Ok(multipart) => {
            let held = held.map(|Extension(held)| held).unwrap_or_default();
            take_upload(&desk, multipart, held).await
        }
        Err(rejection) => Err(Refusal::bad(rejection.body_text())),
    };
    desk.reply(outcome)
}

/// The parts of an upload. The content lies in a scratch file, which goes with this value unless
/// it is taken over.
#[derive(Default)]
struct Upload {
    filename: Option<String>,
    purpose: Option<String>,
    bytes: u64,
    expires_after: Option<i64>,
    held: HeldBack,
}

/// Removes the scratch file of an upload that came to nothing.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Gone already when the upload was taken over.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn take_upload(
    desk: &Desk,
    mut multipart: Multipart,
    held: HeldBack,
) -> Result<Value, Refusal> {
    let id = desk.shelf().new_file_id(desk.now())?;
    let scratch = Scratch(desk.shelf().scratch(&id));
    let mut upload = Upload { held, ..Upload::default() };
    while let Some(field) = multipart.next_field().await.map_err(|error| broken(&error))? {
        match field.name().unwrap_or_default() {
            "file" => {
                upload.filename = Some(field.file_name().unwrap_or("upload").to_owned());
                upload.bytes = write_content(field, &scratch.0).await?;
            }
            "purpose" => upload.purpose = Some(field.text().await.map_err(|error| broken(&error))?),
            "expires_after[seconds]" => {
                let text = field.text().await.map_err(|error| broken(&error))?;
                upload.expires_after = Some(expiry(&text)?);
            }
            _ => {}
        }
    }
    let desk = desk.clone();
    blocking(move || keep(&desk, id, upload, &scratch.0)).await
}

fn broken(error: &axum::extract::multipart::MultipartError) -> Refusal {
    Refusal::bad(format!("The upload could not be read: {}", error.body_text()))
}

fn expiry(text: &str) -> Result<i64, Refusal> {
    let seconds = text.trim().parse().ok().filter(|n| (3600..=2_592_000).contains(n));
    seconds.ok_or_else(|| {
        Refusal::bad("Invalid 'expires_after': seconds must be from 3600 to 2592000.")
            .param("expires_after")
    })
}

/// Streams the content to disk and tells its length. More than any file may have is counted and
/// not written.
async fn write_content(mut field: Field<'_>, path: &FilePath) -> Result<u64, Refusal> {
    let mut file = BufWriter::with_capacity(PIECE, tokio::fs::File::create(path).await?);
    let mut bytes = 0;
    while let Some(piece) = field.chunk().await.map_err(|error| broken(&error))? {
        bytes += piece.len() as u64;
        if bytes > MAX_READ {
            break;
        }
        if bytes <= MAX_FILE_BYTES {
            file.write_all(&piece).await?;
        }
    }
    file.flush().await?;
    Ok(bytes)
}

/// Judges the upload as the family does and puts it on the shelf.
fn keep(desk: &Desk, id: String, upload: Upload, content: &FilePath) -> Result<Value, Refusal> {
    let Some(filename) = upload.filename else { return Err(Refusal::missing("file")) };
    let Some(purpose) = upload.purpose else { return Err(Refusal::missing("purpose")) };
    judge_size(desk, &purpose, upload.bytes)?;
    if purpose == "batch" {
        if FilePath::new(&filename).extension().is_none_or(|end| end != "jsonl") {
            let text = format!("Invalid file '{filename}': a batch input file ends in .jsonl.");
            return Err(Refusal::bad(text).zhipu("1214").param("file"));
        }
        if desk.family == Family::Zhipu {
            check_zhipu_upload(content, desk.shared.options.checks_models())?;
        }
    }
    let created_at = desk.now() / 1000;
    let lifetime = upload.expires_after.or((purpose == "batch").then_some(KEPT_FOR));
    let record = FileRecord {
        id,
        filename,
        purpose,
        bytes: upload.bytes,
        created_at,
        expires_at: lifetime.map(|lifetime| created_at + lifetime),
        account: desk.account.to_string(),
        ready_at: upload.held.ready_at,
        listed_at: upload.held.listed_at,
    };
    desk.shelf().add_file(&record, content)?;
    Ok(shape(&record))
}

fn judge_size(desk: &Desk, purpose: &str, bytes: u64) -> Result<(), Refusal> {
    if bytes > MAX_FILE_BYTES {
        let text = format!("The file is larger than {MAX_FILE_BYTES} bytes.");
        return Err(Refusal::new(413, text).code("file_too_large"));
    }
    let most = desk.limits().max_bytes;
    if purpose == "batch" && bytes > most {
        let text = format!("A batch input file may have {most} bytes; this one has {bytes}.");
        let status = if desk.family == Family::Zhipu { 435 } else { 400 };
        return Err(Refusal::new(status, text).code("file_too_large").zhipu("435").param("file"));
    }
    Ok(())
}

/// `GET /files`
pub(super) async fn list(desk: Desk, Query(query): Query<HashMap<String, String>>) -> Response {
    let worker = desk.clone();
    desk.reply(blocking(move || list_page(&worker, &query)).await)
}

fn list_page(desk: &Desk, query: &HashMap<String, String>) -> Result<Value, Refusal> {
    let limit = limit(query, PAGE, PAGE)?;
    let ascending = query.get("order").is_some_and(|order| order == "asc");
    let after = query.get("after").map(String::as_str);
    let purpose = query.get("purpose");
    let ids = page(desk.shelf().file_ids()?, after, ascending);
    let (mut records, mut has_more) = (Vec::new(), false);
    for id in ids {
        let record = desk.own_file(&id)?;
        let Some(record) = record.filter(|record| {
            let is_listed = record.listed_at.is_none_or(|listed| desk.now() >= listed);
            is_listed && purpose.is_none_or(|purpose| *purpose == record.purpose)
        }) else {
            continue;
        };
        if records.len() == limit {
            has_more = true;
            break;
        }
        records.push(shape(&record));
    }
    Ok(listing(&records, has_more))
}

/// A page as both families send it.
pub(super) fn listing(data: &[Value], has_more: bool) -> Value {
    let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    let (first_id, last_id) = (id(data.first()), id(data.last()));
    json!({
        "object": "list",
        "data": data,
        "first_id": first_id,
        "last_id": last_id,
        "has_more": has_more,
    })
}

pub(super) fn limit(
    query: &HashMap<String, String>,
    most: usize,
    otherwise: usize,
) -> Result<usize, Refusal> {
    let Some(text) = query.get("limit") else { return Ok(otherwise) };
    text.parse().ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
        Refusal::bad(format!("Invalid 'limit': it must be from 1 to {most}.")).param("limit")
    })
}

/// `GET /files/{id}`
pub(super) async fn retrieve(desk: Desk, Path(id): Path<String>) -> Response {
    let found = desk.own_file(&id).map_err(Refusal::from);
    let found = found.and_then(|record| record.ok_or_else(|| no_such_file(&id)));
    desk.reply(found.map(|record| shape(&record)))
}

/// `DELETE /files/{id}`
pub(super) async fn delete(desk: Desk, Path(id): Path<String>) -> Response {
    let worker = desk.clone();
    desk.reply(blocking(move || delete_file(&worker, &id)).await)
}

fn delete_file(desk: &Desk, id: &str) -> Result<Value, Refusal> {
    if desk.own_file(id)?.is_none() {
        return Err(no_such_file(id));
    }
    let aside = desk.shared.faults.keeps_deleted();
    if !desk.shelf().delete_file(id, aside)? {
        return Err(no_such_file(id));
    }
    settle::end_with_file(desk, id)?;
    Ok(json!({"id": id, "object": "file", "deleted": true}))
}

impl Desk {
    /// A file, if it is the caller's.
    fn own_file(&self, id: &str) -> std::io::Result<Option<FileRecord>> {
        let found = self.shelf().file(id)?;
        Ok(found.filter(|record| *record.account == *self.account))
    }
}

/// `GET /files/{id}/content`
pub(super) async fn content(desk: Desk, Path(id): Path<String>) -> Response {
    match open_content(&desk, &id).await {
        Ok(response) => response,
        Err(refusal) => refusal.response(desk.family),
    }
}

async fn open_content(desk: &Desk, id: &str) -> Result<Response, Refusal> {
    let record = desk.own_file(id)?.ok_or_else(|| no_such_file(id))?;
    let file = tokio::fs::File::open(desk.shelf().data_path(id)).await?;
    let body = Body::from_stream(ReaderStream::with_capacity(file, PIECE));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, record.bytes.to_string()),
    ];
    Ok((headers, body).into_response())
}
