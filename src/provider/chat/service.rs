//! A service that answers at once, over HTTP: each request is put into its shape and sent, its
//! reply judged.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use tokio::time::{Instant, timeout_at};

use crate::base::Clock;
use crate::batch::{Failure, FailureKind, Outcome, decode_line};
use crate::provider::http::{CallFault, CallWire, Heard, hear, piece};
use crate::provider::settings::is_sandbox;
use crate::provider::{CallClass, CallError, Dialect, ProviderError, ProviderSettings, Shape};
use crate::request::Endpoint;

use super::api::{Advice, CallReply, CallRequest, ChatApi, ChatError, RateSigns};
use super::asked::{Asked, Unsayable};
use super::assembly::Assembly;
use super::events::Events;
use super::judge::{Judged, Told, judge};
use super::look::on_one_line;
use super::place::{Places, key_header, version_header};
use super::rate::rate_signs;
use super::{anthropic, gemini};

/// What is attempted, as words that follow "failed to".
const CALL: &str = "ask the model";
/// How long a connection is listened to on which the end of the answer was told.
const AFTER_THE_END: Duration = Duration::from_secs(1);
/// What is added to a body so that its answer is streamed, with the tokens in the last event.
const STREAM: &[u8] = b"\"stream\":true";
const STREAM_WITH_USAGE: &[u8] = b"\"stream\":true,\"stream_options\":{\"include_usage\":true}";

/// Opens the provider for calls that are answered at once; sends nothing yet.
pub fn open_chat(settings: &ProviderSettings) -> Result<Box<dyn ChatApi>, ProviderError> {
    Ok(Box::new(Service::new(settings)?))
}

struct Service {
    name: String,
    base_url: String,
    dialect: &'static Dialect,
    is_sandbox: bool,
    wire: CallWire,
    places: Places,
    clock: Arc<dyn Clock>,
}

impl Service {
    fn new(settings: &ProviderSettings) -> Result<Self, ProviderError> {
        let shape = settings.dialect.shape;
        let wire = CallWire::new(settings, key_header(shape), version_header(settings)?)?;
        Ok(Self {
            name: settings.name.clone(),
            base_url: wire.address().to_string(),
            dialect: settings.dialect,
            is_sandbox: is_sandbox(settings, wire.address()),
            places: Places::new(shape, wire.address())?,
            wire,
            clock: Arc::clone(&settings.clock),
        })
    }

    /// Where a request goes and its body in the service's shape. An error if the service cannot
    /// carry it: nothing was sent then.
    fn prepared(
        &self,
        request: &CallRequest,
        is_stream: bool,
    ) -> Result<(Uri, Bytes), Box<ChatError>> {
        let uri = self.places.of(request.endpoint, &request.model, is_stream).ok_or_else(|| {
            let words = format!("{} takes chat requests only in a call", self.name);
            self.unsayable(Unsayable::all(words))
        })?;
        let body = match self.dialect.shape {
            Shape::OpenAi if is_stream => self.streamed(request).map(Bytes::from),
            Shape::OpenAi => Ok(request.body.clone()),
            _ => self.own_body(request, is_stream).map(Bytes::from),
        };
        Ok((uri, body.map_err(|unsayable| self.unsayable(unsayable))?))
    }

    fn own_body(&self, request: &CallRequest, is_stream: bool) -> Result<Vec<u8>, Unsayable> {
        let asked = Asked::read(&request.body)?;
        let takes_sampling = self.dialect.takes_sampling(&request.model);
        let mut body = match self.dialect.shape {
            Shape::Gemini => gemini::prepare(takes_sampling, asked)?,
            _ => anthropic::prepare(&request.model, takes_sampling, asked)?,
        };
        if is_stream && self.dialect.shape == Shape::Anthropic {
            body["stream"] = true.into();
        }
        Ok(body.to_string().into_bytes())
    }

    /// The body with the wish for a stream. Zhipu tells the tokens unasked, and Responses always.
    fn streamed(&self, request: &CallRequest) -> Result<Vec<u8>, Unsayable> {
        let is_told = matches!(self.dialect.name, "zhipu" | "zai");
        let wish = match request.endpoint {
            Endpoint::Embeddings => return Err(Unsayable::row("embeddings are not streamed")),
            Endpoint::Chat if !is_told => STREAM_WITH_USAGE,
            _ => STREAM,
        };
        let body = request.body.trim_ascii_start();
        let rest = body.strip_prefix(b"{").ok_or_else(|| Unsayable::row("no JSON object"))?;
        let comma: &[u8] = if rest.trim_ascii_start().starts_with(b"}") { b"" } else { b"," };
        Ok([b"{", wish, comma, rest].concat())
    }

