//! The settings of one run, each with its source.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::keys::{Key, SETTINGS, named};
use super::value::{FromValue, Value};

/// Where a value came from, lowest layer first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Built in.
    Default,
    /// The user's own file.
    User(PathBuf),
    /// The file of the working folder.
    Project(PathBuf),
    /// `.env` of the working folder.
    DotEnv(PathBuf),
    /// An environment variable of this name.
    Environment(String),
    /// A flag, or `--set`.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::User(path) | Self::Project(path) | Self::DotEnv(path) => {
                write!(f, "{}", path.display())
            }
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// What the flags of one command say: the highest layer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    pub(super) values: Vec<(&'static str, Value)>,
}

impl Overrides {
    /// Takes a value over if the flag was given.
    pub fn set<T>(&mut self, key: Key<T>, value: Option<Value>) {
        self.values.extend(value.map(|value| (key.name, value)));
    }

    /// Takes a switch over if it was given.
    pub fn switch(&mut self, key: Key<bool>, on: bool) {
        self.set(key, on.then_some(Value::Flag(true)));
    }

    /// Takes a text over if it was given.
    pub fn text<T>(&mut self, key: Key<T>, text: Option<&(impl ToString + ?Sized)>) {
        self.set(key, text.map(|text| Value::Text(text.to_string())));
    }

    /// Takes a number over if it was given.
    pub fn whole<T>(&mut self, key: Key<T>, number: Option<u64>) {
        self.set(key, number.map(Value::Whole));
    }

    /// Takes a repeated flag over if it was given at least once.
    pub fn list(&mut self, key: Key<Vec<String>>, values: &[String]) {
        self.set(key, (!values.is_empty()).then(|| Value::List(values.to_vec())));
    }
}

/// All settings of one run.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, (Value, Source)>,
}

impl Settings {
    /// The built-in values alone.
    pub fn defaults() -> Self {
        let mut settings = Self::default();
        for setting in SETTINGS {
            if let Some(default) = setting.default {
                let value = setting.kind.read(default).expect("a test reads every default");
                settings.values.insert(setting.name, (value, Source::Default));
            }
        }
        settings
    }

    /// The value of a setting.
    pub fn get<T: FromValue>(&self, key: Key<T>) -> T {
        T::from_value(self.values.get(key.name).map(|(value, _)| value))
            .expect("a test reads every setting as the type of its key")
    }

    /// Where the value of a setting came from; `None` if nothing set it.
    pub fn source<T>(&self, key: Key<T>) -> Option<&Source> {
        self.values.get(key.name).map(|(_, source)| source)
    }

    /// Sets a value, whatever was there.
    pub(super) fn put(&mut self, name: &str, value: Value, source: Source) {
        if let Some(setting) = named(name) {
            self.values.insert(setting.name, (value, source));
        }
    }

    /// These settings with what the flags say on top.
    #[must_use]
    pub fn with(mut self, overrides: &Overrides) -> Self {
        for (name, value) in &overrides.values {
            self.put(name, value.clone(), Source::Flag);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_fits_its_key_and_no_name_is_twice() {
        super::super::keys::check_types(&Settings::defaults());
        for (index, setting) in SETTINGS.iter().enumerate() {
            assert!(!SETTINGS[..index].iter().any(|other| other.name == setting.name));
        }
    }
}
