//! A streamed answer put together into the body that the same call would have had unstreamed.

use serde_json::{Map, Value, json};

use crate::provider::Shape;
use crate::request::Endpoint;

/// What has come of an answer so far.
#[derive(Debug)]
pub(super) struct Assembly {
    kind: Kind,
    /// Members of the whole body, as the pieces told them.
    head: Map<String, Value>,
    /// The parts of the answer: texts, thoughts, calls of tools.
    parts: Vec<Value>,
    /// Why the model stopped; `null` until it did.
    finish: Value,
    is_whole: bool,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Chat,
    Responses,
    Anthropic,
    Gemini,
}

/// The data of an event that says that the call failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint(pub(super) String);

impl Assembly {
    /// For answers of this shape.
    pub(super) fn new(shape: Shape, endpoint: Endpoint) -> Self {
        let kind = match (shape, endpoint) {
            (Shape::OpenAi, Endpoint::Responses) => Kind::Responses,
            (Shape::OpenAi, _) => Kind::Chat,
            (Shape::Anthropic, _) => Kind::Anthropic,
            (Shape::Gemini, _) => Kind::Gemini,
        };
        let finish = Value::Null;
        Self { kind, head: Map::new(), parts: Vec::new(), finish, is_whole: false }
    }

    /// Takes the data of one event and tells the text in it.
    pub(super) fn take(
        &mut self,
        data: &str,
        on_text: &mut dyn FnMut(&str),
    ) -> Result<(), Complaint> {
        if data.trim() == "[DONE]" {
            self.is_whole = true;
            return Ok(());
        }
        let Ok(Value::Object(event)) = serde_json::from_str(data) else { return Ok(()) };
        if event.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Complaint(data.to_owned()));
        }
        match self.kind {
            Kind::Chat => self.chat(event, on_text),
            Kind::Responses => return self.responses(event, on_text),
            Kind::Anthropic => self.anthropic(event, on_text),
            Kind::Gemini => self.gemini(event, on_text),
        }
        Ok(())
    }

    /// The body; `None` where the stream ended before the answer did.
    pub(super) fn whole(mut self) -> Option<Value> {
        if !self.is_whole && self.finish.is_null() {
            return None;
        }
        match self.kind {
            Kind::Chat => {
                let mut message = Map::from_iter([("role".to_owned(), "assistant".into())]);
                message.insert("content".to_owned(), Value::Null);
                for mut part in self.parts {
                    message.extend(part.as_object_mut().map(std::mem::take).unwrap_or_default());
                }
                self.head.insert("object".to_owned(), "chat.completion".into());
                let choice = json!({
                    "index": 0, "message": message, "finish_reason": self.finish,
                });
                let usage = self.head.remove("usage");
                self.head.insert("choices".to_owned(), json!([choice]));
                self.head.extend(usage.map(|usage| ("usage".to_owned(), usage)));
            }
            Kind::Responses => {}
            Kind::Anthropic => {
                self.head.insert("content".to_owned(), self.parts.into());
            }
            Kind::Gemini => {
                if !self.head.contains_key("promptFeedback") || !self.parts.is_empty() {
                    let content = json!({ "parts": self.parts, "role": "model" });
                    let candidate =
                        json!({ "content": content, "finishReason": self.finish, "index": 0 });
                    self.head.insert("candidates".to_owned(), json!([candidate]));
                }
            }
        }
        Some(Value::Object(self.head))
    }

    fn chat(&mut self, mut event: Map<String, Value>, on_text: &mut dyn FnMut(&str)) {
        let choices = event.remove("choices").unwrap_or_default();
        event.retain(|name, value| !value.is_null() && name != "object");
        self.head.extend(event);
        let Some(choice) = choices.get(0) else { return };
        for name in ["content", "refusal", "reasoning_content", "reasoning"] {
            if let Some(text) = choice["delta"][name].as_str() {
                self.add_text(name, text);
                if name == "content" {
                    on_text(text);
                }
            }
        }
        if !choice["finish_reason"].is_null() {
            self.finish = choice["finish_reason"].clone();
        }
    }

    /// Adds to the part with this member, which is made where there is none.
    fn add_text(&mut self, name: &str, text: &str) {
        let known = self.parts.iter_mut().find_map(|part| match part.get_mut(name) {
            Some(Value::String(known)) => Some(known),
            _ => None,
        });
        match known {
            Some(known) => known.push_str(text),
            None => self.parts.push(json!({ name: text })),
        }
    }

    fn responses(
        &mut self,
        mut event: Map<String, Value>,
        on_text: &mut dyn FnMut(&str),
    ) -> Result<(), Complaint> {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        match kind.as_str() {
            "response.output_text.delta" => {
                event.get("delta").and_then(Value::as_str).into_iter().for_each(on_text);
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                let Some(Value::Object(response)) = event.remove("response") else { return Ok(()) };
                if response.get("error").is_some_and(|error| !error.is_null()) {
                    return Err(Complaint(Value::Object(response).to_string()));
                }
                (self.head, self.is_whole) = (response, true);
            }
            _ => {}
        }
        Ok(())
    }

    fn anthropic(&mut self, mut event: Map<String, Value>, on_text: &mut dyn FnMut(&str)) {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        match kind.as_str() {
            "message_start" => {
                if let Some(Value::Object(message)) = event.remove("message") {
                    self.head = message;
                }
            }
            "content_block_start" => {
                let block = event.remove("content_block").unwrap_or_default();
                block["text"]
                    .as_str()
                    .filter(|text| !text.is_empty())
                    .into_iter()
                    .for_each(on_text);
                self.parts.push(block);
            }
            "content_block_delta" => {
                let delta = event.remove("delta").unwrap_or_default();
                let Some(Value::Object(block)) = self.parts.last_mut() else { return };
                for name in ["text", "thinking"] {
                    let Some(piece) = delta[name].as_str() else { continue };
                    if let Value::String(known) = block.entry(name).or_insert_with(|| "".into()) {
                        known.push_str(piece);
                    }
                    if name == "text" {
                        on_text(piece);
                    }
                }
            }
            "message_delta" => {
                if let Some(Value::Object(delta)) = event.remove("delta") {
                    self.finish = delta.get("stop_reason").cloned().unwrap_or_default();
                    self.head.extend(delta);
                }
                if let Some(Value::Object(later)) = event.remove("usage") {
                    let usage = self.head.entry("usage").or_insert_with(|| json!({}));
                    usage.as_object_mut().into_iter().for_each(|usage| usage.extend(later.clone()));
                }
            }
            "message_stop" => self.is_whole = true,
            _ => {}
        }
    }

    fn gemini(&mut self, mut event: Map<String, Value>, on_text: &mut dyn FnMut(&str)) {
        let mut candidates = event.remove("candidates").unwrap_or_default();
        self.is_whole |=
            event.get("promptFeedback").is_some_and(|told| !told["blockReason"].is_null());
        self.head.extend(event);
        let Some(candidate) = candidates.get_mut(0) else { return };
        if !candidate["finishReason"].is_null() {
            self.finish = candidate["finishReason"].take();
        }
        let Value::Array(parts) = candidate["content"]["parts"].take() else { return };
        for part in parts {
            let is_thought = part["thought"] == true;
            let text = part["text"].as_str();
            text.filter(|_| !is_thought).into_iter().for_each(&mut *on_text);
            match (text, self.parts.last_mut()) {
                (Some(text), Some(Value::Object(last)))
                    if (last.get("thought") == Some(&Value::Bool(true))) == is_thought =>
                {
                    match last.get_mut("text") {
                        Some(Value::String(known)) => known.push_str(text),
                        _ => self.parts.push(part),
                    }
                }
                _ => self.parts.push(part),
            }
        }
    }
}

#[cfg(test)]
#[path = "assembly_tests.rs"]
mod tests;
