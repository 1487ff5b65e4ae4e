//! The Batch API of `OpenAI`'s shape: files up, a batch over them, files down. What differs from
//! service to service stands in the [`Dialect`].

use std::path::Path;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::batch::{Batch, ErrorWords, Failure, FailureKind};

use super::decode::{decode_batch, decode_file, decode_page, has_id};
use super::http::Wire;
use super::settings::{ProviderSettings, is_sandbox};
use super::{
    BatchApi, CallClass, CallError, CreateBatch, Dialect, Page, ProviderError, RemoteFile,
};

/// Files a page: services other than `OpenAI` allow no more.
const FILES_A_PAGE: &str = "100";
/// Batches a page, at most.
const BATCHES_A_PAGE: u32 = 100;

/// A service of `OpenAI`'s shape.
pub(super) struct OpenAiShaped {
    wire: Wire,
    base_url: String,
    dialect: &'static Dialect,
    is_sandbox: bool,
    fence_trusted: Option<bool>,
}

impl OpenAiShaped {
    /// Checks the settings; sends nothing.
    pub(super) fn new(settings: &ProviderSettings) -> Result<Self, ProviderError> {
        let wire = Wire::new(settings)?;
        Ok(Self {
            base_url: wire.address().to_string(),
            is_sandbox: is_sandbox(settings, wire.address()),
            dialect: settings.dialect,
            fence_trusted: settings.fence_trusted,
            wire,
        })
    }

    /// An answer that was accepted but does not read. Its effect is unknown.
    fn unreadable(&self, call: &'static str) -> CallError {
        CallError {
            class: CallClass::Unknown,
            failure: Failure::ours(FailureKind::Server, "the answer cannot be understood"),
            call,
            provider: self.wire.provider().into(),
            local: None,
        }
    }
}

/// An object that was made. One with an error and no status is not what its id says it is: some
/// gateways give their errors an id.
fn is_made(body: &Value) -> bool {
    has_id(body) && (ErrorWords::in_reply(body).is_none() || body.get("status").is_some())
}

fn is_listing(body: &Value) -> bool {
    body.get("data").is_some_and(Value::is_array)
}

#[async_trait]
impl BatchApi for OpenAiShaped {
    fn name(&self) -> &str {
        self.wire.provider()
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

    fn fence_trusted(&self) -> bool {
        self.fence_trusted.unwrap_or(self.dialect.fence_trusted || self.is_sandbox)
    }

    fn server_time(&self) -> Option<i64> {
        self.wire.server_time()
    }

    async fn upload(
        &self,
        path: &Path,
        name: &str,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<RemoteFile, CallError> {
        const CALL: &str = "upload the input file";
        let body = self.wire.upload(CALL, &["files"], (path, name), on_bytes, is_made).await?;
        decode_file(&body).ok_or_else(|| self.unreadable(CALL))
    }

    async fn list_files(&self, after: Option<&str>) -> Result<Page<RemoteFile>, CallError> {
        const CALL: &str = "list the files";
        let mut query = vec![("purpose", "batch"), ("limit", FILES_A_PAGE), ("order", "desc")];
        query.extend(after.map(|after| ("after", after)));
        let body = self.wire.get(CALL, &["files"], &query, is_listing).await?;
        decode_page(&body, decode_file, |file| &file.id).ok_or_else(|| self.unreadable(CALL))
    }

    async fn create(&self, request: &CreateBatch) -> Result<Batch, CallError> {
        const CALL: &str = "create the batch";
        let body = create_body(self.dialect, request).map_err(|words| CallError {
            class: CallClass::Rejected,
            failure: Failure::ours(FailureKind::Invalid, words),
            call: CALL,
            provider: self.wire.provider().into(),
            local: None,
        })?;
        let body = self.wire.post(CALL, &["batches"], Some(&body), is_made).await?;
        decode_batch(&body).ok_or_else(|| self.unreadable(CALL))
    }

    async fn retrieve(&self, batch_id: &str) -> Result<Batch, CallError> {
        const CALL: &str = "ask after the batch";
        let body = self.wire.get(CALL, &["batches", batch_id], &[], is_made).await?;
        decode_batch(&body).ok_or_else(|| self.unreadable(CALL))
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Page<Batch>, CallError> {
        const CALL: &str = "list the batches";
        let limit = limit.clamp(1, BATCHES_A_PAGE).to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(after.map(|after| ("after", after)));
        let body = self.wire.get(CALL, &["batches"], &query, is_listing).await?;
        decode_page(&body, decode_batch, |batch| &batch.id).ok_or_else(|| self.unreadable(CALL))
    }

    async fn cancel(&self, batch_id: &str) -> Result<Batch, CallError> {
        const CALL: &str = "cancel the batch";
        let body = self.wire.post(CALL, &["batches", batch_id, "cancel"], None, is_made).await?;
        decode_batch(&body).ok_or_else(|| self.unreadable(CALL))
    }

    async fn download(
        &self,
        file_id: &str,
        to: &Path,
        on_bytes: &(dyn Fn(u64) + Sync),
    ) -> Result<u64, CallError> {
        self.wire.download("download the result file", file_id, to, on_bytes).await
    }

    async fn delete_file(&self, file_id: &str) -> Result<(), CallError> {
        self.wire.delete("delete the file", &["files", file_id]).await
    }
}

/// The body of a create, in the dialect's words; an error if the service takes no such requests.
fn create_body(dialect: &Dialect, request: &CreateBatch) -> Result<Value, String> {
    let endpoint = dialect.line_url(request.endpoint).ok_or_else(|| {
        format!("{} takes no {:?} requests in a batch", dialect.name, request.endpoint)
    })?;
    let window = match request.completion_window.as_str() {
        "" => dialect.completion_window,
        window => window,
    };
    let mut body = json!({
        "input_file_id": request.input_file_id,
        "endpoint": endpoint,
        "completion_window": window,
        "metadata": request.metadata,
    });
    if let Some(delete) = dialect.auto_delete_input_file {
        body["auto_delete_input_file"] = json!(delete);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{GROQ, MOONSHOT, OPENAI, ZHIPU};
    use crate::request::Endpoint;

    #[test]
    fn s4_bodies_of_a_create() {
        let request = CreateBatch {
            input_file_id: "file-1".to_owned(),
            endpoint: Endpoint::Chat,
            completion_window: String::new(),
            metadata: [("batchctl".to_owned(), "bc1".to_owned())].into(),
        };
        assert_eq!(
            create_body(&OPENAI, &request).unwrap(),
            json!({
                "input_file_id": "file-1", "endpoint": "/v1/chat/completions",
                "completion_window": "24h", "metadata": {"batchctl": "bc1"},
            })
        );
        let zhipu = create_body(&ZHIPU, &request).unwrap();
        assert_eq!(zhipu["endpoint"], "/v4/chat/completions");
        assert_eq!(zhipu["auto_delete_input_file"], false, "a vanished file must prove something");
        assert_eq!(create_body(&MOONSHOT, &request).unwrap()["completion_window"], "1d");
        let embeddings = CreateBatch { endpoint: Endpoint::Embeddings, ..request };
        assert!(create_body(&GROQ, &embeddings).is_err());
    }
}
