//! The form that each answer is to have, as it was typed.

use serde::{Deserialize, Serialize};

/// What is wanted of each answer, as it was typed. Stored with a job and with the manifest of
/// request files, so that a later merge judges as the run would have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// The fields, as in `--json-fields`.
    pub fields: Option<String>,
    /// The text of the JSON schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Whether an answer that holds several things becomes a row for each of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explode: bool,
}

impl Form {
    /// Whether JSON is wanted.
    pub fn is_json(&self) -> bool {
        self.fields.is_some() || self.schema.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs and manifests of before there were schemas.
    #[test]
    fn a_form_without_a_schema_is_stored_as_it_always_was() {
        let form = Form { fields: Some("a".to_owned()), ..Form::default() };
        let text = serde_json::to_string(&form).unwrap();
        assert_eq!(text, r#"{"fields":"a"}"#);
        assert_eq!(serde_json::from_str::<Form>(&text).unwrap(), form);
    }
}
