//! What can be asked of a service that answers at once.

use std::time::Duration;

use async_trait::async_trait;
use hyper::body::Bytes;

use crate::provider::{CallError, Dialect};
use crate::request::Endpoint;

/// One question, worded in `OpenAI`'s shape.
#[derive(Debug, Clone)]
pub struct CallRequest {
    /// Which kind of request it is.
    pub endpoint: Endpoint,
    /// The model, as the service names it: some have it in the address.
    pub model: String,
    /// The body: one JSON object. Shared, since it may hold pictures and be sent more than once.
    pub body: Bytes,
}

/// An answer, as the service gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallReply {
    /// The HTTP status.
    pub status: u16,
    /// The body in the service's own shape: a JSON object on one line, otherwise as it came.
    pub body: Vec<u8>,
    /// The service's own name of the call, for its support.
    pub request_id: Option<String>,
    /// What the service told of its limits.
    pub rate: RateSigns,
}

/// How much of something may be asked for in a minute, as a service told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// In a minute.
    pub limit: u64,
    /// What is left of it now.
    pub remaining: Option<u64>,
    /// When all of it is there again.
    pub reset: Option<Duration>,
}

/// What the headers of a reply told of a service's limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateSigns {
    /// Requests.
    pub requests: Option<Allowance>,
    /// Tokens, prompt and answer together.
    pub tokens: Option<Allowance>,
}

/// What is to be done after a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Ask again, not before this time where the service says it.
    Again(Option<Duration>),
    /// All calls to this service are too many now: none before this time where it is said.
    SlowDown(Option<Duration>),
    /// This request will never be answered; others may.
    NotThisRow,
    /// This service will answer nothing: key, money, right.
    NotThisProvider,
}

/// A call that failed.
#[derive(Debug)]
pub struct ChatError {
    /// The fact, with the provider's words. Its class says whether the call may have been billed:
    /// only [`Unknown`](crate::provider::CallClass::Unknown) may.
    pub error: CallError,
    /// What to do next.
    pub advice: Advice,
    /// The status and the body that came, where one came whole: it is kept as the row's line.
    pub reply: Option<CallReply>,
    /// What the service told of its limits.
    pub rate: RateSigns,
}

/// A service that answers at once.
#[async_trait]
pub trait ChatApi: Send + Sync {
    /// The name by which the user knows it.
    fn name(&self) -> &str;

    /// The address it is reached at.
    fn base_url(&self) -> &str;

    /// What it is like.
    fn dialect(&self) -> &'static Dialect;

    /// Whether answers are synthetic.
    fn is_sandbox(&self) -> bool;

    /// Asks once, and gives up after this time: the connection is closed then, so that the service
    /// sees it. Dropping the future does the same.
    async fn call(
        &self,
        request: &CallRequest,
        within: Duration,
    ) -> Result<CallReply, Box<ChatError>>;

    /// The same for people: `on_text` gets the text of the answer piece by piece, and the reply is
    /// the whole one in the shape that [`call`](Self::call) would have had. The time is that to the
    /// first piece and from each to the next.
    async fn stream(
        &self,
        request: &CallRequest,
        within: Duration,
        on_text: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<CallReply, Box<ChatError>>;
}
