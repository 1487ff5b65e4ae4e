//! The question whether a loopback server is a sandbox, asked before a sandbox key goes there.

use tokio::sync::OnceCell;

use crate::batch::{Failure, FailureKind};
use crate::provider::sandbox;
use crate::provider::settings::{Address, ProviderSettings};

/// What must be heard before the key is sent.
pub(super) struct Greeting {
    is_wanted: bool,
    heard: OnceCell<()>,
}

impl Greeting {
    /// A greeting is wanted where a sandbox key goes to this machine.
    pub(super) fn new(settings: &ProviderSettings, address: &Address) -> Self {
        let is_wanted = address.is_loopback() && settings.has_sandbox_key();
        Self { is_wanted, heard: OnceCell::new() }
    }

    /// Asks once, without the key. An error means that nothing was sent.
    pub(super) async fn ask(&self, address: &Address) -> Result<(), Failure> {
        if !self.is_wanted {
            return Ok(());
        }
        let ask = async || {
            if sandbox::probe_sandbox(address.as_str()).await {
                return Ok(());
            }
            let host = address.host();
            let words = format!("{host} does not answer as a batchctl sandbox; nothing was sent");
            Err(Failure::ours(FailureKind::Network, words))
        };
        self.heard.get_or_try_init(ask).await.map(drop)
    }
}
