//! The estimate as numbers, and as the table people see before they say yes.

use serde::Serialize;

use super::images::Detail;
use super::numbers::{grouped, megabytes};

/// What is known about a job before it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Requests that would be sent.
    pub requests: u64,
    /// Selected rows for which no request can be made.
    pub skipped: u64,
    /// Bytes of all input files.
    pub bytes: u64,
    /// Input files.
    pub shards: u64,
    /// Prompt tokens without images.
    pub text_tokens: u64,
    /// Images that would be sent.
    pub images: u64,
    /// Their prompt tokens; `None` where the model's rule is unknown.
    pub image_tokens: Option<u64>,
    /// Most completion tokens of one request, from `--max-tokens`.
    pub max_tokens: Option<u64>,
    /// Whether the tokenizer is the model's own.
    pub exact: bool,
    /// The tokenizer's name.
    pub tokenizer: &'static str,
}

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
}

impl Estimate {
    /// All prompt tokens; `None` if images are sent whose rule is unknown.
    pub fn input_tokens(&self) -> Option<u64> {
        match (self.images, self.image_tokens) {
            (0, _) => Some(self.text_tokens),
            (_, Some(tokens)) => Some(self.text_tokens + tokens),
            (_, None) => None,
        }
    }

    /// The table for people: model, requests and tokens, upload. Prices are unknown and say so.
    pub fn lines(&self, heading: &Heading<'_>) -> Vec<String> {
        let exactness = if self.exact { "exact" } else { "estimate" };
        let tokenizer = self.tokenizer;
        let most = self.max_tokens.map(|tokens| tokens.saturating_mul(self.requests));
        let output = most.map_or("unknown".to_owned(), |tokens| format!("≤ {}", grouped(tokens)));
        let mut lines = vec![
            format!(
                "Model     {}   {}   tokenizer {tokenizer} ({exactness})   prices unknown",
                heading.model, heading.provider
            ),
            row("", ["requests", "input tok", "output tok", "realtime", "batch"]),
            self.part("text", self.requests, Some(self.text_tokens), &output),
        ];
        if self.images > 0 {
            let name = format!("images ({})", word(heading.detail));
            lines.push(self.part(&name, self.images, self.image_tokens, "–"));
        }
        lines.push(self.part("to send", self.requests, self.input_tokens(), &output));
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
        let approximate = if self.exact { "" } else { "~" };
        let tokens =
            tokens.map_or("unknown".to_owned(), |t| format!("{approximate}{}", grouped(t)));
        row(name, [&grouped(count), &tokens, output, "unknown", "unknown"])
    }

    fn upload(&self, heading: &Heading<'_>) -> String {
        let shards = if self.shards == 1 { "shard" } else { "shards" };
        let line =
            format!("Upload    {} in {} {shards}", megabytes(self.bytes), grouped(self.shards));
        if let Some((requests, bytes)) = heading.limits {
            let (requests, bytes) = (grouped(requests), megabytes(bytes));
            return format!("{line} (limit {requests} requests, {bytes})");
        }
        line
    }
}

fn row(name: &str, cells: [&str; 5]) -> String {
    let [requests, input, output, realtime, batch] = cells;
    format!("  {name:<14}{requests:>9}{input:>12}{output:>14}{realtime:>14}{batch:>11}")
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
    };

    /// Field report 52: what is unknown is never printed as 0.
    #[test]
    fn field_52_the_table_people_see() {
        let estimate = Estimate {
            requests: 9,
            skipped: 1,
            bytes: 1_923_000,
            shards: 1,
            text_tokens: 3_879,
            images: 9,
            image_tokens: Some(6_885),
            max_tokens: Some(512),
            exact: true,
            tokenizer: "o200k_base",
        };
        insta::assert_snapshot!(estimate.lines(&HEADING).join("\n"), @r"
        Model     gpt-4o   openai   tokenizer o200k_base (exact)   prices unknown
                         requests   input tok    output tok      realtime      batch
          text                  9       3,879       ≤ 4,608       unknown    unknown
          images (high)         9       6,885             –       unknown    unknown
          to send               9      10,764       ≤ 4,608       unknown    unknown
        Upload    1.9 MB in 1 shard (limit 50,000 requests, 200 MB)
        Skipped   1 row: no request can be made
        ");
    }

    #[test]
    fn field_52_unknown_is_said() {
        let estimate = Estimate {
            requests: 2,
            bytes: 900,
            shards: 1,
            text_tokens: 40,
            images: 2,
            tokenizer: "o200k_base",
            ..Estimate::default()
        };
        assert_eq!(estimate.input_tokens(), None);
        let heading = Heading { model: "qwen-vl", provider: "router", limits: None, ..HEADING };
        insta::assert_snapshot!(estimate.lines(&heading).join("\n"), @r"
        Model     qwen-vl   router   tokenizer o200k_base (estimate)   prices unknown
                         requests   input tok    output tok      realtime      batch
          text                  2         ~40       unknown       unknown    unknown
          images (high)         2     unknown             –       unknown    unknown
          to send               2     unknown       unknown       unknown    unknown
        Upload    900 B in 1 shard
        ");
    }
}
