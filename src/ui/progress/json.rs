//! Events as JSON lines on stderr, for programs.

use std::sync::Arc;

use serde::Serialize;

use super::Printer;
use crate::base::Clock;
use crate::job::{Event, Reporter};

/// One JSON object per event; `time` is in Unix seconds of this machine.
pub(super) struct JsonReporter {
    printer: Printer,
    clock: Arc<dyn Clock>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: i64,
    #[serde(flatten)]
    event: &'a Event,
}

impl JsonReporter {
    pub(super) fn new(printer: Printer, clock: Arc<dyn Clock>) -> Self {
        Self { printer, clock }
    }
}

impl Reporter for JsonReporter {
    fn report(&self, event: &Event) {
        if let Ok(text) = serde_json::to_string(&Line { time: self.clock.unix(), event }) {
            self.printer.line(&crate::base::redact(&text));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::SystemClock;
    use crate::batch::BatchStatus;
    use crate::ui::Verbosity;

    #[test]
    fn each_event_is_one_line_of_json() {
        let (printer, captured) = Printer::captured(Verbosity::Quiet);
        let reporter = JsonReporter::new(printer, Arc::new(SystemClock::new()));
        reporter.report(&Event::Warning { text: "two\nlines \u{1b}[31m".into() });
        reporter.report(&Event::Polled {
            job: "k7f2qd".into(),
            batches: vec![(BatchStatus::InProgress, 2)],
            completed: 3,
            failed: 0,
            total: 9,
            next_check: Some(Duration::from_millis(500)),
            batch: None,
        });
        let text = captured.stderr();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert!(!text.contains('\u{1b}'));
        assert_eq!(lines[0]["event"], "warning");
        assert_eq!(lines[1]["event"], "polled");
        assert_eq!(lines[1]["next_check"], 0.5);
        assert_eq!(lines[1]["batches"][0][0], "in_progress");
    }
}
