//! Tokens by the tokenizers of the models, as the services bill them.

use super::asked::Asked;
use crate::cost::{ChatText, chat_tokens, text_tokens};

/// What an image is billed as, whatever its size: the figure of a 1024 x 1024 picture at high
/// detail. The real figures differ by model; the sandbox only has to bill something steady.
const IMAGE_TOKENS: u64 = 765;

/// The text as it is, or as much of it as the limit allows; its tokens; and whether it was cut.
pub(super) fn cut(model: &str, mut text: String, limit: Option<u64>) -> (String, u64, bool) {
    let tokens = text_tokens(model, &text);
    let Some(limit) = limit.filter(|limit| *limit < tokens) else {
        return (text, tokens, false);
    };
    // The longest beginning that fits, by halving: characters stay whole.
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let fits = ends.partition_point(|end| text_tokens(model, &text[..*end]) <= limit);
    text.truncate(ends[fits.saturating_sub(1)]);
    let tokens = text_tokens(model, &text);
    (text, tokens, true)
}

/// Tokens of a prompt, images at a flat figure. An embedding input is its text alone.
pub(super) fn of_prompt(asked: &Asked) -> u64 {
    if !asked.inputs.is_empty() {
        return asked.inputs.iter().map(|text| text_tokens(&asked.model, text)).sum();
    }
    let contents: Vec<String> =
        asked.messages.iter().map(|message| message.texts.concat()).collect();
    let messages = asked.messages.iter().zip(&contents).map(|(message, content)| ChatText {
        role: &message.role,
        name: message.name.as_deref(),
        content,
    });
    let beside = text_tokens(&asked.model, &asked.beside);
    chat_tokens(&asked.model, messages) + beside + IMAGE_TOKENS * asked.images.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_keeps_whole_characters_and_the_limit() {
        let table = [
            ("gpt-4", "你好，世界", Some(3), "你好，", true),
            ("gpt-4o", "hello", Some(1), "hello", false),
            ("gpt-4o", "one two three", Some(2), "one two", true),
            ("gpt-4o", "one two three", Some(0), "", true),
            ("gpt-4o", "one two three", None, "one two three", false),
        ];
        for (model, text, limit, expected, cut_off) in table {
            let (kept, tokens, was_cut) = cut(model, text.to_owned(), limit);
            assert_eq!((kept.as_str(), was_cut), (expected, cut_off));
            assert_eq!(tokens, text_tokens(model, expected));
        }
    }
}
