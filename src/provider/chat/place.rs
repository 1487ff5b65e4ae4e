//! Where calls go and which header carries the key, by the shape of the service.

use hyper::Uri;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::Url;

use crate::provider::settings::{Address, presentable};
use crate::provider::{ProviderError, ProviderSettings, Shape};
use crate::request::Endpoint;

/// The version of Anthropic's API that is named where the user names none: the long-lived one.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// The header for the key with the words before it.
pub(super) fn key_header(shape: Shape) -> (HeaderName, &'static str) {
    match shape {
        Shape::OpenAi => (AUTHORIZATION, "Bearer "),
        Shape::Anthropic => (HeaderName::from_static("x-api-key"), ""),
        Shape::Gemini => (HeaderName::from_static("x-goog-api-key"), ""),
    }
}

/// The header that names the version of the API, where the service wants one.
pub(super) fn version_header(
    settings: &ProviderSettings,
) -> Result<Option<(HeaderName, HeaderValue)>, ProviderError> {
    if settings.dialect.shape != Shape::Anthropic {
        return Ok(None);
    }
    let version = settings.api_version.as_deref().unwrap_or(ANTHROPIC_VERSION).trim();
    let value = HeaderValue::from_str(version).map_err(|_| {
        ProviderError::Client(format!("api_version {version:?} is no version of an API"))
    })?;
    Ok(Some((HeaderName::from_static("anthropic-version"), value)))
}

/// The addresses of a service.
pub(super) enum Places {
    OpenAi { chat: Uri, embeddings: Uri, responses: Uri },
    Anthropic { messages: Uri },
    Gemini { address: Address, is_versioned: bool },
}

/// An address as it is called.
fn called(url: &Url) -> Result<Uri, ProviderError> {
    Uri::try_from(url.as_str()).map_err(|error| {
        ProviderError::Client(format!("{} cannot be called: {error}", presentable(url.as_str())))
    })
}

impl Places {
    /// The addresses below this one, which may or may not end in the version of the API.
    pub(super) fn new(shape: Shape, address: &Address) -> Result<Self, ProviderError> {
        let ends_in = |version: &str| address.as_str().rsplit('/').next() == Some(version);
        let below = |parts: &[&str]| called(&address.join(parts));
        Ok(match shape {
            Shape::OpenAi => Self::OpenAi {
                chat: below(&["chat", "completions"])?,
                embeddings: below(&["embeddings"])?,
                responses: below(&["responses"])?,
            },
            Shape::Anthropic if ends_in("v1") => {
                Self::Anthropic { messages: below(&["messages"])? }
            }
            Shape::Anthropic => Self::Anthropic { messages: below(&["v1", "messages"])? },
            Shape::Gemini => {
                let is_versioned = ends_in("v1beta") || ends_in("v1");
                Self::Gemini { address: address.clone(), is_versioned }
            }
        })
    }

    /// Where such a request goes; `None` if the service takes none.
    pub(super) fn of(&self, endpoint: Endpoint, model: &str, is_stream: bool) -> Option<Uri> {
        Some(match (self, endpoint) {
            (Self::OpenAi { chat, .. }, Endpoint::Chat) => chat.clone(),
            (Self::OpenAi { embeddings, .. }, Endpoint::Embeddings) => embeddings.clone(),
            (Self::OpenAi { responses, .. }, Endpoint::Responses) => responses.clone(),
            (Self::Anthropic { messages }, Endpoint::Chat) => messages.clone(),
            (Self::Gemini { address, is_versioned }, Endpoint::Chat) => {
                let method = if is_stream { "streamGenerateContent" } else { "generateContent" };
                let model = model.strip_prefix("models/").unwrap_or(model);
                let last = format!("{model}:{method}");
                let parts = ["v1beta", "models", &last];
                let mut url = address.join(&parts[usize::from(*is_versioned)..]);
                if is_stream {
                    url.set_query(Some("alt=sse"));
                }
                called(&url).ok()?
            }
            (_, Endpoint::Embeddings | Endpoint::Responses) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_01_where_calls_go() {
        use Endpoint::{Chat, Embeddings, Responses};
        use Shape::{Anthropic, Gemini, OpenAi};
        let table = [
            (OpenAi, "https://a.example/v1", Chat, false, Some("/v1/chat/completions")),
            (
                OpenAi,
                "https://a.example/api/paas/v4/",
                Chat,
                true,
                Some("/api/paas/v4/chat/completions"),
            ),
            (OpenAi, "https://a.example/v1", Embeddings, false, Some("/v1/embeddings")),
            (OpenAi, "https://a.example/v1", Responses, false, Some("/v1/responses")),
            (Anthropic, "https://a.example", Chat, false, Some("/v1/messages")),
            (Anthropic, "https://a.example/x/v1", Chat, true, Some("/x/v1/messages")),
            (Anthropic, "https://a.example", Embeddings, false, None),
            (
                Gemini,
                "https://a.example",
                Chat,
                false,
                Some("/v1beta/models/a%2Fb%3F:generateContent"),
            ),
            (
                Gemini,
                "https://a.example/v1beta",
                Chat,
                true,
                Some("/v1beta/models/a%2Fb%3F:streamGenerateContent?alt=sse"),
            ),
            (Gemini, "https://a.example", Responses, false, None),
        ];
        for (shape, base, endpoint, is_stream, expected) in table {
            let places = Places::new(shape, &Address::parse(base).unwrap()).unwrap();
            let url = places.of(endpoint, "models/a/b?", is_stream).map(|url| url.to_string());
            let expected = expected.map(|path| format!("https://a.example{path}"));
            assert_eq!(url, expected, "{shape:?} {base} {endpoint:?}");
        }
    }
}
