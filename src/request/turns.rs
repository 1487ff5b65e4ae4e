//! A conversation as the body of one request: what was said so far, and by whom.

use super::escape::{escape, quote};
use super::frame;
use super::{Endpoint, Question, RequestError, Source};

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// By whom.
    pub speaker: Speaker,
    /// The text; empty where a picture alone is shown.
    pub text: String,
    /// Pictures shown with it, as [`image_url`](super::image_url) gives them.
    pub images: Vec<String>,
}

impl Turn {
    /// What a person says, without pictures.
    pub fn asked(text: impl Into<String>) -> Self {
        Self { speaker: Speaker::User, text: text.into(), images: Vec::new() }
    }

    /// What the model answered.
    pub fn answered(text: impl Into<String>) -> Self {
        Self { speaker: Speaker::Assistant, text: text.into(), images: Vec::new() }
    }

    fn write(&self, detail: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.speaker {
            Speaker::User => b"{\"role\":\"user\",\"content\":",
            Speaker::Assistant => b"{\"role\":\"assistant\",\"content\":",
        });
        if self.images.is_empty() {
            quote(&self.text, out);
            out.push(b'}');
            return;
        }
        out.push(b'[');
        // A text part that is empty is refused by services.
        if !self.text.is_empty() {
            out.extend_from_slice(b"{\"type\":\"text\",\"text\":");
            quote(&self.text, out);
            out.extend_from_slice(b"},");
        }
        for (number, image) in self.images.iter().enumerate() {
            out.extend_from_slice(if number == 0 { b"" } else { b"," });
            out.extend_from_slice(b"{\"type\":\"image_url\",\"image_url\":{\"url\":\"");
            escape(image, out);
            out.extend_from_slice(b"\",\"detail\":\"");
            out.extend_from_slice(detail.as_bytes());
            out.extend_from_slice(b"\"}}");
        }
        out.extend_from_slice(b"]}");
    }
}

/// The body that goes on with a conversation: the question gives model, system text and
/// parameters, the turns are its messages.
pub fn conversation(question: &Question, turns: &[Turn]) -> Result<Vec<u8>, RequestError> {
    let question = Question {
        endpoint: Endpoint::Chat,
        source: Source::Messages { column: String::new() },
        ..question.clone()
    };
    let (mut out, tail) = frame::around_messages(&question)?;
    for (number, turn) in turns.iter().enumerate() {
        out.extend_from_slice(if number == 0 { b"" } else { b"," });
        turn.write(question.images.detail.as_str(), &mut out);
    }
    // The system text ends with a comma that needs a message behind it.
    if turns.is_empty() && out.last() == Some(&b',') {
        out.pop();
    }
    out.extend_from_slice(&tail);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Detail, ImageOptions};
    use serde_json::{Value, json};

    fn body(question: &Question, turns: &[Turn]) -> Value {
        serde_json::from_slice(&conversation(question, turns).unwrap()).unwrap()
    }

    /// S3.11, S3.15: the whole conversation goes along, pictures stand beside their text.
    #[test]
    fn what_was_said_goes_along_in_its_order() {
        let question = Question {
            model: "gpt-4o".into(),
            system: Some("Be \"brief\".".into()),
            max_tokens: Some(50),
            temperature: Some(0.5),
            parameters: vec![("seed".into(), json!(7))],
            images: ImageOptions { detail: Detail::Low, ..ImageOptions::default() },
            ..Question::default()
        };
        let shown =
            Turn { images: vec!["data:image/png;base64,AA".into()], ..Turn::asked("你好\n") };
        let turns = [shown, Turn::answered("A cat."), Turn::asked("Whose?")];
        assert_eq!(
            body(&question, &turns),
            json!({
                "model": "gpt-4o",
                "messages": [
                    {"role": "system", "content": "Be \"brief\"."},
                    {"role": "user", "content": [
                        {"type": "text", "text": "你好\n"},
                        {"type": "image_url", "image_url":
                            {"url": "data:image/png;base64,AA", "detail": "low"}},
                    ]},
                    {"role": "assistant", "content": "A cat."},
                    {"role": "user", "content": "Whose?"},
                ],
                "max_tokens": 50,
                "temperature": 0.5,
                "seed": 7,
            })
        );
        let plain = Question { model: "m".into(), ..Question::default() };
        let silent = Turn { images: vec!["https://x/a.png".into()], ..Turn::asked("") };
        let content = &body(&plain, &[silent])["messages"][0]["content"];
        assert_eq!(content.as_array().map(Vec::len), Some(1), "{content}");
        assert_eq!(body(&question, &[])["messages"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn what_has_a_place_of_its_own_is_no_parameter() {
        let question =
            Question { parameters: vec![("stream".into(), json!(true))], ..Question::default() };
        let error = conversation(&question, &[Turn::asked("x")]).unwrap_err();
        assert!(error.to_string().contains("`stream` cannot be set"), "{error}");
    }
}
