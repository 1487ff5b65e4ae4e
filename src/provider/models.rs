//! Well-known model names: whose they are, and which of `OpenAI`'s want the newer token field.
//! Not a list of all models: an unknown name is let through, the service decides.

use super::dialect::JsonMode;

/// Who makes a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// `OpenAI`.
    OpenAi,
    /// Zhipu, abroad Z.ai.
    Zhipu,
    /// Anthropic.
    Anthropic,
    /// Google.
    Google,
    /// Moonshot.
    Moonshot,
    /// Alibaba.
    Alibaba,
    /// Mistral.
    Mistral,
    /// `DeepSeek`.
    DeepSeek,
    /// xAI.
    Xai,
    /// `ByteDance`.
    ByteDance,
}

/// The beginnings of model names. Open weights that many services carry under the maker's name
/// (`gpt-oss`) are left out on purpose.
const BEGINNINGS: [(&str, Vendor); 36] = [
    ("gpt-3", Vendor::OpenAi),
    ("gpt-4", Vendor::OpenAi),
    ("gpt-5", Vendor::OpenAi),
    ("gpt-6", Vendor::OpenAi),
    ("o1", Vendor::OpenAi),
    ("o3", Vendor::OpenAi),
    ("o4", Vendor::OpenAi),
    ("chatgpt-", Vendor::OpenAi),
    ("text-embedding-3", Vendor::OpenAi),
    ("text-embedding-ada", Vendor::OpenAi),
    ("glm-", Vendor::Zhipu),
    ("charglm-", Vendor::Zhipu),
    ("codegeex-", Vendor::Zhipu),
    ("cogview-", Vendor::Zhipu),
    ("embedding-2", Vendor::Zhipu),
    ("embedding-3", Vendor::Zhipu),
    ("claude-", Vendor::Anthropic),
    ("gemini-", Vendor::Google),
    ("kimi-", Vendor::Moonshot),
    ("moonshot-", Vendor::Moonshot),
    ("qwen-", Vendor::Alibaba),
    ("qwen2", Vendor::Alibaba),
    ("qwen3", Vendor::Alibaba),
    ("qwq-", Vendor::Alibaba),
    ("qvq-", Vendor::Alibaba),
    ("text-embedding-v", Vendor::Alibaba),
    ("mistral-", Vendor::Mistral),
    ("magistral-", Vendor::Mistral),
    ("ministral-", Vendor::Mistral),
    ("codestral-", Vendor::Mistral),
    ("devstral-", Vendor::Mistral),
    ("pixtral-", Vendor::Mistral),
    ("deepseek-", Vendor::DeepSeek),
    ("grok-", Vendor::Xai),
    ("doubao-", Vendor::ByteDance),
    ("text-embedding-004", Vendor::Google),
];

impl Vendor {
    /// Whose well-known model this is; a fine-tuned one counts by its base.
    pub fn of_model(model: &str) -> Option<Self> {
        let model = base_name(model);
        let is_one = |beginning: &str| {
            model.strip_prefix(beginning).is_some_and(|rest| {
                // `o1` must not match `o1x`: after a digit the name ends or goes on with a mark.
                let bare = beginning.starts_with('o') && beginning.len() == 2;
                !bare || rest.is_empty() || rest.starts_with('-')
            })
        };
        BEGINNINGS.iter().find(|(beginning, _)| is_one(beginning)).map(|(_, vendor)| *vendor)
    }

    /// The name of the service that the maker runs itself, for messages and for `--provider`.
    pub fn provider_name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Zhipu => "zhipu",
            Self::Anthropic => "anthropic",
            Self::Google => "gemini",
            Self::Moonshot => "moonshot",
            Self::Alibaba => "dashscope",
            Self::Mistral => "mistral",
            Self::DeepSeek => "deepseek",
            Self::Xai => "xai",
            Self::ByteDance => "volcengine",
        }
    }
}

/// Whether the model refuses `max_tokens`: the o-series, and gpt-5 and later.
pub(super) fn refuses_max_tokens(model: &str) -> bool {
    let model = base_name(model);
    let number_after = |prefix: &str| -> Option<u32> {
        let rest = model.strip_prefix(prefix)?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    };
    number_after("o").is_some() || number_after("gpt-").is_some_and(|version| version >= 5)
}

/// Models of Anthropic and Google that refuse temperature and its like: these families, from these
/// versions on, and those without a version.
const WITHOUT_SAMPLING: [(&str, u32, u32); 6] = [
    ("claude-opus-", 4, 7),
    ("claude-sonnet-", 5, 0),
    ("claude-haiku-", 5, 5),
    ("claude-fable-", 0, 0),
    ("claude-mythos-", 0, 0),
    ("gemini-3.5-flash-lite", 0, 0),
];

/// Whether the model refuses sampling parameters. A request that sets one all the same is refused,
/// one that leaves it out never is.
pub(super) fn refuses_sampling(model: &str) -> bool {
    let model = base_name(model);
    // Flash models of Gemini refuse them from 3.6 on; Pro models do not.
    let is_flash = model.starts_with("gemini-3.") && model.contains("-flash");
    if is_flash && version(&model["gemini-".len()..]) >= (3, 6) {
        return true;
    }
    let is_one = |(family, major, minor): &(&str, u32, u32)| {
        let rest = model.strip_prefix(family);
        rest.is_some_and(|rest| (*major, *minor) <= version(rest))
    };
    WITHOUT_SAMPLING.iter().any(is_one)
}

