//! The vocabularies that are built in. All special words (`<|endoftext|>`) are counted as the
//! text they are: services take what a user writes as text.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::cuts::{first_cut, last_cut};

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
        let (mut tokens, mut rest) = (0, &*text);
        while let Some(end) = end_of_part(rest) {
            tokens += core.count(&rest[..end]) as u64;
            rest = &rest[end..];
        }
        tokens + core.count(rest) as u64
    }
}

/// Longer texts are counted in parts: a pattern that looks around takes a time that grows with
/// the square of its text, a minute for a megabyte of DeepSeek's.
const PART: usize = 4 << 10;

/// Where the first part of a long text ends; `None` if it is to be counted whole.
fn end_of_part(text: &str) -> Option<usize> {
    if text.len() <= PART {
        return None;
    }
    last_cut(text, PART).or_else(|| first_cut(text, text.len() - PART))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_counted_in_parts() {
        let words = "Is it good? 物流很快，质量不错。\n".repeat(400);
        let far = "é".repeat(PART) + ". The end";
        let table = [
            ("short", None),
            (words.as_str(), Some(4095)),
            (&far, Some(2 * PART + 1)),
            (&"é".repeat(PART), None),
        ];
        for (text, expected) in table {
            assert_eq!(end_of_part(text), expected, "{text:.20}");
            for vocabulary in ALL {
                let core = tiktoken::get_encoding(vocabulary.name()).unwrap();
                assert_eq!(vocabulary.count(text), core.count(text) as u64, "{vocabulary:?}");
            }
        }
    }
}
