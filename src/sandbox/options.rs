//! How a sandbox is set up, and what can keep it from starting.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::realtime::CallLimits;
use super::{Family, Faults, Limits, Script, Upstream};

/// How long a batch takes when nothing else is said: long enough to see every state pass by.
const BATCH_DURATION: Duration = Duration::from_secs(2);
/// The completion window of the real services.
const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Everything a sandbox wants to know before it starts.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where its state lives; made if absent. Two servers may share one folder.
    pub state_dir: PathBuf,
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Where answers come from.
    pub answers: Answers,
    /// Which services it plays.
    pub families: Families,
    /// From the creation of a batch to its completion. With [`Answers::Upstream`] only a tenth of
    /// it is used, for the validation; the rest takes as long as the upstream server does.
    pub batch_duration: Duration,
    /// From the creation of a batch to its expiry: the completion window of 24 hours, or less to
    /// see batches expire.
    pub expire_after: Duration,
    /// Limits other than the services' own, for tests that do not want to send 200 MB.
    pub limits: Option<Limits>,
    /// Whether any model is taken. Otherwise a batch for a model that the family does not sell is
    /// refused, as the services do.
    pub any_model: bool,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// A limit on the prompt tokens of all batches of an account and model that have not ended.
    pub enqueued_tokens: Option<EnqueuedTokens>,
    /// How many calls that answer at once an account may make; those beyond are refused with 429.
    pub calls: CallLimits,
    /// How long each call that answers at once takes.
    pub latency: Duration,
    /// What the time is.
    pub time: Time,
}

impl SandboxOptions {
    /// Whether models are looked up; what another server knows is not known here.
    pub(super) fn checks_models(&self) -> bool {
        !self.any_model && !matches!(self.answers, Answers::Upstream(_))
    }

    /// A sandbox of all families on any free port, with made-up answers, state in this folder.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            port: 0,
            answers: Answers::Auto,
            families: Families::All,
            batch_duration: BATCH_DURATION,
            expire_after: WINDOW,
            limits: None,
            any_model: false,
            faults: Faults::default(),
            enqueued_tokens: None,
            calls: CallLimits::default(),
            latency: Duration::ZERO,
            time: Time::System,
        }
    }
}

/// Where answers come from. All but the last are made up, say so, and depend on nothing but the
/// body of the request.
#[derive(Debug, Clone)]
pub enum Answers {
    /// [`Answers::Schema`] where the request wants JSON, else [`Answers::Echo`].
    Auto,
    /// `[sandbox] ` and the last user text, then a list of the images.
    Echo,
    /// Values of the right types for the JSON schema or the fields that are asked for.
    Schema,
    /// This text to whatever is asked, its tokens taken as a quarter of the bytes: the cheapest
    /// answer, to measure clients with.
    Fixed(String),
    /// A list of rules; where none matches, as [`Answers::Auto`].
    Script(Script),
    /// Each request goes to an OpenAI-compatible server, which is paid or not as it pleases.
    Upstream(Upstream),
}

/// Which services a sandbox plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// One of them.
    Only(Family),
    /// OpenAI's and Zhipu's, at their own addresses.
    Both,
    /// All, at their own addresses.
    All,
}

impl Families {
    /// Whether this one is among them.
    pub fn contains(self, family: Family) -> bool {
        match self {
            Self::Only(only) => only == family,
            Self::Both => Family::WITH_BATCHES.contains(&family),
            Self::All => true,
        }
    }
}

/// A limit on waiting prompt tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnqueuedTokens {
    /// Tokens, by account and model.
    pub limit: u64,
    /// Whether a create that goes over it is refused. Otherwise its batch fails a while later, as
    /// at OpenAI.
    pub at_create: bool,
}

/// The time a sandbox lives in.
#[derive(Debug, Clone)]
pub enum Time {
    /// The machine's.
    System,
    /// Milliseconds since 1970, set by a test.
    Manual(Arc<AtomicI64>),
}

impl Time {
    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
            Self::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Sleeps until then, or for a moment if a test holds the clock.
    pub(super) async fn sleep_until(&self, then: i64) {
        let wait = match self {
            Self::System => u64::try_from(then - self.now()).unwrap_or(0),
            Self::Manual(_) => 2,
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The state folder cannot be made, read or written.
    #[error("cannot use the state folder {path}: {source}")]
    State {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The port is taken or not allowed.
    #[error("cannot listen on 127.0.0.1:{port}: {source}; --port 0 takes any free port")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The rules file cannot be read.
    #[error("cannot use the rules file {path}: {reason}")]
    Script {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the line where there is one.
        reason: String,
    },
    /// The upstream server cannot be asked.
    #[error("cannot use the upstream server {url}: {reason}")]
    Upstream {
        /// Its address.
        url: String,
        /// What is wrong.
        reason: String,
    },
}

impl SandboxError {
    pub(super) fn state(path: &Path, source: io::Error) -> Self {
        Self::State { path: path.to_owned(), source }
    }
}
