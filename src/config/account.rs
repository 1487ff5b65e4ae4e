//! Who is asked, where, and with which key.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::error::ConfigError;
use super::file::SetLimits;
use super::key;
use super::keyring::Keyring;
use super::settings::{Settings, Source};
use crate::base::nearest;
use crate::base::{Clock, Secret};
use crate::provider::{
    Address, COMPATIBLE, Dialect, PROVIDERS, ProviderError, ProviderSettings, Proxy, SANDBOX,
    Timeouts, provider_of_model,
};

/// The provider and the model that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// A built-in name or one of `[providers.NAME]`.
    pub provider: String,
    /// The model; `None` leaves it to the provider's default.
    pub model: Option<String>,
}

/// One provider as the user configured it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name it is called by.
    pub name: String,
    /// What it is like: the built-in provider it is of, or `openai-compatible`.
    pub dialect: &'static Dialect,
    /// The address, without a slash at its end; `sandbox:` for the sandbox.
    pub base_url: String,
    /// What is unusual about the address, for a note before the first call.
    pub note: Option<String>,
    /// The account's tier, where the user says it.
    pub tier: Option<u64>,
    /// Whether a deleted input file is known to stop a late create, where the user says it.
    pub fence_trusted: Option<bool>,
    /// The version of the API that calls name, where the user says it.
    pub api_version: Option<String>,
    /// How long one call to it may take, where its section says it.
    pub timeout: Option<Duration>,
    /// The limits of calls that its section sets.
    pub limits: SetLimits,
    /// The variables its key may stand in.
    variables: Vec<String>,
}

/// Where a key was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// An environment variable.
    Environment(String),
    /// `.env` of the working folder; to be noted before the first use.
    DotEnv(PathBuf),
    /// What `login` kept.
    KeyFile(PathBuf),
    /// None is needed.
    NotNeeded,
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "key from {name}"),
            Self::DotEnv(_) => f.write_str("key from ./.env"),
            Self::KeyFile(path) => write!(f, "key from {}", path.display()),
            Self::NotNeeded => f.write_str("no key needed"),
        }
    }
}

impl Settings {
    /// Who is asked first. Never guessed from the keys that are there: the provider that was named,
    /// else the one whose well-known model was named, else `openai`. A model given with a flag
    /// of its own comes before `NAME:MODEL`, and either before the provider's section.
    pub fn who(&self) -> Result<Who, ConfigError> {
        Ok(self.asked()?.first)
    }

    /// The first of those who are asked, as it was written.
    pub(super) fn first_asked(&self, asked: Option<&str>) -> Result<Who, ConfigError> {
        let model: Option<String> = self.get(key::MODEL);
        let (provider, with_model) = match asked {
            Some(text) => match text.split_once(':') {
                Some((name, model)) => (name.trim(), Some(model.trim().to_owned())),
                None => (text.trim(), None),
            },
            None => (vendor(model.as_deref()), None),
        };
        self.check_name(provider)?;
        let rank = |source: Option<&Source>| source.map_or(0, Source::rank);
        let is_flag_later = rank(self.source(key::MODEL)) >= rank(self.source(key::PROVIDER));
        let of_section = self.providers.get(provider).and_then(|(entry, _)| entry.model.clone());
        let model = match (model, with_model) {
            (Some(model), with) if with.is_none() || is_flag_later => {
                // A general default must not replace what was said for this provider.
                let is_general = rank(self.source(key::MODEL)) < Source::Flag.rank();
                of_section.filter(|_| is_general).or(Some(model))
            }
            (_, with) => with.or(of_section),
        };
        Ok(Who { provider: provider.to_owned(), model: model.filter(|model| !model.is_empty()) })
    }

