//! Tokens of texts: which tokenizer a model has, and the few tokens a chat adds.

use std::fmt;

/// The vocabularies that are built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vocabulary {
    O200k,
    Cl100k,
}

/// Counts the tokens of texts for one family of models.
#[derive(PartialEq, Eq)]
pub struct Tokenizer {
    name: &'static str,
    vocabulary: Vocabulary,
    /// Counts are multiplied by this, in hundredths: private tokenizers are estimated with a
    /// public one.
    percent: u64,
}

const O200K: Tokenizer =
    Tokenizer { name: "o200k_base", vocabulary: Vocabulary::O200k, percent: 100 };

static O200K_BASE: Tokenizer = O200K;
/// Differs from `o200k_base` only in control tokens, which no text of ours holds.
static O200K_HARMONY: Tokenizer = Tokenizer { name: "o200k_harmony", ..O200K };
static CL100K_BASE: Tokenizer =
    Tokenizer { name: "cl100k_base", vocabulary: Vocabulary::Cl100k, percent: 100 };
/// Anthropic's is private; 1.2 to 1.35 times `o200k_base` was seen.
static CLAUDE: Tokenizer = Tokenizer { name: "o200k_base x 1.3", percent: 130, ..O200K };

/// Which models have which tokenizer, and whether its counts are exact. The first prefix that
/// fits counts, so longer ones stand first (`gpt-4` would swallow `gpt-4o`).
static FAMILIES: &[(&str, &Tokenizer, bool)] = &[
    ("chatgpt-4o", &O200K_BASE, true),
    ("gpt-4o", &O200K_BASE, true),
    ("gpt-4.1", &O200K_BASE, true),
    ("gpt-4.5", &O200K_BASE, true),
    ("gpt-5", &O200K_BASE, true),
    ("gpt-6", &O200K_BASE, false),
    ("gpt-oss", &O200K_HARMONY, true),
    ("gpt-4", &CL100K_BASE, true),
    ("gpt-3.5-turbo", &CL100K_BASE, true),
    ("gpt-35-turbo", &CL100K_BASE, true),
    ("o1", &O200K_BASE, true),
    ("o3", &O200K_BASE, true),
    ("o4-mini", &O200K_BASE, true),
    ("davinci-002", &CL100K_BASE, true),
    ("babbage-002", &CL100K_BASE, true),
    ("text-embedding-3", &CL100K_BASE, true),
    ("text-embedding-ada-002", &CL100K_BASE, true),
    ("claude", &CLAUDE, false),
];

impl Tokenizer {
    /// The tokenizer of a model, and whether it counts exactly. A vendor's name before the model
    /// (`openai/gpt-4o`) and a fine-tune's frame (`ft:gpt-4o:…`) do not matter.
    pub fn for_model(model: &str) -> (&'static Self, bool) {
        let model = base_model(model);
        FAMILIES
            .iter()
            .find(|(prefix, ..)| belongs(&model, prefix))
            .map_or((&O200K_BASE, false), |(_, tokenizer, exact)| (tokenizer, *exact))
    }

    /// What tables call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Tokens of a text.
    pub fn count(&self, text: &str) -> u64 {
        let tokenizer = match self.vocabulary {
            Vocabulary::O200k => bpe_openai::o200k_base(),
            Vocabulary::Cl100k => bpe_openai::cl100k_base(),
        };
        let count = tokenizer.count(text) as u64;
        if self.percent == 100 { count } else { (count * self.percent).div_ceil(100) }
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The model without vendor path, fine-tune frame and capitals.
pub(super) fn base_model(model: &str) -> String {
    let model = model.trim().to_ascii_lowercase();
    let model = model.rsplit('/').next().unwrap_or_default();
    let model =
        model.strip_prefix("ft:").map_or(model, |rest| rest.split(':').next().unwrap_or(rest));
    model.to_owned()
}

/// Whether a name is the family's own, one with a suffix, or, where versions are dotted, a dotted
/// version: `gpt-5.2` belongs to `gpt-5`, but `gpt-4.9` does not belong to `gpt-4`.
pub(super) fn belongs(model: &str, family: &str) -> bool {
    let Some(rest) = model.strip_prefix(family) else { return false };
    match rest.as_bytes().first() {
        None | Some(b'-' | b':' | b'@') => true,
        Some(b'.') => matches!(family, "gpt-5" | "gpt-6"),
        _ => false,
    }
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

    #[test]
    fn families_by_longest_prefix() {
        let table = [
            ("gpt-4o", "o200k_base", true),
            ("gpt-4o-mini-2024-07-18", "o200k_base", true),
            ("chatgpt-4o-latest", "o200k_base", true),
            ("gpt-4.1-nano", "o200k_base", true),
            ("gpt-4.5-preview", "o200k_base", true),
            ("gpt-5", "o200k_base", true),
            ("gpt-5.2-chat-latest", "o200k_base", true),
            ("o1", "o200k_base", true),
            ("o3-pro", "o200k_base", true),
            ("o4-mini", "o200k_base", true),
            ("gpt-oss-120b", "o200k_harmony", true),
            ("gpt-6-astra", "o200k_base", false),
            ("gpt-4", "cl100k_base", true),
            ("gpt-4-turbo-2024-04-09", "cl100k_base", true),
            ("gpt-4-0613", "cl100k_base", true),
            ("gpt-3.5-turbo-0125", "cl100k_base", true),
            ("gpt-35-turbo", "cl100k_base", true),
            ("text-embedding-3-small", "cl100k_base", true),
            ("text-embedding-ada-002", "cl100k_base", true),
            ("davinci-002", "cl100k_base", true),
            ("ft:gpt-4.1-mini-2025-04-14:acme::abc", "o200k_base", true),
            ("ft:gpt-3.5-turbo:acme:x:1", "cl100k_base", true),
            ("openai/GPT-4o", "o200k_base", true),
            ("claude-opus-4-8", "o200k_base x 1.3", false),
            ("glm-4-flash", "o200k_base", false),
            ("gpt-4.9", "o200k_base", false),
            ("o11y-large", "o200k_base", false),
            ("", "o200k_base", false),
        ];
        for (model, name, exact) in table {
            let (tokenizer, is_exact) = Tokenizer::for_model(model);
            assert_eq!((tokenizer.name(), is_exact), (name, exact), "{model}");
        }
    }

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
