//! The server: its address, who may talk to it, its routes, its end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::handler::HandlerWithoutStateExt;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use super::faults::{Book, Wire, Wired};
use super::guard::account_of;
use super::ledger::Ledger;
use super::queue::Queue;
use super::realtime::{Calls, Limiter};
use super::refusal::Refusal;
use super::shelf::{BatchRecord, Shelf};
use super::{Family, SandboxError, SandboxOptions, create, engine, routes};
use crate::base::private_dir;

/// JSON calls, images inline included (bytes).
pub(super) const MAX_JSON_BYTES: usize = 64 << 20;
/// Batches settled at once.
const SETTLERS: usize = 4;
/// How long calls under way may take to end after a shutdown.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long lines of the bill wait in memory.
const LEDGER_DELAY: Duration = Duration::from_millis(200);

/// What all calls share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: SandboxOptions,
    pub(super) ledger: Ledger,
    /// What goes wrong on purpose.
    pub(super) faults: Book,
    /// Tokens that wait, by account and model.
    pub(super) queue: Queue,
    /// Calls that answer at once: what is left of their limits, and what was seen of each.
    pub(super) limiter: Arc<Limiter>,
    pub(super) calls: Calls,
    /// When the server started (milliseconds).
    pub(super) started: i64,
    shelves: Vec<(Family, Shelf)>,
    /// Batches that a task follows, and how to wake it.
    followed: Mutex<HashMap<String, Arc<Notify>>>,
    /// Batches that fail when their input file is deleted, by the file.
    mortals: Mutex<HashMap<String, Vec<String>>>,
    /// Why a batch could not be settled.
    troubles: Mutex<HashMap<String, String>>,
    /// Rows that an upstream server has answered.
    progress: Mutex<HashMap<String, u64>>,
    /// Batches that are settled at once: each takes all processors and some memory.
    pub(super) settlers: Semaphore,
    stop: watch::Sender<bool>,
}

/// One family's counter of the server.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) shared: Arc<Shared>,
    pub(super) family: Family,
    /// The caller's account; empty for keys that name none.
    pub(super) account: Arc<str>,
}

impl FromRequestParts<Self> for Desk {
    type Rejection = Infallible;

    /// The desk as this caller sees it.
    async fn from_request_parts(parts: &mut Parts, desk: &Self) -> Result<Self, Infallible> {
        Ok(desk.of_account(account_of(&parts.headers, &parts.uri)))
    }
}

impl Desk {
    pub(super) fn new(shared: &Arc<Shared>, family: Family) -> Self {
        Self { shared: Arc::clone(shared), family, account: "".into() }
    }

    /// The desk as this account sees it.
    pub(super) fn of_account(&self, account: &str) -> Self {
        if account == &*self.account {
            return self.clone();
        }
        Self { shared: Arc::clone(&self.shared), family: self.family, account: account.into() }
    }

    pub(super) fn shelf(&self) -> &Shelf {
        let found = self.shared.shelves.iter().find(|(family, _)| *family == self.family);
        &found.expect("a desk is made only for a family that has a shelf").1
    }

    pub(super) fn now(&self) -> i64 {
        self.shared.options.time.now()
    }

    /// A reply in the family's shape, whatever became of the call.
    pub(super) fn reply(&self, outcome: Result<Value, Refusal>) -> Response {
        match outcome {
            Ok(body) => axum::Json(body).into_response(),
            Err(refusal) => refusal.response(self.family),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// The bell of a new follower, or `None` if the batch has one.
    pub(super) fn begin_to_follow(&self, id: &str) -> Option<Arc<Notify>> {
        let mut followed = locked(&self.followed);
        if followed.contains_key(id) {
            return None;
        }
        let bell = Arc::new(Notify::new());
        followed.insert(id.to_owned(), Arc::clone(&bell));
        locked(&self.troubles).remove(id);
        Some(bell)
    }

    pub(super) fn end_to_follow(&self, id: &str, trouble: Option<io::Error>) {
        if let Some(trouble) = trouble {
            locked(&self.troubles).insert(id.to_owned(), trouble.to_string());
        }
        locked(&self.followed).remove(id);
        locked(&self.progress).remove(id);
    }

    /// A batch is there that dies with its input file, if it is one.
    pub(super) fn note_if_mortal(&self, record: &BatchRecord) {
        if record.fate().dies_with_file() {
            let mut mortals = locked(&self.mortals);
            mortals.entry(record.input_file_id.clone()).or_default().push(record.id.clone());
        }
    }

    /// The batches that die with a file.
    pub(super) fn mortals_of(&self, file: &str) -> Vec<String> {
        locked(&self.mortals).remove(file).unwrap_or_default()
    }

    /// Something has happened to a batch: its follower looks again.
    pub(super) fn wake(&self, id: &str) {
        if let Some(bell) = locked(&self.followed).get(id) {
            bell.notify_one();
        }
    }

    pub(super) fn trouble(&self, id: &str) -> Option<String> {
        locked(&self.troubles).get(id).cloned()
    }

    pub(super) fn set_progress(&self, id: &str, done: u64) {
        locked(&self.progress).insert(id.to_owned(), done);
    }

    pub(super) fn progress(&self, id: &str) -> u64 {
        locked(&self.progress).get(id).copied().unwrap_or(0)
    }
}

/// Runs something that reads or writes files away from the async threads.
pub(super) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<io::Error> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(io::Error::other("a bug of the sandbox; see its output").into()))
}

