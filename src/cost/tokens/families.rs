//! Which models have which vocabulary. Where a model's own is not built in, the nearest one is
//! taken times a measured factor, and the name shows both.

use std::fmt;

use super::vocabulary::Vocabulary;

/// Counts the tokens of texts for one family of models.
#[derive(PartialEq, Eq)]
pub struct Tokenizer {
    name: &'static str,
    pub(super) vocabulary: Vocabulary,
    /// Counts are multiplied by this, in hundredths: private tokenizers are estimated with a
    /// public one.
    percent: u64,
}

const fn own(name: &'static str, vocabulary: Vocabulary) -> Tokenizer {
    Tokenizer { name, vocabulary, percent: 100 }
}

static O200K_BASE: Tokenizer = own("o200k_base", Vocabulary::O200k);
/// Differs from `o200k_base` only in control tokens, which no text of ours holds.
static O200K_HARMONY: Tokenizer = own("o200k_harmony", Vocabulary::O200k);
static CL100K_BASE: Tokenizer = own("cl100k_base", Vocabulary::Cl100k);
/// One vocabulary from Qwen 2 to 3 and `QwQ`: the tokenizer files are equal.
static QWEN: Tokenizer = own("qwen2.5", Vocabulary::Qwen);
/// One vocabulary for the open GLM-4, 4-0414, 4.1V, 4.5 and 4.6.
static GLM_4: Tokenizer = own("glm-4", Vocabulary::Glm4);
/// One vocabulary for GLM-4.7-flash, 5, 5.1 and 5.2.
static GLM_5: Tokenizer = own("glm-5", Vocabulary::Glm5);
/// One vocabulary for `DeepSeek` V3 to V4 and R1.
static DEEPSEEK: Tokenizer = own("deepseek-v3", Vocabulary::DeepSeek);
/// One vocabulary from Llama 3 to 3.3.
static LLAMA_3: Tokenizer = own("llama-3", Vocabulary::Llama3);
/// Qwen 3.5 has a larger vocabulary: 0.92 of the older one's tokens on Chinese, 1.00 on English
/// documentation.
static QWEN_3_5: Tokenizer =
    Tokenizer { name: "qwen2.5 x 0.96", vocabulary: Vocabulary::Qwen, percent: 96 };
/// 0.99 times `o200k_base` on Chinese, 1.05 on English documentation.
static DEEPSEEK_2: Tokenizer =
    Tokenizer { name: "o200k_base x 1.02", vocabulary: Vocabulary::O200k, percent: 102 };
/// Anthropic's is private; 1.2 to 1.35 times `o200k_base` was seen.
static CLAUDE: Tokenizer =
    Tokenizer { name: "o200k_base x 1.3", vocabulary: Vocabulary::O200k, percent: 130 };

/// Which models have which tokenizer, and whether the prompt tokens of a chat are exact with it.
/// The first prefix that fits counts, so longer ones stand first (`gpt-4` would swallow `gpt-4o`).
///
/// `OpenAI`: the table of tiktoken 0.14.0, and the published rule for chats. The others: the
/// open tokenizer files, against which `scripts/token-check.sh` holds our counts; what their
/// services add to a chat is not published, so they stay estimates. That a hosted model has the
/// vocabulary of the open models of its name is assumed.
static FAMILIES: &[(&str, &Tokenizer, bool)] = &[
    ("chatgpt-4o", &O200K_BASE, true),
    ("gpt-4o", &O200K_BASE, true),
    ("gpt-4.1", &O200K_BASE, true),
    ("gpt-4.5", &O200K_BASE, true),
    ("gpt-5", &O200K_BASE, true),
    // Not in tiktoken yet.
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
    ("glm-4.7-flash", &GLM_5, false),
    ("glm-5", &GLM_5, false),
    ("glm-4", &GLM_4, false),
    ("glm-4v", &GLM_4, false),
    ("glm-z1", &GLM_4, false),
    ("deepseek-r1-distill-qwen", &QWEN, false),
    ("deepseek-r1-distill-llama", &LLAMA_3, false),
    ("deepseek-v2", &DEEPSEEK_2, false),
    ("deepseek-v2.5", &DEEPSEEK_2, false),
    ("deepseek", &DEEPSEEK, false),
    ("qwen2", &QWEN, false),
    ("qwen2.5", &QWEN, false),
    ("qwen3.5", &QWEN_3_5, false),
    ("qwen3.6", &QWEN_3_5, false),
    ("qwen3", &QWEN, false),
    ("qwq", &QWEN, false),
    ("qvq", &QWEN, false),
    ("qwen", &QWEN, false),
    ("llama-3", &LLAMA_3, false),
    ("llama3", &LLAMA_3, false),
    ("meta-llama-3", &LLAMA_3, false),
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
        self.scaled(self.vocabulary.count(text))
    }

    /// What this tokenizer makes of a count of its vocabulary.
    pub(super) fn scaled(&self, count: u64) -> u64 {
        if self.percent == 100 { count } else { (count * self.percent).div_ceil(100) }
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The model without vendor path, fine-tune frame and capitals.
pub(in crate::cost) fn base_model(model: &str) -> String {
    let model = model.trim().to_ascii_lowercase();
    let model = model.rsplit('/').next().unwrap_or_default();
    let model =
        model.strip_prefix("ft:").map_or(model, |rest| rest.split(':').next().unwrap_or(rest));
    model.to_owned()
}

/// Whether a name is the family's own, one with a suffix, or, where versions are dotted, a dotted
/// version: `gpt-5.2` belongs to `gpt-5`, but `gpt-4.9` does not belong to `gpt-4`.
pub(in crate::cost) fn belongs(model: &str, family: &str) -> bool {
    let Some(rest) = model.strip_prefix(family) else { return false };
    match rest.as_bytes().first() {
        None | Some(b'-' | b':' | b'@') => true,
        Some(b'.') => matches!(
            family,
            "gpt-5" | "gpt-6" | "glm-4" | "glm-5" | "llama-3" | "llama3" | "meta-llama-3"
        ),
        _ => false,
    }
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
            ("glm-4-flash", "glm-4", false),
            ("glm-4.6", "glm-4", false),
            ("GLM-4.5V", "glm-4", false),
            ("glm-4v-plus", "glm-4", false),
            ("glm-4.7", "glm-4", false),
            ("glm-4.7-flash", "glm-5", false),
            ("glm-5.2", "glm-5", false),
            ("glm-3-turbo", "o200k_base", false),
            ("qwen-plus", "qwen2.5", false),
            ("qwen2.5-72b-instruct", "qwen2.5", false),
            ("Qwen/Qwen3-32B", "qwen2.5", false),
            ("qwq-32b", "qwen2.5", false),
            ("deepseek-chat", "deepseek-v3", false),
            ("deepseek-ai/DeepSeek-V3.2", "deepseek-v3", false),
            ("deepseek-r1-distill-qwen-7b", "qwen2.5", false),
            ("deepseek-v2.5", "o200k_base x 1.02", false),
            ("qwen3.5-plus", "qwen2.5 x 0.96", false),
            ("llama-3.3-70b-versatile", "llama-3", false),
            ("meta-llama/Llama-4-Scout", "o200k_base", false),
            ("gpt-4.9", "o200k_base", false),
            ("o11y-large", "o200k_base", false),
            ("", "o200k_base", false),
        ];
        for (model, name, exact) in table {
            let (tokenizer, is_exact) = Tokenizer::for_model(model);
            assert_eq!((tokenizer.name(), is_exact), (name, exact), "{model}");
        }
    }
}
