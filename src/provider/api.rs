//! What can be asked of a service that runs batches.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;

use crate::batch::Batch;
use crate::request::Endpoint;
use crate::shard::Limits;

use super::{CallError, Dialect};

/// A file as the provider describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// The provider's id.
    pub id: String,
    /// The name it was uploaded under.
    pub name: Option<String>,
    /// Its size in bytes, where given.
    pub bytes: Option<u64>,
    /// When it was created, in Unix seconds by the provider's clock.
    pub created_at: Option<i64>,
}

/// What a batch is created from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateBatch {
    /// The uploaded input file.
    pub input_file_id: String,
    /// Which kind of requests it holds.
    pub endpoint: Endpoint,
    /// How long it may take, e.g. `24h`; empty for the provider's default.
    pub completion_window: String,
    /// Key and value pairs that come back with the batch.
    pub metadata: BTreeMap<String, String>,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// What to pass as `after` for the next page; `None` if this was the last.
    pub next: Option<String>,
}

/// A service that runs batches. Reads repeat themselves after transient faults; `upload`, `create`,
/// `cancel` and `delete_file` are sent once, and their error's class says what is known of their
/// effect.
#[async_trait]
pub trait BatchApi: Send + Sync {
    /// The name by which the user knows it.
    fn name(&self) -> &str;

    /// The address it is reached at.
    fn base_url(&self) -> &str;

    /// What it is like.
    fn dialect(&self) -> &'static Dialect;

    /// Whether answers are synthetic.
    fn is_sandbox(&self) -> bool;

    /// Whether a batch whose input file was deleted first is known not to run.
    fn fence_trusted(&self) -> bool {
        self.dialect().fence_trusted || self.is_sandbox()
    }

    /// What one input file may hold, as published.
    fn limits(&self, endpoint: Endpoint) -> Limits {
        self.dialect().limits(endpoint)
    }

    /// The `url` of a request line; `None` if such requests are not taken in a batch.
    fn line_url(&self, endpoint: Endpoint) -> Option<&'static str> {
        self.dialect().line_url(endpoint)
    }

    /// The time by the provider's clock in Unix seconds, from the last reply that told one.
    fn server_time(&self) -> Option<i64>;

    /// Sends an input file under a name that ends in `.jsonl`, streaming it; `on_bytes` gets the
    /// bytes that have left so far, a few times a second.
    async fn upload(
        &self,
        path: &Path,
        name: &str,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<RemoteFile, CallError>;

    /// Lists batch input files, newest first.
    async fn list_files(&self, after: Option<&str>) -> Result<Page<RemoteFile>, CallError>;

    /// Creates a batch. Never repeat it after [`CallClass::Unknown`](super::CallClass::Unknown)
    /// before having looked for it.
    async fn create(&self, request: &CreateBatch) -> Result<Batch, CallError>;

    /// Asks after a batch.
    async fn retrieve(&self, batch_id: &str) -> Result<Batch, CallError>;

    /// Lists batches, newest first, at most `limit` (1 to 100) a page.
    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page<Batch>, CallError>;

    /// Asks for a batch to be stopped; may be repeated.
    async fn cancel(&self, batch_id: &str) -> Result<Batch, CallError>;

    /// Fetches a file whole, by id or by the link a provider gave in its place, to a path where it
    /// appears only when complete and synced. Returns its bytes; `on_bytes` gets those so far.
    async fn download(
        &self,
        file_id: &str,
        to: &Path,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, CallError>;

    /// Deletes a file; one that is not there counts as deleted.
    async fn delete_file(&self, file_id: &str) -> Result<(), CallError>;
}
