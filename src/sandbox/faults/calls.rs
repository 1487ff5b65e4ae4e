//! Faults of calls: a layer around all of a family's calls, after the key was accepted.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::book::Subject;
use super::play::{self, collected};
use super::rule::{Answer, Call, CallFault, Fault, Rule, Span};
use super::wire::Wire;
use crate::sandbox::guard::{account_of, drain};
use crate::sandbox::server::Desk;
use crate::sandbox::shelf::StoredBatch;

/// As much of an upload as is looked through for its file name (bytes).
const NAME_WITHIN: usize = 16 << 10;

/// What is held back of the file that a call uploads (times in milliseconds).
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::sandbox) struct HeldBack {
    /// Creates of it are refused until then.
    pub(in crate::sandbox) ready_at: Option<i64>,
    /// It is not listed until then.
    pub(in crate::sandbox) listed_at: Option<i64>,
}

/// In a reply: the rule that has done something to the call.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Fired(Arc<Rule>);

impl Fired {
    /// The words of the rule.
    pub(in crate::sandbox) fn rule(&self) -> &str {
        &self.0.text
    }

    /// Whether the reply is another than without the rule: not where it only came late.
    pub(in crate::sandbox) fn changes_reply(&self) -> bool {
        !matches!(self.0.fault, Fault::Call(CallFault::Slow(_)))
    }
}

/// Lets a call through, or does to it what a rule says.
pub(in crate::sandbox) async fn around(
    State(desk): State<Desk>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let path = path.strip_prefix(desk.family.prefix()).unwrap_or(path);
    let Some((call, id)) = call_of(request.method(), path) else {
        return next.run(request).await;
    };
    let book = &desk.shared.faults;
    let (is_watched, wants_key) = book.watches(call);
    if !is_watched {
        return next.run(request).await;
    }
    let id = id.to_owned();
    let (keys, mut request) =
        if wants_key { keys_of(&desk, call, &id, request).await } else { (Vec::new(), request) };
    let account = account_of(request.headers(), request.uri()).to_owned();
    let family = desk.family.name();
    let subject = Subject { keys: &keys, account: &account, family, now: desk.now() };
    let Some(rule) = book.for_call(call, subject) else { return next.run(request).await };
    let until = |time: &Span| Some(desk.now().saturating_add(time.millis(book.batch())));
    match &rule.fault {
        Fault::NotReady(time) => {
            let held = HeldBack { ready_at: until(time), listed_at: None };
            request.extensions_mut().insert(held);
            next.run(request).await
        }
        Fault::Unlisted(time) => {
            let held = HeldBack { ready_at: None, listed_at: until(time) };
            request.extensions_mut().insert(held);
            next.run(request).await
        }
        Fault::Call(fault) => {
            let mut reply = Faulty { desk, wire, request, next }.suffer(fault).await;
            reply.extensions_mut().insert(Fired(rule));
            reply
        }
        Fault::Batch(_) | Fault::Result(_) => next.run(request).await,
    }
}

/// Whether a call answers at once.
pub(in crate::sandbox) fn is_realtime(method: &Method, path: &str) -> bool {
    matches!(call_of(method, path), Some((Call::Realtime, _)))
}

/// Which call this is, and the id in its path.
fn call_of<'a>(method: &Method, path: &'a str) -> Option<(Call, &'a str)> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let call = match (method.as_str(), parts.as_slice()) {
        ("POST", ["files"]) => (Call::Upload, ""),
        ("GET", ["files"]) => (Call::ListFiles, ""),
        ("GET", ["files", id]) => (Call::File, *id),
        ("DELETE", ["files", id]) => (Call::Delete, *id),
        ("GET", ["files", id, "content"]) => (Call::Download, *id),
        ("POST", ["batches"]) => (Call::Create, ""),
        ("GET", ["batches"]) => (Call::List, ""),
        ("GET", ["batches", id]) => (Call::Retrieve, *id),
        ("POST", ["batches", id, "cancel"]) => (Call::Cancel, *id),
        ("POST", ["chat", "completions"] | ["embeddings" | "responses"] | ["v1", "messages"]) => {
            (Call::Realtime, "")
        }
        ("POST", ["v1" | "v1beta", "models", call]) if call.contains(':') => (Call::Realtime, ""),
        ("GET", ["models"] | ["v1" | "v1beta", "models"]) => (Call::Models, ""),
        _ => return None,
    };
    Some(call)
}

