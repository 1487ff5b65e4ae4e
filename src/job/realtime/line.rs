//! The line of a row that was called: in the shape of a batch's output line, with the service's
//! own body as it came and who gave it.

use serde::Deserialize;

use crate::batch::Failure;
use crate::provider::CallReply;

/// How a row ended for good.
#[derive(Debug)]
pub(super) enum Final {
    /// With an answer.
    Answer(CallReply),
    /// Without one, and what came instead, if it came whole.
    Failure(Failure, Option<CallReply>),
}

/// Who gave a line, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct By<'a> {
    #[serde(borrow)]
    pub(super) provider: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub(super) model: std::borrow::Cow<'a, str>,
    /// How long the last call took.
    pub(super) ms: u64,
    /// Calls that were made.
    pub(super) tries: u32,
    /// When it came, in Unix seconds.
    pub(super) at: i64,
}

/// Who gave a line, as it says; only a line of ours says it.
pub(super) fn by_of(line: &[u8]) -> Option<By<'_>> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        batchctl: By<'a>,
    }
    serde_json::from_slice::<Wire<'_>>(line).ok().map(|wire| wire.batchctl)
}

/// Appends the line of a row, with its line feed. A body that is no JSON stands in it as text.
pub(super) fn compose(custom_id: &str, end: &Final, by: &By<'_>, is_json: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"custom_id\":");
    quote(custom_id, out);
    let (reply, failure) = match end {
        Final::Answer(reply) => (Some(reply), None),
        Final::Failure(failure, reply) => (reply.as_ref(), Some(failure)),
    };
    out.extend_from_slice(b",\"response\":");
    match reply {
        Some(reply) => response(reply, is_json, out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"error\":");
    match failure.filter(|_| reply.is_none()) {
        Some(failure) => {
            let code = failure.code.as_deref().unwrap_or(failure.kind.as_str());
            out.extend_from_slice(b"{\"code\":");
            quote(code, out);
            out.extend_from_slice(b",\"message\":");
            quote(&failure.message, out);
            out.push(b'}');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"batchctl\":{\"provider\":");
    quote(&by.provider, out);
    out.extend_from_slice(b",\"model\":");
    quote(&by.model, out);
    let numbers = format!(",\"ms\":{},\"tries\":{},\"at\":{}}}}}\n", by.ms, by.tries, by.at);
    out.extend_from_slice(numbers.as_bytes());
}

fn response(reply: &CallReply, is_json: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"status_code\":{},\"request_id\":", reply.status).as_bytes());
    match &reply.request_id {
        Some(id) => quote(id, out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"body\":");
    if is_json {
        // Line ends in JSON stand between its parts and nowhere else.
        let start = out.len();
        out.extend_from_slice(reply.body.trim_ascii());
        for byte in &mut out[start..] {
            if matches!(*byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    } else {
        quote(&String::from_utf8_lossy(&reply.body), out);
    }
    out.push(b'}');
}

fn quote(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("text can be written into memory");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{FailureKind, Outcome, decode_line};

    fn reply(status: u16, body: &str) -> CallReply {
        let rate = crate::provider::RateSigns::default();
        CallReply { status, body: body.into(), request_id: Some("req \"1\"".into()), rate }
    }

    /// The line of a call is read as one of a batch, whatever came.
    #[test]
    fn a_line_is_one_of_a_batch() {
        let by = By { provider: "openai".into(), model: "gpt-4o".into(), ms: 412, tries: 2, at: 7 };
        let answer = "{\n \"choices\":[{\"message\":{\"content\":\"a\\nb\"}}]\r\n}\n";
        let failed = |kind, reply| Final::Failure(Failure::ours(kind, "no \"answer\""), reply);
        let refusal = "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}";
        let table = [
            (Final::Answer(reply(200, answer)), true, None),
            (failed(FailureKind::Network, None), true, Some(FailureKind::Network)),
            (failed(FailureKind::Server, None), true, Some(FailureKind::Server)),
            (
                failed(FailureKind::Invalid, Some(reply(400, refusal))),
                true,
                Some(FailureKind::Invalid),
            ),
            (
                failed(FailureKind::Server, Some(reply(502, "<html>bad\ngateway"))),
                false,
                Some(FailureKind::Server),
            ),
        ];
        for (end, is_json, kind) in table {
            let mut line = Vec::new();
            compose("k7f2qd-0000041-r1", &end, &by, is_json, &mut line);
            let text = String::from_utf8(line.clone()).unwrap();
            assert_eq!(text.matches('\n').count(), 1, "{end:?}");
            let read = decode_line(&line).unwrap();
            assert_eq!(read.custom_id, "k7f2qd-0000041-r1");
            match &read.outcome {
                Outcome::Answered(reply) => assert_eq!((&*reply.content, kind), ("a\nb", None)),
                Outcome::Failed(failure) => assert_eq!(Some(failure.kind), kind, "{text}"),
            }
            assert_eq!(by_of(&line).as_ref(), Some(&by));
        }
    }
}
