//! Tokens of texts: which tokenizer a model has, and the few tokens a chat adds.

mod counter;
mod cuts;
mod families;
mod vocabulary;

pub use counter::Counter;
pub use families::Tokenizer;
pub(super) use families::{base_model, belongs};

/// Unpacks the vocabulary of a model on a thread of its own: the first text need not wait for it
/// where something else is to be done before.
pub fn unpack_early(model: &str) {
    let (tokenizer, _) = Tokenizer::for_model(model);
    // Where no thread is to be had, the first text waits.
    let _ = std::thread::Builder::new().spawn(move || tokenizer.count(" "));
}

/// One message of a chat as far as its tokens go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatText<'a> {
    /// `system`, `user`, `assistant`.
    pub role: &'a str,
    /// The rarely given name of the speaker.
    pub name: Option<&'a str>,
    /// All its text; images are counted apart.
    pub content: &'a str,
}

/// Tokens of a text alone, as embeddings are counted.
pub fn text_tokens(model: &str, text: &str) -> u64 {
    Tokenizer::for_model(model).0.count(text)
}

/// Prompt tokens of a chat: 3 a message, its role and content, 1 and the text for a name, and 3
/// for the reply to begin. The rule is published for GPT models; for others it is
/// part of the estimate.
pub fn chat_tokens<'a>(model: &str, messages: impl IntoIterator<Item = ChatText<'a>>) -> u64 {
    let (tokenizer, _) = Tokenizer::for_model(model);
    let (mut count, mut texts) = (0, 0);
    for message in messages {
        let name = message.name.map_or(0, |name| 1 + tokenizer.count(name));
        texts += tokenizer.count(message.role) + name + tokenizer.count(message.content);
        count += 1;
    }
    texts + chat_overhead(count)
}

/// The tokens of a chat of so many messages besides those of its texts.
pub fn chat_overhead(messages: usize) -> u64 {
    3 * messages as u64 + 3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden counts of the project's provider notes, from tiktoken's tables.
    #[test]
    fn golden_text_counts() {
        let table = [
            ("hello", 1, 1),
            ("你好，世界", 3, 6),
            ("안녕하세요", 2, 5),
            ("Rate the sentiment of this review.", 7, 7),
            ("", 0, 0),
        ];
        for (text, o200k, cl100k) in table {
            assert_eq!(text_tokens("gpt-4o", text), o200k, "{text}");
            assert_eq!(text_tokens("gpt-4", text), cl100k, "{text}");
        }
        assert_eq!(text_tokens("claude-haiku-4-5", "Rate the sentiment of this review."), 10);
    }

    #[test]
    fn a_chat_costs_three_a_message_and_three_for_the_reply() {
        let hello = ChatText { role: "user", name: None, content: "hello" };
        assert_eq!(chat_tokens("gpt-4o", [hello]), 8);
        assert_eq!(chat_tokens("gpt-4", [hello]), 8);
        assert_eq!(chat_tokens("gpt-4o", [hello, hello]), 13);
        let named = ChatText { name: Some("hello"), ..hello };
        assert_eq!(chat_tokens("gpt-4o", [named]), 10);
        assert_eq!(chat_tokens("gpt-4o", []), 3);
    }
}
