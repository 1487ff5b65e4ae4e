//! What is asked of every row, as plain values: stored with the job, so that any round of it
//! builds the same lines.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hint::schema_hint;

/// The version of the rules by which lines are built. It stands in every digest and every stored
/// job: a release that words something differently must not make the same row pay again.
pub const RULES: u32 = 1;

/// Which kind of request a line makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// Chat completions.
    #[default]
    Chat,
    /// Embeddings.
    Embeddings,
    /// `OpenAI`'s Responses.
    Responses,
}

impl Endpoint {
    /// The word of `--endpoint`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
        }
    }

    /// Which endpoint the `url` of a request line belongs to, whatever its version prefix.
    pub fn of_url(url: &str) -> Option<Self> {
        let url = url.trim_end_matches('/');
        [
            ("chat/completions", Self::Chat),
            ("embeddings", Self::Embeddings),
            ("responses", Self::Responses),
        ]
        .into_iter()
        .find_map(|(end, endpoint)| url.ends_with(end).then_some(endpoint))
    }
}

/// Where the text of a request comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Source {
    /// A prompt with `{column}` placeholders, or in Jinja.
    Prompt {
        /// The template; empty means the input column alone.
        template: String,
        /// Whether it is Jinja (a `.j2` file).
        jinja: bool,
    },
    /// A column whose cells are JSON arrays of messages.
    Messages {
        /// Its name.
        column: String,
    },
    /// The lines are ready-made requests with `custom_id` and `body`.
    Foreign,
}

/// What stands for `{input_text}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputColumn {
    /// One column.
    Named(String),
    /// All columns but the image columns, as `name: value` lines.
    All,
}

impl InputColumn {
    /// Reads the value of `--input-column`: `*` means all.
    pub fn read(text: &str) -> Self {
        if text == "*" { Self::All } else { Self::Named(text.to_owned()) }
    }
}

/// How closely a vision model looks; it decides the image's price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// The default, and always sent: `auto` is dearest on newer models.
    #[default]
    High,
    /// A thumbnail.
    Low,
    /// The provider decides.
    Auto,
}

impl Detail {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
            Self::Auto => "auto",
        }
    }
}

/// Where images come from and what is sent of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageOptions {
    /// The image columns, in the order in which their images stand in the message.
    pub columns: Vec<String>,
    /// The folders that paths are looked for in, in this order, and outside of which no file is
    /// read: the table's folder, the working folder, each `--image-root`. Absolute paths.
    pub roots: Vec<PathBuf>,
    /// How closely the model looks.
    pub detail: Detail,
    /// Longest side in pixels; larger images are made smaller.
    pub max_side: Option<u32>,
    /// Larger files are not read, in bytes.
    pub max_bytes: u64,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self {
            columns: Vec::new(),
            roots: Vec::new(),
            detail: Detail::High,
            max_side: None,
            max_bytes: 20_000_000,
        }
    }
}

/// How a service is told of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaWay {
    /// As a schema that its strict mode holds the model to.
    Strict,
    /// As a schema, without strict mode.
    Loose,
    /// In the prompt, with JSON mode.
    Object,
    /// In the prompt alone.
    Prompt,
}

/// The schema of the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JsonSchema {
    /// What it is called on the wire.
    pub name: String,
    /// The schema itself.
    pub schema: Value,
    /// How it is sent.
    pub way: SchemaWay,
}

impl JsonSchema {
    /// What stands in the body to hold the model to it; nothing where only the prompt can.
    pub fn format(&self) -> Option<Value> {
        match self.way {
            SchemaWay::Strict | SchemaWay::Loose => Some(json!({
                "name": self.name,
                "strict": self.way == SchemaWay::Strict,
                "schema": self.schema,
            })),
            SchemaWay::Object | SchemaWay::Prompt => None,
        }
    }

    /// The line to add to the prompt, where the service is not given the schema itself.
    pub fn hint(&self) -> Option<String> {
        self.format().is_none().then(|| schema_hint(&self.schema))
    }
}