    /// Every provider that may be named.
    pub fn provider_names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            PROVIDERS.iter().map(|dialect| dialect.name.to_owned()).collect();
        let own = self.providers.keys().filter(|name| built_in(name).is_none());
        names.extend(own.cloned());
        names
    }

    pub(super) fn check_name(&self, name: &str) -> Result<(), ConfigError> {
        if built_in(name).is_some() || self.providers.contains_key(name) {
            return Ok(());
        }
        let names = self.asked_names();
        Err(ConfigError::NoProvider {
            name: shown(name),
            // The name of a chain is none of a provider, and not what was meant by it.
            nearest: nearest(name, names.iter().map(String::as_str))
                .filter(|known| *known != name)
                .map(ToOwned::to_owned),
            names,
        })
    }

    /// The provider of this name as it is configured.
    pub fn account(&self, name: &str) -> Result<Account, ConfigError> {
        self.check_name(name)?;
        let (entry, source) = self.providers.get(name).cloned().unwrap_or_default();
        let place = format!("{source} [providers.{name}]");
        let dialect = match (&entry.kind, built_in(name)) {
            (Some(kind), _) => kind_named(kind, &place)?,
            (None, Some(dialect)) => dialect,
            (None, None) => &COMPATIBLE,
        };
        // Vendors' variables belong to the provider of the vendor's name, not to a second account.
        let own = (dialect.name == name).then_some(dialect);
        let (base_url, note) =
            self.address(name, own, dialect, entry.base_url.as_deref(), &place)?;
        let variables = self.key_variables(name);
        Ok(Account {
            name: name.to_owned(),
            dialect,
            base_url,
            note,
            tier: entry.tier.or_else(|| self.get(key::TIER)),
            fence_trusted: entry.fence_trusted,
            api_version: entry.api_version,
            timeout: entry.timeout,
            limits: entry.limits,
            variables,
        })
    }

    /// The address: the vendor's variable, the section's, the built-in one.
    fn address(
        &self,
        name: &str,
        own: Option<&Dialect>,
        dialect: &Dialect,
        of_section: Option<&str>,
        place: &str,
    ) -> Result<(String, Option<String>), ConfigError> {
        if dialect.name == SANDBOX.name && of_section.is_none() {
            return Ok(("sandbox:".to_owned(), None));
        }
        let variables = own.map_or(&[][..], |dialect| dialect.base_url_variables);
        let of_variable = variables
            .iter()
            .find_map(|variable| Some((self.around.variable(variable)?, *variable)));
        if let Some((url, place)) = of_variable.or(of_section.map(|url| (url, place))) {
            let url = Address::parse(url)
                .map_err(|source| ConfigError::Provider { place: place.to_owned(), source })?;
            let url = url.as_str().to_owned();
            let note =
                (dialect.base_url != url).then(|| format!("{name} is at {url} (from {place})"));
            return Ok((url, note));
        }
        if dialect.base_url.is_empty() {
            return Err(ConfigError::Value {
                place: place.to_owned(),
                name: "base_url".into(),
                message: "an address is needed, for example \"https://openrouter.ai/api/v1\""
                    .into(),
            });
        }
        // An address in .env is not taken, and silence about that would mislead.
        let ignored = variables.iter().find(|variable| self.dot_env.get(variable).is_some());
        let note = ignored.map(|variable| {
            format!("{variable} in ./.env is not used: addresses come from the environment or your own configuration")
        });
        Ok((dialect.base_url.to_owned(), note))
    }

    /// What the provider room needs to open this account for calls.
    pub fn provider_settings(
        &self,
        account: &Account,
        key: Secret,
        clock: Arc<dyn Clock>,
    ) -> Result<ProviderSettings, ConfigError> {
        let proxy = self.get(key::PROXY).unwrap_or_else(|| "system".to_owned());
        let place = match self.source(key::PROXY) {
            Some(Source::Flag) => "--proxy".to_owned(),
            source => source.map_or_else(String::new, ToString::to_string),
        };
        let proxy: Proxy =
            proxy.parse().map_err(|source| ConfigError::Provider { place, source })?;
        Ok(ProviderSettings {
            name: account.name.clone(),
            dialect: account.dialect,
            base_url: Some(account.base_url.clone()),
            key,
            proxy,
            timeouts: Timeouts::default(),
            fence_trusted: account.fence_trusted,
            api_version: account.api_version.clone(),
            clock,
        })
    }

    /// The key of a provider: its variable in the environment, then in `.env`, then the key file.
    pub fn key_of(&self, account: &Account) -> Result<(Secret, KeySource), ConfigError> {
        if account.is_sandbox() {
            return Ok((Secret::new("sandbox-local"), KeySource::NotNeeded));
        }
        for variable in &account.variables {
            if let Some(key) = self.around.variable(variable) {
                let source = KeySource::Environment(variable.clone());
                return Ok((Secret::new(key.trim()), source));
            }
        }
        for variable in &account.variables {
            if let Some(key) = self.dot_env.get(variable) {
                return Ok((Secret::new(key.trim()), KeySource::DotEnv(self.dot_env.path.clone())));
            }
        }
        let keyring = Keyring::open(&self.around.home()?)?;
        if let Some(kept) = keyring.get(&account.name) {
            if kept.base_url != account.base_url {
                return Err(ConfigError::KeyElsewhere {
                    provider: account.name.clone(),
                    kept: kept.base_url.clone(),
                    now: account.base_url.clone(),
                });
            }
            return Ok((kept.key.clone(), KeySource::KeyFile(keyring.path().to_owned())));
        }
        if account.variables.is_empty() && is_loopback(&account.base_url) {
            return Ok((Secret::new("none"), KeySource::NotNeeded));
        }
        Err(ConfigError::NoKey {
            provider: account.name.clone(),
            variable: account.variables.first().cloned(),
            present: self.present_keys(),
        })
    }

    /// The providers whose keys are there, sorted as in the list of names.
    pub fn present_keys(&self) -> Vec<String> {
        let keyring = self.around.home().ok().and_then(|home| Keyring::open(&home).ok());
        let is_present = |name: &String| {
            let variables = self.key_variables(name);
            variables.iter().any(|variable| {
                self.around.variable(variable).is_some() || self.dot_env.get(variable).is_some()
            }) || keyring.as_ref().is_some_and(|keyring| keyring.get(name).is_some())
        };
        self.provider_names().into_iter().filter(is_present).collect()
    }

    fn key_variables(&self, name: &str) -> Vec<String> {
        let of_section = self.providers.get(name).and_then(|(entry, _)| entry.api_key_env.clone());
        match (of_section, built_in(name)) {
            (Some(variable), _) => vec![variable],
            (None, Some(dialect)) => {
                dialect.key_variables.iter().map(ToString::to_string).collect()
            }
            (None, None) => Vec::new(),
        }
    }

    /// Makes every key in the environment and `.env` known to [`crate::base::redact`], whether
    /// or not it will be used: a provider may repeat any of them.
    pub(super) fn register_keys(&self) {
        for name in self.provider_names() {
            for variable in self.key_variables(&name) {
                for text in [self.around.variable(&variable), self.dot_env.get(&variable)] {
                    text.map(|key| Secret::new(key.trim()));
                }
            }
        }
    }
}

