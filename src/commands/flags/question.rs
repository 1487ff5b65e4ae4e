//! What is asked.

use std::path::PathBuf;

use super::{Flags, whole};
use crate::config::{Overrides, Value, key};

/// Prompt, columns, images and request parameters.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Question")]
pub struct QuestionArgs {
    /// What to ask for each row, with {column} where a cell belongs
    #[arg(short, long, value_name = "TEXT|@FILE")]
    pub prompt: Option<String>,
    /// File that holds the prompt; a .j2 file is a Jinja template
    #[arg(long, value_name = "FILE", conflicts_with = "prompt", hide_short_help = true)]
    pub prompt_file: Option<PathBuf>,
    /// System message, sent before the prompt [default: none]
    #[arg(short, long, value_name = "TEXT|@FILE")]
    pub system: Option<String>,
    /// File that holds the system message
    #[arg(long, value_name = "FILE", conflicts_with = "system", hide_short_help = true)]
    pub system_file: Option<PathBuf>,
    /// Column to ask about; "*" sends all columns as `name: value` [default: the one text column]
    #[arg(long, value_name = "COLUMN")]
    pub input_column: Option<String>,
    /// Column with image paths, URLs or data URLs; may be repeated [default: found by looking]
    #[arg(long = "image-column", value_name = "COLUMN")]
    pub image_columns: Vec<String>,
    /// Folder that images may come from besides the table's own; may be repeated
    #[arg(long = "image-root", value_name = "DIR", hide_short_help = true)]
    pub image_roots: Vec<PathBuf>,
    /// How closely the model looks at images [default: high]
    #[arg(long, value_name = "DETAIL", value_parser = ["high", "low", "auto"], hide_short_help = true)]
    pub image_detail: Option<String>,
    /// Make larger images smaller, in pixels of the longer side [default: as they are]
    #[arg(long, value_name = "PX", value_parser = pixels, hide_short_help = true)]
    pub image_max_side: Option<u64>,
    /// Go on however many images fail; their rows are skipped [default: stop above half]
    #[arg(long, hide_short_help = true)]
    pub allow_missing_images: bool,
    /// Sampling temperature, 0 to 2 [default: the provider's]
    #[arg(long, value_name = "T", value_parser = temperature)]
    pub temperature: Option<f64>,
    /// Most tokens an answer may have [default: the model's maximum]
    #[arg(long, value_name = "N", value_parser = tokens)]
    pub max_tokens: Option<u64>,
    /// Further request parameter as JSON, for example `top_p=0.9`; may be repeated
    #[arg(long = "param", value_name = "KEY=JSON", hide_short_help = true)]
    pub parameters: Vec<String>,
    /// What is called for each row [default: chat]
    #[arg(long, value_name = "ENDPOINT", value_parser = ["chat", "embeddings", "responses"], hide_short_help = true)]
    pub endpoint: Option<String>,
}

pub(in crate::commands) fn pixels(text: &str) -> Result<u64, String> {
    whole(text, "a number of pixels", 1, Some(100_000))
}

pub(in crate::commands) fn tokens(text: &str) -> Result<u64, String> {
    whole(text, "a number of tokens", 1, None)
}

pub(in crate::commands) fn temperature(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=2.0).contains(&number) => Ok(number),
        _ => Err("a number from 0 to 2 is wanted".into()),
    }
}

impl Flags for QuestionArgs {
    fn lay(&self, over: &mut Overrides) {
        over.text(key::PROMPT, self.prompt.as_deref());
        over.text(key::PROMPT_FILE, path(self.prompt_file.as_ref()).as_deref());
        over.text(key::SYSTEM, self.system.as_deref());
        over.text(key::SYSTEM_FILE, path(self.system_file.as_ref()).as_deref());
        over.text(key::INPUT_COLUMN, self.input_column.as_deref());
        over.list(key::IMAGE_COLUMN, &self.image_columns);
        let roots: Vec<_> = self.image_roots.iter().filter_map(|root| path(Some(root))).collect();
        over.list(key::IMAGE_ROOT, &roots);
        over.text(key::IMAGE_DETAIL, self.image_detail.as_deref());
        over.whole(key::IMAGE_MAX_SIDE, self.image_max_side);
        over.switch(key::ALLOW_MISSING_IMAGES, self.allow_missing_images);
        over.set(key::TEMPERATURE, self.temperature.map(Value::Number));
        over.whole(key::MAX_TOKENS, self.max_tokens);
        over.list(key::PARAM, &self.parameters);
        over.text(key::ENDPOINT, self.endpoint.as_deref());
    }
}

/// Settings are text; names that are not Unicode are shown as well as they can be and then not
/// found, which names them.
pub(in crate::commands) fn path(path: Option<&PathBuf>) -> Option<String> {
    path.map(|path| path.to_string_lossy().into_owned())
}