    fn concluded(&self, mut heard: Heard) -> Result<CallReply, Box<ChatError>> {
        let is_success = (200..300).contains(&heard.status);
        let now = || heard.server_time().unwrap_or_else(|| self.clock.unix());
        let judged = judge(&Told {
            status: heard.status,
            body: &heard.body,
            is_cut: heard.is_cut,
            location: heard.location(),
            // Read only where it counts: a date is dear to parse.
            retry_after: (!is_success).then(|| heard.retry_after(now())).flatten(),
            should_retry: heard.should_retry(),
        });
        let rate = rate_signs(&heard.headers, || self.clock.unix());
        let body = std::mem::take(&mut heard.body);
        let reply = CallReply {
            status: heard.status,
            body: if judged.is_json() { on_one_line(body) } else { body },
            request_id: heard.request_id(),
            rate,
        };
        match judged {
            Judged::Answered => Ok(reply),
            Judged::Failed { class, failure, advice, .. } => {
                let whole = (!heard.is_cut).then_some(reply);
                let mut error = self.failed(class, failure, advice, whole);
                error.rate = rate;
                Err(error)
            }
        }
    }

    fn fault(&self, fault: CallFault) -> Box<ChatError> {
        self.failed(fault.class, fault.failure, Advice::Again(None), None)
    }

    fn unsayable(&self, unsayable: Unsayable) -> Box<ChatError> {
        let failure = Failure::ours(FailureKind::Invalid, unsayable.words);
        self.failed(CallClass::NotSent, failure, unsayable.advice, None)
    }

    fn failed(
        &self,
        class: CallClass,
        failure: Failure,
        advice: Advice,
        reply: Option<CallReply>,
    ) -> Box<ChatError> {
        let provider = self.name.as_str().into();
        let error = CallError { class, failure, call: CALL, provider, local: None };
        Box::new(ChatError { error, advice, reply, rate: RateSigns::default() })
    }

    /// The reply to a call that was to be streamed, where it came whole.
    fn unstreamed(
        &self,
        heard: Heard,
        on_text: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<CallReply, Box<ChatError>> {
        let reply = self.concluded(heard)?;
        let before = br#"{"custom_id":"x","response":{"status_code":200,"body":"#;
        let line = [before, reply.body.as_slice(), b"}}"].concat();
        if let Ok(Outcome::Answered(answer)) = decode_line(&line).map(|line| line.outcome) {
            on_text(&answer.content);
        }
        Ok(reply)
    }
}

/// Whether an event says only that the connection is still there, as Anthropic's `ping` does: a
/// service that sends nothing else does not answer.
fn is_ping(data: &str) -> bool {
    data.len() < 40 && data.starts_with("{\"type\"") && data.contains("\"ping\"")
}

#[async_trait]
impl ChatApi for Service {
    fn name(&self) -> &str {
        &self.name
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn dialect(&self) -> &'static Dialect {
        self.dialect
    }

    fn is_sandbox(&self) -> bool {
        self.is_sandbox
    }

    async fn call(
        &self,
        request: &CallRequest,
        within: Duration,
    ) -> Result<CallReply, Box<ChatError>> {
        let (uri, body) = self.prepared(request, false)?;
        match self.wire.ask(uri, body, within).await {
            Ok(heard) => self.concluded(heard),
            Err(fault) => Err(self.fault(fault)),
        }
    }

    async fn stream(
        &self,
        request: &CallRequest,
        within: Duration,
        on_text: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<CallReply, Box<ChatError>> {
        let (uri, body) = self.prepared(request, true)?;
        let begun = self.wire.begin_stream(uri, body, within).await;
        let response = begun.map_err(|fault| self.fault(fault))?;
        let mut until = Instant::now() + within;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !is_stream || !response.status().is_success() {
            let heard = timeout_at(until, hear(response)).await;
            let heard = heard.map_err(|_| self.wire.late(within));
            return self.unstreamed(heard.map_err(|fault| self.fault(fault))?, on_text);
        }
        let (parts, mut body) = response.into_parts();
        let status = parts.status.as_u16();
        let mut heard = Heard { status, headers: parts.headers, ..Heard::default() };
        let (mut events, mut assembly) =
            (Events::default(), Assembly::new(self.dialect.shape, request.endpoint));
        let mut take = |data: &str| assembly.take(data, &mut |text| on_text(text));
        let mut is_over = false;
        let ended = loop {
            let Ok(next) = timeout_at(until, piece(&mut body)).await else {
                if is_over {
                    break Ok(());
                }
                return Err(self.fault(self.wire.stalled(within)));
            };
            match next {
                Ok(Some(piece)) => {
                    let fed = events.feed(&piece, |data| {
                        is_over |= data.trim() == "[DONE]";
                        // An answer may take as long as it wants while it goes on.
                        if is_over {
                            until = Instant::now() + AFTER_THE_END.min(within);
                        } else if !is_ping(data) {
                            until = Instant::now() + within;
                        }
                        take(data)
                    });
                    if let Err(complaint) = fed {
                        break Err(complaint);
                    }
                }
                Ok(None) => break events.rest().map_or(Ok(()), |data| take(&data)),
                Err(_) => break Ok(()),
            }
        };
        match (ended, assembly.whole()) {
            (Err(complaint), _) => heard.body = complaint.0.into_bytes(),
            (Ok(()), Some(body)) => heard.body = body.to_string().into_bytes(),
            (Ok(()), None) => heard.is_cut = true,
        }
        self.concluded(heard)
    }
}