/// A call to which something happens.
struct Faulty {
    desk: Desk,
    wire: Wire,
    request: Request,
    next: Next,
}

impl Faulty {
    async fn suffer(self, fault: &CallFault) -> Response {
        match fault {
            CallFault::Before(answer) => {
                if !answer.leaves_body_unread() {
                    drain(self.request.into_body()).await;
                }
                play::answer(&self.desk, &self.wire, answer).await
            }
            CallFault::After(answer) => {
                // Done to the end, whether or not the client waits.
                let (desk, wire) = (self.desk.clone(), self.wire.clone());
                self.later(None).await;
                play::answer(&desk, &wire, answer).await
            }
            CallFault::Late(time, answer) => {
                let (desk, wire, time) = (self.desk.clone(), self.wire.clone(), *time);
                let whole = self.whole().await;
                tokio::spawn(async move { whole.later(Some(time)).await });
                play::answer(&desk, &wire, answer).await
            }
            CallFault::Slow(time) => {
                let time = *time;
                self.whole().await.later(Some(time)).await
            }
            CallFault::Cut(share, framing) => {
                let (desk, wire) = (self.desk.clone(), self.wire.clone());
                let reply = self.next.run(self.request).await;
                play::cut(&desk, &wire, reply, share, *framing).await
            }
            CallFault::Stall(share, time) => {
                let (desk, wire) = (self.desk.clone(), self.wire.clone());
                let reply = self.next.run(self.request).await;
                play::stall(&desk, &wire, reply, share, *time).await
            }
            CallFault::Set(name, value) => {
                let reply = self.next.run(self.request).await;
                set(reply, name, value).await
            }
        }
    }

    /// With its body in memory, so that it no longer needs its connection.
    async fn whole(self) -> Self {
        let (parts, body) = self.request.into_parts();
        let body = collected(body).await;
        Self { request: Request::from_parts(parts, Body::from(body)), ..self }
    }

    /// Does the call, after a time if one is given, in a task that outlives the connection.
    async fn later(self, time: Option<Span>) -> Response {
        let Self { desk, request, next, .. } = self;
        let done = tokio::spawn(async move {
            let mut stop = desk.shared.stopped();
            if let Some(time) = time {
                // A server that has stopped does nothing more.
                tokio::select! {
                    () = desk.pause(time) => {}
                    _ = stop.wait_for(|stopped| *stopped) => {
                        return StatusCode::SERVICE_UNAVAILABLE.into_response();
                    }
                }
            }
            next.run(request).await
        });
        done.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

impl Answer {
    fn leaves_body_unread(&self) -> bool {
        match self {
            Self::Reset => true,
            Self::Say(words) => words.reset,
            Self::Close | Self::Hang(_) => false,
        }
    }
}

/// Puts a value into a JSON object that is replied, or into each item of a list.
async fn set(reply: Response, name: &str, value: &Value) -> Response {
    let (mut parts, body) = reply.into_parts();
    let bytes = collected(body).await;
    let Ok(mut json) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    let is_list = json["object"] == "list";
    if is_list {
        let items = json.get_mut("data").and_then(Value::as_array_mut);
        items.into_iter().flatten().for_each(|item| item[name] = value.clone());
    } else if json.is_object() {
        json[name] = value.clone();
    }
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(json.to_string()))
}

/// The create keys and file names that a call is about.
async fn keys_of(desk: &Desk, call: Call, id: &str, request: Request) -> (Vec<String>, Request) {
    match call {
        Call::Upload => {
            let (parts, body) = request.into_parts();
            let (beginning, body) = peek(body).await;
            let keys = file_name_in(&beginning).into_iter().collect();
            (keys, Request::from_parts(parts, body))
        }
        Call::Create => {
            let (parts, body) = request.into_parts();
            let body = collected(body).await;
            let keys = keys_of_create(desk, &body);
            (keys, Request::from_parts(parts, Body::from(body)))
        }
        Call::Retrieve | Call::Cancel => (desk.keys_of_batch(id), request),
        Call::File | Call::Download | Call::Delete => (keys_of_file(desk, id), request),
        Call::Realtime => {
            let (parts, body) = request.into_parts();
            let body = collected(body).await;
            let text = String::from_utf8_lossy(&body).into_owned();
            let keys = vec![text, parts.uri.path().to_owned()];
            (keys, Request::from_parts(parts, Body::from(body)))
        }
        Call::ListFiles | Call::List | Call::Models => (Vec::new(), request),
    }
}

fn keys_of_create(desk: &Desk, body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let values = body["metadata"].as_object().into_iter().flat_map(|pairs| pairs.values());
    let mut keys: Vec<String> = values.filter_map(Value::as_str).map(str::to_owned).collect();
    keys.extend(body["input_file_id"].as_str().and_then(|id| desk.name_of_file(id)));
    keys
}

fn keys_of_file(desk: &Desk, id: &str) -> Vec<String> {
    let Some(name) = desk.name_of_file(id) else { return Vec::new() };
    // A result file is named after its batch.
    let batch = name.rsplit_once('_').map(|(batch, _)| batch.to_owned());
    let mut keys = batch.map(|batch| desk.keys_of_batch(&batch)).unwrap_or_default();
    keys.push(name);
    keys
}

impl Desk {
    fn name_of_file(&self, id: &str) -> Option<String> {
        self.shelf().file(id).ok().flatten().map(|file| file.filename)
    }

