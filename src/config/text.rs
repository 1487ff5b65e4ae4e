//! Texts that may be given as they are or as the name of a file.

use std::path::PathBuf;

use super::error::ConfigError;
use super::key;
use super::keys::Key;
use super::settings::{Settings, Source};

/// Where a prompt or system message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextSource {
    /// Here it is.
    Inline(String),
    /// In this file, to be decoded as tables are.
    File(PathBuf),
}

impl Settings {
    /// The question, from `prompt` or `prompt_file`, whichever stands in the higher layer.
    pub fn prompt(&self) -> Result<Option<TextSource>, ConfigError> {
        self.text_of(key::PROMPT, key::PROMPT_FILE)
    }

    /// The system message, from `system` or `system_file`, whichever stands in the higher layer.
    pub fn system(&self) -> Result<Option<TextSource>, ConfigError> {
        self.text_of(key::SYSTEM, key::SYSTEM_FILE)
    }

    fn text_of(
        &self,
        inline: Key<Option<String>>,
        file: Key<Option<String>>,
    ) -> Result<Option<TextSource>, ConfigError> {
        let rank = |key| self.source(key).map_or(0, Source::rank);
        let (text, path) = (self.get(inline), self.get(file));
        if text.is_some() && path.is_some() && rank(inline) == rank(file) {
            return Err(ConfigError::Value {
                place: self.source(file).map_or_else(String::new, ToString::to_string),
                name: file.name.to_owned(),
                message: format!("`{}` is set too; one of them is wanted", inline.name),
            });
        }
        Ok(match (text, path) {
            (_, Some(path)) if rank(file) > rank(inline) => Some(TextSource::File(path.into())),
            (Some(text), _) => Some(inline_or_file(text)),
            (None, _) => None,
        })
    }
}

/// `@name` is a file; `@@` is a text that begins with `@`.
fn inline_or_file(text: String) -> TextSource {
    match text.strip_prefix('@') {
        Some(rest) if rest.starts_with('@') => TextSource::Inline(rest.to_owned()),
        Some(path) if !path.is_empty() => TextSource::File(path.into()),
        _ => TextSource::Inline(text),
    }
}
