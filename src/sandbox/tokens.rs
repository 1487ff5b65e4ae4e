//! Tokens by the tokenizers of the models, as the services bill them.

use super::asked::Asked;
use crate::cost::{ChatText, Detail, chat_tokens, image_tokens, text_tokens};
use crate::request::size_of_data_url;

/// What an image is billed as of which the size or the model's rule is not known: the figure of a
/// 1024 x 1024 picture at high detail.
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

/// Tokens of one image, by the rule of the model and by its header.
pub(super) fn of_image(model: &str, url: &str, detail: Option<&str>) -> u64 {
    let detail = match detail {
        Some("low") => Detail::Low,
        Some("high") => Detail::High,
        Some("original") => Detail::Original,
        _ => Detail::Auto,
    };
    let size = size_of_data_url(url);
    let tokens = size.and_then(|size| image_tokens(model, size.width, size.height, detail));
    tokens.unwrap_or(IMAGE_TOKENS)
}

/// Tokens of a prompt, images by the model's own rule. An embedding input is its text alone.
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
    chat_tokens(&asked.model, messages) + beside + asked.image_tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rehearsal bills an image as the estimate counts it.
    #[test]
    fn images_are_billed_by_their_size() {
        // A GIF of 1024 by 1024 points: its header alone.
        let large = "data:image/gif;base64,R0lGODlhAAQABAAAAA==";
        let table = [
            (large, Some("high"), 765),
            (large, Some("low"), 85),
            ("data:image/gif;base64,R0lGODlhAQABAAAAAA==", Some("high"), 255),
            ("https://example.org/a.png", Some("low"), IMAGE_TOKENS),
            ("data:image/gif;base64,aGVsbG8=", None, IMAGE_TOKENS),
        ];
        for (url, detail, expected) in table {
            assert_eq!(of_image("gpt-4o", url, detail), expected, "{url} {detail:?}");
        }
    }

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
