//! What a service is told of the form that the answers are to have: as a schema where it takes
//! one, else with JSON mode and in the prompt. Whatever it is told, each answer is held against the
//! form here.

use crate::answer::{Expected, Schema};
use crate::provider::{Dialect, JsonMode};
use crate::request::{Endpoint, JsonSchema, Question, SchemaWay, Source, field_hint, list_hint};

/// Reasons why strict mode is not used that are told in one line.
const SHOWN: usize = 2;

/// Words the form into a question, anew where it was worded before, and says in one line what was
/// chosen.
pub(super) fn tell_form(
    question: &mut Question,
    expected: &Expected,
    (service, dialect): (&str, &Dialect),
) -> Option<String> {
    question.json_hint = None;
    question.json_mode = false;
    question.json_schema = None;
    let mode = dialect.json_mode_of(&question.model);
    if let Some(schema) = expected.schema() {
        return Some(tell_schema(question, schema, (service, mode)));
    }
    let fields = expected.wanted().fields()?;
    let prompt = match &question.source {
        Source::Prompt { template, .. } => template.as_str(),
        Source::Messages { .. } | Source::Foreign => "",
    };
    // JSON mode of Responses wants the word JSON in the input, whatever the instructions say.
    let system = question.system.as_deref();
    let system = system.filter(|_| question.endpoint != Endpoint::Responses);
    let hint = if expected.wanted().is_of_each() { list_hint } else { field_hint };
    question.json_hint = hint(&fields.typed(), prompt, system);
    question.json_mode = mode != JsonMode::Unknown && may_say_json(question);
    question.json_hint.as_ref().map(|hint| format!("added to the prompt: {hint}"))
}

/// Whether a question says anything of a form.
pub(super) fn tells_form(question: &Question) -> bool {
    question.json_hint.is_some() || question.json_mode || question.json_schema.is_some()
}

/// Whether what is added can stand where JSON mode looks for the word JSON: of ready-made messages
/// it goes into the system text, which Responses does not count.
fn may_say_json(question: &Question) -> bool {
    let is_system_text = matches!(question.source, Source::Messages { .. });
    !(is_system_text && question.endpoint == Endpoint::Responses)
}

/// What is said where the schema stays here.
pub(super) fn kept_here(why: &str) -> String {
    format!("JSON schema: {why}; each answer is checked on this machine")
}

fn tell_schema(question: &mut Question, schema: &Schema, who: (&str, JsonMode)) -> String {
    if let Some(parameter) = own_format(question) {
        return kept_here(&format!("not sent, since --param {parameter} says what is"));
    }
    let (way, said) = match way(schema, &question.model, who) {
        (SchemaWay::Object, said) if !may_say_json(question) => (SchemaWay::Prompt, said),
        chosen => chosen,
    };
    let wanted = JsonSchema { name: schema.name().to_owned(), schema: schema.value().clone(), way };
    question.json_hint = wanted.hint();
    question.json_schema = Some(wanted);
    kept_here(&said)
}

/// How a schema goes to a service, and that in words.
fn way(schema: &Schema, model: &str, (service, mode): (&str, JsonMode)) -> (SchemaWay, String) {
    let in_prompt = "the schema stands in the prompt";
    match mode {
        JsonMode::Unknown => (
            SchemaWay::Prompt,
            format!("{in_prompt} alone ({service} is not known to take one for {model})"),
        ),
        JsonMode::Object => {
            (SchemaWay::Object, format!("{service} has JSON mode for {model}, {in_prompt}"))
        }
        JsonMode::Schema => {
            let faults = schema.strict_faults(model.starts_with("ft:"));
            if faults.is_empty() && schema.declines_strict() {
                (SchemaWay::Loose, "sent, but not in strict mode, as it says itself".to_owned())
            } else if faults.is_empty() {
                (SchemaWay::Strict, format!("{service} holds {model} to it (strict mode)"))
            } else if schema.says_object() {
                let why = shortened(&faults);
                (SchemaWay::Loose, format!("sent, but not in strict mode, which wants {why}"))
            } else {
                let why = shortened(&faults);
                (SchemaWay::Object, format!("{in_prompt} with JSON mode; strict mode wants {why}"))
            }
        }
    }
}

fn shortened(faults: &[String]) -> String {
    let shown = faults.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    match faults.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; {more} more"),
    }
}

/// The parameter with which the user asks for a form of answers himself.
fn own_format(question: &Question) -> Option<&str> {
    let name = match question.endpoint {
        Endpoint::Responses => "text",
        Endpoint::Chat | Endpoint::Embeddings => "response_format",
    };
    question.parameters.iter().map(|(given, _)| given.as_str()).find(|given| *given == name)
}
