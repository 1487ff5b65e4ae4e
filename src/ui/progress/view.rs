//! What stands in the moving line of the bar at one moment: a value, so that how it looks can be
//! tested without a terminal.

use std::fmt::Write;
use std::time::Instant;

use unicode_width::UnicodeWidthStr;

use crate::ui::number::duration;
use crate::ui::shorten;

/// Cells of the bar itself where there is room.
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
    /// The moving line as it looks now, at most that many cells wide: a line that wraps cannot
    /// be drawn over. What matters least goes first.
    pub(super) fn line(&self, now: Instant, width: usize) -> String {
        let plain = self.text.split(" (").next().unwrap_or_default();
        let looks = [
            (self.text.as_str(), WIDTH, true),
            (plain, WIDTH, true),
            (plain, WIDTH / 2, true),
            (plain, WIDTH / 2, false),
            (plain, 0, false),
        ];
        looks
            .into_iter()
            .map(|(text, bar, with_check)| self.put_together(now, text, bar, with_check))
            .find(|line| line.width() <= width)
            .unwrap_or_else(|| shorten(&self.put_together(now, plain, 0, false), width))
    }

    fn put_together(&self, now: Instant, text: &str, width: u64, with_check: bool) -> String {
        let mut line = text.to_owned();
        if let Some((done, all)) = self.part.filter(|_| width > 0) {
            let _ = write!(line, "  [{}]", bar(done, all, width));
        }
        if !self.numbers.is_empty() {
            let _ = write!(line, "  {}", self.numbers);
        }
        if let Some(due) = self.next_check.filter(|_| with_check) {
            let left = due.saturating_duration_since(now);
            let _ = write!(line, "  next check {}s", left.as_secs_f64().ceil());
        }
        if let Some(since) = self.since {
            let _ = write!(line, "  {}", duration(now.saturating_duration_since(since)));
        }
        line
    }
}

/// `████░░░░`; full only when all is done, since a full bar reads as "ready".
fn bar(done: u64, all: u64, cells: u64) -> String {
    let full = match (done.min(all), all) {
        (_, 0) => 0,
        (done, all) => u64::try_from(u128::from(done) * u128::from(cells) / u128::from(all))
            .expect("at most the width"),
    };
    let full = usize::try_from(full).expect("at most the width");
    let width = usize::try_from(cells).expect("a small number");
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
        let then = start + Duration::from_secs(19);
        let wide = "3 shards  in_progress 2, completed 1  [█████████████░░░░░░░]  812/1,202  failed 3  next check 41s  19s";
        assert_eq!(view.line(then, 120), wide);
        assert_eq!(
            view.line(then, 78),
            "3 shards  in_progress 2, completed 1  [██████░░░░]  812/1,202  failed 3  19s"
        );
        for width in 1..130 {
            assert!(view.line(then, width).width() <= width, "{width}");
        }
        let waiting = View { text: "waiting".into(), ..View::default() };
        assert_eq!(waiting.line(start, 80), "waiting");
    }

    #[test]
    fn a_bar_is_full_only_at_the_end() {
        assert_eq!(bar(0, 0, 20), "░".repeat(20));
        assert_eq!(bar(1201, 1202, 20), "█".repeat(19) + "░");
        assert_eq!(bar(5, 5, 20), "█".repeat(20));
        assert_eq!(bar(9, 5, 20), "█".repeat(20));
        assert_eq!(bar(u64::MAX - 1, u64::MAX, 20), "█".repeat(19) + "░");
    }
}
