//! Who may talk to the sandbox: callers that know its own name, with a key that is no real one.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt;

use super::Family;
use super::refusal::Refusal;
use super::server::Desk;

/// All keys begin like this; others are refused unread.
const KEY_PREFIX: &str = "sandbox-";
/// What is read of a refused call before the connection is closed.
const MAX_DRAINED: usize = 1 << 30;

/// The names that this server goes by.
#[derive(Debug)]
pub(super) struct OwnHost {
    port: u16,
    /// The end of all its names.
    suffix: String,
}

impl OwnHost {
    pub(super) fn new(port: u16) -> Self {
        Self { port, suffix: format!(":{port}") }
    }

    /// Whether a call is meant for this name and port. A page of another site that gets its name
    /// to point here still sends its own name.
    pub(super) fn is_meant(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or(uri.authority().map(axum::http::uri::Authority::as_str));
        let Some(host) = host else { return false };
        let name = match host.strip_suffix(&*self.suffix) {
            Some(name) => name,
            None if self.port == 80 => host,
            None => return false,
        };
        ["127.0.0.1", "localhost", "[::1]"].contains(&name)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim)
}

fn in_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn in_query(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("key="))
}

/// The key, where this family's clients put it.
fn key_for<'a>(family: Family, headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    match family {
        Family::OpenAi | Family::Zhipu => bearer(headers),
        Family::Anthropic => in_header(headers, "x-api-key").or_else(|| bearer(headers)),
        Family::Gemini => in_header(headers, "x-goog-api-key").or_else(|| in_query(uri)),
    }
}

/// Three families have their list of models at the same address; a header tells who is asked.
pub(super) fn asked_family(family: Family, headers: &HeaderMap, uri: &Uri) -> Family {
    if family == Family::Zhipu || !uri.path().ends_with("/models") {
        family
    } else if headers.contains_key("anthropic-version") {
        Family::Anthropic
    } else if headers.contains_key("x-goog-api-key") {
        Family::Gemini
    } else {
        family
    }
}

/// Whether the key that this family's clients send is one of the sandbox.
pub(super) fn has_key_for(family: Family, headers: &HeaderMap, uri: &Uri) -> bool {
    key_for(family, headers, uri).is_some_and(|key| key.starts_with(KEY_PREFIX))
}

/// The key, wherever it stands.
fn key_in<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    bearer(headers)
        .or_else(|| in_header(headers, "x-api-key"))
        .or_else(|| in_header(headers, "x-goog-api-key").or_else(|| in_query(uri)))
}

pub(super) fn has_any_sandbox_key(headers: &HeaderMap, uri: &Uri) -> bool {
    key_in(headers, uri).is_some_and(|key| key.starts_with(KEY_PREFIX))
}

/// The account of a call's key: what stands behind an `@` in it. Keys without one share an
/// account, which has no name.
pub(super) fn account_of<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> &'a str {
    let key = key_in(headers, uri).and_then(|key| key.split_once('@'));
    key.map_or("", |(_, account)| account)
}

/// Turns away calls without a sandbox key.
pub(super) async fn only_sandbox_keys(
    State(desk): State<Desk>,
    request: Request,
    next: Next,
) -> Response {
    let family = asked_family(desk.family, request.headers(), request.uri());
    if has_key_for(family, request.headers(), request.uri()) {
        return next.run(request).await;
    }
    drain(request.into_body()).await;
    wrong_key(family)
}

/// The refused key is not repeated: it may be a real one.
pub(super) fn wrong_key(family: Family) -> Response {
    let text = match family {
        Family::OpenAi => {
            "Incorrect API key provided. The sandbox takes only keys that start with 'sandbox-'."
        }
        Family::Anthropic => {
            "invalid x-api-key: the sandbox takes only keys that start with sandbox-"
        }
        Family::Gemini => {
            "API key not valid. The sandbox takes only keys that start with sandbox-."
        }
        Family::Zhipu => {
            "身份验证失败：沙箱只接受以 sandbox- 开头的 key \
             (the sandbox takes only keys that start with sandbox-)"
        }
    };
    let status = if family == Family::Gemini { 400 } else { 401 };
    Refusal::new(status, text).code("invalid_api_key").zhipu("1000").response(family)
}

/// Reads on and throws away: a client that is still sending would see a broken connection in
/// place of the answer.
pub(super) async fn drain(body: Body) {
    let mut chunks = body.into_data_stream();
    let mut read = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        read += chunk.len();
        if read > MAX_DRAINED {
            break;
        }
    }
}