/// `4-7-20260416` and `4.7-x` are version 4.7; a date is no minor version.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split(['-', '.']);
    let mut next = || numbers.next().filter(|part| part.len() < 4)?.parse::<u32>().ok();
    let major = next().unwrap_or(0);
    (major, next().unwrap_or(0))
}

/// How far `OpenAI`'s older models can be held to JSON: before gpt-4o of August 2024 none of them
/// took a schema, and the oldest did not know JSON mode. `None` for all others.
pub(super) fn older_json_mode(model: &str) -> Option<JsonMode> {
    let model = base_name(model);
    let is = |name: &str| {
        model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '-']))
    };
    let without = ["gpt-4-0314", "gpt-4-0613", "gpt-4-32k", "gpt-3.5-turbo-0301"];
    let without_too = ["gpt-3.5-turbo-0613", "gpt-3.5-turbo-16k", "o1-mini", "o1-preview"];
    if model == "gpt-4" || without.into_iter().chain(without_too).any(is) {
        return Some(JsonMode::Unknown);
    }
    let is_object = ["gpt-4", "gpt-3.5-turbo", "gpt-4o-2024-05-13"].into_iter().any(is);
    is_object.then_some(JsonMode::Object)
}

/// `ft:gpt-4o:acme::x` is a `gpt-4o`.
fn base_name(model: &str) -> String {
    let model = model.trim().to_ascii_lowercase();
    model.strip_prefix("ft:").map_or(model.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_of_well_known_models() {
        let table = [
            ("gpt-4o-mini", Some(Vendor::OpenAi)),
            ("ft:gpt-4o-mini-2024-07-18:acme::x", Some(Vendor::OpenAi)),
            ("o3-mini", Some(Vendor::OpenAi)),
            ("o1", Some(Vendor::OpenAi)),
            ("o1x", None),
            ("gpt-oss-120b", None),
            ("openai/gpt-oss-120b", None),
            ("GLM-4-Flash", Some(Vendor::Zhipu)),
            ("embedding-3", Some(Vendor::Zhipu)),
            ("text-embedding-3-small", Some(Vendor::OpenAi)),
            ("text-embedding-v3", Some(Vendor::Alibaba)),
            ("claude-haiku-4-5", Some(Vendor::Anthropic)),
            ("qwen-plus", Some(Vendor::Alibaba)),
            ("my-model", None),
        ];
        for (model, maker) in table {
            assert_eq!(Vendor::of_model(model), maker, "{model}");
        }
    }

    #[test]
    fn what_older_models_know_of_json() {
        use JsonMode::{Object, Unknown};
        let table = [
            ("gpt-4o", None),
            ("gpt-4o-mini", None),
            ("gpt-4.1", None),
            ("gpt-5", None),
            ("o3-mini", None),
            ("o1", None),
            ("glm-4-flash", None),
            ("ft:gpt-4o-2024-08-06:acme::x", None),
            ("gpt-4o-2024-05-13", Some(Object)),
            ("gpt-4-turbo-2024-04-09", Some(Object)),
            ("gpt-4-1106-preview", Some(Object)),
            ("gpt-3.5-turbo", Some(Object)),
            ("ft:gpt-3.5-turbo:acme::x", Some(Object)),
            ("gpt-4", Some(Unknown)),
            ("gpt-4-0613", Some(Unknown)),
            ("o1-mini-2024-09-12", Some(Unknown)),
        ];
        for (model, mode) in table {
            assert_eq!(older_json_mode(model), mode, "{model}");
        }
    }

    /// `S3.01`: held against the flags of the price list.
    #[test]
    fn s3_01_which_models_refuse_sampling() {
        for model in [
            "claude-opus-4-7",
            "claude-opus-4-7-20260416",
            "claude-opus-4-8",
            "claude-opus-5",
            "claude-opus-5-5",
            "claude-sonnet-5",
            "claude-sonnet-5-5",
            "claude-haiku-5-5",
            "claude-fable-5-1",
            "claude-mythos-preview",
            "gemini-3.5-flash-lite",
            "gemini-3.6-flash",
            "gemini-3.8-flash",
        ] {
            assert!(refuses_sampling(model), "{model}");
        }
        for model in [
            "claude-opus-4-5",
            "claude-opus-4-6",
            "claude-opus-4-20250514",
            "claude-sonnet-4-6",
            "claude-sonnet-4-5-20250929",
            "claude-haiku-4-5-20251001",
            "claude-3-5-sonnet-20241022",
            "gemini-2.5-flash",
            "gemini-2.5-pro",
            "gemini-3.1-flash-lite",
            "gemini-3.5-flash",
            "gemini-4-argon",
            "gpt-5",
        ] {
            assert!(!refuses_sampling(model), "{model}");
        }
    }

    #[test]
    fn which_models_refuse_max_tokens() {
        for model in
            ["o1", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5.1-mini", "gpt-6", "ft:o4-mini"]
        {
            assert!(refuses_max_tokens(model), "{model}");
        }
        for model in ["gpt-4o", "gpt-4.1", "gpt-3.5-turbo", "gpt-oss-120b", "omni", "glm-4"] {
            assert!(!refuses_max_tokens(model), "{model}");
        }
    }
}
