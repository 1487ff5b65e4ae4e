//! HTTP for one provider: who gets the key, what is repeated, what a broken call means.
//!
//! Knows nothing of batches; [`super::files`] says what is asked.

mod calls;
mod clients;
mod connect;
mod greeting;
mod transfer;
mod verdict;
mod wait;
mod way;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde_json::Value;

use crate::base::{Clock, crash_point};
use crate::batch::{Failure, FailureKind};

use super::settings::{Address, ProviderSettings, Timeouts};
use super::{CallClass, CallError, ProviderError};
use greeting::Greeting;

pub(super) use calls::{CallFault, CallWire, Heard, hear, piece};
pub(super) use clients::loopback_client;
pub(super) use verdict::{Verdict, judge, quote, words_of_redirect};

/// Longer replies are not read: ten thousand batches are far below.
const LONGEST_REPLY: usize = 64 << 20;
/// Stands for a clock difference that is not known yet.
const UNKNOWN_OFFSET: i64 = i64::MIN;

/// A whole reply to a call without a file.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// The connection broke before the body ended.
    pub(super) is_cut: bool,
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) should_retry: Option<bool>,
}

/// A try that failed.
#[derive(Debug)]
struct Fault {
    class: CallClass,
    failure: Failure,
    should_retry: Option<bool>,
    local: Option<std::io::Error>,
}

/// The way to one provider.
pub(super) struct Wire {
    provider: String,
    address: Address,
    authorization: Option<HeaderValue>,
    reader: Client,
    writer: Client,
    timeouts: Timeouts,
    clock: Arc<dyn Clock>,
    /// The provider's clock minus ours, in seconds.
    clock_offset: AtomicI64,
    greeting: Greeting,
    /// The proxy in words, empty where there is none.
    way: String,
}

