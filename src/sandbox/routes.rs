//! Which call goes where.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::front::Front;
use super::guard::{has_any_sandbox_key, only_sandbox_keys, wrong_key};
use super::refusal::Refusal;
use super::server::{Desk, MAX_JSON_BYTES, Shared, blocking};
use super::{Family, batches, faults, files, realtime};

/// All calls of a server at this address.
pub(super) fn front(shared: &Arc<Shared>, address: SocketAddr) -> Front {
    let mut app = Router::new()
        .route("/", get(move || async move { Json(hello(address)) }))
        .route("/sandbox/ledger", get(ledger).with_state(Arc::clone(shared)))
        .merge(realtime::routes(shared))
        .merge(faults::routes(shared));
    let families = shared.options.families;
    let families = Family::ALL.into_iter().filter(|family| families.contains(*family));
    let desks: Vec<Desk> = families.map(|family| Desk::new(shared, family)).collect();
    for desk in desks.iter().cloned() {
        let family = desk.family;
        app = match family {
            Family::OpenAi | Family::Zhipu => app.nest(family.prefix(), family_routes(desk)),
            Family::Anthropic => app.merge(anthropic_routes(desk)),
            Family::Gemini => app.merge(gemini_routes(desk)),
        };
    }
    Front::new(address.port(), desks, app)
}

fn family_routes(desk: Desk) -> Router {
    // The upload keeps its own, far higher limit, and streams.
    let upload = post(files::upload).layer(DefaultBodyLimit::disable());
    let calls = Router::new()
        .route("/files", upload.get(files::list))
        .route("/files/{id}", get(files::retrieve).delete(files::delete))
        .route("/files/{id}/content", get(files::content))
        .route("/batches", post(batches::create).get(batches::list))
        .route("/batches/{id}", get(batches::retrieve))
        .route("/batches/{id}/cancel", post(batches::cancel))
        .route("/chat/completions", post(realtime::chat))
        .route("/embeddings", post(realtime::embeddings))
        .route("/responses", post(realtime::responses))
        .route("/models", get(realtime::models))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown);
    guarded(calls, desk)
}

fn anthropic_routes(desk: Desk) -> Router {
    let calls = Router::new()
        .route("/v1/messages", post(realtime::messages))
        .route("/v1/messages/count_tokens", post(realtime::count_tokens));
    guarded(with_models(calls, &desk), desk)
}

/// The version in the address is `v1` or `v1beta`: its SDK sends the first, its documents the other.
fn gemini_routes(desk: Desk) -> Router {
    let calls = Router::new()
        .route("/v1beta/models", get(realtime::models))
        .route("/v1beta/models/{call}", post(realtime::gemini_call))
        .route("/v1/models/{call}", post(realtime::gemini_call));
    guarded(with_models(calls, &desk), desk)
}

/// The list of models at the address that three families share: the first that is played has it.
fn with_models(calls: Router<Desk>, desk: &Desk) -> Router<Desk> {
    let families = desk.shared.options.families;
    let mut sharing = [Family::OpenAi, Family::Anthropic, Family::Gemini].into_iter();
    if sharing.find(|family| families.contains(*family)) == Some(desk.family) {
        return calls.route("/v1/models", get(realtime::models));
    }
    calls
}

/// Calls with their key, watched, with what goes wrong on purpose.
fn guarded(calls: Router<Desk>, desk: Desk) -> Router {
    calls
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .layer(middleware::from_fn_with_state(desk.clone(), faults::around))
        .layer(middleware::from_fn_with_state(desk.clone(), realtime::watch))
        .layer(middleware::from_fn_with_state(desk.clone(), only_sandbox_keys))
        .with_state(desk)
}

/// What an unauthenticated caller may know: that no key belongs here.
fn hello(address: SocketAddr) -> Value {
    json!({
        "server": "batchctl-sandbox",
        "version": env!("CARGO_PKG_VERSION"),
        "openai_base_url": format!("http://{address}{}", Family::OpenAi.prefix()),
        "zhipu_base_url": format!("http://{address}{}", Family::Zhipu.prefix()),
        "anthropic_base_url": format!("http://{address}{}", Family::Anthropic.prefix()),
        "gemini_base_url": format!("http://{address}{}", Family::Gemini.prefix()),
    })
}

async fn unknown(desk: Desk, method: axum::http::Method, uri: Uri) -> Response {
    let text = format!("Invalid URL ({method} {})", uri.path());
    Refusal::new(404, text).code("unknown_url").response(desk.family)
}

/// The bill so far, as JSON lines.
async fn ledger(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri) -> Response {
    if !has_any_sandbox_key(&headers, &uri) {
        return wrong_key(Family::OpenAi);
    }
    let writer = Arc::clone(&shared);
    if let Err(error) = blocking(move || writer.ledger.flush()).await {
        return Refusal::from(error).response(Family::OpenAi);
    }
    match tokio::fs::read(shared.ledger.path()).await {
        Ok(lines) => ([(header::CONTENT_TYPE, "application/jsonl")], lines).into_response(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => ().into_response(),
        Err(error) => Refusal::fault(error).response(Family::OpenAi),
    }
}
