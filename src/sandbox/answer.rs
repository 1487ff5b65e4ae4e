//! The answer to one request: a pure function of its body.

use serde_json::Value;

use super::asked::{Asked, Image};
use super::family::{Endpoint, Family};
use super::form::Form;
use super::refusal::Refusal;
use super::schema::Maker;
use super::script::Rule;
use super::wanted::{Wanted, wanted};
use super::{Answers, tokens};

/// What the model would have said.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) model: String,
    pub(super) content: Content,
    pub(super) finish_reason: String,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Text(String),
    Vectors(Vec<Vec<f32>>),
}

/// Vectors are short unless the request says otherwise.
const DIMENSIONS: u64 = 8;
const MAX_DIMENSIONS: u64 = 4096;

/// A text of the request with this in it makes the request fail with the status that follows:
/// `[[fail:400]]`, `[[fail:429]]`, `[[fail:500]]`.
const FAIL_MARK: &str = "[[fail:";

/// Answers a request, or refuses it as the service would.
pub(super) fn answer(
    family: Family,
    endpoint: Endpoint,
    body: &Value,
    answers: &Answers,
) -> Result<Said, Refusal> {
    let asked = Asked::read(family, endpoint, body)?;
    answer_asked(asked, endpoint, answers)
}

/// Answers what was read from a request of whatever family.
fn answer_asked(asked: Asked, endpoint: Endpoint, answers: &Answers) -> Result<Said, Refusal> {
    if let Some(status) = asked.texts().find_map(marked_failure) {
        return Err(made_to_fail(status));
    }
    if endpoint == Endpoint::Embeddings {
        return Ok(embed(&asked));
    }
    if let Answers::Fixed(text) = answers {
        return Ok(fixed(asked, text));
    }
    let rule = match answers {
        Answers::Script(script) => script.find(&asked.texts().collect::<Vec<_>>()),
        _ => None,
    };
    if let Some(refusal) = rule.and_then(refused_by_rule) {
        return Err(refusal);
    }
    let text = match rule.and_then(|rule| rule.reply.clone()) {
        Some(reply) => reply,
        None => made_up(&asked, answers),
    };
    let (text, completion_tokens, cut_off) = tokens::cut(&asked.model, text, asked.max_tokens);
    let given = rule.and_then(|rule| rule.finish_reason.clone());
    let by_length = if cut_off { "length" } else { "stop" };
    Ok(Said {
        prompt_tokens: tokens::of_prompt(&asked),
        model: asked.model,
        content: Content::Text(text),
        finish_reason: given.unwrap_or_else(|| by_length.to_owned()),
        completion_tokens,
    })
}

/// The same text to all; nothing is counted that takes time.
fn fixed(asked: Asked, text: &str) -> Said {
    let bytes: usize = asked.texts().map(str::len).sum();
    Said {
        prompt_tokens: bytes as u64 / 4 + 1 + asked.image_tokens,
        model: asked.model,
        content: Content::Text(text.to_owned()),
        finish_reason: "stop".to_owned(),
        completion_tokens: text.len() as u64 / 4 + 1,
    }
}

fn marked_failure(text: &str) -> Option<u16> {
    // Most texts have no bracket at all, which is quickly seen.
    let (_, after) = text[text.find('[')?..].split_once(FAIL_MARK)?;
    let (status, _) = after.split_once("]]")?;
    status.parse().ok().filter(|status| (400..600).contains(status))
}

fn made_to_fail(status: u16) -> Refusal {
    let refusal = Refusal::new(status, format!("The sandbox was asked to fail with {status}."));
    match status {
        429 => refusal.code("rate_limit_exceeded"),
        500.. => refusal.code("server_error"),
        _ => refusal.code("invalid_value").zhipu("1214"),
    }
}

fn refused_by_rule(rule: &Rule) -> Option<Refusal> {
    let status = rule.status.unwrap_or(if rule.code.is_some() { 400 } else { 200 });
    if status < 400 {
        return None;
    }
    let message = rule.message.as_deref().or(rule.reply.as_deref());
    let refusal = Refusal::new(status, message.unwrap_or("Refused by a rule of the sandbox."));
    Some(match &rule.code {
        Some(code) => refusal.code(code),
        None => refusal,
    })
}

fn made_up(asked: &Asked, answers: &Answers) -> String {
    let question = asked.question();
    let maker = Maker::new(seed(asked), &question);
    let json = match (&asked.form, answers) {
        (_, Answers::Echo) => None,
        (Form::Schema(schema), _) => Some(maker.value(schema)),
        (
            Form::Text,
            Answers::Auto | Answers::Fixed(_) | Answers::Script(_) | Answers::Upstream(_),
        ) => object(&maker, asked, true),
        _ => object(&maker, asked, false).or_else(|| Some(maker.object(&["answer".to_owned()]))),
    };
    json.map_or_else(|| echo(asked, &question), |json| json.to_string())
}

/// An object with the fields that the texts name, if they name any. Where nothing but the texts
/// says that JSON is wanted, only a plain list of fields or an example counts.
fn object(maker: &Maker<'_>, asked: &Asked, only_plain: bool) -> Option<Value> {
    match wanted(asked.texts(), only_plain)? {
        Wanted::Schema(schema) => Some(maker.value(&schema)),
        Wanted::Example(example) => Some(maker.fill(&example, "")),
        Wanted::Names(names) => Some(maker.object(&names)),
    }
}

