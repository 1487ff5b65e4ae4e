//! What configuration has to know of the built-in providers: names, addresses, variables.

/// A built-in provider, as far as settings and keys are concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) base_url: &'static str,
    /// Variables with another address, as the vendor's own tools read them.
    pub(super) base_url_variables: &'static [&'static str],
    /// Variables with the key; the first is the one to name.
    pub(super) key_variables: &'static [&'static str],
    /// How its well-known models begin.
    pub(super) models: &'static [&'static str],
}

/// A provider of this kind speaks the protocol and has an address of the user's.
pub(super) const COMPATIBLE: &str = "openai-compatible";
/// The provider in this program; it needs no key.
pub(super) const SANDBOX: &str = "sandbox";

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "openai",
        base_url: "https://api.openai.com/v1",
        base_url_variables: &["OPENAI_BASE_URL"],
        key_variables: &["OPENAI_API_KEY"],
        models: &["gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-"],
    },
    Known {
        name: "zhipu",
        base_url: "https://open.bigmodel.cn/api/paas/v4",
        base_url_variables: &["ZHIPUAI_BASE_URL"],
        key_variables: &["ZHIPUAI_API_KEY"],
        models: &["glm-", "embedding-2", "embedding-3"],
    },
    Known {
        name: "zai",
        base_url: "https://api.z.ai/api/paas/v4",
        base_url_variables: &["ZAI_BASE_URL"],
        key_variables: &["ZAI_API_KEY"],
        models: &[],
    },
    Known {
        name: SANDBOX,
        base_url: "sandbox:",
        base_url_variables: &[],
        key_variables: &[],
        models: &[],
    },
];

pub(super) fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// The provider whose well-known model this is.
pub(super) fn vendor_of(model: &str) -> Option<&'static Known> {
    let model = model.to_ascii_lowercase();
    KNOWN.iter().find(|known| known.models.iter().any(|start| model.starts_with(start)))
}
