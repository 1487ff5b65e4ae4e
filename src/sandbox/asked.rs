//! What a request body asks for: its texts, its images, the JSON it wants. Bodies that no model
//! would take are refused here, row by row.

use serde_json::Value;

use super::family::{Endpoint, Family};
use super::form::Form;
use super::realtime::{anthropic, gemini};
use super::refusal::Refusal;
use super::tokens::of_image;
use crate::request::beside;

/// A request body, read.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) messages: Vec<Message>,
    /// The texts to embed; empty for the other endpoints.
    pub(super) inputs: Vec<String>,
    /// The images of all messages, in order.
    pub(super) images: Vec<Image>,
    /// What those are billed as.
    pub(super) image_tokens: u64,
    pub(super) form: Form,
    pub(super) max_tokens: Option<u64>,
    pub(super) dimensions: Option<u64>,
    /// Tools, schemas and calls of tools as JSON text.
    pub(super) beside: String,
}

/// One message.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) role: String,
    pub(super) texts: Vec<String>,
    pub(super) name: Option<String>,
}

/// What is known of an image without decoding it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Image {
    /// Inline: its media type and the size of its bytes.
    Data { kind: String, bytes: u64 },
    /// By address.
    Link,
}

impl Asked {
    /// Reads a body.
    pub(super) fn read(family: Family, endpoint: Endpoint, body: &Value) -> Result<Self, Refusal> {
        match family {
            Family::Anthropic => return anthropic::read(body),
            Family::Gemini => return gemini::read(endpoint, body),
            Family::OpenAi | Family::Zhipu => {}
        }
        let Some(model) = body.get("model").and_then(Value::as_str).filter(|m| !m.is_empty())
        else {
            return Err(Refusal::missing("model"));
        };
        if body.get("stream").and_then(Value::as_bool) == Some(true) {
            return Err(Refusal::bad("Streaming is not supported here.").param("stream"));
        }
        refuse_old_limit(family, endpoint, model, body)?;
        let mut asked = Self {
            model: model.to_owned(),
            form: Form::read(family, endpoint, (model, body))?,
            max_tokens: ["max_completion_tokens", "max_tokens", "max_output_tokens"]
                .iter()
                .find_map(|name| body.get(name).and_then(Value::as_u64)),
            dimensions: body.get("dimensions").and_then(Value::as_u64),
            beside: beside(body),
            ..Self::default()
        };
        match endpoint {
            Endpoint::Chat => asked.take_messages(body.get("messages"), "messages")?,
            Endpoint::Responses => asked.take_responses_input(body)?,
            Endpoint::Embeddings => asked.inputs = embedding_inputs(body)?,
        }
        let said = asked.messages.iter().flat_map(|message| {
            message.texts.iter().map(|text| (message.role.as_str(), text.as_str()))
        });
        asked.form.require_word(family, endpoint, said)?;
        Ok(asked)
    }

    /// The texts of the last message of the user, joined by line breaks.
    pub(super) fn question(&self) -> String {
        let last = self.messages.iter().rev().find(|message| message.role == "user");
        last.or(self.messages.last()).map(|message| message.texts.join("\n")).unwrap_or_default()
    }

    /// All texts in order.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let said = self.messages.iter().flat_map(|message| &message.texts);
        said.chain(&self.inputs).map(String::as_str)
    }

    fn take_messages(&mut self, messages: Option<&Value>, param: &str) -> Result<(), Refusal> {
        let Some(messages) = messages.and_then(Value::as_array) else {
            return Err(Refusal::missing(param));
        };
        if messages.is_empty() {
            return Err(Refusal::bad(format!("Invalid '{param}': empty array."))
                .code("empty_array")
                .zhipu("1214")
                .param(param));
        }
        for (index, message) in messages.iter().enumerate() {
            let place = format!("{param}[{index}]");
            self.take_message(message, &place)?;
        }
        Ok(())
    }

    fn take_message(&mut self, message: &Value, place: &str) -> Result<(), Refusal> {
        let Some(role) = message.get("role").and_then(Value::as_str) else {
            return Err(Refusal::missing(&format!("{place}.role")));
        };
        let mut read = Message {
            role: role.to_owned(),
            name: message.get("name").and_then(Value::as_str).map(str::to_owned),
            ..Message::default()
        };
        match message.get("content") {
            Some(Value::String(text)) => read.texts.push(text.clone()),
            Some(Value::Array(parts)) => {
                for part in parts {
                    self.take_part(part, place, &mut read.texts)?;
                }
            }
            // Turns of an assistant that only called tools have none.
            None | Some(Value::Null) if role != "user" => {}
            _ => return Err(Refusal::missing(&format!("{place}.content"))),
        }
        self.messages.push(read);
        Ok(())
    }

    fn take_part(
        &mut self,
        part: &Value,
        place: &str,
        texts: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "text" | "input_text" | "output_text" => {
                let text = part.get("text").and_then(Value::as_str);
                let text = text.ok_or_else(|| Refusal::missing(&format!("{place}.text")))?;
                texts.push(text.to_owned());
            }
            "image_url" | "input_image" => {
                let url = part.get("image_url");
                let url = url.and_then(|url| url.as_str().or_else(|| url.get("url")?.as_str()));
                let url = url.ok_or_else(|| Refusal::missing(&format!("{place}.image_url")))?;
                self.images.push(image(url)?);
                let detail = part.get("detail").or_else(|| part.get("image_url")?.get("detail"));
                let detail = detail.and_then(Value::as_str);
                self.image_tokens += of_image(&self.model, url, detail);
            }
            _ => {
                return Err(Refusal::bad(format!("Invalid value '{kind}' for '{place}.type'."))
                    .code("invalid_value")
                    .zhipu("1214")
                    .param(format!("{place}.type")));
            }
        }
        Ok(())
    }

    fn take_responses_input(&mut self, body: &Value) -> Result<(), Refusal> {
        if let Some(text) = body.get("instructions").and_then(Value::as_str) {
            let texts = vec![text.to_owned()];
            self.messages.push(Message { role: "system".into(), texts, name: None });
        }
        if let Some(text) = body.get("input").and_then(Value::as_str) {
            let texts = vec![text.to_owned()];
            self.messages.push(Message { role: "user".into(), texts, name: None });
            return Ok(());
        }
        self.take_messages(body.get("input"), "input")
    }
}

