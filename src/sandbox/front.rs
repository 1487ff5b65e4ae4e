//! The door: who may come in at all, and the short way of chats that are answered at once.
//!
//! Whoever measures a client against this server wants to see the client, not the server. So the
//! four commonest calls pass by the router and its layers, as long as no rule is about them; the
//! answer is made, counted, billed and noted by the same functions on either way.

use std::future::Future;
use std::pin::Pin;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any_service};

use super::Family;
use super::guard::{OwnHost, account_of, drain, has_key_for, wrong_key};
use super::realtime::{self, Alt, body_of, watched};
use super::server::Desk;

/// What each connection shares.
#[derive(Debug, Clone)]
pub(super) struct Front(std::sync::Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: OwnHost,
    /// One of each family that is played.
    desks: Vec<Desk>,
    /// All other calls, and these where a rule is about them.
    router: MethodRouter,
}

/// A chat that is answered at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chat<'a> {
    OpenAi,
    Zhipu,
    Anthropic,
    /// With the model and the method.
    Gemini(&'a str),
}

impl Front {
    pub(super) fn new(port: u16, desks: Vec<Desk>, router: Router) -> Self {
        let router = any_service(router);
        Self(std::sync::Arc::new(Inner { host: OwnHost::new(port), desks, router }))
    }

    /// The desk of a chat that goes the short way.
    fn short_way(&self, family: Family) -> Option<&Desk> {
        let desk = self.0.desks.iter().find(|desk| desk.family == family)?;
        (!desk.shared.faults.watches_realtime()).then_some(desk)
    }
}

/// Says to axum that this is no function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Itself;

impl Handler<Itself, ()> for Front {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, (): ()) -> Self::Future {
        Box::pin(enter(self, request))
    }
}

/// Any call of any connection. What few calls need is put in a box of its own, so that the memory
/// that every call needs is not larger for it.
async fn enter(front: Front, request: Request) -> Response {
    if !front.0.host.is_meant(request.headers(), request.uri()) {
        let text = "this server answers only to 127.0.0.1 and localhost";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    let chat = chat_of(request.method(), request.uri());
    let Some(desk) = chat.and_then(|chat| front.short_way(chat.family())) else {
        return Box::pin(front.0.router.clone().call(request, ())).await;
    };
    let (parts, body) = request.into_parts();
    if !has_key_for(desk.family, &parts.headers, &parts.uri) {
        Box::pin(drain(body)).await;
        return wrong_key(desk.family);
    }
    let desk = desk.of_account(account_of(&parts.headers, &parts.uri));
    let body = match body_of(&desk, body).await {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let watch = watched(&desk, &parts.uri, &body);
    watch.saw(answered(desk, &parts, body).await)
}

async fn answered(desk: Desk, parts: &Parts, body: Bytes) -> Response {
    match chat_of(&parts.method, &parts.uri) {
        Some(Chat::Anthropic) => realtime::message(desk, &parts.headers, body).await,
        Some(Chat::Gemini(call)) => {
            let call = call.to_owned();
            realtime::gemini_call(desk, Path(call), Query(Alt::default()), body).await
        }
        _ => realtime::chat(desk, body).await,
    }
}

/// Which chat this is; none where the router has to take the address apart.
fn chat_of<'a>(method: &Method, uri: &'a Uri) -> Option<Chat<'a>> {
    if *method != Method::POST || uri.query().is_some() {
        return None;
    }
    match uri.path() {
        "/v1/chat/completions" => Some(Chat::OpenAi),
        "/api/paas/v4/chat/completions" => Some(Chat::Zhipu),
        "/v1/messages" => Some(Chat::Anthropic),
        path => {
            let call = path.strip_prefix("/v1beta/models/")?;
            let is_plain = call.ends_with("generateContent") && !call.contains(['/', '%']);
            is_plain.then_some(Chat::Gemini(call))
        }
    }
}

impl Chat<'_> {
    fn family(self) -> Family {
        match self {
            Self::OpenAi => Family::OpenAi,
            Self::Zhipu => Family::Zhipu,
            Self::Anthropic => Family::Anthropic,
            Self::Gemini(_) => Family::Gemini,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_go_the_short_way() {
        let table = [
            ("POST", "/v1/chat/completions", Some(Chat::OpenAi)),
            ("POST", "/api/paas/v4/chat/completions", Some(Chat::Zhipu)),
            ("POST", "/v1/messages", Some(Chat::Anthropic)),
            ("POST", "/v1beta/models/m:generateContent", Some(Chat::Gemini("m:generateContent"))),
            ("POST", "/v1beta/models/m%20:generateContent", None),
            ("POST", "/v1beta/models/a/m:generateContent", None),
            ("POST", "/v1beta/models/m:generateContent?key=sandbox-a", None),
            ("POST", "/v1beta/models/m:embedContent", None),
            ("POST", "/v1/messages/count_tokens", None),
            ("POST", "/v1/chat/completions/", None),
            ("GET", "/v1/chat/completions", None),
        ];
        for (method, address, expected) in table {
            let (method, uri) = (method.parse().unwrap(), address.parse().unwrap());
            assert_eq!(chat_of(&method, &uri), expected, "{method} {address}");
        }
    }
}
