//! The settings of one run, each with its source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use super::chains::Chains;
use super::environment::{self, DotEnv, parse_dot_env};
use super::error::ConfigError;
use super::file::{self, Owner, ProviderEntry, visible};
use super::keys::{Key, Place, SETTINGS, Setting, named};
use super::lower::lowered;
use super::surroundings::Surroundings;
use super::value::{FromValue, Value};
use crate::base::nearest;
use crate::cost::{OwnPrice, PriceBook, listings};

/// Where a value came from, lowest layer first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    #[default]
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

impl Source {
    /// The height of the layer.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::User(_) => 1,
            Self::Project(_) => 2,
            Self::DotEnv(_) => 3,
            Self::Environment(_) => 4,
            Self::Flag => 5,
        }
    }
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
    values: Vec<(&'static str, Value)>,
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
    pub fn text<T>(&mut self, key: Key<T>, text: Option<&str>) {
        self.set(key, text.map(|text| Value::Text(text.to_owned())));
    }

    /// Takes a number over if it was given.
    pub fn whole<T>(&mut self, key: Key<T>, number: Option<u64>) {
        self.set(key, number.map(Value::Whole));
    }

    /// Takes a repeated flag over if it was given at least once.
    pub fn list(&mut self, key: Key<Vec<String>>, values: &[String]) {
        self.set(key, (!values.is_empty()).then(|| Value::List(values.to_vec())));
    }

    /// Takes `key=value` of `--set` over; lists grow by it.
    pub fn assign(&mut self, assignment: &str) -> Result<(), ConfigError> {
        let (name, text) = assignment
            .split_once('=')
            .ok_or_else(|| ConfigError::Assignment(assignment.to_owned()))?;
        let setting = named(name).ok_or_else(|| ConfigError::Unknown {
            place: "--set".into(),
            what: "setting",
            name: name.to_owned(),
            nearest: nearest(name, visible()).map(ToOwned::to_owned),
        })?;
        if setting.place == Place::Job {
            return Err(ConfigError::Banned {
                place: "--set".into(),
                name: setting.name.to_owned(),
                why: "give it as an argument of the command".into(),
            });
        }
        let value = setting.kind.read(text).map_err(|message| ConfigError::Value {
            place: "--set".into(),
            name: setting.name.to_owned(),
            message,
        })?;
        let before = self.values.iter_mut().find(|(name, _)| *name == setting.name);
        match (before, value) {
            (Some((_, Value::List(all))), Value::List(more)) => all.extend(more),
            (_, value) => self.values.push((setting.name, value)),
        }
        Ok(())
    }
}

/// All settings of one run.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, (Value, Source)>,
    pub(super) providers: BTreeMap<String, (ProviderEntry, Source)>,
    pub(super) chains: Chains,
    prices: Vec<OwnPrice>,
    pub(super) dot_env: DotEnv,
    pub(super) around: Surroundings,
    warnings: Vec<String>,
}

impl Settings {
    /// The built-in values alone.
    pub fn defaults() -> Self {
        let mut settings = Self::default();
        for setting in SETTINGS {
            // That every default can be read is held by a test.
            if let Some(Ok(value)) = setting.default.map(|text| setting.kind.read(text)) {
                settings.values.insert(setting.name, (value, Source::Default));
            }
        }
        settings
    }

    /// All layers below the flags: defaults, the user's file, the project's file, `.env`, the
    /// environment.
    pub fn load(around: &Surroundings) -> Result<Self, ConfigError> {
        let mut settings = Self { around: around.clone(), ..Self::defaults() };
        if let Some((path, must_exist)) = around.user_file() {
            settings.add_file(&path, must_exist, Owner::User)?;
        }
        settings.add_file(&around.project_file(), false, Owner::Project)?;
        settings.check_prices()?;
        settings.check_chains()?;
        settings.add_variables()?;
        settings.register_keys();
        Ok(settings)
    }

    fn add_file(&mut self, path: &Path, must_exist: bool, owner: Owner) -> Result<(), ConfigError> {
        let Some(text) = read_if_there(path, must_exist)? else { return Ok(()) };
        let layer = file::read(&text, path, owner)?;
        let source = match owner {
            Owner::User => Source::User(path.to_owned()),
            Owner::Project => Source::Project(path.to_owned()),
        };
        for (setting, value, place) in layer.values {
            let value = match owner {
                Owner::User => value,
                Owner::Project => self.lowered(setting, value, (place, setting.name))?,
            };
            self.put(setting, value, source.clone());
        }
        for (name, entry) in layer.providers {
            let (known, from) = self.providers.entry(name).or_default();
            known.fill(entry);
            *from = source.clone();
        }
        for (name, entry) in layer.chains {
            self.chains.insert(name, (entry, source.clone()));
        }
        self.prices.extend(layer.prices);
        Ok(())
    }

