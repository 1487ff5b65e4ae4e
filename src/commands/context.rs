//! The surroundings a command runs in.

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::runtime::Runtime;

use super::errors::config_error;
use super::flags::GeneralArgs;
use super::steps::Listening;
use crate::base::{Clock, SystemClock, private_dir};
use crate::config::{Overrides, Settings, Surroundings, key};
use crate::job::Reporter;
use crate::ui::{self, Colour, CommandError, ExitCode, Printer, ProgressMode, Shell, Verbosity};

/// What every command is handed: settings with its flags on top, where to print, where files
/// are, and what time it is.
#[derive(Clone)]
pub struct Context {
    /// Notes, warnings, data, questions.
    pub printer: Printer,
    /// All layers, this command's flags included.
    pub settings: Settings,
    /// Where configuration is looked for.
    pub surroundings: Surroundings,
    /// The home folder; [`Context::make_home`] makes it.
    pub home: PathBuf,
    /// The working folder.
    pub folder: PathBuf,
    /// The time; waits are scaled by the setting `time_scale`.
    pub clock: Arc<dyn Clock>,
    /// Whether questions may be asked: stdin and stderr are terminals and `CI` is unset.
    pub is_interactive: bool,
    /// The shell that lines to be typed are written for.
    pub shell: Shell,
    /// Whether one JSON document is wanted on stdout (`--json`).
    pub json: bool,
    /// The parser of the whole program, for help and completions.
    pub parser: fn() -> clap::Command,
    /// Runtime and listener.
    pub shared: Arc<Shared>,
}

impl Context {
    /// Reads all layers. With `is_lenient`, an unreadable configuration is passed over, for
    /// commands that must work without one.
    pub fn build(
        general: &GeneralArgs,
        over: &Overrides,
        is_lenient: bool,
        parser: fn() -> clap::Command,
    ) -> Result<Self, CommandError> {
        let surroundings = Surroundings::of_process(general.config_file.clone())?;
        let settings = match Settings::load(&surroundings) {
            Ok(settings) => settings,
            Err(_) if is_lenient => Settings::defaults(),
            Err(error) => return Err(config_error(error)),
        };
        let settings = settings.with(over);
        let home = match surroundings.home() {
            Ok(home) => home,
            Err(_) if is_lenient => PathBuf::new(),
            Err(error) => return Err(config_error(error)),
        };
        let printer = printer(general, &settings);
        for warning in settings.warnings() {
            printer.warning(warning);
        }
        Ok(Self {
            printer,
            home,
            folder: surroundings.folder.clone(),
            surroundings,
            clock: Arc::new(SystemClock::with_speed(settings.get(key::TIME_SCALE))),
            is_interactive: ui::is_interactive(),
            shell: Shell::of_process(),
            json: false,
            parser,
            shared: Arc::default(),
            settings,
        })
    }

    /// The home folder, made if it is missing.
    pub fn make_home(&self) -> Result<&std::path::Path, CommandError> {
        private_dir(&self.home).map_err(|error| {
            let text = format!("cannot make the home folder {}", self.home.display());
            CommandError::new(ExitCode::Storage, anyhow::Error::new(error).context(text))
                .hint("name another folder in BATCHCTL_HOME")
        })?;
        Ok(&self.home)
    }

    /// The day by the local calendar.
    pub fn today(&self) -> Date {
        let set = self.settings.get(key::TODAY).and_then(|day| day.parse().ok());
        set.unwrap_or_else(|| {
            let now = Timestamp::from_second(self.clock.unix()).unwrap_or_default();
            now.to_zoned(TimeZone::system()).date()
        })
    }

    /// The listener that shows a run's progress as `--progress` asks; one per process.
    pub fn reporter(&self) -> Arc<dyn Reporter> {
        let make = || {
            let mode = ProgressMode::read(&self.settings.get(key::PROGRESS));
            let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
            let can_draw = io::stderr().is_terminal() && !is_dumb;
            ui::reporter(mode, &self.printer, self.clock.clone(), can_draw)
        };
        self.shared.reporter.get_or_init(make).clone()
    }

    /// Says what need be said once in a process only, however many steps meet it.
    pub(super) fn note_once(&self, text: &str) {
        let mut noted = self.shared.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.insert(text.to_owned()) {
            self.printer.note(text);
        }
    }

    /// Runs something asynchronous to its end, on the one runtime of this process: what was
    /// started in an earlier call, such as the sandbox, goes on.
    pub fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        if self.shared.runtime.get().is_none() {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            // Only this thread makes it.
            let _ = self.shared.runtime.set(runtime);
        }
        let runtime = self.shared.runtime.get().expect("set above");
        Ok(runtime.block_on(future))
    }

    /// Who listens to signals, if somebody does.
    pub(super) fn listening(&self) -> Option<&Arc<Listening>> {
        self.shared.listening.get()
    }

    /// Keeps who listens to signals; the first one stays.
    pub(super) fn listen(&self, listening: Arc<Listening>) {
        let _ = self.shared.listening.set(listening);
    }

    /// The same surroundings with more settings on top, for commands that run another one.
    #[must_use]
    pub fn with_settings(&self, lay: impl FnOnce(&mut Overrides)) -> Self {
        let mut over = Overrides::default();
        lay(&mut over);
        Self { settings: self.settings.clone().with(&over), ..self.clone() }
    }
}

/// What is made once per process, when it is first needed.
#[derive(Default)]
pub struct Shared {
    runtime: OnceLock<Runtime>,
    reporter: OnceLock<Arc<dyn Reporter>>,
    listening: OnceLock<Arc<Listening>>,
    /// Notes that were told.
    noted: Mutex<HashSet<String>>,
}

fn printer(general: &GeneralArgs, settings: &Settings) -> Printer {
    let verbosity = match (general.quiet, general.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let variable = |name: &str| std::env::var(name).ok();
    let choice = settings.get(key::COLOR);
    let colour = Colour::decide(&choice, variable, io::stderr().is_terminal());
    let printer = Printer::new(verbosity, colour);
    match ProgressMode::read(&settings.get(key::PROGRESS)) {
        ProgressMode::Json => printer.in_json_lines(),
        _ => printer,
    }
}