fn echo(asked: &Asked, question: &str) -> String {
    if asked.images.is_empty() {
        return format!("[sandbox] {question}");
    }
    let each: Vec<String> = asked
        .images
        .iter()
        .map(|image| match image {
            Image::Data { kind, bytes } => format!("{kind} {bytes} bytes"),
            Image::Link => "link".to_owned(),
        })
        .collect();
    let noun = if each.len() == 1 { "image" } else { "images" };
    format!("[sandbox] {question} [{} {noun}: {}]", each.len(), each.join(", "))
}

fn embed(asked: &Asked) -> Said {
    let length = asked.dimensions.unwrap_or(DIMENSIONS).clamp(1, MAX_DIMENSIONS);
    let vectors = asked.inputs.iter().map(|text| vector(text, length)).collect();
    Said {
        model: asked.model.clone(),
        content: Content::Vectors(vectors),
        finish_reason: "stop".to_owned(),
        prompt_tokens: tokens::of_prompt(asked),
        completion_tokens: 0,
    }
}

/// Numbers from -1 to 1 out of the digest of the text.
fn vector(text: &str, length: u64) -> Vec<f32> {
    let mut reader = blake3::Hasher::new().update(text.as_bytes()).finalize_xof();
    let mut byte_pair = [0; 2];
    (0..length)
        .map(|_| {
            reader.fill(&mut byte_pair);
            f32::from(i16::from_le_bytes(byte_pair)) / 32768.0
        })
        .collect()
}

/// Texts alone: images may be megabytes.
fn seed(asked: &Asked) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for text in asked.texts() {
        hasher.update(text.as_bytes()).update(&[0]);
    }
    crate::base::short_hash(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sandbox::Script;

    fn chat(text: &str, more: &Value) -> Value {
        let mut body = json!({"model": "gpt-4o-mini", "messages": [
            {"role": "user", "content": text}]});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    }

    fn said(body: &Value, answers: &Answers) -> Result<(String, String), Refusal> {
        let said = answer(Family::OpenAi, Endpoint::Chat, body, answers)?;
        let Content::Text(text) = said.content else { panic!("chat answers in text") };
        Ok((text, said.finish_reason))
    }

    #[test]
    fn echo_json_and_cut_off() {
        let auto = Answers::Auto;
        let (text, _) = said(&chat("good day", &json!({})), &auto).unwrap();
        assert_eq!(text, "[sandbox] good day");

        let object = json!({"response_format": {"type": "json_object"}});
        let (text, _) = said(&chat("as JSON with \"mood\"", &object), &auto).unwrap();
        let made: Value = serde_json::from_str(&text).unwrap();
        assert!(made["mood"].as_str().unwrap().starts_with("[sandbox]"));
        let (text, _) = said(&chat("Answer in JSON.", &object), &auto).unwrap();
        assert!(serde_json::from_str::<Value>(&text).unwrap()["answer"].is_string());
        let (text, _) = said(&chat("as JSON", &object), &Answers::Echo).unwrap();
        assert_eq!(text, "[sandbox] as JSON");

        let short = said(&chat("one two three four", &json!({"max_tokens": 2})), &auto).unwrap();
        assert_eq!(short.1, "length");
    }

    #[test]
    fn usage_follows_the_chat_rule() {
        let said =
            answer(Family::OpenAi, Endpoint::Chat, &chat("hello", &json!({})), &Answers::Auto)
                .unwrap();
        assert_eq!(said.prompt_tokens, 8);
        assert_eq!(said.completion_tokens, crate::cost::text_tokens("gpt-4o", "[sandbox] hello"));
    }

    #[test]
    fn marks_and_rules_make_requests_fail() {
        let refusal = said(&chat("row [[fail:429]]", &json!({})), &Answers::Auto).unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_deref()), (429, Some("rate_limit_exceeded")));
        let rules = r#"{"rule": [
            {"match": "bad", "status": 400, "code": "content_filter", "message": "no"},
            {"match": "short", "reply": "cut", "finish_reason": "length"},
            {"match": "yes", "reply": "42"}]}"#;
        let script = Answers::Script(serde_json::from_str::<Script>(rules).unwrap());
        let refusal = said(&chat("a bad row", &json!({})), &script).unwrap_err();
        assert_eq!((refusal.status, refusal.message.as_str()), (400, "no"));
        let table =
            [("short", "cut", "length"), ("yes", "42", "stop"), ("a", "[sandbox] a", "stop")];
        for (text, reply, reason) in table {
            let expected = (reply.to_owned(), reason.to_owned());
            assert_eq!(said(&chat(text, &json!({})), &script).unwrap(), expected);
        }
    }

    #[test]
    fn vectors_are_as_long_as_asked_and_repeat() {
        let body = json!({"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 3});
        let one = answer(Family::OpenAi, Endpoint::Embeddings, &body, &Answers::Auto).unwrap();
        let two = answer(Family::OpenAi, Endpoint::Embeddings, &body, &Answers::Echo).unwrap();
        assert_eq!(one, two);
        let Content::Vectors(vectors) = one.content else { panic!("embeddings are vectors") };
        assert_eq!((vectors.len(), vectors[0].len()), (2, 3));
        assert_ne!(vectors[0], vectors[1]);
    }
}
