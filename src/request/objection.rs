//! What is said to the model about an answer that cannot be used: its own words, and what is wrong
//! with them. Both become messages behind those of the request; nothing else of it changes.

use super::Endpoint;
use super::escape::escape;
use crate::base::redact;

/// Characters of an answer that are shown again; what is longer is no JSON that lacks a comma.
const MOST_ANSWER: usize = 16_000;
/// Characters of what is wrong with it.
const MOST_FAULT: usize = 300;

const ASSISTANT: &[u8] = b",{\"role\":\"assistant\",\"content\":\"";
const USER: &[u8] = b"\"},{\"role\":\"user\",\"content\":\"";
const END: &[u8] = b"\"}";
/// Where a request holds one text, it becomes the first of several messages.
const OPEN: &[u8] = b"[{\"role\":\"user\",\"content\":";

/// An answer, and why it cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    answer: String,
    remark: String,
}

impl Objection {
    /// Words it: the answer as it came, what was found wrong with it, and the line that names the
    /// wanted form, where there is one. The same parts make the same words in every release that
    /// follows the same [rules](super::RULES).
    pub fn new(answer: &str, fault: &str, form: Option<&str>) -> Self {
        let fault = redact(fault);
        let fault = shortened(fault.trim().trim_end_matches('.'), MOST_FAULT);
        let form = form.unwrap_or(
            "Answer once more with the JSON alone, in the form that was asked for, and nothing else.",
        );
        Self {
            answer: shortened(answer.trim(), MOST_ANSWER),
            remark: format!("That answer cannot be used: {fault}. {form}"),
        }
    }

    /// The two messages, for counting their tokens.
    pub fn texts(&self) -> [&str; 2] {
        [&self.answer, &self.remark]
    }

    /// By how many bytes it makes a line longer, at most.
    pub fn bytes(&self) -> u64 {
        let mut turns = Vec::new();
        self.write_turns(&mut turns);
        (turns.len() + OPEN.len() + 2) as u64
    }

    /// Appends the end of a request with it. The row's own part stands in `out` from `start` on;
    /// `tail` is what comes behind it, with the place of further messages in it.
    pub(super) fn write(
        &self,
        endpoint: Endpoint,
        (start, (tail, place)): (usize, (&[u8], usize)),
        out: &mut Vec<u8>,
    ) {
        if endpoint == Endpoint::Chat {
            out.extend_from_slice(&tail[..place]);
            self.write_turns(out);
            out.extend_from_slice(&tail[place..]);
            return;
        }
        if out.get(start) == Some(&b'"') {
            out.splice(start..start, OPEN.iter().copied());
            out.push(b'}');
        } else {
            // A list of messages: it is closed behind the new ones.
            out.pop();
        }
        self.write_turns(out);
        out.push(b']');
        out.extend_from_slice(tail);
    }

    fn write_turns(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(ASSISTANT);
        escape(&self.answer, out);
        out.extend_from_slice(USER);
        escape(&self.remark, out);
        out.extend_from_slice(END);
    }
}

/// The first characters of a text.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the shape of a request, the two messages stand behind those that it has.
    #[test]
    fn field_37_the_messages_stand_behind_the_others() {
        let objection = Objection::new("so \"so\"", "no", Some("JSON"));
        let (chat, responses) = (Endpoint::Chat, Endpoint::Responses);
        let user = r#"{"role":"user","content":"q"}"#;
        let open = &user[..user.len() - 1];
        let table = [
            (chat, r#"{"messages":["#, open, r#"}],"n":[1]}"#, 1, "messages"),
            (chat, r#"{"messages":["#, user, "]}", 0, "messages"),
            (responses, r#"{"input":"#, r#""q""#, r#","n":1}"#, 0, "input"),
            (responses, r#"{"input":"#, &format!("[{user}]"), "}", 0, "input"),
        ];
        for (endpoint, head, row, tail, place, key) in table {
            let mut out = [head, row].concat().into_bytes();
            let plain = out.len() + tail.len();
            objection.write(endpoint, (head.len(), (tail.as_bytes(), place)), &mut out);
            assert!(out.len() as u64 <= plain as u64 + objection.bytes(), "its length was planned");
            let body: serde_json::Value = serde_json::from_slice(&out).expect("a body is JSON");
            let messages = serde_json::json!([
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": "so \"so\""},
                {"role": "user", "content": "That answer cannot be used: no. JSON"},
            ]);
            assert_eq!(body[key], messages, "{row}");
        }
    }

    /// Field report 37: what was wrong is said, in bounded words and without keys.
    #[test]
    fn field_37_an_objection_names_what_is_wrong() {
        let form = "Answer with one JSON object of this shape and nothing else: {\"a\":0}";
        let table = [
            (
                "no JSON in the answer.",
                None,
                "That answer cannot be used: no JSON in the answer. Answer once more with the JSON \
                 alone, in the form that was asked for, and nothing else."
                    .to_owned(),
            ),
            (
                "`a` is \"high\" where a number is wanted",
                Some(form),
                format!(
                    "That answer cannot be used: `a` is \"high\" where a number is wanted. {form}"
                ),
            ),
            (
                "bad sk-judge-secret-test-0001",
                Some(form),
                format!("That answer cannot be used: bad [key]. {form}"),
            ),
        ];
        let _key = crate::base::Secret::new("sk-judge-secret-test-0001");
        for (fault, form, expected) in table {
            let objection = Objection::new("  prose \n", fault, form);
            assert_eq!(objection.texts(), ["prose", expected.as_str()]);
        }
        let long = Objection::new(&"好".repeat(20_000), &"x".repeat(9_999), None);
        assert_eq!(long.texts()[0].chars().count(), MOST_ANSWER + 1);
        assert!(long.texts()[1].chars().count() < MOST_FAULT + 150);
    }
}
