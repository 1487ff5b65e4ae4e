//! The vocabularies that are built in. All special words (`<|endoftext|>`) are counted as the
//! text they are: services take what a user writes as text.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A vocabulary with the pattern that splits a text before it is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// `OpenAI`'s since gpt-4o.
    O200k,
    /// `OpenAI`'s of gpt-4 and the embeddings.
    Cl100k,
    /// Qwen's from 2 to 3; texts are normalised (NFC) before.
    Qwen,
    /// GLM-4 up to 4.6.
    Glm4,
    /// GLM-4.7-flash and GLM-5.
    Glm5,
    /// DeepSeek's from V3 to V4, R1 included.
    DeepSeek,
    /// That of Llama 3.
    Llama3,
}

#[cfg(test)]
pub(super) const ALL: [Vocabulary; 7] = [
    Vocabulary::O200k,
    Vocabulary::Cl100k,
    Vocabulary::Qwen,
    Vocabulary::Glm4,
    Vocabulary::Glm5,
    Vocabulary::DeepSeek,
    Vocabulary::Llama3,
];

impl Vocabulary {
    fn name(self) -> &'static str {
        match self {
            Self::O200k => "o200k_base",
            Self::Cl100k => "cl100k_base",
            Self::Qwen => "qwen2",
            Self::Glm4 => "glm4",
            Self::Glm5 => "glm5",
            Self::DeepSeek => "deepseek_v3",
            Self::Llama3 => "llama3",
        }
    }

    /// Tokens of a text. The first use of a vocabulary unpacks it, which takes a tenth of a
    /// second.
    pub(super) fn count(self, text: &str) -> u64 {
        let text = match self {
            Self::Qwen if !is_nfc(text) => Cow::Owned(text.nfc().collect()),
            _ => Cow::Borrowed(text),
        };
        let core = tiktoken::get_encoding(self.name()).expect("it is built in");
        core.count(&text) as u64
    }
}