impl Account {
    /// Whether it is the one in this program, at no address and without a key.
    pub fn is_sandbox(&self) -> bool {
        self.base_url == "sandbox:"
    }
}

/// Whether an address is on this machine; the sandbox in this program is.
pub fn is_loopback(url: &str) -> bool {
    url.starts_with("sandbox:") || Address::parse(url).is_ok_and(|address| address.is_loopback())
}

/// The provider whose well-known model was named, else the usual one.
fn vendor(model: Option<&str>) -> &'static str {
    model.and_then(provider_of_model).map_or("openai", |dialect| dialect.name)
}

fn built_in(name: &str) -> Option<&'static Dialect> {
    PROVIDERS.iter().find(|dialect| dialect.name == name)
}

fn kind_named(kind: &str, place: &str) -> Result<&'static Dialect, ConfigError> {
    crate::provider::dialect(kind).map_err(|error| {
        let ProviderError::UnknownProvider { known, .. } = error else {
            return ConfigError::Provider { place: place.to_owned(), source: error };
        };
        ConfigError::Unknown {
            place: place.to_owned(),
            what: "kind",
            name: kind.to_owned(),
            nearest: nearest(kind, known).map(ToOwned::to_owned),
        }
    })
}

/// A name for a message. People type a key where a name belongs; that must not be repeated.
pub(super) fn shown(name: &str) -> String {
    if name.starts_with("sk-") || name.chars().count() > 30 {
        return "(something long, perhaps a key)".into();
    }
    name.to_owned()
}
