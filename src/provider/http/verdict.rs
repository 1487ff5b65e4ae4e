//! What a reply says about the effect of the call: the table of reliability rules for calls that
//! change something, as one pure function.

use serde_json::Value;

use crate::base::redact;
use crate::batch::{ErrorWords, Failure, FailureKind};
use crate::provider::settings::presentable;

use super::Reply;

/// Of a reply that is no JSON, this much is quoted.
const LONGEST_QUOTE: usize = 200;

/// What a reply says.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::provider) enum Verdict {
    /// Done, and this is the answer.
    Accepted(Value),
    /// Refused: nothing exists.
    Rejected(Failure),
    /// Perhaps done.
    Unclear(Failure),
}

/// Judges a reply. `accepts` tells whether a JSON body is the expected answer. Whatever is not
/// known to be safe is unclear: a cut or unreadable 2xx, 408, 409, 425, 499, any 5xx.
pub(in crate::provider) fn judge(reply: &Reply, accepts: fn(&Value) -> bool) -> Verdict {
    match reply.status {
        200..=299 => judge_success(reply, accepts),
        300..=399 => Verdict::Rejected(moved(reply)),
        408 | 409 | 425 | 499 => Verdict::Unclear(refusal(reply)),
        400..=498 => Verdict::Rejected(refusal(reply)),
        _ => Verdict::Unclear(refusal(reply)),
    }
}

fn judge_success(reply: &Reply, accepts: fn(&Value) -> bool) -> Verdict {
    let unclear = |kind, words: String| {
        let status = Some(reply.status);
        Verdict::Unclear(Failure { status, ..Failure::ours(kind, words) })
    };
    if reply.is_cut {
        return unclear(FailureKind::Network, "the reply was cut off".to_owned());
    }
    let Ok(body) = serde_json::from_slice::<Value>(&reply.body) else {
        return unclear(FailureKind::Server, format!("expected JSON, got {}", quote(&reply.body)));
    };
    if accepts(&body) {
        return Verdict::Accepted(body);
    }
    let has_id = crate::provider::decode::has_id(&body);
    match ErrorWords::in_reply(&body) {
        Some(words) if !has_id => {
            Verdict::Rejected(words.into_failure(Some(reply.status), reply.retry_after))
        }
        _ => unclear(FailureKind::Server, format!("unexpected answer: {}", quote(&reply.body))),
    }
}

/// The failure of a reply that is no success, in the provider's words where it has any.
fn refusal(reply: &Reply) -> Failure {
    let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let words = body.as_ref().and_then(|body| {
        let bare = || body.is_object().then(|| ErrorWords::read(body)).flatten();
        ErrorWords::in_reply(body).or_else(bare)
    });
    let words = words
        .unwrap_or_else(|| ErrorWords { message: quote(&reply.body), ..ErrorWords::default() });
    words.into_failure(Some(reply.status), reply.retry_after)
}

fn moved(reply: &Reply) -> Failure {
    let words = words_of_redirect(reply.location.as_deref());
    Failure { status: Some(reply.status), ..Failure::ours(FailureKind::Invalid, words) }
}

/// What is said of a redirect to this place.
pub(in crate::provider) fn words_of_redirect(place: Option<&str>) -> String {
    let place = place.unwrap_or("nowhere");
    format!(
        "the address answers with a redirect to {}, which is not followed; check the base_url",
        redact(&presentable(place))
    )
}

/// The beginning of a body that is no JSON, on one line.
pub(in crate::provider) fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        return "an empty reply".to_owned();
    }
    if text.starts_with('<') {
        return "an HTML page (is the base_url right, or does a proxy answer?)".to_owned();
    }
    let line: String = text.chars().take(LONGEST_QUOTE).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    redact(&line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::decode::has_id;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, body: body.as_bytes().to_vec(), ..Reply::default() }
    }

    fn class(reply: &Reply) -> &'static str {
        match judge(reply, has_id) {
            Verdict::Accepted(_) => "ok",
            Verdict::Rejected(_) => "rejected",
            Verdict::Unclear(_) => "unknown",
        }
    }

    /// `P3`: reliability section 4, row by row and status by status.
    #[test]
    fn classes_of_a_call_that_changes_something() {
        let error = r#"{"error":{"code":"1302","message":"slow"}}"#;
        let table = [
            (200, r#"{"id":"batch_1"}"#, "ok"),
            (201, r#"{"id":"batch_1"}"#, "ok"),
            (200, r#"{"id":"batch_1","error":null}"#, "ok"),
            (200, error, "rejected"),
            (200, r#"{"code":1210,"msg":"bad"}"#, "rejected"),
            (200, r#"{"error":"no"}"#, "rejected"),
            (200, r#"{"id":"","error":{"message":"no"}}"#, "rejected"),
            (200, r#"{"id":"batch_1"#, "unknown"),
            (200, "", "unknown"),
            (200, "<html>", "unknown"),
            (200, "{}", "unknown"),
            (200, r#"{"id":{}}"#, "unknown"),
            (200, r#"{"id":null,"error":{}}"#, "unknown"),
            (200, "[]", "unknown"),
            (204, "", "unknown"),
            (301, "", "rejected"),
            (302, error, "rejected"),
            (307, "", "rejected"),
            (400, error, "rejected"),
            (400, "<html>", "rejected"),
            (401, "", "rejected"),
            (403, "", "rejected"),
            (404, "", "rejected"),
            (408, error, "unknown"),
            (409, error, "unknown"),
            (413, "", "rejected"),
            (422, "", "rejected"),
            (425, "", "unknown"),
            (429, error, "rejected"),
            (434, error, "rejected"),
            (498, "", "rejected"),
            (499, "", "unknown"),
            (500, error, "unknown"),
            (502, "<html>", "unknown"),
            (503, "", "unknown"),
            (504, "", "unknown"),
            (529, error, "unknown"),
            (600, "", "unknown"),
            (101, "", "unknown"),
        ];
        for (status, body, expected) in table {
            assert_eq!(class(&reply(status, body)), expected, "{status} {body}");
        }
        let cut = Reply { is_cut: true, ..reply(200, r#"{"id":"batch_1"}"#) };
        assert_eq!(class(&cut), "unknown", "complete JSON of a cut reply may be another's prefix");
    }

    #[test]
    fn refusals_keep_the_providers_words_and_places_lose_their_query() {
        let Verdict::Rejected(failure) =
            judge(&reply(400, r#"{"detail":"no such thing"}"#), has_id)
        else {
            panic!("a 400 is a rejection")
        };
        assert_eq!(failure.message, "no such thing");
        let location = Some("https://user:pw@other.example.com/x?sig=secret".to_owned());
        let Verdict::Rejected(failure) = judge(&Reply { location, ..reply(302, "") }, has_id)
        else {
            panic!("a redirect is a rejection")
        };
        assert!(failure.message.contains("https://other.example.com/x"), "{}", failure.message);
        assert!(!failure.message.contains("secret") && !failure.message.contains("pw"));
    }
}
