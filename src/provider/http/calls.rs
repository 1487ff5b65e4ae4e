//! HTTP for calls that are answered at once: one request each, sent once, over connections that
//! are kept. What a reply means is not judged here.
//!
//! As for the other clients no redirect is followed and nothing is repeated, except what provably
//! was not sent: a connection that is closed by the other side just as it is used.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT,
};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::batch::{Failure, FailureKind};
use crate::provider::settings::{Address, ProviderSettings};
use crate::provider::{CallClass, ProviderError};

use super::connect::Connector;
use super::greeting::Greeting;
use super::{LONGEST_REPLY, clients, key_value, wait, way, words};

/// Connections unused for longer are closed here: many servers close theirs after five seconds, and
/// a call that is sent into that moment ends without an answer.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);
/// Headers in which services name a call: `OpenAI` and most others, Anthropic.
const REQUEST_IDS: [&str; 2] = ["x-request-id", "request-id"];

/// The way to one provider for calls.
pub(in crate::provider) struct CallWire {
    address: Address,
    client: Client<Connector, Full<Bytes>>,
    /// All headers of a call, the key among them.
    headers: HeaderMap,
    greeting: Greeting,
    host: String,
    /// The proxy in words, empty where there is none.
    way: String,
}

/// A call without a reply.
#[derive(Debug)]
pub(in crate::provider) struct CallFault {
    pub(in crate::provider) class: CallClass,
    pub(in crate::provider) failure: Failure,
}

/// A reply, judged by nobody yet.
#[derive(Debug, Default)]
pub(in crate::provider) struct Heard {
    pub(in crate::provider) status: u16,
    pub(in crate::provider) headers: HeaderMap,
    pub(in crate::provider) body: Vec<u8>,
    /// The connection broke before the body ended.
    pub(in crate::provider) is_cut: bool,
}

impl CallWire {
    /// Checks address and key and sets the client up. The key stands in this header after these
    /// words; `also` are further headers of every call.
    pub(in crate::provider) fn new(
        settings: &ProviderSettings,
        (key_header, before_key): (HeaderName, &str),
        also: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Self, ProviderError> {
        let address = settings.address()?;
        let host = HeaderValue::from_str(&address.host())
            .map_err(|_| ProviderError::Client(format!("{address} has no usable host")))?;
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host);
        headers.insert(USER_AGENT, HeaderValue::from_static(clients::USER_AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(key_value(settings, before_key)?.map(|value| (key_header, value)));
        headers.extend(also);
        let connector = Connector::new(&address, &settings.timeouts, &settings.proxy)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self {
            client,
            headers,
            greeting: Greeting::new(settings, &address),
            host: address.host(),
            way: way::of_proxy(&settings.proxy, &address, |name| std::env::var(name).ok()),
            address,
        })
    }

    pub(in crate::provider) fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a body and hears the whole reply, in this time at most. Dropping the future closes
    /// the connection.
    pub(in crate::provider) async fn ask(
        &self,
        uri: Uri,
        body: Bytes,
        within: Duration,
    ) -> Result<Heard, CallFault> {
        self.greet().await?;
        let heard = async { Ok(hear(self.send(uri, body).await?).await) };
        timeout(within, heard).await.unwrap_or_else(|_| Err(self.late(within)))
    }

    /// Sends a body whose reply comes in pieces: its head is waited for in this time at most, and
    /// how long the pieces may take is the caller's to say.
    pub(in crate::provider) async fn begin_stream(
        &self,
        uri: Uri,
        body: Bytes,
        within: Duration,
    ) -> Result<Response<Incoming>, CallFault> {
        self.greet().await?;
        let begun = timeout(within, self.send(uri, body)).await;
        begun.unwrap_or_else(|_| Err(self.late(within)))
    }

    async fn greet(&self) -> Result<(), CallFault> {
        let unsent = |failure| CallFault { class: CallClass::NotSent, failure };
        self.greeting.ask(&self.address).await.map_err(unsent)
    }

    async fn send(&self, uri: Uri, body: Bytes) -> Result<Response<Incoming>, CallFault> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        self.client.request(request).await.map_err(|error| self.fault(&error))
    }

    /// The time is over; whether the call was billed nobody knows.
    pub(in crate::provider) fn late(&self, within: Duration) -> CallFault {
        let words = format!("{} did not answer within {within:?}{}", self.host, self.way);
        let failure = Failure::ours(FailureKind::Network, words);
        CallFault { class: CallClass::Unknown, failure }
    }

    /// A reply that had begun came to a stop.
    pub(in crate::provider) fn stalled(&self, within: Duration) -> CallFault {
        let words = format!("{} sent no more of its answer for {within:?}{}", self.host, self.way);
        let failure = Failure::ours(FailureKind::Network, words);
        CallFault { class: CallClass::Unknown, failure }
    }

    /// What a fault of the transport says: only in the connect phase is it sure that nothing left.
    fn fault(&self, error: &Error) -> CallFault {
        let class = if error.is_connect() { CallClass::NotSent } else { CallClass::Unknown };
        let words = words::of_call(error, &self.host, &self.way);
        CallFault { class, failure: Failure::ours(FailureKind::Network, words) }
    }
}

/// Hears the rest of a reply.
pub(in crate::provider) async fn hear(response: Response<Incoming>) -> Heard {
    let (parts, mut body) = response.into_parts();
    let status = parts.status.as_u16();
    let mut heard = Heard { status, headers: parts.headers, ..Heard::default() };
    loop {
        match piece(&mut body).await {
            Ok(Some(piece)) if heard.body.is_empty() => heard.body = piece.into(),
            Ok(Some(piece)) if heard.body.len() + piece.len() <= LONGEST_REPLY => {
                heard.body.extend_from_slice(&piece);
            }
            Ok(None) => return heard,
            Ok(Some(_)) | Err(_) => {
                heard.is_cut = true;
                return heard;
            }
        }
    }
}

/// The next piece of a reply; `None` at its end.
pub(in crate::provider) async fn piece(body: &mut Incoming) -> Result<Option<Bytes>, hyper::Error> {
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

impl Heard {
    /// How long the provider asks to wait; `now` is for those that name a date.
    pub(in crate::provider) fn retry_after(&self, now: i64) -> Option<Duration> {
        wait::retry_after(&self.headers, now)
    }

    /// Whether the provider says that trying again makes sense.
    pub(in crate::provider) fn should_retry(&self) -> Option<bool> {
        wait::should_retry(&self.headers)
    }

    /// The service's own name of the call.
    pub(in crate::provider) fn request_id(&self) -> Option<String> {
        let found = REQUEST_IDS.iter().find_map(|name| self.headers.get(*name));
        found?.to_str().ok().map(str::to_owned)
    }

    /// Where a redirect leads.
    pub(in crate::provider) fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION)?.to_str().ok()
    }

    /// The provider's clock in Unix seconds.
    pub(in crate::provider) fn server_time(&self) -> Option<i64> {
        wait::server_time(&self.headers)
    }
}
