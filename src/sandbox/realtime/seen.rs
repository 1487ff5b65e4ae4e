//! What was seen of each call that answers at once: when it came, when it ended, and whether the
//! client was still there. Tests read it at `/sandbox/calls`. It lives in memory alone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::stream::InPieces;
use crate::sandbox::Family;
use crate::sandbox::faults::{Broken, Fired, is_realtime};
use crate::sandbox::guard::{account_of, has_any_sandbox_key, wrong_key};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::server::{Desk, MAX_JSON_BYTES, Shared};

/// Calls that are remembered; of more, the oldest are forgotten.
const MOST: usize = 1_000_000;

/// All calls that were seen.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Calls {
    numbers: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    calls: VecDeque<Call>,
    names: Names,
    /// The number of the first one.
    first: u64,
    /// Not ended now, and the most at one time.
    open: u64,
    most_open: u64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum End {
    Open,
    /// The reply was handed over, whatever it says.
    Answered,
    /// The client closed its connection first.
    Closed,
    /// A rule broke the connection or the reply.
    Broken,
}

/// One call in 48 bytes: a run may make a million.
#[derive(Debug)]
struct Call {
    /// Of the body's bytes.
    digest: u64,
    /// Milliseconds since 1970.
    at: i64,
    /// From then to the end.
    micros: u64,
    bytes: u32,
    account: Name,
    model: Option<Name>,
    fault: Option<Name>,
    status: Option<NonZeroU16>,
    family: Family,
    end: End,
    /// Whether no rule has changed the reply.
    is_genuine: bool,
}

/// A text of which there are few, by its place in the list of them, from 1.
type Name = NonZeroU32;

/// Each account, model and rule once.
#[derive(Debug, Default)]
struct Names {
    list: Vec<Box<str>>,
    places: HashMap<Box<str>, Name>,
}

impl Names {
    /// The place of a text; one too many for the list is told as the first.
    fn place(&mut self, text: &str) -> Name {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let next = u32::try_from(self.list.len() + 1).ok().and_then(Name::new);
        let Some(place) = next else { return Name::MIN };
        self.list.push(text.into());
        self.places.insert(text.into(), place);
        place
    }

    fn text(&self, place: Name) -> &str {
        self.list.get(place.get() as usize - 1).map_or("", |text| text)
    }
}

/// A call as it is told.
#[derive(Debug, Serialize)]
struct Told<'a> {
    family: Family,
    account: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    /// In hex digits.
    digest: String,
    bytes: u32,
    at: i64,
    ms: Option<f64>,
    status: Option<u16>,
    end: End,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
}

impl Call {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn told<'a>(&self, names: &'a Names) -> Told<'a> {
        Told {
            family: self.family,
            account: names.text(self.account),
            model: self.model.map(|model| names.text(model)),
            digest: format!("{:016x}", self.digest),
            bytes: self.bytes,
            at: self.at,
            ms: (self.end != End::Open).then_some(self.micros as f64 / 1000.0),
            status: self.status.map(NonZeroU16::get),
            end: self.end,
            fault: self.fault.map(|fault| names.text(fault)),
        }
    }
}

