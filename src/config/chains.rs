//! Who is asked in turn: `--provider a,b:MODEL`, or a name of `[chains.NAME]`.
//!
//! A chain is a list of providers, each with its model; the same provider may stand in it with
//! several models, so that the light models of all come after the strong ones. Only calls go
//! along it: a batch is its first member's alone.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

use super::account::{Who, shown};
use super::error::ConfigError;
use super::file::{Reader, texts};
use super::settings::{Settings, Source};
use super::{key, nearest};
use crate::provider::PROVIDERS;

/// `[chains.NAME]` as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainEntry {
    /// `NAME` or `NAME:MODEL`, in the order in which they are asked; tiers one after the other.
    pub members: Vec<String>,
    /// File and line, for messages.
    pub(super) place: String,
}

/// The chains of all files.
pub(super) type Chains = BTreeMap<String, (ChainEntry, Source)>;

/// Who is asked, the first before the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The member that batches go to.
    pub first: Who,
    /// Who is asked by calls where those before do not answer.
    pub others: Vec<Who>,
    /// The name of the chain, where it was called by one.
    pub chain: Option<String>,
}

impl Asked {
    /// All of them, in order.
    pub fn members(&self) -> impl Iterator<Item = &Who> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// `NAME` or `NAME:MODEL`.
pub(super) fn split(part: &str) -> (&str, Option<String>) {
    match part.split_once(':') {
        Some((name, model)) => {
            (name.trim(), Some(model.trim().to_owned()).filter(|model| !model.is_empty()))
        }
        None => (part.trim(), None),
    }
}

impl Settings {
    /// Who is asked, in order. Never guessed from the keys that are there: the providers or the
    /// chain that was named, else the provider whose well-known model was named, else `openai`.
    /// A model given with a flag of its own is the first one's.
    pub fn asked(&self) -> Result<Asked, ConfigError> {
        let text: Option<String> = self.get(key::PROVIDER);
        let source = self.source(key::PROVIDER);
        // A variable that is set to nothing is not set.
        let text = text.filter(|text| !text.is_empty() || source == Some(&Source::Flag));
        let (mut names, mut chain) = (Vec::new(), None);
        if let Some(text) = &text {
            let place = match source {
                Some(Source::Flag) => "--provider".to_owned(),
                source => source.map(ToString::to_string).unwrap_or_default(),
            };
            (names, chain) = self.named(text, &place)?;
        }
        let mut names = names.iter().map(String::as_str);
        let first = self.first_asked(names.next())?;
        let others = names.map(|part| {
            let (name, model) = split(part);
            self.check_name(name)?;
            let of_section = || self.providers.get(name).and_then(|(entry, _)| entry.model.clone());
            Ok(Who { provider: name.to_owned(), model: model.or_else(of_section) })
        });
        Ok(Asked { first, others: others.collect::<Result<_, _>>()?, chain })
    }

    /// The members that a list stands for, those of a chain in its place, and the name of the chain
    /// if there is one; `place` is where the list was written. A part without a name is refused:
    /// somebody else would be asked, and paid, in its place.
    pub fn named(
        &self,
        text: &str,
        place: &str,
    ) -> Result<(Vec<String>, Option<String>), ConfigError> {
        let wrong = |name: &str, message: &str| ConfigError::Value {
            place: place.to_owned(),
            name: name.to_owned(),
            message: message.to_owned(),
        };
        let (mut names, mut chain) = (Vec::new(), None);
        for part in text.split([',', '，']).map(str::trim) {
            let (name, model) = split(part);
            if name.is_empty() {
                let message = if text.trim().is_empty() {
                    "nobody is named; name a provider, as openai, or leave it out"
                } else {
                    "a name is missing beside a comma or before a colon"
                };
                return Err(wrong(&format!("`{}`", shown(text)), message));
            }
            if model.is_none() && part.ends_with(':') {
                return Err(wrong(
                    &format!("`{}`", shown(part)),
                    "a model is missing behind the colon",
                ));
            }
            let Some((entry, _)) = self.chains.get(name) else {
                names.push(part.to_owned());
                continue;
            };
            if model.is_some() {
                return Err(ConfigError::Value {
                    place: format!("[chains.{name}]"),
                    name: part.to_owned(),
                    message: "a chain has a model for each of its members; name it there".into(),
                });
            }
            chain = Some(name.to_owned());
            names.extend(entry.members.iter().cloned());
        }
        Ok((names, chain))
    }

