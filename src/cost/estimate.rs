//! The estimate as numbers, and as the table people see before they say yes.

use serde::Serialize;

use super::images::Detail;
use super::numbers::{grouped, megabytes};

/// Requests of an estimate, and what is known of their prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Requests.
    pub requests: u64,
    /// Prompt tokens without images.
    pub text_tokens: u64,
    /// Images.
    pub images: u64,
    /// Their prompt tokens; `None` where the model's rule is unknown.
    pub image_tokens: Option<u64>,
}

impl Default for Part {
    fn default() -> Self {
        Self { requests: 0, text_tokens: 0, images: 0, image_tokens: Some(0) }
    }
}

impl Part {
    /// All prompt tokens; `None` if there are images whose rule is unknown.
    pub fn input_tokens(&self) -> Option<u64> {
        match (self.images, self.image_tokens) {
            (0, _) => Some(self.text_tokens),
            (_, Some(tokens)) => Some(self.text_tokens + tokens),
            (_, None) => None,
        }
    }
}

impl std::ops::Add for Part {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            text_tokens: self.text_tokens + other.text_tokens,
            images: self.images + other.images,
            image_tokens: self.image_tokens.zip(other.image_tokens).map(|(a, b)| a + b),
        }
    }
}

/// What is known about a job before it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// What would be sent.
    #[serde(flatten)]
    pub sent: Part,
    /// What an earlier job answered; not sent.
    pub answered: Part,
    /// What asks the same as an earlier row; not sent.
    pub equal: Part,
    /// Selected rows for which no request can be made.
    pub skipped: u64,
    /// Bytes of all input files.
    pub bytes: u64,
    /// Input files.
    pub shards: u64,
    /// Most completion tokens of one request, from `--max-tokens`.
    pub max_tokens: Option<u64>,
    /// Whether the tokenizer is the model's own.
    pub exact: bool,
    /// The tokenizer's name.
    pub tokenizer: &'static str,
}

/// The longest that what is queued together may take, in hours.
const WAVE_HOURS: u64 = 24;

/// The words around the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading<'a> {
    /// The model asked.
    pub model: &'a str,
    /// Who is paid.
    pub provider: &'a str,
    /// What is sent with images.
    pub detail: Detail,
    /// The provider's limits for one input file: requests and bytes.
    pub limits: Option<(u64, u64)>,
    /// The prompt tokens that may be queued, where that is known, and how many times they fill up.
    pub queue: Option<(u64, u64)>,
}

impl Estimate {
    /// The table for people: model, requests and tokens, upload. Prices are unknown and say so.
    pub fn lines(&self, heading: &Heading<'_>) -> Vec<String> {
        let exactness = if self.exact { "exact" } else { "estimate" };
        let tokenizer = self.tokenizer;
        let all = self.sent + self.answered + self.equal;
        let mut lines = vec![
            format!(
                "Model     {}   {}   tokenizer {tokenizer} ({exactness})   prices unknown",
                heading.model, heading.provider
            ),
            row("", ["requests", "input tok", "output tok", "realtime", "batch"]),
            self.part("text", all.requests, Some(all.text_tokens), &self.output(all, "≤ ")),
        ];
        if all.images > 0 {
            let name = format!("images ({})", word(heading.detail));
            lines.push(self.part(&name, all.images, all.image_tokens, "–"));
        }
        let unsent = [("answered before", self.answered), ("equal rows", self.equal)];
        for (name, part) in unsent.into_iter().filter(|(_, part)| part.requests > 0) {
            let tokens = self.tokens(part.input_tokens(), "-");
            let count = format!("-{}", grouped(part.requests));
            let output = self.output(part, "- ");
            lines.push(row(name, [&count, &tokens, &output, "unknown", "unknown"]));
        }
        let sent = self.sent;
        let output = self.output(sent, "≤ ");
        lines.push(self.part("to send", sent.requests, sent.input_tokens(), &output));
        lines.push(self.upload(heading));
        if self.skipped > 0 {
            let rows = if self.skipped == 1 { "row" } else { "rows" };
            lines.push(format!(
                "Skipped   {} {rows}: no request can be made",
                grouped(self.skipped)
            ));
        }
        lines
    }

    fn part(&self, name: &str, count: u64, tokens: Option<u64>, output: &str) -> String {
        let tokens = self.tokens(tokens, "");
        row(name, [&grouped(count), &tokens, output, "unknown", "unknown"])
    }

    fn tokens(&self, tokens: Option<u64>, sign: &str) -> String {
        let approximate = if self.exact { "" } else { "~" };
        tokens.map_or("unknown".to_owned(), |t| format!("{sign}{approximate}{}", grouped(t)))
    }

    /// The most completion tokens of these requests.
    fn output(&self, part: Part, sign: &str) -> String {
        let most = self.max_tokens.map(|tokens| tokens.saturating_mul(part.requests));
        most.map_or("unknown".to_owned(), |tokens| format!("{sign}{}", grouped(tokens)))
    }