impl Wire {
    /// Checks address and key, and sets both clients up.
    pub(super) fn new(settings: &ProviderSettings) -> Result<Self, ProviderError> {
        let address = settings.address()?;
        let local = address.is_loopback();
        Ok(Self {
            provider: settings.name.clone(),
            authorization: authorization(settings)?,
            reader: clients::reading(&settings.timeouts, local, &settings.proxy)?,
            writer: clients::writing(&settings.timeouts, local, &settings.proxy)?,
            timeouts: settings.timeouts,
            clock: Arc::clone(&settings.clock),
            clock_offset: AtomicI64::new(UNKNOWN_OFFSET),
            greeting: Greeting::new(settings, &address),
            way: way::of_proxy(&settings.proxy, &address, |name| std::env::var(name).ok()),
            address,
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn provider(&self) -> &str {
        &self.provider
    }

    /// The provider's clock in Unix seconds.
    pub(super) fn server_time(&self) -> Option<i64> {
        let offset = self.clock_offset.load(Ordering::Relaxed);
        (offset != UNKNOWN_OFFSET).then(|| self.clock.unix() + offset)
    }

    /// Reads, and tries again after faults that pass.
    pub(super) async fn get(
        &self,
        call: &'static str,
        parts: &[&str],
        query: &[(&str, &str)],
        accepts: fn(&Value) -> bool,
    ) -> Result<Value, CallError> {
        self.greet(call).await?;
        let url = self.place(call, parts)?;
        let mut tries = 0;
        loop {
            let request = self.reader.get(url.clone()).query(query);
            crash_point!("send", call);
            let reply = self.exchange(self.authorized(request, true)).await;
            crash_point!("answered", call);
            let fault = match reply {
                Ok(reply) => match judge(&reply, accepts) {
                    Verdict::Accepted(value) => return Ok(value),
                    Verdict::Rejected(failure) => reply.fault(CallClass::Rejected, failure),
                    Verdict::Unclear(failure) => reply.fault(CallClass::Unknown, failure),
                },
                Err(fault) => fault,
            };
            tries += 1;
            self.pause_or_fail(call, fault, tries).await?;
        }
    }

    /// Sends a call that changes something, once.
    pub(super) async fn post(
        &self,
        call: &'static str,
        parts: &[&str],
        body: Option<&Value>,
        accepts: fn(&Value) -> bool,
    ) -> Result<Value, CallError> {
        self.greet(call).await?;
        let mut request = self.writer.post(self.place(call, parts)?);
        if let Some(body) = body {
            request = request.json(body);
        }
        crash_point!("send", call);
        let reply = self.exchange(self.authorized(request, true)).await;
        crash_point!("answered", call);
        self.concluded(call, reply, accepts)
    }

    /// Deletes; what is not there counts as deleted.
    pub(super) async fn delete(&self, call: &'static str, parts: &[&str]) -> Result<(), CallError> {
        self.greet(call).await?;
        let request = self.writer.delete(self.place(call, parts)?);
        crash_point!("send", call);
        let reply = self.exchange(self.authorized(request, true)).await;
        crash_point!("answered", call);
        match &reply {
            Ok(reply) if reply.status == 404 => return Ok(()),
            Ok(reply) if reply.status == 204 && !reply.is_cut => return Ok(()),
            _ => {}
        }
        let accepts =
            |body: &Value| body.is_object() && crate::batch::ErrorWords::in_reply(body).is_none();
        self.concluded(call, reply, accepts).map(drop)
    }

    fn concluded(
        &self,
        call: &'static str,
        reply: Result<Reply, Fault>,
        accepts: fn(&Value) -> bool,
    ) -> Result<Value, CallError> {
        let reply = reply.map_err(|fault| self.error(call, fault))?;
        match judge(&reply, accepts) {
            Verdict::Accepted(value) => Ok(value),
            Verdict::Rejected(failure) => {
                Err(self.error(call, reply.fault(CallClass::Rejected, failure)))
            }
            Verdict::Unclear(failure) => {
                Err(self.error(call, reply.fault(CallClass::Unknown, failure)))
            }
        }
    }

    /// An address of this provider; ids come from outside, so each must be one plain part.
    fn place(&self, call: &'static str, parts: &[&str]) -> Result<Url, CallError> {
        if let Some(part) = parts.iter().find(|part| matches!(**part, "" | "." | "..")) {
            let words = format!("the provider's id {part:?} is not one");
            return Err(self.error(call, Fault::rejected(words)));
        }
        Ok(self.address.join(parts))
    }

    /// Makes sure that a sandbox key goes to a sandbox only. Asked once, without the key.
    async fn greet(&self, call: &'static str) -> Result<(), CallError> {
        self.greeting.ask(&self.address).await.map_err(|failure| {
            let class = CallClass::NotSent;
            self.error(call, Fault { class, failure, should_retry: None, local: None })
        })
    }

    /// The request with the key, if it goes to the provider itself.
    fn authorized(&self, request: RequestBuilder, is_own_host: bool) -> RequestBuilder {
        match &self.authorization {
            Some(value) if is_own_host => request.header(AUTHORIZATION, value.clone()),
            _ => request,
        }
    }

    /// Sends one request without a file and reads the whole reply.
    async fn exchange(&self, request: RequestBuilder) -> Result<Reply, Fault> {
        self.read_reply(self.begin(request.timeout(self.timeouts.call)).await?).await
    }

    /// Sends one request and waits for the head of the reply.
    async fn begin(&self, request: RequestBuilder) -> Result<Response, Fault> {
        let response = request.send().await.map_err(|error| self.transport(&error))?;
        if let Some(time) = wait::server_time(response.headers()) {
            self.clock_offset.store(time - self.clock.unix(), Ordering::Relaxed);
        }
        Ok(response)
    }

    /// Reads the body of a reply; that it was cut is noted, since the status may say enough.
    async fn read_reply(&self, mut response: Response) -> Result<Reply, Fault> {
        let headers = response.headers();
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let now = self.server_time().unwrap_or_else(|| self.clock.unix());
        let mut reply = Reply {
            status: response.status().as_u16(),
            location: location.map(str::to_owned),
            retry_after: wait::retry_after(headers, now),
            should_retry: wait::should_retry(headers),
            ..Reply::default()
        };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if reply.body.len() + chunk.len() <= LONGEST_REPLY => {
                    reply.body.extend_from_slice(&chunk);
                }
                Ok(None) => return Ok(reply),
                Ok(Some(_)) | Err(_) => {
                    reply.is_cut = true;
                    return Ok(reply);
                }
            }
        }
    }

    /// What a fault of the transport says: only in the connect phase is it sure that nothing left.
    fn transport(&self, error: &reqwest::Error) -> Fault {
        let class = if error.is_connect() || error.is_builder() {
            CallClass::NotSent
        } else {
            CallClass::Unknown
        };
        let host = error.url().and_then(Url::host_str).unwrap_or("the provider");
        let failure =
            Failure::ours(FailureKind::Network, words::of_transport(error, host, &self.way));
        Fault { class, failure, should_retry: None, local: None }
    }

    /// Waits before the next try, or gives the error back if there is none.
    async fn pause_or_fail(
        &self,
        call: &'static str,
        fault: Fault,
        tries: u32,
    ) -> Result<(), CallError> {
        let pause = match fault.local {
            Some(_) => None,
            None => wait::before_retry(&fault.failure, fault.should_retry, tries, wait::jitter()),
        };
        match pause {
            Some(pause) => {
                self.clock.sleep(pause).await;
                Ok(())
            }
            None => Err(self.error(call, fault)),
        }
    }

    fn error(&self, call: &'static str, fault: Fault) -> CallError {
        CallError {
            class: fault.class,
            failure: fault.failure,
            call,
            provider: self.provider.as_str().into(),
            local: fault.local,
        }
    }
}

impl Reply {
    fn fault(&self, class: CallClass, failure: Failure) -> Fault {
        Fault { class, failure, should_retry: self.should_retry, local: None }
    }
}

impl Fault {
    /// Nothing was done, and doing it again would be no better.
    fn rejected(words: String) -> Self {
        Self {
            class: CallClass::Rejected,
            failure: Failure::ours(FailureKind::Invalid, words),
            should_retry: None,
            local: None,
        }
    }

    /// A fault of our own disk.
    fn local(words: String, error: std::io::Error) -> Self {
        Self { local: Some(error), ..Self::rejected(words) }
    }
}

/// The header that carries the key; none without a key, as local servers want none.
fn authorization(settings: &ProviderSettings) -> Result<Option<HeaderValue>, ProviderError> {
    key_value(settings, "Bearer ")
}

/// The key as the value of a header, after these words.
fn key_value(
    settings: &ProviderSettings,
    before: &str,
) -> Result<Option<HeaderValue>, ProviderError> {
    let key = settings.key.expose().trim();
    if key.is_empty() {
        return Ok(None);
    }
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`".contains(&byte));
    let value = is_plain.then(|| HeaderValue::from_str(&format!("{before}{key}")).ok()).flatten();
    let mut value = value.ok_or_else(|| ProviderError::BadKey(settings.name.clone()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
