//! `/sandbox/faults`: rules while the server runs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Faults;
use crate::sandbox::Family;
use crate::sandbox::guard::{has_any_sandbox_key, wrong_key};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::server::Shared;

/// The three calls. All want a sandbox key and tell all rules with their counts.
pub(in crate::sandbox) fn routes(shared: &Arc<Shared>) -> Router {
    let calls = get(show).post(add).delete(clear);
    Router::new().route("/sandbox/faults", calls).with_state(Arc::clone(shared))
}

async fn show(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri) -> Response {
    if !has_any_sandbox_key(&headers, &uri) {
        return wrong_key(Family::OpenAi);
    }
    all(&shared)
}

async fn add(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    uri: Uri,
    rules: String,
) -> Response {
    if !has_any_sandbox_key(&headers, &uri) {
        return wrong_key(Family::OpenAi);
    }
    match Faults::parse(&rules) {
        Ok(faults) => {
            shared.faults.add(&faults, shared.options.time.now());
            all(&shared)
        }
        Err(error) => Refusal::bad(error.to_string()).response(Family::OpenAi),
    }
}

async fn clear(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri) -> Response {
    if !has_any_sandbox_key(&headers, &uri) {
        return wrong_key(Family::OpenAi);
    }
    shared.faults.clear();
    all(&shared)
}

fn all(shared: &Shared) -> Response {
    Json(json!({"object": "list", "data": shared.faults.show()})).into_response()
}
