//! What a reply says, and what it cost.

use crate::answer::{RowStatus, judge};
use crate::batch::{Failure, FailureKind, Outcome, Reply, Usage, decode_line};
use crate::cost::{Money, Price};
use crate::job::tokens_of;
use crate::provider::CallReply;
use crate::request::Mode;

/// So many characters of a reply that cannot be read are shown.
const SHOWN: usize = 200;

/// An answer, read.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::commands) struct Said {
    /// The text as the model gave it.
    pub(in crate::commands) text: String,
    /// Whether it is good: `ok`, or cut off, refused, empty.
    pub(in crate::commands) status: RowStatus,
    /// What is wrong where it is not good.
    pub(in crate::commands) error: Option<String>,
    /// Why the model stopped, in the provider's word.
    pub(in crate::commands) finish_reason: Option<String>,
    /// The model that answered, as the provider names it.
    pub(in crate::commands) model: Option<String>,
    /// Tokens, where given.
    pub(in crate::commands) usage: Option<Usage>,
}

impl Said {
    /// What the model said when it would not answer stands in the answer's place.
    fn of(reply: Reply, model: Option<String>, usage: Option<Usage>, judged: Verdict) -> Self {
        let text = match reply.refusal {
            Some(refusal) if reply.content.trim().is_empty() => refusal,
            _ => reply.content,
        };
        let (status, error) = judged;
        Self { text, status, error, finish_reason: reply.finish_reason, model, usage }
    }

    /// What it cost, where that is known.
    pub(in crate::commands) fn cost(&self, price: Option<&Price>) -> Option<Money> {
        let price = price?;
        let pico = price.cost(Mode::Realtime, tokens_of(self.usage?))?;
        Some(Money { currency: price.currency, pico })
    }
}

type Verdict = (RowStatus, Option<String>);

/// Reads a reply; one that holds no answer is a failure whatever its status was.
pub(in crate::commands) fn read(reply: &CallReply) -> Result<Said, Failure> {
    let body = String::from_utf8_lossy(&reply.body);
    let head = format!(
        "{{\"custom_id\":\"chat\",\"response\":{{\"status_code\":{},\"body\":",
        reply.status
    );
    let line = decode_line(format!("{head}{body}}}}}").as_bytes()).map_err(|_| {
        let message = format!("the reply cannot be read: {}", beginning(&body));
        Failure { status: Some(reply.status), ..Failure::ours(FailureKind::Server, message) }
    })?;
    let judged = judge(&line, None);
    let judged = (judged.status, judged.error);
    match line.outcome {
        Outcome::Answered(reply) => Ok(Said::of(reply, line.model, line.usage, judged)),
        // The line is our own: nobody else has seen it.
        Outcome::Failed(failure) if failure.message.contains(&head) => {
            let message = format!("the reply holds no answer: {}", beginning(&body));
            Err(Failure { message, ..failure })
        }
        Outcome::Failed(failure) => Err(failure),
    }
}

/// What a reply begins with, for a message.
fn beginning(body: &str) -> String {
    let shown: String = body.chars().take(SHOWN).collect();
    if shown.len() < body.len() { format!("{shown} …") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::RateSigns;

    fn reply(body: &str) -> CallReply {
        let (request_id, rate) = (None, RateSigns::default());
        CallReply { status: 200, body: body.into(), request_id, rate }
    }

    /// What cannot be read is shown as it came, never in the line that it is read as.
    #[test]
    fn a_reply_that_cannot_be_read_is_shown_as_it_came() {
        let deep = format!("{{\"choices\":{}{}}}", "[".repeat(300), "]".repeat(300));
        let lone = r#"{"choices":[{"message":{"content":"\ud800"}}]}"#;
        let large = r#"{"choices":[],"usage":{"prompt_tokens":1e999}}"#;
        for body in [deep.as_str(), lone, large] {
            let message = read(&reply(body)).unwrap_err().message;
            assert!(message.starts_with("the reply "), "{message}");
            assert!(message.contains(&body[..40]) && message.len() < 260, "{message}");
            assert!(!message.contains("custom_id") && !message.contains("column"), "{message}");
        }
    }

    /// S3.14: content, model and finish reason; what holds no answer is never one.
    #[test]
    fn replies_are_read_as_result_lines_are() {
        let good = r#"{"model":"m-1","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
        let said = read(&reply(good)).unwrap();
        assert_eq!((said.text.as_str(), said.status), ("hi", RowStatus::Ok));
        assert_eq!(said.model.as_deref(), Some("m-1"));
        assert_eq!(said.usage.map(Usage::total), Some(7));
        let with = |message: &str, reason: &str| {
            let body =
                format!(r#"{{"choices":[{{"message":{message},"finish_reason":"{reason}"}}]}}"#);
            read(&reply(&body)).unwrap()
        };
        let cut = with(r#"{"content":"once upon"}"#, "length");
        assert_eq!((cut.text.as_str(), cut.status), ("once upon", RowStatus::Truncated));
        let refused = with(r#"{"content":null,"refusal":"I will not."}"#, "stop");
        assert_eq!((refused.text.as_str(), refused.status), ("I will not.", RowStatus::Refused));
        assert_ne!(with(r#"{"content":""}"#, "stop").status, RowStatus::Ok);
        let complaint = r#"{"error":{"code":"1113","message":"no balance"}}"#;
        assert_eq!(read(&reply(complaint)).unwrap_err().kind, FailureKind::Account);
        assert!(read(&reply("<html>")).is_err());
    }
}
