//! A chat request in the shape of Gemini's `generateContent`.

use serde_json::{Map, Value, json};

use super::asked::{Asked, Format, Part, Role, Unsayable};
use super::gemini_schema::response_schema;

/// Its own members, which are passed on as they are.
const OWN: [&str; 3] = ["safetySettings", "cachedContent", "labels"];
/// Members of `OpenAI`'s shape that have another name in the `generationConfig`.
const RENAMED: [(&str, &str); 4] = [
    ("seed", "seed"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
    ("top_k", "topK"),
];
/// What models without sampling refuse.
const SAMPLING: [&str; 2] = ["top_k", "seed"];

/// The request; the model stands in the address.
pub(super) fn prepare(takes_sampling: bool, mut asked: Asked) -> Result<Value, Unsayable> {
    let own: Vec<(&str, Value)> =
        OWN.iter().filter_map(|name| Some((*name, asked.rest.remove(*name)?))).collect();
    let config = generation_config(takes_sampling, &mut asked)?;
    asked.nothing_else("gemini")?;
    let mut body = Map::new();
    if let Some(system) = asked.system {
        body.insert("systemInstruction".to_owned(), json!({ "parts": [{ "text": system }] }));
    }
    let contents: Vec<Value> = asked.turns.into_iter().map(content).collect();
    body.insert("contents".to_owned(), contents.into());
    if !config.is_empty() {
        body.insert("generationConfig".to_owned(), config.into());
    }
    body.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Ok(Value::Object(body))
}

/// The user's own `generationConfig` wins over what is made of the other members.
fn generation_config(
    takes_sampling: bool,
    asked: &mut Asked,
) -> Result<Map<String, Value>, Unsayable> {
    let mut config = Map::new();
    let mut set = |name: &str, value: Value| drop(config.insert(name.to_owned(), value));
    if let Some(most) = asked.max_tokens {
        set("maxOutputTokens", most.into());
    }
    if takes_sampling {
        asked.temperature.into_iter().for_each(|value| set("temperature", value.into()));
        asked.top_p.into_iter().for_each(|value| set("topP", value.into()));
    }
    if !asked.stop.is_empty() {
        set("stopSequences", std::mem::take(&mut asked.stop).into());
    }
    for (theirs, ours) in RENAMED {
        if let Some(value) = asked.rest.remove(theirs)
            && (takes_sampling || !SAMPLING.contains(&theirs))
        {
            set(ours, value);
        }
    }
    match &asked.format {
        Format::Text => {}
        Format::Object => set("responseMimeType", "application/json".into()),
        Format::Schema(schema) => {
            set("responseMimeType", "application/json".into());
            if let Some(schema) = response_schema(schema) {
                set("responseSchema", schema);
            }
        }
    }
    match asked.rest.remove("generationConfig") {
        None => {}
        Some(Value::Object(own)) => config.extend(own),
        Some(other) => {
            return Err(Unsayable::all(format!("`generationConfig` is no object: {other}")));
        }
    }
    Ok(config)
}

fn content((role, parts): (Role, Vec<Part>)) -> Value {
    let role = match role {
        Role::User => "user",
        Role::Assistant => "model",
    };
    let parts: Vec<Value> = parts.into_iter().map(part).collect();
    json!({ "role": role, "parts": parts })
}

fn part(part: Part) -> Value {
    match part {
        Part::Text(text) => json!({ "text": text }),
        Part::Data { media_type, base64 } => {
            json!({ "inlineData": { "mimeType": media_type, "data": base64 } })
        }
        Part::Link(url) => {
            let mut file = Map::new();
            let kind = media_type_of(&url);
            file.extend(kind.map(|kind| ("mimeType".to_owned(), kind.into())));
            file.insert("fileUri".to_owned(), url.into());
            json!({ "fileData": file })
        }
    }
}

/// The type of an image by the end of its address, as far as that tells.
fn media_type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let end = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    Some(match end.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(rest: &str, takes_sampling: bool) -> Result<Value, Unsayable> {
        let body = format!(r#"{{"model":"m",{rest}}}"#);
        prepare(takes_sampling, Asked::read(body.as_bytes())?)
    }

    const QUESTION: &str = r#""messages":[{"role":"user","content":"q"}]"#;

    /// `S3.01`: the whole body, member by member.
    #[test]
    fn s3_01_bodies_for_gemini() {
        let contents = json!([{ "role": "user", "parts": [{ "text": "q" }] }]);
        let table = [
            (QUESTION.to_owned(), true, json!({ "contents": contents })),
            (
                r#""messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"a"}],
                "max_tokens":9,"temperature":0.5,"top_p":0.9,"stop":"x","seed":1,"frequency_penalty":0.1,
                "safetySettings":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":0}},
                "response_format":{"type":"json_object"}"#
                    .to_owned(),
                true,
                json!({
                    "systemInstruction": { "parts": [{ "text": "s" }] },
                    "contents": [
                        { "role": "user", "parts": [{ "text": "q" }] },
                        { "role": "model", "parts": [{ "text": "a" }] },
                    ],
                    "generationConfig": {
                        "maxOutputTokens": 9, "temperature": 0.5, "topP": 0.9,
                        "stopSequences": ["x"], "seed": 1, "frequencyPenalty": 0.1,
                        "responseMimeType": "application/json",
                        "thinkingConfig": { "thinkingBudget": 0 },
                    },
                    "safetySettings": [],
                }),
            ),
            (
                format!(r#"{QUESTION},"temperature":0.5,"top_p":0.9,"top_k":4,"seed":1"#),
                false,
                json!({ "contents": contents }),
            ),
            (
                format!(
                    r#"{QUESTION},"response_format":{{"type":"json_schema","json_schema":{{"name":"a","strict":true,
                    "schema":{{"type":"object","properties":{{"a":{{"type":"string"}}}},"additionalProperties":false}}}}}}"#
                ),
                true,
                json!({
                    "contents": contents,
                    "generationConfig": {
                        "responseMimeType": "application/json",
                        "responseSchema": {
                            "type": "object", "properties": { "a": { "type": "string" } },
                        },
                    },
                }),
            ),
        ];
        for (rest, takes_sampling, expected) in table {
            assert_eq!(prepared(&rest, takes_sampling).unwrap(), expected, "{rest}");
        }
        for (rest, words) in [
            (r#","tools":[{}]"#, "`tools`"),
            (r#","generationConfig":3"#, "no object"),
            (r#","logit_bias":{}"#, "`logit_bias`"),
        ] {
            let refused = prepared(&format!("{QUESTION}{rest}"), true).unwrap_err();
            assert!(refused.words.contains(words), "{}", refused.words);
        }
    }

    /// `S3.15`: images in Gemini's form.
    #[test]
    fn s3_15_images_for_gemini() {
        let table = [
            (
                "data:image/png;base64,QUJD",
                json!({ "inlineData": { "mimeType": "image/png", "data": "QUJD" } }),
            ),
            (
                "https://x.example/a.JPG?sig=1",
                json!({ "fileData": { "mimeType": "image/jpeg", "fileUri": "https://x.example/a.JPG?sig=1" } }),
            ),
            ("https://x.example/a", json!({ "fileData": { "fileUri": "https://x.example/a" } })),
        ];
        for (url, expected) in table {
            let body = prepared(
                &format!(
                    r#""messages":[{{"role":"user","content":[{{"type":"text","text":"q"}},{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}]"#
                ),
                true,
            );
            let parts = &body.unwrap()["contents"][0]["parts"];
            assert_eq!(*parts, json!([{ "text": "q" }, expected]), "{url}");
        }
    }
}