/// Reasoning models and all from gpt-5 on refuse the older name of the token limit.
fn refuse_old_limit(
    family: Family,
    endpoint: Endpoint,
    model: &str,
    body: &Value,
) -> Result<(), Refusal> {
    let newer = ["o1", "o3", "o4", "gpt-5", "gpt-6"].iter().any(|start| model.starts_with(start));
    if family == Family::OpenAi
        && endpoint == Endpoint::Chat
        && newer
        && body.get("max_tokens").is_some_and(|value| !value.is_null())
    {
        return Err(Refusal::bad(
            "Unsupported parameter: 'max_tokens' is not supported with this model. \
             Use 'max_completion_tokens' instead.",
        )
        .code("unsupported_parameter")
        .param("max_tokens"));
    }
    Ok(())
}

/// An image by its address or its data URL.
pub(super) fn image(url: &str) -> Result<Image, Refusal> {
    let Some(data) = url.strip_prefix("data:") else {
        return Ok(Image::Link);
    };
    let Some((kind, base64)) = data.split_once(";base64,") else {
        return Err(Refusal::bad("Invalid image data URL: it must be base64.")
            .code("invalid_image_url")
            .zhipu("1214"));
    };
    let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count().min(2);
    let bytes = (base64.len() as u64 / 4 * 3).saturating_sub(padding as u64);
    Ok(Image::Data { kind: kind.to_owned(), bytes })
}

fn embedding_inputs(body: &Value) -> Result<Vec<String>, Refusal> {
    match body.get("input") {
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(inputs)) if !inputs.is_empty() => Ok(inputs
            .iter()
            // Token arrays are taken as they stand; what they mean is no matter here.
            .map(|input| input.as_str().map_or_else(|| input.to_string(), str::to_owned))
            .collect()),
        _ => Err(Refusal::missing("input")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_images_and_form_of_a_body() {
        let body = json!({
            "model": "gpt-4o-mini",
            "messages": [
                {"role": "system", "content": "be short"},
                {"role": "user", "content": [
                    {"type": "text", "text": "what is this? JSON"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}},
                    {"type": "image_url", "image_url": {"url": "https://example.org/a.jpg"}},
                ]},
            ],
            "response_format": {"type": "json_object"},
            "max_tokens": 7,
        });
        let asked = Asked::read(Family::OpenAi, Endpoint::Chat, &body).unwrap();
        assert_eq!(asked.question(), "what is this? JSON");
        let data = Image::Data { kind: "image/png".into(), bytes: 5 };
        assert_eq!(asked.images, [data, Image::Link]);
        assert_eq!((asked.form, asked.max_tokens), (Form::Object, Some(7)));
    }

    #[test]
    fn bodies_that_no_model_takes() {
        let user = json!([{"role": "user", "content": "a"}]);
        let table = [
            (json!({"messages": user}), "model"),
            (json!({"model": "m"}), "messages"),
            (json!({"model": "m", "messages": []}), "messages"),
            (json!({"model": "m", "messages": [{"content": "a"}]}), "messages[0].role"),
            (json!({"model": "m", "messages": [{"role": "user"}]}), "messages[0].content"),
            (json!({"model": "m", "messages": user, "stream": true}), "stream"),
            (json!({"model": "gpt-5", "messages": user, "max_tokens": 5}), "max_tokens"),
        ];
        for (body, param) in table {
            let refusal = Asked::read(Family::OpenAi, Endpoint::Chat, &body).unwrap_err();
            assert_eq!((refusal.status, refusal.param.as_deref()), (400, Some(param)), "{body}");
        }
    }
}
