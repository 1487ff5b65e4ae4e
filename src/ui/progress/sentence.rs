//! Events in words, the same for bars and plain lines.

use std::fmt::Write;

use crate::batch::BatchStatus;
use crate::job::Event;
use crate::ui::clean;
use crate::ui::number::{bytes, count, counted, duration};

/// In brackets how many rows of a plan are not sent, and why; empty if all are.
pub(super) fn not_sent(planned: &Event) -> String {
    let Event::Planned { skipped, answered, equal, .. } = planned else { return String::new() };
    let kinds = [(skipped, "skipped"), (answered, "answered before"), (equal, "asked once")];
    let present = kinds.into_iter().filter(|(rows, _)| **rows > 0);
    let texts: Vec<_> =
        present.map(|(rows, what)| format!("{} {what}", counted(*rows, "row"))).collect();
    if texts.is_empty() { String::new() } else { format!(" ({})", texts.join(", ")) }
}

/// One line about an event, without times that only a listener knows. `None` for notes and
/// warnings, which the printer words itself.
pub(super) fn sentence(event: &Event) -> Option<String> {
    Some(match event {
        Event::Note { .. } | Event::Warning { .. } => return None,
        Event::Planning { rows } => format!("looking at the table: {}", counted(*rows, "row")),
        Event::Planned { job, requests, shards, bytes: size, .. } => {
            let mut text = format!(
                "planned {} in {}, {}",
                counted(*requests, "request"),
                counted(*shards, "shard"),
                bytes(*size)
            );
            text.push_str(&not_sent(event));
            format!("{text} · job {}", clean(job))
        }
        Event::Built { shard, shards, requests, bytes: size } => {
            let requests = counted(*requests, "request");
            format!("built shard {shard}/{shards}: {requests}, {}", bytes(*size))
        }
        Event::Uploading { shard, shards, sent, total } => {
            format!("uploading shard {shard}/{shards}: {} of {}", bytes(*sent), bytes(*total))
        }
        Event::Submitted { shard, shards, batch } => {
            format!("submitted shard {shard}/{shards}: {}", clean(batch))
        }
        Event::Polled { job, batches, completed, failed, total, .. } => {
            let mut text = format!("job {}: {}", clean(job), states(batches));
            let done = completed + failed;
            let _ = write!(text, " · {}/{}", count(done.min(*total)), count(*total));
            if *failed > 0 {
                let _ = write!(text, " · failed {}", count(*failed));
            }
            text
        }
        Event::Called { job, .. } => format!("job {}: {}", clean(job), calls(event, " · ")?),
        Event::PollFailed { text, .. } => {
            format!("the provider could not be asked, the batch goes on: {}", clean(text))
        }
        Event::Downloading { shard, shards, received } => {
            format!("downloading results of shard {shard}/{shards}: {}", bytes(*received))
        }
        Event::Fetched { shard, shards, answered, failed } => {
            let mut text = format!("fetched shard {shard}/{shards}: {} answered", count(*answered));
            if *failed > 0 {
                let _ = write!(text, ", {} failed", count(*failed));
            }
            text
        }
        Event::NextRound { round, rows, shards, reasked, statuses } => {
            let why: Vec<_> = statuses
                .iter()
                .map(|(status, rows)| format!("{} {}", count(*rows), status.as_str()))
                .collect();
            let mut text = format!(
                "round {round}: {} of {} go out again in {}",
                why.join(", "),
                counted(*rows, "row"),
                counted(*shards, "shard")
            );
            match reasked {
                0 => {}
                all if all == rows => text.push_str(", with what was wrong with the answer"),
                some => {
                    let some = count(*some);
                    let _ = write!(text, ", {some} of them with what was wrong with the answer");
                }
            }
            text
        }
        Event::Written { path, rows } => {
            format!("wrote {}: {}", clean(path), counted(*rows, "row"))
        }
    })
}

/// `in_progress 2, completed 1`; a single batch without its number. A provider may take long to
/// write results after the last request has run, so that is a phase of its own.
pub(super) fn states(batches: &[(BatchStatus, u64)]) -> String {
    let open = batches.iter().filter(|(status, number)| *number > 0 && !status.is_terminal());
    let is_finalizing = {
        let mut open = open.peekable();
        open.peek().is_some() && open.all(|(status, _)| *status == BatchStatus::Finalizing)
    };
    let shown: Vec<_> = batches.iter().filter(|(_, number)| *number > 0).collect();
    let text = match shown.as_slice() {
        [] => "no batch yet".to_owned(),
        [(status, 1)] => status.to_string(),
        many => {
            let all: Vec<_> = many
                .iter()
                .map(|(status, number)| format!("{status} {}", count(*number)))
                .collect();
            all.join(", ")
        }
    };
    if is_finalizing { format!("{text} (results are being written)") } else { text }
}

/// When the provider will be asked again, if it will.
pub(super) fn next_check(event: &Event) -> Option<String> {
    match event {
        Event::Polled { next_check, .. } | Event::PollFailed { next_check, .. } => {
            next_check.map(|wait| format!("next check {}", duration(wait)))
        }
        _ => None,
    }
}

/// How far the calls are: `calls 812/1,202 · 37 at once · 41/s · failed 3 · openai:gpt-4o`.
pub(super) fn calls(event: &Event, between: &str) -> Option<String> {
    let Event::Called { done, failed, total, out, per_second, asked, .. } = event else {
        return None;
    };
    let mut parts = vec![
        format!("calls {}/{}", count(*done), count(*total)),
        format!("{} at once", count(*out)),
        format!("{per_second:.0}/s"),
    ];
    if *failed > 0 {
        parts.push(format!("failed {}", count(*failed)));
    }
    if !asked.is_empty() {
        parts.push(clean(asked));
    }
    Some(parts.join(between))
}
