//! The surroundings a command runs in.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Runtime;

use crate::base::Clock;
use crate::config::{Overrides, Settings};
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
    /// The runtime, made when first needed.
    pub runtime: Arc<OnceLock<Arc<Runtime>>>,
}

impl Context {
    /// The listener that shows a run's progress as `--progress` asks.
    pub fn reporter(&self) -> Arc<dyn Reporter> {
        Arc::new(NoReport)
    }

    /// Runs something asynchronous to its end, on the one runtime of this process: what was
    /// started in an earlier call, such as the sandbox, goes on.
    pub fn block_on<F: Future>(&self, future: F) -> std::io::Result<F::Output> {
        let runtime = match self.runtime.get() {
            Some(runtime) => runtime,
            None => {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
                self.runtime.get_or_init(|| Arc::new(runtime))
            }
        };
        Ok(runtime.block_on(future))
    }

    /// The same surroundings with more settings on top, for commands that run another one.
    #[must_use]
    pub fn with_settings(&self, lay: impl FnOnce(&mut Overrides)) -> Self {
        let mut over = Overrides::default();
        lay(&mut over);
        Self { settings: self.settings.clone().with(&over), ..self.clone() }
    }
}
