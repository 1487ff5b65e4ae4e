//! A TOML file as a layer: every key is checked where it stands, so that a misspelt or forbidden
//! one is named with its line.

use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::chains::ChainEntry;
use super::error::ConfigError;
use super::keys::{Place, SETTINGS, Setting, named};
use super::value::{FromValue, Kind, Value};
use crate::base::nearest;
use crate::cost::OwnPrice;

/// Keys of a `[providers.NAME]` section.
const PROVIDER_KEYS: [&str; 11] = [
    "kind",
    "base_url",
    "api_key_env",
    "api_version",
    "model",
    "tier",
    "fence",
    "timeout",
    "concurrency",
    "rpm",
    "tpm",
];

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    User,
    Project,
}

/// `[providers.NAME]` as it is written; the fields that are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderEntry {
    /// A built-in provider, or `openai-compatible`.
    pub kind: Option<String>,
    /// The address.
    pub base_url: Option<String>,
    /// The variable that holds the key.
    pub api_key_env: Option<String>,
    /// The version of the API that calls name.
    pub api_version: Option<String>,
    /// The model when none is given.
    pub model: Option<String>,
    /// The account's tier.
    pub tier: Option<u64>,
    /// Whether a deleted input file is known to stop a late create.
    pub fence_trusted: Option<bool>,
    /// How long one call may take.
    pub timeout: Option<Duration>,
    /// The limits of calls.
    pub limits: SetLimits,
}

/// Limits of calls as they are set; `None` leaves them to be found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetLimits {
    /// Calls at once.
    pub concurrency: Option<u64>,
    /// Calls in a minute.
    pub rpm: Option<u64>,
    /// Tokens in a minute.
    pub tpm: Option<u64>,
}

impl SetLimits {
    /// These where they are set, else the others.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            concurrency: self.concurrency.or(others.concurrency),
            rpm: self.rpm.or(others.rpm),
            tpm: self.tpm.or(others.tpm),
        }
    }
}

impl ProviderEntry {
    /// Takes over what a higher layer sets.
    pub(super) fn fill(&mut self, higher: Self) {
        self.kind = higher.kind.or(self.kind.take());
        self.base_url = higher.base_url.or(self.base_url.take());
        self.api_key_env = higher.api_key_env.or(self.api_key_env.take());
        self.api_version = higher.api_version.or(self.api_version.take());
        self.model = higher.model.or(self.model.take());
        self.tier = higher.tier.or(self.tier);
        self.fence_trusted = higher.fence_trusted.or(self.fence_trusted);
        self.timeout = higher.timeout.or(self.timeout);
        self.limits = higher.limits.or(self.limits);
    }
}

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct FileLayer {
    /// The setting, its value, its place.
    pub(super) values: Vec<(&'static Setting, Value, String)>,
    pub(super) providers: Vec<(String, ProviderEntry)>,
    pub(super) chains: Vec<(String, ChainEntry)>,
    pub(super) prices: Vec<OwnPrice>,
}

/// Reads a file's text; `path` is for messages.
pub(super) fn read(text: &str, path: &Path, owner: Owner) -> Result<FileLayer, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reader = Reader { text, path, owner };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: reader.place(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut layer = FileLayer::default();
    for (name, value) in table.get_ref() {
        match (name.get_ref().as_ref(), value.get_ref()) {
            ("default_provider", _) => {
                let setting = named("provider").expect("provider is in the table of settings");
                let place = reader.place(name.span().start);
                layer.values.push((setting, reader.value(setting, value)?, place));
            }
            ("defaults", DeValue::Table(section)) => reader.section(section, false, &mut layer)?,
            ("job", DeValue::Table(section)) if owner == Owner::Project => {
                reader.section(section, true, &mut layer)?;
            }
            ("job", DeValue::Table(_)) => {
                let why = "it belongs in ./batchctl.toml of the folder of the job";
                return Err(reader.banned("[job]", name.span().start, why));
            }
            ("providers", DeValue::Table(section)) => {
                for (name, value) in section {
                    layer.providers.push((name.get_ref().to_string(), reader.provider(value)?));
                }
            }
            ("chains", _) if owner == Owner::Project => {
                let why = "it decides who is paid; set it in your own configuration";
                return Err(reader.banned("[chains]", name.span().start, why));
            }
            ("chains", DeValue::Table(section)) => {
                for (name, value) in section {
                    layer
                        .chains
                        .push((name.get_ref().to_string(), reader.chain(name.get_ref(), value)?));
                }
            }
            ("prices", _) if owner == Owner::Project => {
                let why = "it decides about money; set it in your own configuration";
                return Err(reader.banned("[prices]", name.span().start, why));
            }
            ("prices", DeValue::Table(section)) => {
                for (name, value) in section {
                    layer.prices.push(reader.price(name, value)?);
                }
            }
            ("defaults" | "job" | "providers" | "chains" | "prices", _) => {
                let message = "a section is wanted: [defaults], [job], [providers.NAME], \
                               [chains.NAME], [prices.\"MODEL\"]";
                return Err(reader.wrong(name.get_ref(), name.span().start, message.into()));
            }
            (unknown, value) => {
                let is_section = matches!(value, DeValue::Table(_));
                return Err(reader.unknown_top((unknown, is_section), name.span().start));
            }
        }
    }
    Ok(layer)
}

pub(super) struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
    owner: Owner,
}

