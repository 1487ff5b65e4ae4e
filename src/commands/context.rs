//! The surroundings a command runs in.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::Clock;
use crate::config::Settings;
use crate::job::{NoReport, Reporter};
use crate::ui::Printer;

/// What every command is handed: settings with its flags on top, where to print, where files
/// are, and what time it is.
#[derive(Clone)]
pub struct Context {
    /// Notes, warnings, data, questions.
    pub printer: Printer,
    /// All layers, this command's flags included.
    pub settings: Settings,
    /// The home folder; made by [`crate::base::private_dir`] when first needed.
    pub home: PathBuf,
    /// The working folder.
    pub folder: PathBuf,
    /// The time; waits are scaled by the setting `time_scale`.
    pub clock: Arc<dyn Clock>,
    /// Whether one JSON document is wanted on stdout (`--json`).
    pub json: bool,
    /// Whether questions may be asked: stdin and stderr are terminals and `CI` is unset.
    pub is_interactive: bool,
}

impl Context {
    /// The listener that shows a run's progress as `--progress` asks.
    pub fn reporter(&self) -> Arc<dyn Reporter> {
        Arc::new(NoReport)
    }

    /// Runs something asynchronous to its end, on a runtime of its own.
    pub fn block_on<F: Future>(&self, future: F) -> std::io::Result<F::Output> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(runtime.block_on(future))
    }
}
