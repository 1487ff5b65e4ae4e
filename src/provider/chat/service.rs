//! A service that answers at once, over HTTP: where a call goes, and what its reply means.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::AUTHORIZATION;

use crate::base::Clock;
use crate::batch::{Failure, FailureKind};
use crate::provider::http::{CallFault, CallWire, Heard};
use crate::provider::{CallClass, CallError, Dialect, ProviderError, ProviderSettings, SANDBOX};
use crate::request::Endpoint;

use super::advice::{Judged, Told, judge};
use super::api::{Advice, CallReply, CallRequest, ChatApi, ChatError, RateSigns};
use super::look::on_one_line;

/// What is attempted, as words that follow "failed to".
const CALL: &str = "ask the model";

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
    places: [Url; 3],
    clock: Arc<dyn Clock>,
}

impl Service {
    fn new(settings: &ProviderSettings) -> Result<Self, ProviderError> {
        let wire = CallWire::new(settings, (AUTHORIZATION, "Bearer "), None)?;
        let address = wire.address();
        Ok(Self {
            name: settings.name.clone(),
            base_url: address.to_string(),
            dialect: settings.dialect,
            is_sandbox: settings.dialect.name == SANDBOX.name
                || (address.is_loopback() && settings.has_sandbox_key()),
            places: [
                address.join(&["chat", "completions"]),
                address.join(&["embeddings"]),
                address.join(&["responses"]),
            ],
            wire,
            clock: Arc::clone(&settings.clock),
        })
    }

    fn place(&self, endpoint: Endpoint) -> &Url {
        &self.places[match endpoint {
            Endpoint::Chat => 0,
            Endpoint::Embeddings => 1,
            Endpoint::Responses => 2,
        }]
    }

    fn concluded(&self, heard: Heard) -> Result<CallReply, ChatError> {
        let now = heard.server_time().unwrap_or_else(|| self.clock.unix());
        let judged = judge(&Told {
            status: heard.status,
            body: &heard.body,
            is_cut: heard.is_cut,
            retry_after: heard.retry_after(now),
            should_retry: heard.should_retry(),
        });
        let rate = RateSigns::default();
        let reply = CallReply {
            status: heard.status,
            body: on_one_line(heard.body),
            request_id: None,
            rate,
        };
        match judged {
            Judged::Answered => Ok(reply),
            Judged::Failed { class, failure, advice } => {
                let reply = (!heard.is_cut).then_some(reply);
                Err(self.failed(class, failure, advice, reply))
            }
        }
    }

    fn fault(&self, fault: CallFault) -> ChatError {
        self.failed(fault.class, fault.failure, Advice::Again(None), None)
    }

    fn failed(
        &self,
        class: CallClass,
        failure: Failure,
        advice: Advice,
        reply: Option<CallReply>,
    ) -> ChatError {
        let rate = reply.as_ref().map(|reply| reply.rate).unwrap_or_default();
        let provider = self.name.as_str().into();
        let error = CallError { class, failure, call: CALL, provider, local: None };
        ChatError { error, advice, reply, rate }
    }
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

    async fn call(&self, request: &CallRequest, within: Duration) -> Result<CallReply, ChatError> {
        let url = self.place(request.endpoint);
        match self.wire.ask(url, request.body.clone(), within).await {
            Ok(heard) => self.concluded(heard),
            Err(fault) => Err(self.fault(fault)),
        }
    }

    async fn stream(
        &self,
        request: &CallRequest,
        within: Duration,
        on_text: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<CallReply, ChatError> {
        let reply = self.call(request, within).await?;
        let line = format!(
            r#"{{"custom_id":"x","response":{{"status_code":{},"body":{}}}}}"#,
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
        let decoded = crate::batch::decode_line(line.as_bytes());
        match decoded.map(|line| line.outcome) {
            Ok(crate::batch::Outcome::Answered(answer)) => on_text(&answer.content),
            Ok(crate::batch::Outcome::Failed(failure)) => {
                return Err(self.failed(
                    CallClass::Unknown,
                    failure,
                    Advice::Again(None),
                    Some(reply),
                ));
            }
            Err(error) => {
                let failure = Failure::ours(FailureKind::Server, error.to_string());
                return Err(self.failed(CallClass::Unknown, failure, Advice::Again(None), None));
            }
        }
        Ok(reply)
    }
}