impl Calls {
    /// A number that no other call of this server has.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn locked(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, call: impl FnOnce(&mut Names) -> Call) -> u64 {
        let mut seen = self.locked();
        let call = call(&mut seen.names);
        if seen.calls.len() >= MOST {
            seen.calls.pop_front();
            seen.first += 1;
        }
        seen.calls.push_back(call);
        seen.open += 1;
        seen.most_open = seen.most_open.max(seen.open);
        seen.first + seen.calls.len() as u64 - 1
    }

    fn end(&self, number: u64, note: impl FnOnce(&mut Call, &mut Names)) {
        let seen = &mut *self.locked();
        seen.open = seen.open.saturating_sub(1);
        let place = number.checked_sub(seen.first).and_then(|place| usize::try_from(place).ok());
        if let Some(call) = place.and_then(|place| seen.calls.get_mut(place)) {
            note(call, &mut seen.names);
        }
    }

    fn clear(&self) {
        let mut seen = self.locked();
        seen.first += seen.calls.len() as u64;
        seen.calls.clear();
        seen.names = Names::default();
        seen.most_open = seen.open;
    }

    /// One JSON line a call.
    fn lines(&self) -> Result<String, serde_json::Error> {
        let mut lines = String::new();
        let seen = self.locked();
        for call in &seen.calls {
            lines.push_str(&serde_json::to_string(&call.told(&seen.names))?);
            lines.push('\n');
        }
        Ok(lines)
    }

    /// Sums of all. `answered_again` counts the good answers to a body that had one before.
    fn summary(&self) -> Value {
        let seen = self.locked();
        let count = |end: End| seen.calls.iter().filter(|call| call.end == end).count();
        let (mut by_status, mut good) = (BTreeMap::<String, u64>::new(), HashMap::new());
        for call in &seen.calls {
            if let Some(status) = call.status {
                *by_status.entry(status.to_string()).or_default() += 1;
            }
            if call.end == End::Answered
                && call.status.is_some_and(|status| status.get() == 200)
                && call.is_genuine
            {
                *good.entry((call.family, call.account, call.digest)).or_insert(0_u64) += 1;
            }
        }
        json!({
            "calls": seen.calls.len(),
            "open": seen.open,
            "answered": count(End::Answered),
            "closed": count(End::Closed),
            "broken": count(End::Broken),
            "most_at_once": seen.most_open,
            "bodies_answered": good.len(),
            "answered_again": good.values().map(|times| times - 1).sum::<u64>(),
            "by_status": by_status,
        })
    }
}

/// A call that is watched: dropped without an end, the client has left.
pub(in crate::sandbox) struct Watched {
    shared: Arc<Shared>,
    number: u64,
    start: Instant,
    status: Option<u16>,
    fault: Option<Box<str>>,
    is_genuine: bool,
    end: End,
}

impl Watched {
    fn answered(&mut self) {
        self.end = End::Answered;
    }

    /// Notes the reply. One in pieces is watched until its last piece was taken.
    pub(in crate::sandbox) fn saw(mut self, mut reply: Response) -> Response {
        let fired = reply.extensions().get::<Fired>();
        self.fault = fired.map(|fired| fired.rule().into());
        self.is_genuine = fired.is_none_or(|fired| !fired.changes_reply());
        if reply.extensions().get::<Broken>().is_some() {
            self.end = End::Broken;
            return reply;
        }
        self.status = Some(reply.status().as_u16());
        if reply.extensions_mut().remove::<InPieces>().is_none() {
            self.answered();
            return reply;
        }
        reply.map(|body| to_its_end(body, self))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let micros = (self.start.elapsed().as_nanos() + 500) / 1000;
        self.shared.calls.end(self.number, |call, names| {
            call.micros = u64::try_from(micros).unwrap_or(u64::MAX);
            call.status = self.status.and_then(NonZeroU16::new);
            call.fault = self.fault.take().map(|fault| names.place(&fault));
            call.end = self.end;
            call.is_genuine = self.is_genuine;
        });
    }
}

/// Watches the calls that answer at once; others pass.
pub(in crate::sandbox) async fn watch(
    State(desk): State<Desk>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if !is_realtime(request.method(), path.strip_prefix(desk.family.prefix()).unwrap_or(path)) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let bytes = match body_of(&desk, body).await {
        Ok(bytes) => bytes,
        Err(reply) => return reply,
    };
    let watched =
        watched(&desk.of_account(account_of(&parts.headers, &parts.uri)), &parts.uri, &bytes);
    watched.saw(next.run(Request::from_parts(parts, Body::from(bytes))).await)
}

/// The whole body of a call, or what is replied to one that is too large.
pub(in crate::sandbox) async fn body_of(desk: &Desk, body: Body) -> Result<Bytes, Response> {
    to_bytes(body, MAX_JSON_BYTES)
        .await
        .map_err(|_| Refusal::new(413, "The body is too large.").response(desk.family))
}

