//! Tokens by the tokenizers of the models, as the services bill them.

use bpe_openai::{Tokenizer, cl100k_base, o200k_base};

use super::asked::Asked;

/// What an image is billed as, whatever its size: the figure of a 1024 x 1024 picture at high
/// detail. The real figures differ by model; the sandbox only has to bill something steady.
const IMAGE_TOKENS: u64 = 765;

/// Beginnings of models that still use the older vocabulary; longer beginnings that do not stand
/// first.
const VOCABULARIES: [(&str, bool); 10] = [
    ("gpt-4o", false),
    ("gpt-4.1", false),
    ("gpt-4.5", false),
    ("gpt-4", true),
    ("gpt-3.5", true),
    ("gpt-35", true),
    ("davinci-002", true),
    ("babbage-002", true),
    ("text-embedding-3", true),
    ("text-embedding-ada-002", true),
];

fn tokenizer(model: &str) -> &'static Tokenizer {
    let base = model.strip_prefix("ft:").unwrap_or(model);
    let entry = VOCABULARIES.iter().find(|(start, _)| base.starts_with(start));
    if entry.is_some_and(|(_, older)| *older) { cl100k_base() } else { o200k_base() }
}

/// Tokens of a text.
pub(super) fn count(model: &str, text: &str) -> u64 {
    tokenizer(model).count(text) as u64
}

/// The text as it is, or its first `limit` tokens if it has more; and how many tokens that are.
pub(super) fn cut(model: &str, text: String, limit: Option<u64>) -> (String, u64, bool) {
    let tokens = count(model, &text);
    let Some(limit) = limit.filter(|limit| *limit < tokens) else {
        return (text, tokens, false);
    };
    let tokenizer = tokenizer(model);
    let kept = usize::try_from(limit).unwrap_or(usize::MAX);
    let ids = tokenizer.encode(text.as_str());
    let bytes = tokenizer.bpe.decode_tokens(&ids[..kept.min(ids.len())]);
    // A token may end within a character: what is cut in two is left out.
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let whole = error.utf8_error().valid_up_to();
            String::from_utf8_lossy(&error.as_bytes()[..whole]).into_owned()
        }
    };
    (text, limit, true)
}

/// Tokens of a prompt: 3 a message, its role, its texts, 1 for a name, 3 for the reply to begin.
/// An embedding input is its text alone.
pub(super) fn of_prompt(asked: &Asked) -> u64 {
    if !asked.inputs.is_empty() {
        return asked.inputs.iter().map(|text| count(&asked.model, text)).sum();
    }
    let messages: u64 = asked
        .messages
        .iter()
        .map(|message| {
            let texts: u64 = message.texts.iter().map(|text| count(&asked.model, text)).sum();
            3 + count(&asked.model, &message.role) + texts + u64::from(message.named)
        })
        .sum();
    messages + 3 + IMAGE_TOKENS * asked.images.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_counts() {
        let table = [("hello", 1, 1), ("你好，世界", 3, 6), ("안녕하세요", 2, 5)];
        for (text, newer, older) in table {
            assert_eq!(count("gpt-4o-mini", text), newer, "{text}");
            assert_eq!(count("ft:gpt-4.1-mini:us", text), newer, "{text}");
            assert_eq!(count("gpt-4-turbo", text), older, "{text}");
        }
    }

    #[test]
    fn a_cut_keeps_whole_characters() {
        let (text, tokens, cut_off) = cut("gpt-4", "你好，世界".into(), Some(3));
        assert_eq!((text.as_str(), tokens, cut_off), ("你好，", 3, true));
        let (text, tokens, cut_off) = cut("gpt-4o", "hello".into(), Some(1));
        assert_eq!((text.as_str(), tokens, cut_off), ("hello", 1, false));
    }
}