impl Reader<'_> {
    /// `file:line` of a byte offset.
    pub(super) fn place(&self, offset: usize) -> String {
        let line = self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1;
        format!("{}:{line}", self.path.display())
    }

    fn section(
        &self,
        table: &DeTable<'_>,
        is_job: bool,
        layer: &mut FileLayer,
    ) -> Result<(), ConfigError> {
        for (name, value) in table {
            let start = name.span().start;
            let setting = named(name.get_ref()).ok_or_else(|| ConfigError::Unknown {
                place: self.place(start),
                what: "setting",
                name: name.get_ref().to_string(),
                nearest: nearest(name.get_ref(), visible()).map(ToOwned::to_owned),
            })?;
            match setting.place {
                Place::NotProject(why) if self.owner == Owner::Project => {
                    let why = format!("{why}; set it in your own configuration or by a flag");
                    return Err(self.banned(setting.name, start, &why));
                }
                Place::Hidden if self.owner == Owner::Project => {
                    return Err(self.banned(setting.name, start, "it is for tests"));
                }
                Place::Job if !is_job => {
                    let why = "it belongs in [job] of ./batchctl.toml";
                    return Err(self.banned(setting.name, start, why));
                }
                _ => {}
            }
            layer.values.push((setting, self.value(setting, value)?, self.place(start)));
        }
        Ok(())
    }

    fn value(&self, setting: &Setting, value: &Spanned<DeValue<'_>>) -> Result<Value, ConfigError> {
        read_toml(setting.kind, value.get_ref())
            .map_err(|message| self.wrong(setting.name, value.span().start, message))
    }

    fn provider(&self, value: &Spanned<DeValue<'_>>) -> Result<ProviderEntry, ConfigError> {
        let DeValue::Table(table) = value.get_ref() else {
            let message = "a section [providers.NAME] is wanted".to_owned();
            return Err(self.wrong("providers", value.span().start, message));
        };
        let mut entry = ProviderEntry::default();
        for (name, value) in table {
            let key = name.get_ref().as_ref();
            if self.owner == Owner::Project && matches!(key, "kind" | "base_url" | "api_key_env") {
                let why = "it decides where data and keys go; set it in your own configuration";
                return Err(self.banned(key, name.span().start, why));
            }
            if self.owner == Owner::Project && key == "fence" {
                let why = "it decides about money; set it in your own configuration";
                return Err(self.banned(key, name.span().start, why));
            }
            let read = |kind| {
                read_toml(kind, value.get_ref())
                    .map_err(|message| self.wrong(key, value.span().start, message))
            };
            match key {
                "kind" => entry.kind = Some(read(Kind::Text)?.to_string()),
                "base_url" => entry.base_url = Some(read(Kind::Text)?.to_string()),
                "api_key_env" => entry.api_key_env = Some(self.variable(&read(Kind::Text)?, name)?),
                "api_version" => entry.api_version = Some(read(Kind::Text)?.to_string()),
                "model" => entry.model = Some(read(Kind::Text)?.to_string()),
                "tier" => entry.tier = u64::from_value(Some(&read(Kind::Whole)?)),
                "timeout" => entry.timeout = Duration::from_value(Some(&read(Kind::Duration)?)),
                "concurrency" => {
                    entry.limits.concurrency = u64::from_value(Some(&read(Kind::Positive)?));
                }
                "rpm" => entry.limits.rpm = u64::from_value(Some(&read(Kind::Positive)?)),
                "tpm" => entry.limits.tpm = u64::from_value(Some(&read(Kind::Positive)?)),
                "fence" => {
                    entry.fence_trusted = Some(match read(Kind::Text)?.to_string().as_str() {
                        "trusted" => true,
                        "untrusted" => false,
                        _ => {
                            let message = "\"trusted\" or \"untrusted\" is wanted".to_owned();
                            return Err(self.wrong(key, value.span().start, message));
                        }
                    });
                }
                _ => {
                    return Err(ConfigError::Unknown {
                        place: self.place(name.span().start),
                        what: "provider setting",
                        name: key.to_owned(),
                        nearest: nearest(key, PROVIDER_KEYS).map(ToOwned::to_owned),
                    });
                }
            }
        }
        Ok(entry)
    }

    /// People write the key itself where its variable's name belongs; it must not be repeated.
    fn variable(
        &self,
        value: &Value,
        name: &Spanned<std::borrow::Cow<'_, str>>,
    ) -> Result<String, ConfigError> {
        let text = value.to_string();
        let is_name = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name && !text.is_empty() && text.len() <= 64 {
            return Ok(text);
        }
        let message =
            "the name of an environment variable is wanted, not a key (keys: batchctl login)";
        Err(self.wrong("api_key_env", name.span().start, message.into()))
    }

    pub(super) fn wrong(&self, name: &str, offset: usize, message: String) -> ConfigError {
        ConfigError::Value { place: self.place(offset), name: name.to_owned(), message }
    }

    fn banned(&self, name: &str, offset: usize, why: &str) -> ConfigError {
        ConfigError::Banned {
            place: self.place(offset),
            name: name.to_owned(),
            why: why.to_owned(),
        }
    }

    fn unknown_top(&self, (name, is_section): (&str, bool), offset: usize) -> ConfigError {
        // `[default]` is a slip of `[defaults]`, though there is a setting of that name.
        if !is_section && named(name).is_some() {
            return ConfigError::Value {
                place: self.place(offset),
                name: name.to_owned(),
                message: "write it below a line [defaults]".into(),
            };
        }
        let known = ["default_provider", "defaults", "providers", "chains", "prices", "job"];
        if nearest(name, known).is_none() {
            let meant = nearest(name, visible()).map(|setting| {
                format!("no such key; did you mean `{setting}`, below a line [defaults]?")
            });
            let message = meant.unwrap_or_else(|| {
                "no such key; at the top stand default_provider, [defaults], [providers.NAME], \
                 [chains.NAME], [prices.MODEL] and [job]"
                    .to_owned()
            });
            return self.wrong(name, offset, message);
        }
        ConfigError::Unknown {
            place: self.place(offset),
            what: "key",
            name: name.to_owned(),
            nearest: nearest(name, known).map(ToOwned::to_owned),
        }
    }
}