    /// The `[chains.NAME]` sections with the file that each is from.
    pub fn chain_entries(&self) -> &BTreeMap<String, (ChainEntry, Source)> {
        &self.chains
    }

    /// Every name that may stand after `--provider`.
    pub fn asked_names(&self) -> Vec<String> {
        let mut names = self.provider_names();
        names.extend(self.chains.keys().cloned());
        names
    }

    /// That each chain has a name of its own and members that there are.
    pub(super) fn check_chains(&self) -> Result<(), ConfigError> {
        for (name, (entry, _)) in &self.chains {
            let wrong = |message: String| ConfigError::Value {
                place: entry.place.clone(),
                name: format!("chains.{name}"),
                message,
            };
            let is_built_in = PROVIDERS.iter().any(|dialect| dialect.name == name);
            if is_built_in || self.providers.contains_key(name) {
                return Err(wrong("a provider has this name; call the chain otherwise".into()));
            }
            if name.contains([',', '，', ':']) {
                return Err(wrong("a name has neither commas nor colons".into()));
            }
            if entry.members.is_empty() {
                return Err(wrong("it has no members; write members = [\"openai\", …]".into()));
            }
            for (at, member) in entry.members.iter().enumerate() {
                let (provider, _) = split(member);
                if provider.is_empty() {
                    return Err(wrong("a member has no name".into()));
                }
                if self.chains.contains_key(provider) {
                    return Err(wrong(format!("{provider} is a chain; name its members")));
                }
                if entry.members[..at].contains(member) {
                    return Err(wrong(format!("{member} stands in it twice")));
                }
                let names = self.provider_names();
                if !names.iter().any(|known| known == provider) {
                    return Err(ConfigError::Unknown {
                        place: format!("{}: [chains.{name}]", entry.place),
                        what: "provider",
                        nearest: nearest(provider, names.iter().map(String::as_str))
                            .map(ToOwned::to_owned),
                        name: provider.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// `members`, or `tiers` of them, which are asked one after the other.
    pub(super) fn chain(
        &self,
        chain: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<ChainEntry, ConfigError> {
        let start = value.span().start;
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("a section [chains.{chain}] is wanted");
            return Err(self.wrong("chains", start, message));
        };
        let mut entry = ChainEntry { members: Vec::new(), place: self.place(start) };
        for (name, value) in table {
            let (key, start) = (name.get_ref().as_ref(), value.span().start);
            let wrong =
                |message: String| self.wrong(&format!("chains.{chain}: {key}"), start, message);
            match (key, value.get_ref()) {
                ("members", DeValue::Array(items)) if entry.members.is_empty() => {
                    entry.members = texts(items).map_err(wrong)?;
                }
                ("tiers", DeValue::Array(tiers)) if entry.members.is_empty() => {
                    for tier in tiers {
                        let DeValue::Array(items) = tier.get_ref() else {
                            return Err(wrong("a list of lists of members is wanted".into()));
                        };
                        entry.members.extend(texts(items).map_err(wrong)?);
                    }
                }
                ("members" | "tiers", DeValue::Array(_)) => {
                    return Err(wrong("either members or tiers are wanted, not both".into()));
                }
                ("members" | "tiers", _) => {
                    return Err(wrong("a list of members is wanted: [\"openai\", …]".into()));
                }
                _ => {
                    return Err(ConfigError::Unknown {
                        place: format!("{}: [chains.{chain}]", self.place(name.span().start)),
                        what: "chain setting",
                        name: key.to_owned(),
                        nearest: nearest(key, ["members", "tiers"]).map(ToOwned::to_owned),
                    });
                }
            }
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_as_people_type_them() {
        assert_eq!(
            split("router:openai/gpt-4o:free"),
            ("router", Some("openai/gpt-4o:free".into()))
        );
        assert_eq!(split("a:"), ("a", None));
    }
}
