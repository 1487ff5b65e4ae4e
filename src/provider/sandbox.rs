//! The Batch API in this program itself, on loopback, as the client sees it; and the question
//! whether a loopback address is one.

use std::time::Duration;

use crate::shard::Limits;

use super::dialect::{Dialect, JsonMode};
use super::http;
use super::openai::OPENAI;
use super::settings::Address;

/// What keys of a sandbox begin with.
pub const KEY_PREFIX: &str = "sandbox-";
/// What a sandbox says at the root of its server.
const GREETING: &str = "batchctl-sandbox";
/// A sandbox greets in a few bytes; no more than this is read of anybody else's page.
const LONGEST_GREETING: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(5);

/// The sandbox. Its address is that of the running server, so the caller gives it.
pub const SANDBOX: Dialect = Dialect {
    name: "sandbox",
    base_url: "",
    base_url_variables: &[],
    key_variables: &[],
    limits: Limits { max_requests: 50_000, max_bytes: 200_000_000, max_line_bytes: None },
    json_mode: JsonMode::Schema,
    only_models_of: None,
    fence_trusted: true,
    ..OPENAI
};

/// Asks the server of a loopback address, without a key, whether it is a sandbox. `false` too if
/// the address is not loopback or nobody answers in five seconds.
pub async fn probe_sandbox(base_url: &str) -> bool {
    let Ok(address) = Address::parse(base_url) else { return false };
    if !address.is_loopback() {
        return false;
    }
    let Ok(client) = http::loopback_client() else { return false };
    let asked = async {
        let mut reply = client.get(address.root()).send().await.ok()?;
        let mut greeting = Vec::new();
        while let Some(chunk) = reply.chunk().await.ok()? {
            greeting.extend_from_slice(&chunk);
            if greeting.len() > LONGEST_GREETING {
                break;
            }
        }
        Some(String::from_utf8_lossy(&greeting).contains(GREETING))
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten().unwrap_or(false)
}