/// Names worth suggesting.
pub(super) fn visible() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter(|setting| setting.place != Place::Hidden).map(|setting| setting.name)
}

fn read_toml(kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
    let wanted = || Err(format!("{} is wanted", kind.describe()));
    match (kind, value) {
        (Kind::Flag, DeValue::Boolean(value)) => Ok(Value::Flag(*value)),
        (Kind::Flag, _) => wanted(),
        (Kind::List | Kind::Pairs, DeValue::Array(items)) => texts(items).map(Value::List),
        (Kind::Names, DeValue::Array(items)) => texts(items).map(|all| Value::Text(all.join(","))),
        (Kind::Pairs, DeValue::Table(table)) => Ok(Value::List(
            table
                .iter()
                .map(|(name, value)| format!("{}={}", name.get_ref(), json_of(value.get_ref())))
                .collect(),
        )),
        (_, DeValue::String(text))
            if !matches!(kind, Kind::Whole | Kind::Positive | Kind::Number) =>
        {
            kind.read(text)
        }
        (
            Kind::Whole | Kind::Positive | Kind::Number | Kind::Duration | Kind::Wait | Kind::Size,
            DeValue::Integer(number),
        ) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => kind.read(&number.to_string()),
            Err(_) => wanted(),
        },
        (Kind::Number | Kind::Duration, DeValue::Float(number)) => kind.read(number.as_str()),
        _ => wanted(),
    }
}

pub(super) fn texts(items: &[Spanned<DeValue<'_>>]) -> Result<Vec<String>, String> {
    items
        .iter()
        .map(|item| item.get_ref().as_str().map(ToOwned::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| "a list of texts is wanted".to_owned())
}

fn json_of(value: &DeValue<'_>) -> serde_json::Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).unwrap_or_default().into()
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().unwrap_or_default().into(),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Datetime(value) => value.to_string().into(),
        DeValue::Array(items) => items.iter().map(|item| json_of(item.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(name, value)| (name.get_ref().to_string(), json_of(value.get_ref())))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