/// A sandbox that is up. Dropped, it stops at once; [`Running::shutdown`] lets calls under way end.
/// Either way nothing is lost.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    shared: Arc<Shared>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base address of a family, such as `http://127.0.0.1:8080/v1`.
    pub fn base_url(&self, family: Family) -> String {
        format!("http://{}{}", self.address, family.prefix())
    }

    /// Takes no more calls, gives those under way two seconds, and ends.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        if tokio::time::timeout(PATIENCE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        self.task.abort();
        // A full disk keeps the last lines of the bill out of it; nobody is left to tell.
        let _ = self.shared.ledger.flush();
    }
}

/// Starts a sandbox on 127.0.0.1. Batches that a former server with the same state left
/// unfinished go on.
pub async fn serve(options: SandboxOptions) -> Result<Running, SandboxError> {
    let state_dir = options.state_dir.clone();
    let failed = |source| SandboxError::state(&state_dir, source);
    private_dir(&state_dir).map_err(failed)?;
    let mut shelves = Vec::new();
    for family in
        Family::WITH_BATCHES.into_iter().filter(|family| options.families.contains(*family))
    {
        shelves.push((family, Shelf::open(&state_dir, family).map_err(failed)?));
    }
    let port = options.port;
    let refused = |source| SandboxError::Listen { port, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let ledger = Ledger::new(&state_dir);
    let faults = Book::new(&options.faults, options.batch_duration, options.time.now());
    let queue = Queue::new(options.enqueued_tokens);
    let (limiter, started) = (Arc::new(Limiter::new(options.calls)), options.time.now());
    let shared = Arc::new(Shared {
        options,
        ledger,
        faults,
        queue,
        limiter,
        calls: Calls::default(),
        started,
        shelves,
        followed: Mutex::default(),
        mortals: Mutex::default(),
        troubles: Mutex::default(),
        progress: Mutex::default(),
        settlers: Semaphore::new(SETTLERS),
        stop: watch::Sender::new(false),
    });
    for family in shared.shelves.iter().map(|(family, _)| *family) {
        let desk = Desk::new(&shared, family);
        create::bill_forgotten(&desk).map_err(failed)?;
        engine::follow_all(&desk).map_err(failed)?;
    }
    let (stop, mut stopped) = (shared.stop.clone(), shared.stopped());
    let front = routes::front(&shared, address);
    let app = front.into_make_service_with_connect_info::<Wire>();
    let task = tokio::spawn(async move {
        let end = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        // Accepting goes on through errors of single connections; nothing else can fail.
        let _ = axum::serve(Wired(listener), app).with_graceful_shutdown(end).await;
    });
    tokio::spawn(keep_ledger(Arc::clone(&shared)));
    Ok(Running { address, stop, task, shared })
}

/// Writes the lines of the bill that wait, until the server stops.
async fn keep_ledger(shared: Arc<Shared>) {
    let mut stopped = shared.stopped();
    while tokio::time::timeout(LEDGER_DELAY, stopped.wait_for(|stopped| *stopped)).await.is_err() {
        if shared.ledger.is_behind() {
            let shared = Arc::clone(&shared);
            // What cannot be written now is missing in the bill: the disk is full.
            let _ = blocking(move || shared.ledger.flush()).await;
        }
    }
}
