//! A rules file: what to answer to which request.

use std::path::Path;

use serde::Deserialize;

use super::SandboxError;

/// The rules in their order; the first that matches answers.
///
/// As TOML, each rule is a `[[rule]]` table; as JSON, the file is `{"rule": [{…}]}` or the list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The rules.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

/// One rule. With a `status` of 400 or more, or a `code`, the request fails; else it is answered.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A piece of any text of the request; empty matches all.
    #[serde(default, rename = "match")]
    pub contains: String,
    /// The answer; without it the rule answers as if it were not there.
    pub reply: Option<String>,
    /// The `status_code` of the row.
    pub status: Option<u16>,
    /// Why the model stopped; `stop` if not given.
    pub finish_reason: Option<String>,
    /// The code of the error.
    pub code: Option<String>,
    /// The words of the error.
    pub message: Option<String>,
}

impl Script {
    /// Reads a rules file; `.json` files are JSON, all others TOML.
    pub fn open(path: &Path) -> Result<Self, SandboxError> {
        let failed = |reason: String| SandboxError::Script { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json")) {
            if text.trim_start().starts_with('[') {
                let rule = serde_json::from_str(&text).map_err(|e| failed(e.to_string()))?;
                return Ok(Self { rule });
            }
            return serde_json::from_str(&text).map_err(|error| failed(error.to_string()));
        }
        toml::from_str(&text).map_err(|error| failed(error.to_string()))
    }

    /// The first rule whose piece is in one of the texts.
    pub(super) fn find(&self, texts: &[&str]) -> Option<&Rule> {
        self.rule.iter().find(|rule| texts.iter().any(|text| text.contains(&rule.contains)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_in_both_forms_and_a_misspelt_key() {
        let folder = tempfile::tempdir().unwrap();
        let table = [
            ("a.toml", "[[rule]]\nmatch = \"angry\"\nreply = \"no\"\nfinish_reason = \"length\"\n"),
            ("b.json", r#"{"rule": [{"match": "angry", "reply": "no"}]}"#),
            ("c.json", r#"[{"match": "angry", "reply": "no"}]"#),
        ];
        for (name, text) in table {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let script = Script::open(&path).unwrap();
            let found = script.find(&["an angry text"]).unwrap();
            assert_eq!(found.reply.as_deref(), Some("no"), "{name}");
            assert!(script.find(&["calm"]).is_none());
        }
        let path = folder.path().join("d.toml");
        std::fs::write(&path, "[[rule]]\nmatches = \"angry\"\n").unwrap();
        let error = Script::open(&path).unwrap_err().to_string();
        assert!(error.contains("matches"), "{error}");
    }
}