/// Begins to watch a call.
pub(in crate::sandbox) fn watched(desk: &Desk, uri: &Uri, body: &[u8]) -> Watched {
    let (model, digest) = (model_of(uri, body), crate::base::short_hash(&blake3::hash(body)));
    let call = |names: &mut Names| Call {
        digest,
        at: desk.now(),
        micros: 0,
        bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
        account: names.place(&desk.account),
        model: model.map(|model| names.place(model)),
        fault: None,
        status: None,
        family: desk.family,
        end: End::Open,
        is_genuine: false,
    };
    Watched {
        number: desk.shared.calls.begin(call),
        shared: Arc::clone(&desk.shared),
        start: Instant::now(),
        status: None,
        fault: None,
        is_genuine: false,
        end: End::Closed,
    }
}

/// The body, watched until its last piece was taken.
fn to_its_end(body: Body, mut watched: Watched) -> Body {
    let mut pieces = body.into_data_stream();
    let watching = futures_util::stream::poll_fn(move |context| {
        let piece = pieces.poll_next_unpin(context);
        if let std::task::Poll::Ready(None) = piece {
            watched.answered();
        }
        piece
    });
    Body::from_stream(watching)
}

/// The model of a call, without reading its body as JSON: in the address, or after the first
/// `"model"`.
fn model_of<'a>(uri: &'a Uri, body: &'a [u8]) -> Option<&'a str> {
    const NAME: &[u8] = b"\"model\"";
    if let Some((_, call)) = uri.path().split_once("models/") {
        return Some(call.split(':').next().unwrap_or(call));
    }
    let at = body.windows(NAME.len()).position(|window| window == NAME)?;
    let after = body.get(at + NAME.len()..)?.trim_ascii_start().strip_prefix(b":")?;
    let text = after.trim_ascii_start().strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&text[..end]).ok()
}

/// `/sandbox/calls`: all calls as JSON lines, their sums with `?summary`, or none any more.
pub(in crate::sandbox) fn routes(shared: &Arc<Shared>) -> Router {
    Router::new().route("/sandbox/calls", get(show).delete(clear)).with_state(Arc::clone(shared))
}

#[derive(Debug, Deserialize)]
struct Wish {
    summary: Option<String>,
}

async fn show(
    State(shared): State<Arc<Shared>>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if !has_any_sandbox_key(&headers, &uri) {
        return wrong_key(Family::OpenAi);
    }
    if wish.summary.is_some() {
        return Json(shared.calls.summary()).into_response();
    }
    match shared.calls.lines() {
        Ok(lines) => ([(header::CONTENT_TYPE, "application/jsonl")], lines).into_response(),
        Err(error) => Refusal::fault(error).response(Family::OpenAi),
    }
}

async fn clear(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri) -> Response {
    if !has_any_sandbox_key(&headers, &uri) {
        return wrong_key(Family::OpenAi);
    }
    shared.calls.clear();
    Json(shared.calls.summary()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million of them are remembered.
    #[test]
    fn a_call_is_small_and_names_are_kept_once() {
        assert_eq!(size_of::<Call>(), 48);
        let mut names = Names::default();
        let places = ["", "m", "", "n", "m"].map(|text| names.place(text));
        assert_eq!(places.map(Name::get), [1, 2, 1, 3, 2]);
        assert_eq!(places.map(|place| names.text(place)), ["", "m", "", "n", "m"]);
    }

    #[test]
    fn models_are_found_without_parsing() {
        let table = [
            ("/chat/completions", r#"{"model": "gpt-4o", "messages": []}"#, Some("gpt-4o")),
            ("/x", r#"{"messages":[{"content":"\"model\": \"no\""}],"model":"m"}"#, Some("m")),
            ("/x", r#"{"model":7}"#, None),
            ("/x", "", None),
            ("/models/gemini-2.5-pro:generateContent", r#"{"model":"x"}"#, Some("gemini-2.5-pro")),
        ];
        for (path, body, expected) in table {
            let path = path.parse().unwrap();
            assert_eq!(model_of(&path, body.as_bytes()), expected, "{path} {body}");
        }
    }
}
