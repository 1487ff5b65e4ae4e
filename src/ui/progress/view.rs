//! What stands in the moving line of the bar at one moment: a value, so that how it looks can be
//! tested without a terminal.

use std::fmt::Write;
use std::time::Instant;

use crate::ui::number::duration;

/// Cells of the bar itself.
const WIDTH: u64 = 20;

/// The moving line and the one below it.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// What is going on.
    pub(super) text: String,
    /// How far it is: done, of all.
    pub(super) part: Option<(u64, u64)>,
    /// Numbers, right of the bar.
    pub(super) numbers: String,
    /// When the provider will be asked again.
    pub(super) next_check: Option<Instant>,
    /// Since when the time is counted that stands at the end.
    pub(super) since: Option<Instant>,
    /// The line below, with ids.
    pub(super) below: Option<String>,
}

impl View {
    /// The moving line as it looks now.
    pub(super) fn line(&self, now: Instant) -> String {
        let mut line = self.text.clone();
        if let Some((done, all)) = self.part {
            let _ = write!(line, "  [{}]", bar(done, all));
        }
        if !self.numbers.is_empty() {
            let _ = write!(line, "  {}", self.numbers);
        }
        if let Some(due) = self.next_check {
            let left = due.saturating_duration_since(now);
            let _ = write!(line, "   next check {}s", left.as_secs_f64().ceil());
        }
        if let Some(since) = self.since {
            let _ = write!(line, "   {}", duration(now.saturating_duration_since(since)));
        }
        line
    }
}

/// `████░░░░`; full only when all is done, since a full bar reads as "ready".
fn bar(done: u64, all: u64) -> String {
    let full = match (done.min(all), all) {
        (_, 0) => 0,
        (done, all) => u64::try_from(u128::from(done) * u128::from(WIDTH) / u128::from(all))
            .expect("at most the width"),
    };
    let full = usize::try_from(full).expect("at most the width");
    let width = usize::try_from(WIDTH).expect("a small number");
    "█".repeat(full) + &"░".repeat(width - full)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_line_counts_down_and_up() {
        let start = Instant::now();
        let view = View {
            text: "3 shards  in_progress 2, completed 1".into(),
            part: Some((812, 1202)),
            numbers: "812/1,202  failed 3".into(),
            next_check: Some(start + Duration::from_secs(60)),
            since: Some(start),
            below: None,
        };
        assert_eq!(
            view.line(start + Duration::from_secs(19)),
            "3 shards  in_progress 2, completed 1  [█████████████░░░░░░░]  812/1,202  failed 3   next check 41s   19s"
        );
        let waiting = View { text: "waiting".into(), ..View::default() };
        assert_eq!(waiting.line(start), "waiting");
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        assert_eq!(bar(0, 0), "░".repeat(20));
        assert_eq!(bar(1201, 1202), "█".repeat(19) + "░");
        assert_eq!(bar(5, 5), "█".repeat(20));
        assert_eq!(bar(9, 5), "█".repeat(20));
        assert_eq!(bar(u64::MAX - 1, u64::MAX), "█".repeat(19) + "░");
    }
}
