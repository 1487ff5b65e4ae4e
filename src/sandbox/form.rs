//! The form of an answer that a request asks for, and what a service refuses of it: a schema that
//! strict mode does not take, a model that is too old, JSON mode without the word JSON.

use serde_json::Value;

use super::family::{Endpoint, Family};
use super::refusal::Refusal;
use super::strict::strict_fault;

/// The form the answer must have.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Form {
    #[default]
    Text,
    /// Some JSON object.
    Object,
    /// JSON of this schema.
    Schema(Value),
}

/// Models that take no schema, by how their names begin, and whether they know JSON mode.
const OLDER: [(&str, bool); 8] = [
    ("gpt-4o-2024-05-13", true),
    ("gpt-4-turbo", true),
    ("gpt-4-1106", true),
    ("gpt-4-0125", true),
    ("gpt-4-0613", false),
    ("gpt-3.5-turbo", true),
    ("o1-mini", false),
    ("o1-preview", false),
];

impl Form {
    /// Reads `response_format` of chat completions, or `text.format` of responses.
    pub(super) fn read(
        family: Family,
        endpoint: Endpoint,
        (model, body): (&str, &Value),
    ) -> Result<Self, Refusal> {
        let (format, param) = match endpoint {
            Endpoint::Responses => (body.get("text").and_then(|t| t.get("format")), "text.format"),
            Endpoint::Chat | Endpoint::Embeddings => {
                (body.get("response_format"), "response_format")
            }
        };
        let Some(format) = format else { return Ok(Self::Text) };
        let kind = format.get("type").and_then(Value::as_str).unwrap_or_default();
        match (family, kind) {
            (Family::Zhipu, "json_object") => Ok(Self::Object),
            // Zhipu takes schemas and does nothing with them.
            (_, "text") | (Family::Zhipu, _) => Ok(Self::Text),
            (_, "json_object" | "json_schema") => {
                refuse_older(model, kind, param)?;
                if kind == "json_object" {
                    Ok(Self::Object)
                } else {
                    schema(format, endpoint, param)
                }
            }
            _ => Err(Refusal::bad(format!(
                "Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', and \
                 'text'."
            ))
            .code("invalid_value")
            .param(format!("{param}.type"))),
        }
    }

    /// JSON mode without the word is refused: models that are not told of it may write blanks for
    /// ever.
    pub(super) fn require_word<'a>(
        &self,
        family: Family,
        endpoint: Endpoint,
        mut messages: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Refusal> {
        // What responses take as `instructions` does not count there.
        let counts = |role: &str| endpoint == Endpoint::Chat || role != "system";
        let says = |text: &str| text.to_lowercase().contains("json");
        if family != Family::OpenAi
            || *self != Self::Object
            || messages.any(|(role, text)| counts(role) && says(text))
        {
            return Ok(());
        }
        Err(match endpoint {
            Endpoint::Responses => Refusal::bad(
                "Response input messages must contain the word 'json' in some form to use \
                 'text.format' of type 'json_object'.",
            )
            .param("input"),
            Endpoint::Chat | Endpoint::Embeddings => Refusal::bad(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of \
                 type 'json_object'.",
            )
            .param("messages"),
        })
    }
}

fn refuse_older(model: &str, kind: &str, param: &str) -> Result<(), Refusal> {
    let knows_objects = match OLDER.iter().find(|(start, _)| model.starts_with(start)) {
        Some((_, knows_objects)) => *knows_objects,
        None if model == "gpt-4" => false,
        None => return Ok(()),
    };
    if kind == "json_object" && knows_objects {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "Invalid parameter: '{param}' of type '{kind}' is not supported with this model."
    ))
    .param(param))
}