/// What is asked of every row, and of whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Which kind of request.
    pub endpoint: Endpoint,
    /// The model, as the provider names it.
    pub model: String,
    /// The provider's address: answers of one address are never taken for another's.
    pub base_url: String,
    /// What stands as `url` in each line.
    pub line_url: String,
    /// Where the text comes from.
    pub source: Source,
    /// What stands for `{input_text}`, and is appended to a prompt that names no column.
    pub input_column: Option<InputColumn>,
    /// The system text.
    pub system: Option<String>,
    /// The images.
    pub images: ImageOptions,
    /// The limit on the answer, in tokens.
    pub max_tokens: Option<u32>,
    /// Under which name a chat body carries it (`max_completion_tokens` for newer models).
    pub max_tokens_field: String,
    /// Further members of the body; one that is also set by a flag wins over the flag.
    pub parameters: Vec<(String, Value)>,
    /// The temperature, only if the user set it.
    pub temperature: Option<f64>,
    /// The line naming the wanted keys, to be added to the request.
    pub json_hint: Option<String>,
    /// Whether JSON mode is asked for.
    pub json_mode: bool,
    /// The schema of the answers. Left out where there is none: the digests of questions without
    /// one must stay what they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<JsonSchema>,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            endpoint: Endpoint::Chat,
            model: String::new(),
            base_url: String::new(),
            line_url: "/v1/chat/completions".to_owned(),
            source: Source::Prompt { template: String::new(), jinja: false },
            input_column: None,
            system: None,
            images: ImageOptions::default(),
            max_tokens: None,
            max_tokens_field: "max_tokens".to_owned(),
            parameters: Vec::new(),
            temperature: None,
            json_hint: None,
            json_mode: false,
            json_schema: None,
        }
    }
}

/// The names under which services take the limit of an answer.
const LIMITS: [&str; 3] = ["max_tokens", "max_completion_tokens", "max_output_tokens"];

impl Question {
    /// The most completion tokens of one request, where the question limits them: all answers
    /// together where a parameter asks for several.
    pub fn most_output(&self) -> Option<u64> {
        let parameter = |names: &[&str]| {
            let named = |(name, _): &&(String, Value)| names.contains(&name.as_str());
            self.parameters.iter().find(named).and_then(|(_, value)| value.as_u64())
        };
        let most = parameter(&LIMITS).or(self.max_tokens.map(u64::from))?;
        Some(most.saturating_mul(parameter(&["n"]).unwrap_or(1)))
    }

    /// Where [`Question::most_output`] was said, as it stands in a message.
    pub fn limit_name(&self) -> &'static str {
        let is_limit = |(name, _): &(String, Value)| LIMITS.contains(&name.as_str());
        match self.source {
            Source::Foreign => "the most in the requests",
            _ if self.parameters.iter().any(is_limit) => "--param",
            _ => "--max-tokens",
        }
    }

    /// The digest of what the user gave, for the run digest: 64 hex digits. The folders of images
    /// are left out, since the images themselves count, not where they lie.
    pub fn digest(&self) -> String {
        let mut given = self.clone();
        given.images.roots.clear();
        crate::base::hex(serde_json::json!([RULES, given]).to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_moves_with_the_question_and_not_with_folders() {
        let question = Question { model: "gpt-4o".into(), ..Question::default() };
        let digest = question.digest();
        let mut same = question.clone();
        same.images.roots.push("/data".into());
        assert_eq!(same.digest(), digest);
        let changes: [fn(&mut Question); 5] = [
            |q| q.model.push('x'),
            |q| q.base_url.push('x'),
            |q| q.system = Some(String::new()),
            |q| q.images.max_side = Some(512),
            |q| q.parameters.push(("seed".into(), 1.into())),
        ];
        for change in changes {
            let mut other = question.clone();
            change(&mut other);
            assert_ne!(other.digest(), digest);
        }
        let stored = serde_json::to_string(&question).unwrap();
        assert_eq!(serde_json::from_str::<Question>(&stored).unwrap(), question);
    }

    #[test]
    fn urls_belong_to_endpoints_whatever_their_version() {
        for (url, expected) in [
            ("/v1/chat/completions", Some(Endpoint::Chat)),
            ("/v4/chat/completions/", Some(Endpoint::Chat)),
            ("/chat/completions", Some(Endpoint::Chat)),
            ("/v1/embeddings", Some(Endpoint::Embeddings)),
            ("/v1/responses", Some(Endpoint::Responses)),
            ("/v1/completions", None),
        ] {
            assert_eq!(Endpoint::of_url(url), expected, "{url}");
        }
    }
}
