//! A chat request in the shape of Anthropic's messages.

use serde_json::{Map, Value, json};

use crate::request::schema_hint;

use super::asked::{Asked, Format, Part, Role, Unsayable};

/// The limit on an answer where the question has none: the service wants one, and every model of
/// it allows this many.
pub(super) const DEFAULT_MAX_TOKENS: u64 = 4096;
/// The images it reads.
const MEDIA_TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// Its own members, which are passed on as they are.
const OWN: [&str; 4] = ["top_k", "thinking", "output_config", "context_management"];
/// Those of them that models without sampling refuse.
const SAMPLING: [&str; 1] = ["top_k"];

/// The request for a model. JSON mode is not known there, so a schema goes into the prompt; the
/// wish for JSON alone is in it already.
pub(super) fn prepare(
    model: &str,
    takes_sampling: bool,
    mut asked: Asked,
) -> Result<Value, Unsayable> {
    let own: Vec<(&str, Value)> =
        OWN.iter().filter_map(|name| Some((*name, asked.rest.remove(*name)?))).collect();
    asked.nothing_else("anthropic")?;
    if let Format::Schema(schema) = &asked.format {
        let hint = Part::Text(schema_hint(schema));
        match asked.turns.last_mut() {
            Some((Role::User, parts)) => parts.push(hint),
            _ => asked.turns.push((Role::User, vec![hint])),
        }
    }
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    let max_tokens = asked.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    body.insert("max_tokens".to_owned(), max_tokens.into());
    if let Some(system) = asked.system {
        body.insert("system".to_owned(), system.into());
    }
    let messages: Vec<Value> = asked.turns.into_iter().map(message).collect::<Result<_, _>>()?;
    body.insert("messages".to_owned(), messages.into());
    if takes_sampling {
        if let Some(temperature) = asked.temperature {
            if !(0.0..=1.0).contains(&temperature) {
                let words = format!("anthropic takes a temperature from 0 to 1, not {temperature}");
                return Err(Unsayable::all(words));
            }
            body.insert("temperature".to_owned(), temperature.into());
        }
        body.extend(asked.top_p.map(|top_p| ("top_p".to_owned(), top_p.into())));
    }
    if !asked.stop.is_empty() {
        body.insert("stop_sequences".to_owned(), asked.stop.into());
    }
    let is_sent = |name: &str| takes_sampling || !SAMPLING.contains(&name);
    body.extend(
        own.into_iter().filter(|(name, _)| is_sent(name)).map(|(name, v)| (name.to_owned(), v)),
    );
    Ok(Value::Object(body))
}

fn message((role, mut parts): (Role, Vec<Part>)) -> Result<Value, Unsayable> {
    let role = match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    if let [Part::Text(text)] = parts.as_mut_slice() {
        return Ok(json!({ "role": role, "content": std::mem::take(text) }));
    }
    let blocks: Vec<Value> = parts.into_iter().map(block).collect::<Result<_, _>>()?;
    Ok(json!({ "role": role, "content": blocks }))
}

fn block(part: Part) -> Result<Value, Unsayable> {
    Ok(match part {
        Part::Text(text) => json!({ "type": "text", "text": text }),
        Part::Link(url) => json!({ "type": "image", "source": { "type": "url", "url": url } }),
        Part::Data { media_type, base64 } => {
            let media_type =
                if media_type == "image/jpg" { "image/jpeg".to_owned() } else { media_type };
            if !MEDIA_TYPES.contains(&media_type.as_str()) {
                let words = format!("anthropic reads png, jpeg, gif and webp, not {media_type}");
                return Err(Unsayable::row(words));
            }
            let source = json!({ "type": "base64", "media_type": media_type, "data": base64 });
            json!({ "type": "image", "source": source })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(rest: &str, takes_sampling: bool) -> Result<Value, Unsayable> {
        let body = format!(r#"{{"model":"m",{rest}}}"#);
        prepare("claude-x", takes_sampling, Asked::read(body.as_bytes())?)
    }

    const QUESTION: &str = r#""messages":[{"role":"user","content":"q"}]"#;

    /// `S3.01`: the whole body, member by member.
    #[test]
    fn s3_01_bodies_for_anthropic() {
        let messages = json!([{ "role": "user", "content": "q" }]);
        let table = [
            (
                QUESTION.to_owned(),
                true,
                json!({ "model": "claude-x", "max_tokens": 4096, "messages": messages }),
            ),
            (
                r#""messages":[{"role":"system","content":"s"},{"role":"user","content":"q"}],
                "max_tokens":9,"temperature":0.5,"top_p":0.9,"stop":["a","b"],"seed":1,"user":"u",
                "top_k":3,"thinking":{"type":"disabled"},"response_format":{"type":"json_object"}"#
                    .to_owned(),
                true,
                json!({
                    "model": "claude-x", "max_tokens": 9, "system": "s", "messages": messages,
                    "temperature": 0.5, "top_p": 0.9, "stop_sequences": ["a", "b"], "top_k": 3,
                    "thinking": { "type": "disabled" },
                }),
            ),
            (
                format!(r#"{QUESTION},"temperature":1.5,"top_p":0.9,"top_k":3"#),
                false,
                json!({ "model": "claude-x", "max_tokens": 4096, "messages": messages }),
            ),
        ];
        for (rest, takes_sampling, expected) in table {
            assert_eq!(prepared(&rest, takes_sampling).unwrap(), expected, "{rest}");
        }
        let schema = format!(
            r#"{QUESTION},"response_format":{{"type":"json_schema","json_schema":{{"name":"a","schema":{{"type":"object"}}}}}}"#
        );
        let body = prepared(&schema, true).unwrap();
        let hint = &body["messages"][0]["content"][1]["text"];
        assert!(hint.as_str().unwrap().contains(r#"{"type":"object"}"#), "{body}");
    }

    /// `S3.15`: images in Anthropic's form.
    #[test]
    fn s3_15_images_for_anthropic() {
        let image = |url: &str| {
            format!(
                r#""messages":[{{"role":"user","content":[{{"type":"text","text":"q"}},{{"type":"image_url","image_url":{{"url":"{url}","detail":"high"}}}}]}}]"#
            )
        };
        let base64 = |kind: &str| json!({ "type": "base64", "media_type": kind, "data": "QUJD" });
        let table = [
            ("data:image/png;base64,QUJD", base64("image/png")),
            ("data:image/jpg;base64,QUJD", base64("image/jpeg")),
            ("https://x.example/a", json!({ "type": "url", "url": "https://x.example/a" })),
        ];
        for (url, source) in table {
            let body = prepared(&image(url), true).unwrap();
            let expected =
                json!([{ "type": "text", "text": "q" }, { "type": "image", "source": source }]);
            assert_eq!(body["messages"][0]["content"], expected, "{url}");
        }
        let refused = prepared(&image("data:image/bmp;base64,QUJD"), true).unwrap_err();
        assert!(refused.words.contains("image/bmp"), "{}", refused.words);
    }

    #[test]
    fn what_anthropic_cannot_carry() {
        for (rest, words) in [
            (r#","temperature":1.5"#, "from 0 to 1"),
            (r#","tools":[{}]"#, "`tools`"),
            (r#","presence_penalty":1"#, "`presence_penalty`"),
            (r#","reasoning_effort":"low""#, "`reasoning_effort`"),
        ] {
            let refused = prepared(&format!("{QUESTION}{rest}"), true).unwrap_err();
            assert!(refused.words.contains(words), "{}", refused.words);
        }
    }
}