    fn keys_of_batch(&self, id: &str) -> Vec<String> {
        match self.shelf().batch(id) {
            Ok(Some(StoredBatch { record, .. })) => record.keys(),
            _ => Vec::new(),
        }
    }

    /// Waits, on the sandbox's own clock.
    pub(super) async fn pause(&self, time: Span) {
        let end = self.now().saturating_add(time.millis(self.shared.faults.batch()));
        while self.now() < end {
            self.shared.options.time.sleep_until(end).await;
        }
    }
}

/// The beginning of a body, and the body with that put back.
async fn peek(body: Body) -> (Vec<u8>, Body) {
    let mut rest = body.into_data_stream();
    let (mut beginning, mut chunks) = (Vec::new(), Vec::new());
    while beginning.len() < NAME_WITHIN && file_name_in(&beginning).is_none() {
        let Some(chunk) = rest.next().await else { break };
        if let Ok(chunk) = &chunk {
            beginning.extend_from_slice(chunk);
        }
        chunks.push(chunk);
    }
    (beginning, Body::from_stream(stream::iter(chunks).chain(rest)))
}

/// The file name in the head of a part of a form.
fn file_name_in(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let (_, after) = text.split_once("filename=\"")?;
    after.split_once('"').map(|(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart_by_method_and_path() {
        let table = [
            ("POST", "/files", Some((Call::Upload, ""))),
            ("GET", "/files", Some((Call::ListFiles, ""))),
            ("GET", "/files/f-1", Some((Call::File, "f-1"))),
            ("DELETE", "/files/f-1", Some((Call::Delete, "f-1"))),
            ("GET", "/files/f-1/content", Some((Call::Download, "f-1"))),
            ("POST", "/batches", Some((Call::Create, ""))),
            ("GET", "/batches", Some((Call::List, ""))),
            ("GET", "/batches/b-1", Some((Call::Retrieve, "b-1"))),
            ("POST", "/batches/b-1/cancel", Some((Call::Cancel, "b-1"))),
            ("POST", "/chat/completions", Some((Call::Realtime, ""))),
            ("POST", "/v1/messages", Some((Call::Realtime, ""))),
            ("POST", "/v1/messages/count_tokens", None),
            ("POST", "/v1beta/models/m:generateContent", Some((Call::Realtime, ""))),
            ("GET", "/models", Some((Call::Models, ""))),
            ("PUT", "/batches", None),
        ];
        for (method, path, expected) in table {
            let method: Method = method.parse().unwrap();
            assert_eq!(call_of(&method, path), expected, "{method} {path}");
        }
    }
}
