//! A chat request in `OpenAI`'s shape, taken apart for services of another shape. What nobody knows
//! how to say there is an error before anything is sent.

use serde_json::{Map, Value};

use super::api::Advice;

/// Members that change no answer, or only make it easier to repeat: left out where a service has
/// no word for them.
const WITHOUT_EFFECT: [&str; 9] = [
    "seed",
    "user",
    "store",
    "stream",
    "parallel_tool_calls",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "metadata",
];

/// Why a request cannot be put into a service's own shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsayable {
    /// What is in the way, and what to do.
    pub(super) words: String,
    /// Whether it is in the way of this request only or of every one.
    pub(super) advice: Advice,
}

impl Unsayable {
    /// In the way of this request only.
    pub(super) fn row(words: impl Into<String>) -> Self {
        Self { words: words.into(), advice: Advice::NotThisRow }
    }

    /// In the way of all requests of the question.
    pub(super) fn all(words: impl Into<String>) -> Self {
        Self { words: words.into(), advice: Advice::NotThisProvider }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    User,
    Assistant,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// An image in the request itself.
    Data {
        media_type: String,
        base64: String,
    },
    /// An image that the service fetches.
    Link(String),
}

/// How the answer is to be formed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Format {
    #[default]
    Text,
    Object,
    Schema(Value),
}

/// A request taken apart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) system: Option<String>,
    pub(super) turns: Vec<(Role, Vec<Part>)>,
    pub(super) max_tokens: Option<u64>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) stop: Vec<String>,
    pub(super) format: Format,
    /// All other members that have a meaning.
    pub(super) rest: Map<String, Value>,
}

impl Asked {
    /// Takes a body apart.
    pub(super) fn read(body: &[u8]) -> Result<Self, Unsayable> {
        let body: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| Unsayable::row(format!("the request is no JSON object: {error}")))?;
        let mut asked = Self::default();
        let mut system = Vec::new();
        for (name, value) in body {
            match (name.as_str(), value) {
                ("model", _) | (_, Value::Null) | ("logprobs", Value::Bool(false)) => {}
                ("messages", Value::Array(messages)) => {
                    for message in messages {
                        asked.take_message(message, &mut system)?;
                    }
                }
                ("max_tokens" | "max_completion_tokens", value) => {
                    asked.max_tokens = Some(whole(&name, &value)?);
                }
                ("temperature", value) => asked.temperature = Some(number(&name, &value)?),
                ("top_p", value) => asked.top_p = Some(number(&name, &value)?),
                ("stop", value) => asked.stop = stops(value)?,
                ("response_format", value) => asked.format = format(&value)?,
                ("n", value) if value == 1 => {}
                (_, value) => drop(asked.rest.insert(name, value)),
            }
        }
        if asked.turns.is_empty() {
            return Err(Unsayable::row("the request holds no message with a text"));
        }
        asked.system = (!system.is_empty()).then(|| system.join("\n\n"));
        Ok(asked)
    }

    fn take_message(&mut self, message: Value, system: &mut Vec<String>) -> Result<(), Unsayable> {
        let Value::Object(mut message) = message else {
            return Err(Unsayable::row("a message is no JSON object"));
        };
        let parts = parts(message.remove("content").unwrap_or_default())?;
        let role = match message.get("role").and_then(Value::as_str).unwrap_or_default() {
            "system" | "developer" => {
                for part in parts {
                    let Part::Text(text) = part else {
                        return Err(Unsayable::row("an image stands in a system message"));
                    };
                    system.push(text);
                }
                return Ok(());
            }
            "user" => Role::User,
            "assistant" => Role::Assistant,
            other => return Err(Unsayable::row(format!("no message may be of {other:?} here"))),
        };
        // Services refuse a message without content, and it says nothing.
        if !parts.is_empty() {
            self.turns.push((role, parts));
        }
        Ok(())
    }

    /// What is left over must be known to have no effect; the rest is refused by name.
    pub(super) fn nothing_else(&self, provider: &str) -> Result<(), Unsayable> {
        let is_effective = |(name, value): &(&String, &Value)| {
            let is_zero = name.ends_with("_penalty") && value.as_f64() == Some(0.0);
            !WITHOUT_EFFECT.contains(&name.as_str()) && !is_zero
        };
        match self.rest.iter().find(is_effective) {
            None => Ok(()),
            Some((name, _)) => Err(Unsayable::all(format!(
                "{provider} has no parameter `{name}`: leave it out, or ask another provider"
            ))),
        }
    }
}

fn parts(content: Value) -> Result<Vec<Part>, Unsayable> {
    let items = match content {
        Value::Array(items) => items,
        other => vec![other],
    };
    let mut parts = Vec::with_capacity(items.len());
    for item in items {
        let part = part(item)?;
        // Blank texts are refused by services that would take the rest.
        if !matches!(&part, Part::Text(text) if text.trim().is_empty()) {
            parts.push(part);
        }
    }
    Ok(parts)
}

fn part(item: Value) -> Result<Part, Unsayable> {
    match item {
        Value::Null => Ok(Part::Text(String::new())),
        Value::String(text) => Ok(Part::Text(text)),
        Value::Object(mut map) => {
            let kind = map.get("type").and_then(Value::as_str).unwrap_or("text").to_owned();
            match (kind.as_str(), map.remove("text"), map.remove("image_url")) {
                ("text", Some(Value::String(text)), _) => Ok(Part::Text(text)),
                ("image_url", _, Some(Value::String(url))) => image(url),
                ("image_url", _, Some(Value::Object(mut inner))) => match inner.remove("url") {
                    Some(Value::String(url)) => image(url),
                    _ => Err(Unsayable::row("an image has no address")),
                },
                _ => Err(Unsayable::row(format!("no part of a message may be {kind:?} here"))),
            }
        }
        _ => Err(Unsayable::row("a part of a message is neither text nor image")),
    }
}