fn schema(format: &Value, endpoint: Endpoint, param: &str) -> Result<Form, Refusal> {
    let (inner, place) = if endpoint == Endpoint::Responses {
        (format, param.to_owned())
    } else {
        let place = format!("{param}.json_schema");
        (format.get("json_schema").ok_or_else(|| Refusal::missing(&place))?, place)
    };
    let name = inner.get("name").and_then(Value::as_str).unwrap_or_default();
    let name_place = format!("{place}.name");
    if name.is_empty() {
        return Err(Refusal::missing(&name_place));
    }
    if name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) {
        return Err(Refusal::bad(format!(
            "Invalid '{name_place}': string does not match pattern. Expected a string that matches \
             the pattern '^[a-zA-Z0-9_-]+$'."
        ))
        .code("invalid_value")
        .param(name_place));
    }
    let Some(schema) = inner.get("schema") else {
        return Err(Refusal::missing(&format!("{place}.schema")));
    };
    let is_strict = inner.get("strict").and_then(Value::as_bool) == Some(true);
    match strict_fault(schema).filter(|_| is_strict) {
        None => Ok(Form::Schema(schema.clone())),
        Some(fault) => {
            Err(Refusal::bad(format!("Invalid schema for response_format '{name}': {fault}"))
                .param(param))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_are_taken_and_refused_as_the_services_do() {
        use Endpoint::{Chat, Responses};
        use Family::{OpenAi, Zhipu};
        let good = json!({"type": "object", "additionalProperties": false,
            "properties": {"a": {"type": "string"}}, "required": ["a"]});
        let open = json!({"type": "object", "properties": {"a": {"minLength": 1}}});
        let chat = |name: &str, strict: bool, schema: &Value| {
            json!({"response_format": {"type": "json_schema",
                "json_schema": {"name": name, "strict": strict, "schema": schema}}})
        };
        let responses = |strict: bool, schema: &Value| {
            json!({"text": {"format": {"type": "json_schema", "name": "x", "strict": strict,
                "schema": schema}}})
        };
        let object = json!({"response_format": {"type": "json_object"}});
        let refused = "Invalid schema for response_format 'x': In context=(), \
                       'additionalProperties' is required to be supplied and to be false.";
        let old = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with \
                   this model.";
        let table = [
            (OpenAi, Chat, "gpt-4o", json!({}), Ok(Form::Text)),
            (OpenAi, Chat, "gpt-4o", object.clone(), Ok(Form::Object)),
            (OpenAi, Chat, "gpt-4o", chat("x", true, &good), Ok(Form::Schema(good.clone()))),
            (OpenAi, Chat, "gpt-4o", chat("x", false, &open), Ok(Form::Schema(open.clone()))),
            (OpenAi, Chat, "gpt-4o", chat("x", true, &open), Err(refused)),
            (OpenAi, Responses, "gpt-4o", responses(true, &good), Ok(Form::Schema(good.clone()))),
            (OpenAi, Responses, "gpt-4o", responses(true, &open), Err(refused)),
            (OpenAi, Chat, "gpt-4-turbo", chat("x", true, &good), Err(old)),
            (
                OpenAi,
                Chat,
                "gpt-4",
                object,
                Err(
                    "Invalid parameter: 'response_format' of type 'json_object' is not supported with \
                 this model.",
                ),
            ),
            (
                OpenAi,
                Chat,
                "gpt-4o",
                chat("", true, &good),
                Err("Missing required parameter: 'response_format.json_schema.name'."),
            ),
            (
                OpenAi,
                Chat,
                "gpt-4o",
                chat("a b", true, &good),
                Err("Invalid 'response_format.json_schema.name': string does not match pattern. \
                 Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."),
            ),
            (
                OpenAi,
                Chat,
                "gpt-4o",
                json!({"response_format": {"type": "xml"}}),
                Err(
                    "Invalid value: 'xml'. Supported values are: 'json_object', 'json_schema', and \
                 'text'.",
                ),
            ),
            (Zhipu, Chat, "glm-4", chat("x", true, &open), Ok(Form::Text)),
        ];
        for (family, endpoint, model, body, expected) in table {
            let found = Form::read(family, endpoint, (model, &body));
            let found = found.as_ref().map_err(|refusal| refusal.message.as_str());
            assert_eq!(found, expected.as_ref().map_err(|text| *text), "{body}");
        }
    }

    #[test]
    fn json_mode_wants_the_word() {
        let texts = [("system", "Answer in Json."), ("user", "hello")];
        let check = |form: &Form, endpoint: Endpoint, skip: usize| {
            let texts = texts.iter().skip(skip).copied();
            form.require_word(Family::OpenAi, endpoint, texts).map_err(|refusal| refusal.param)
        };
        assert_eq!(check(&Form::Object, Endpoint::Chat, 0), Ok(()));
        assert_eq!(check(&Form::Text, Endpoint::Chat, 1), Ok(()));
        assert_eq!(check(&Form::Object, Endpoint::Chat, 1), Err(Some("messages".to_owned())));
        assert_eq!(check(&Form::Object, Endpoint::Responses, 0), Err(Some("input".to_owned())));
    }
}
