//! How a run is shown while it goes on: a bar on a terminal, plain lines elsewhere, JSON lines
//! for programs, or nothing. All of it goes to stderr.

pub(super) mod bar;
mod json;
mod margin;
mod plain;
mod sentence;
mod view;

use std::sync::Arc;

use super::printer::{Printer, Verbosity};
use crate::base::Clock;
use crate::job::{NoReport, Reporter};

/// What `--progress` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProgressMode {
    /// A bar on a terminal, plain lines elsewhere, nothing with `-q`.
    #[default]
    Auto,
    /// A bar; plain lines where there is no terminal.
    Bar,
    /// A line per change, at least one a minute.
    Plain,
    /// One JSON object per event and line.
    Json,
    /// Nothing.
    None,
}

impl ProgressMode {
    /// Reads the word after `--progress`; an unknown one is `Auto`, since flags and settings
    /// are checked where they are read.
    pub fn read(word: &str) -> Self {
        match word {
            "bar" => Self::Bar,
            "plain" => Self::Plain,
            "json" => Self::Json,
            "none" => Self::None,
            _ => Self::Auto,
        }
    }

    /// What it comes to: never `Auto`, and `Bar` only where a bar can be drawn.
    #[must_use]
    pub fn settle(self, verbosity: Verbosity, can_draw: bool) -> Self {
        match self {
            Self::Auto if verbosity == Verbosity::Quiet => Self::None,
            Self::Auto | Self::Bar if can_draw => Self::Bar,
            Self::Auto | Self::Bar => Self::Plain,
            other => other,
        }
    }
}

/// The listener for a run. `can_draw`: stderr is a terminal that is not dumb.
pub fn reporter(
    mode: ProgressMode,
    printer: &Printer,
    clock: Arc<dyn Clock>,
    can_draw: bool,
) -> Arc<dyn Reporter> {
    match mode.settle(printer.verbosity(), can_draw) {
        ProgressMode::Bar => Arc::new(bar::BarReporter::new(printer.clone(), clock)),
        ProgressMode::Plain => plain::PlainReporter::start(printer.clone(), clock),
        ProgressMode::Json => Arc::new(json::JsonReporter::new(printer.clone(), clock)),
        ProgressMode::None | ProgressMode::Auto => Arc::new(Silent::new(printer.clone())),
    }
}

/// No progress, but warnings are still said.
struct Silent {
    printer: Printer,
}

impl Silent {
    fn new(printer: Printer) -> Self {
        Self { printer }
    }
}

impl Reporter for Silent {
    fn report(&self, event: &crate::job::Event) {
        match event {
            crate::job::Event::Note { text } => self.printer.note(text),
            crate::job::Event::Warning { text } => self.printer.warning(text),
            other => NoReport.report(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_drawn_only_where_it_can_be() {
        use ProgressMode::{Auto, Bar, Json, None, Plain};
        let table = [
            (Auto, Verbosity::Normal, true, Bar),
            (Auto, Verbosity::Normal, false, Plain),
            (Auto, Verbosity::Quiet, true, None),
            (Bar, Verbosity::Normal, false, Plain),
            (Bar, Verbosity::Quiet, true, Bar),
            (Json, Verbosity::Quiet, false, Json),
            (None, Verbosity::Verbose, true, None),
        ];
        for (mode, verbosity, can_draw, expected) in table {
            assert_eq!(mode.settle(verbosity, can_draw), expected, "{mode:?}");
        }
        for word in ["auto", "bar", "plain", "json", "none"] {
            assert_eq!(format!("{:?}", ProgressMode::read(word)).to_lowercase(), word);
        }
    }
}
