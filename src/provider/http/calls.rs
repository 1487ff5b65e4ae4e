//! HTTP for calls that are answered at once: one request each, sent once, over connections that
//! are kept. What a reply means is not judged here.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Body, Client, Method, Request, Response, Url};
use tokio::time::timeout;

use crate::batch::{Failure, FailureKind};
use crate::provider::settings::{Address, ProviderSettings};
use crate::provider::{CallClass, ProviderError};

use super::greeting::Greeting;
use super::{LONGEST_REPLY, clients, key_value, wait, way, words};

/// Headers in which services name a call: `OpenAI` and most others, Anthropic.
const REQUEST_IDS: [&str; 2] = ["x-request-id", "request-id"];

/// The way to one provider for calls.
pub(in crate::provider) struct CallWire {
    address: Address,
    client: Client,
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
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(key_value(settings, before_key)?.map(|value| (key_header, value)));
        headers.extend(also);
        let local = address.is_loopback();
        Ok(Self {
            client: clients::calling(&settings.timeouts, local, &settings.proxy)?,
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
        url: Url,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Heard, CallFault> {
        let response = self.begin(url, body, within).await?;
        self.hear(response, within).await
    }

    /// Hears the rest of a reply.
    pub(in crate::provider) async fn hear(
        &self,
        mut response: Response,
        within: Duration,
    ) -> Result<Heard, CallFault> {
        let mut heard = Heard {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            ..Heard::default()
        };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if heard.body.is_empty() => heard.body = chunk.into(),
                Ok(Some(chunk)) if heard.body.len() + chunk.len() <= LONGEST_REPLY => {
                    heard.body.extend_from_slice(&chunk);
                }
                Ok(None) => return Ok(heard),
                Err(error) if error.is_timeout() => return Err(self.fault(&error, within)),
                Ok(Some(_)) | Err(_) => {
                    heard.is_cut = true;
                    return Ok(heard);
                }
            }
        }
    }

    /// Sends a body and hears the head of the reply.
    pub(in crate::provider) async fn begin(
        &self,
        url: Url,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Response, CallFault> {
        let unsent = |failure| CallFault { class: CallClass::NotSent, failure };
        self.greeting.ask(&self.address).await.map_err(unsent)?;
        let mut request = self.request(url, body);
        *request.timeout_mut() = Some(within);
        self.client.execute(request).await.map_err(|error| self.fault(&error, within))
    }

    /// The same for a reply that comes in pieces: its head is waited for in this time at most, and
    /// how long the pieces may take is the caller's to say.
    pub(in crate::provider) async fn begin_stream(
        &self,
        url: Url,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Response, CallFault> {
        let unsent = |failure| CallFault { class: CallClass::NotSent, failure };
        self.greeting.ask(&self.address).await.map_err(unsent)?;
        let begun = self.client.execute(self.request(url, body));
        match timeout(within, begun).await {
            Ok(begun) => begun.map_err(|error| self.fault(&error, within)),
            Err(_) => Err(self.late(within)),
        }
    }

    fn request(&self, url: Url, body: Vec<u8>) -> Request {
        let mut request = Request::new(Method::POST, url);
        *request.headers_mut() = self.headers.clone();
        *request.body_mut() = Some(Body::from(body));
        request
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
    pub(in crate::provider) fn fault(&self, error: &reqwest::Error, within: Duration) -> CallFault {
        let is_unsent = error.is_connect() || error.is_builder();
        let class = if is_unsent { CallClass::NotSent } else { CallClass::Unknown };
        if error.is_timeout() && !error.is_connect() {
            return self.late(within);
        }
        let words = words::of_transport(error, &self.host, &self.way);
        CallFault { class, failure: Failure::ours(FailureKind::Network, words) }
    }
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