/// An image by its address: a data URL is taken apart, without copying what it holds twice.
fn image(mut url: String) -> Result<Part, Unsayable> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(Part::Link(url));
    }
    let comma = url.find(',').unwrap_or(0);
    let media_type = url[..comma]
        .strip_prefix("data:")
        .and_then(|head| head.strip_suffix(";base64"))
        .map(str::to_ascii_lowercase);
    let Some(media_type) = media_type else {
        return Err(Unsayable::row("an image is neither a base64 data URL nor a link"));
    };
    url.drain(..=comma);
    Ok(Part::Data { media_type, base64: url })
}

fn whole(name: &str, value: &Value) -> Result<u64, Unsayable> {
    value.as_u64().ok_or_else(|| Unsayable::all(format!("`{name}` is no whole number: {value}")))
}

fn number(name: &str, value: &Value) -> Result<f64, Unsayable> {
    value.as_f64().ok_or_else(|| Unsayable::all(format!("`{name}` is no number: {value}")))
}

fn stops(value: Value) -> Result<Vec<String>, Unsayable> {
    let items = match value {
        Value::Array(items) => items,
        other => vec![other],
    };
    let text = |item| match item {
        Value::String(text) => Ok(text),
        other => Err(Unsayable::all(format!("`stop` is no text: {other}"))),
    };
    items.into_iter().map(text).collect()
}

fn format(value: &Value) -> Result<Format, Unsayable> {
    match value["type"].as_str() {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Object),
        Some("json_schema") => Ok(Format::Schema(value["json_schema"]["schema"].clone())),
        _ => Err(Unsayable::all(format!("no service has the response_format {value}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rest: &str) -> Result<Asked, Unsayable> {
        Asked::read(format!(r#"{{"model":"m",{rest}}}"#).as_bytes())
    }

    #[test]
    fn a_request_is_taken_apart() {
        let asked = read(
            r#""messages":[{"role":"system","content":"be"},{"role":"developer","content":"brief"},
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":" "},
            {"type":"image_url","image_url":{"url":"data:image/PNG;base64,QUJD","detail":"low"}},
            {"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]},
            {"role":"assistant","content":""},{"role":"assistant","content":"b"}],
            "max_completion_tokens":7,"temperature":0,"top_p":0.5,"stop":"x","n":1,"seed":3,
            "response_format":{"type":"json_object"},"presence_penalty":0,"logprobs":false"#,
        )
        .unwrap();
        assert_eq!(asked.system.as_deref(), Some("be\n\nbrief"));
        let data = Part::Data { media_type: "image/png".to_owned(), base64: "QUJD".to_owned() };
        let link = Part::Link("https://x.example/a.png".to_owned());
        let turns = vec![
            (Role::User, vec![Part::Text("a".to_owned()), data, link]),
            (Role::Assistant, vec![Part::Text("b".to_owned())]),
        ];
        assert_eq!(asked.turns, turns);
        assert_eq!(
            (asked.max_tokens, asked.temperature, asked.top_p),
            (Some(7), Some(0.0), Some(0.5))
        );
        assert_eq!(
            (asked.stop.as_slice(), &asked.format),
            (&["x".to_owned()][..], &Format::Object)
        );
        assert_eq!(asked.nothing_else("p"), Ok(()));
    }

    /// What cannot be said is refused, for this row or for all of them.
    #[test]
    fn what_cannot_be_carried_is_refused_before_anything_is_sent() {
        let message = |inner: &str| format!(r#""messages":[{{"role":"user","content":{inner}}}]"#);
        let (row, all) = (Advice::NotThisRow, Advice::NotThisProvider);
        let table = [
            (r#""messages":[]"#.to_owned(), row, "no message"),
            (message("\" \""), row, "no message"),
            (message(r#"[{"type":"input_audio","input_audio":{}}]"#), row, "input_audio"),
            (message(r#"[{"type":"image_url","image_url":{"url":"file:///x"}}]"#), row, "data URL"),
            (message(r#"[{"type":"image_url","image_url":{"url":"data:,x"}}]"#), row, "data URL"),
            (message(r#"[{"type":"image_url","image_url":{}}]"#), row, "no address"),
            (r#""messages":[{"role":"tool","content":"x"}]"#.to_owned(), row, "tool"),
            (message("\"a\"") + r#","temperature":"hot""#, all, "temperature"),
            (message("\"a\"") + r#","tools":[{}]"#, all, "`tools`"),
            (message("\"a\"") + r#","n":2"#, all, "`n`"),
            (message("\"a\"") + r#","frequency_penalty":0.5"#, all, "`frequency_penalty`"),
            (message("\"a\"") + r#","response_format":{"type":"grammar"}"#, all, "grammar"),
        ];
        for (body, advice, words) in table {
            let refused = read(&body).and_then(|asked| asked.nothing_else("p")).unwrap_err();
            assert_eq!(refused.advice, advice, "{body}");
            assert!(refused.words.contains(words), "{}", refused.words);
        }
    }
}