    /// A price for a provider that does not exist would hold nowhere, and say nothing about it.
    fn check_prices(&self) -> Result<(), ConfigError> {
        let mut names = self.provider_names();
        names.extend(listings(None).map(|listing| listing.price.provider.clone()));
        let unknown = self.prices.iter().find_map(|price| {
            let name = price.provider.as_ref().filter(|name| !names.contains(name))?;
            Some((price, name.clone()))
        });
        let Some((price, name)) = unknown else { return Ok(()) };
        Err(ConfigError::Unknown {
            place: price.place.clone(),
            what: "provider",
            nearest: nearest(&name, names.iter().map(String::as_str)).map(ToOwned::to_owned),
            name,
        })
    }

    /// What variables of other programs say, below all of our own.
    fn add_seeds(&mut self) {
        let names = self.asked_names();
        let knows = |text: &str| {
            text.split([',', '，'])
                .all(|part| names.iter().any(|name| name == super::chains::split(part).0))
        };
        let around = self.around.clone();
        let dot_env = self.dot_env.clone();
        let is_said = |name: &str| dot_env.get(name).or(around.variable(name)).is_some();
        let in_file = environment::seeds("./.env", |name| dot_env.get(name), (is_said, knows));
        for (setting, value, _) in in_file.values {
            self.put(setting, value, Source::DotEnv(self.around.dot_env()));
        }
        let here =
            environment::seeds("the environment", |name| around.variable(name), (is_said, knows));
        for (setting, value, variable) in here.values {
            self.put(setting, value, Source::Environment(variable));
        }
        self.warnings.extend(in_file.warnings.into_iter().chain(here.warnings));
    }

    fn add_variables(&mut self) -> Result<(), ConfigError> {
        let path = self.around.dot_env();
        if let Some(text) = read_if_there(&path, false)? {
            self.dot_env = parse_dot_env(&text, &path);
        }
        self.add_seeds();
        let layer = self.dot_env.settings(&self.around.environment)?;
        self.warnings.extend(layer.warnings);
        for (setting, value, variable) in layer.values {
            let place = path.display().to_string();
            let value = self.lowered(setting, value, (place, &variable))?;
            self.put(setting, value, Source::DotEnv(path.clone()));
        }
        let layer = environment::read(&self.around.environment)?;
        self.warnings.extend(layer.warnings);
        for (setting, value, variable) in layer.values {
            self.put(setting, value, Source::Environment(variable));
        }
        Ok(())
    }

    /// The value that a cloned folder's file may give a setting.
    fn lowered(
        &self,
        setting: &Setting,
        value: Value,
        (place, name): (String, &str),
    ) -> Result<Value, ConfigError> {
        if setting.place != Place::Lower {
            return Ok(value);
        }
        let user = self.values.get(setting.name).map(|(value, _)| value);
        lowered(setting, user, value).map_err(|why| ConfigError::Banned {
            place,
            name: name.to_owned(),
            why,
        })
    }

    /// The value of a setting.
    ///
    /// # Panics
    ///
    /// If the type of the key does not fit its kind, which a test over all keys rules out.
    pub fn get<T: FromValue>(&self, key: Key<T>) -> T {
        T::from_value(self.values.get(key.name).map(|(value, _)| value))
            .expect("a test reads every setting as the type of its key")
    }

    /// Where the value of a setting came from; `None` if nothing set it.
    pub fn source<T>(&self, key: Key<T>) -> Option<&Source> {
        self.source_of(key.name)
    }

    fn source_of(&self, name: &str) -> Option<&Source> {
        self.values.get(name).map(|(_, source)| source)
    }

    /// The value of the setting with this name, as one would type it, where a flag or `--set` gives
    /// it.
    pub fn said(&self, name: &str) -> Option<String> {
        let (value, source) = self.values.get(name)?;
        (*source == Source::Flag).then(|| value.to_string())
    }

    /// Every visible setting with its value and source, `None` where nothing sets it.
    pub fn all(&self) -> impl Iterator<Item = (&'static Setting, Option<&(Value, Source)>)> {
        SETTINGS
            .iter()
            .filter(|setting| setting.place != Place::Hidden)
            .map(|setting| (setting, self.values.get(setting.name)))
    }

    /// The `[providers.NAME]` sections with the last file that has a part in each.
    pub fn provider_entries(&self) -> &BTreeMap<String, (ProviderEntry, Source)> {
        &self.providers
    }

    /// The list of prices in the program, below what `[prices."model"]` says.
    pub fn price_book(&self) -> PriceBook {
        PriceBook::new(self.prices.clone())
    }

    /// What was odd but not wrong, for the printer.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn put(&mut self, setting: &'static Setting, value: Value, source: Source) {
        self.values.insert(setting.name, (value, source));
    }

    /// These settings with what the flags say on top.
    #[must_use]
    pub fn with(mut self, overrides: &Overrides) -> Self {
        for (name, value) in &overrides.values {
            if let Some(setting) = named(name) {
                self.put(setting, value.clone(), Source::Flag);
            }
        }
        self
    }
}

/// The text of a file, `None` if there is none.
fn read_if_there(path: &Path, must_exist: bool) -> Result<Option<String>, ConfigError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => Ok(None),
        Err(source) => Err(ConfigError::File { path: path.to_owned(), source }),
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