    fn upload(&self, heading: &Heading<'_>) -> String {
        let shards = if self.shards == 1 { "shard" } else { "shards" };
        let mut line =
            format!("Upload    {} in {} {shards}", megabytes(self.bytes), grouped(self.shards));
        if let Some((requests, bytes)) = heading.limits {
            let (requests, bytes) = (grouped(requests), megabytes(bytes));
            line += &format!(" (limit {requests} requests, {bytes})");
        }
        format!("{line}   {}", self.queue(heading))
    }

    /// How the prompt tokens fit into what may be queued, and what that means for the time.
    fn queue(&self, heading: &Heading<'_>) -> String {
        let Some((limit, waves)) = heading.queue else {
            return "prompt tokens that may be queued: unknown".to_owned();
        };
        let tokens = self.sent.input_tokens().map_or_else(|| "unknown".to_owned(), grouped);
        let word = if waves == 1 { "wave" } else { "waves" };
        format!(
            "prompt tokens {tokens} of {} that may be queued: {} {word}, minutes to {} hours",
            grouped(limit),
            grouped(waves),
            grouped(waves.max(1).saturating_mul(WAVE_HOURS))
        )
    }
}

fn row(name: &str, cells: [&str; 5]) -> String {
    let [requests, input, output, realtime, batch] = cells;
    let width = 23_usize.saturating_sub(name.chars().count());
    format!("  {name}{requests:>width$}{input:>12}{output:>14}{realtime:>14}{batch:>11}")
}

fn word(detail: Detail) -> &'static str {
    match detail {
        Detail::Low => "low",
        Detail::High => "high",
        Detail::Auto => "auto",
        Detail::Original => "original",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: Heading<'_> = Heading {
        model: "gpt-4o",
        provider: "openai",
        detail: Detail::High,
        limits: Some((50_000, 200_000_000)),
        queue: Some((90_000, 1)),
    };

    /// Field report 52: what is unknown is never printed as 0.
    #[test]
    fn field_52_the_table_people_see() {
        let estimate = Estimate {
            sent: Part { requests: 9, text_tokens: 3_879, images: 9, image_tokens: Some(6_885) },
            skipped: 1,
            bytes: 1_923_000,
            shards: 1,
            max_tokens: Some(512),
            exact: true,
            tokenizer: "o200k_base",
            ..Estimate::default()
        };
        insta::assert_snapshot!(estimate.lines(&HEADING).join("\n"), @r"
        Model     gpt-4o   openai   tokenizer o200k_base (exact)   prices unknown
                         requests   input tok    output tok      realtime      batch
          text                  9       3,879       ≤ 4,608       unknown    unknown
          images (high)         9       6,885             –       unknown    unknown
          to send               9      10,764       ≤ 4,608       unknown    unknown
        Upload    1.9 MB in 1 shard (limit 50,000 requests, 200 MB)   prompt tokens 10,764 of 90,000 that may be queued: 1 wave, minutes to 24 hours
        Skipped   1 row: no request can be made
        ");
    }

    #[test]
    fn b04_what_need_not_be_sent_is_taken_off() {
        let part = |requests, text_tokens, images, tokens| Part {
            requests,
            text_tokens,
            images,
            image_tokens: Some(tokens),
        };
        let estimate = Estimate {
            sent: part(6, 3_000, 6, 4_590),
            answered: part(2, 862, 2, 1_530),
            equal: part(1, 17, 1, 765),
            bytes: 1_300_000,
            shards: 1,
            max_tokens: Some(512),
            exact: true,
            tokenizer: "o200k_base",
            ..Estimate::default()
        };
        insta::assert_snapshot!(estimate.lines(&HEADING)[1..7].join("\n"), @r"
                         requests   input tok    output tok      realtime      batch
          text                  9       3,879       ≤ 4,608       unknown    unknown
          images (high)         9       6,885             –       unknown    unknown
          answered before      -2      -2,392       - 1,024       unknown    unknown
          equal rows           -1        -782         - 512       unknown    unknown
          to send               6       7,590       ≤ 3,072       unknown    unknown
        ");
    }

    #[test]
    fn field_52_unknown_is_said() {
        let estimate = Estimate {
            sent: Part { requests: 2, text_tokens: 40, images: 2, image_tokens: None },
            bytes: 900,
            shards: 1,
            tokenizer: "o200k_base",
            ..Estimate::default()
        };
        assert_eq!(estimate.sent.input_tokens(), None);
        let heading =
            Heading { model: "qwen-vl", provider: "router", limits: None, queue: None, ..HEADING };
        insta::assert_snapshot!(estimate.lines(&heading).join("\n"), @r"
        Model     qwen-vl   router   tokenizer o200k_base (estimate)   prices unknown
                         requests   input tok    output tok      realtime      batch
          text                  2         ~40       unknown       unknown    unknown
          images (high)         2     unknown             –       unknown    unknown
          to send               2     unknown       unknown       unknown    unknown
        Upload    900 B in 1 shard   prompt tokens that may be queued: unknown
        ");
    }
}
