//! Room `request`.

use serde::{Deserialize, Serialize};

/// Which kind of request a line makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// Chat completions.
    #[default]
    Chat,
    /// Embeddings.
    Embeddings,
    /// `OpenAI`'s Responses.
    Responses,
}
