//! Who was asked by calls, and what became of the calls: for people and for programs.

use serde::Serialize;

use crate::cost::labelled;
use crate::store::AskedRecord;
use crate::ui::{count, counted};

/// Calls to one provider and model, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct AskedDocument<'a> {
    provider: &'a str,
    model: &'a str,
    /// Calls that were sent.
    calls: u64,
    /// Rows that it settled, good or not.
    rows: u64,
    /// Those of them that it settled without an answer.
    rows_failed: u64,
    /// Calls that it refused for the rate.
    refused: u64,
    /// Calls that failed otherwise and were not billed.
    failed: u64,
    /// Calls that may have been billed although no answer came.
    possibly_billed: u64,
}

impl<'a> AskedDocument<'a> {
    /// One of them.
    pub(in crate::commands) fn of(asked: &'a AskedRecord) -> Self {
        Self {
            provider: &asked.provider,
            model: &asked.model,
            calls: asked.calls,
            rows: asked.answers,
            rows_failed: asked.rows_failed,
            refused: asked.refused,
            failed: asked.failed,
            possibly_billed: asked.unanswered,
        }
    }
}

/// Who answered how many rows, and what became of the other calls; nothing where none was made.
pub(in crate::commands) fn call_lines(asked: &[AskedRecord]) -> Vec<String> {
    let sum = |of: &dyn Fn(&AskedRecord) -> u64| asked.iter().map(of).sum::<u64>();
    let calls = sum(&|asked| asked.calls);
    if calls == 0 {
        return Vec::new();
    }
    let mut pieces = vec![format!("{} sent", count(calls))];
    let rest = [
        (sum(&|asked| asked.refused), "refused for the rate"),
        (sum(&|asked| asked.failed), "failed"),
        (sum(&|asked| asked.unanswered), "possibly billed, no answer"),
    ];
    for (number, what) in rest.into_iter().filter(|(number, _)| *number > 0) {
        pieces.push(format!("{what}: {}", count(number)));
    }
    let mut lines = labelled("calls", &pieces);
    let by = asked.iter().filter(|asked| asked.answers > 0).map(|asked| {
        let answered = counted(asked.answers.saturating_sub(asked.rows_failed), "row");
        let failed = match asked.rows_failed {
            0 => String::new(),
            failed => format!(", {} failed", count(failed)),
        };
        format!("{} {}: {answered}{failed}", asked.provider, asked.model)
    });
    let by: Vec<String> = by.collect();
    if !by.is_empty() {
        lines.extend(labelled("answered", &by));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S3.14, B03: who answered how much, and calls that may have been paid for nothing.
    #[test]
    fn b03_who_answered_and_what_came_to_nothing() {
        let mut first = AskedRecord::of("openai", "gpt-4o");
        (first.calls, first.answers, first.refused, first.unanswered) = (1_230, 1_150, 12, 2);
        let mut second = AskedRecord::of("anthropic", "claude-haiku-4-5");
        (second.calls, second.answers, second.failed) = (60, 52, 8);
        second.rows_failed = 3;
        let lines = call_lines(&[first, second]);
        assert_eq!(
            lines,
            [
                "calls     1,290 sent   refused for the rate: 12   failed: 8",
                "          possibly billed, no answer: 2",
                "answered  openai gpt-4o: 1,150 rows",
                "          anthropic claude-haiku-4-5: 49 rows, 3 failed",
            ]
        );
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
        assert!(call_lines(&[]).is_empty());
    }
}
