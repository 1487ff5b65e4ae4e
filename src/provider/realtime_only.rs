//! A service that is only called at once: everything about batches is refused before it is sent.

use std::path::Path;

use async_trait::async_trait;

use crate::batch::{Batch, Failure, FailureKind};

use super::settings::{ProviderSettings, is_sandbox};
use super::{
    BatchApi, CallClass, CallError, CreateBatch, Dialect, Page, ProviderError, RemoteFile,
};

/// A service whose batches are not spoken here.
pub(super) struct RealtimeOnly {
    name: String,
    base_url: String,
    dialect: &'static Dialect,
    is_sandbox: bool,
}

impl RealtimeOnly {
    /// Checks the address.
    pub(super) fn new(settings: &ProviderSettings) -> Result<Self, ProviderError> {
        let address = settings.address()?;
        Ok(Self {
            name: settings.name.clone(),
            is_sandbox: is_sandbox(settings, &address),
            base_url: address.to_string(),
            dialect: settings.dialect,
        })
    }

    fn refuse<T>(&self, call: &'static str) -> Result<T, CallError> {
        let words = format!(
            "batches at {} are not taken by batchctl, only calls: use --now (--mode realtime)",
            self.name
        );
        Err(CallError {
            class: CallClass::Rejected,
            failure: Failure::ours(FailureKind::Invalid, words),
            call,
            provider: self.name.as_str().into(),
            local: None,
        })
    }
}

#[async_trait]
impl BatchApi for RealtimeOnly {
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

    fn server_time(&self) -> Option<i64> {
        None
    }

    async fn upload(
        &self,
        _path: &Path,
        _name: &str,
        _on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<RemoteFile, CallError> {
        self.refuse("upload the input file")
    }

    async fn list_files(&self, _after: Option<&str>) -> Result<Page<RemoteFile>, CallError> {
        self.refuse("list the files")
    }

    async fn create(&self, _request: &CreateBatch) -> Result<Batch, CallError> {
        self.refuse("create the batch")
    }

    async fn retrieve(&self, _batch_id: &str) -> Result<Batch, CallError> {
        self.refuse("ask after the batch")
    }

    async fn list(&self, _after: Option<&str>, _limit: u32) -> Result<Page<Batch>, CallError> {
        self.refuse("list the batches")
    }

    async fn cancel(&self, _batch_id: &str) -> Result<Batch, CallError> {
        self.refuse("cancel the batch")
    }

    async fn download(
        &self,
        _file_id: &str,
        _to: &Path,
        _on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, CallError> {
        self.refuse("download the result file")
    }

    async fn delete_file(&self, _file_id: &str) -> Result<(), CallError> {
        self.refuse("delete the file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::provider::{ANTHROPIC, GEMINI, open};

    /// Nothing is sent, and the way out is named.
    #[tokio::test]
    async fn s3_01_batches_of_services_that_are_only_called_are_refused_at_home() {
        for dialect in [&ANTHROPIC, &GEMINI] {
            let settings = ProviderSettings::new(dialect, Secret::new("key-of-nobody"));
            let api = open(&settings).unwrap();
            let error = api.list(None, 10).await.unwrap_err();
            assert_eq!(error.class, CallClass::Rejected);
            let words = error.to_string();
            assert!(words.contains(dialect.name) && words.contains("--now"), "{words}");
            assert!(api.delete_file("file-1").await.is_err());
        }
    }
}
