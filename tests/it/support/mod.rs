//! What the integration tests stand on: scratch folders with the built program, servers, and
//! filters for snapshots.

pub(crate) mod bench;
pub(crate) mod gate;
pub(crate) mod memory;
pub(crate) mod outcome;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod server;
pub(crate) mod snapshot;
pub(crate) mod terminal;
pub(crate) mod workdir;

use std::path::{Path, PathBuf};

/// A path inside the project, e.g. `repo("fixtures/tables")`.
pub(crate) fn repo(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}
