//! The environment and `.env` as layers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::file::visible;
use super::keys::{Place, Setting, named};
use super::value::Value;
use crate::base::nearest;

/// Variables with this beginning are settings.
const PREFIX: &str = "BATCHCTL_";
/// Those that are not settings but folders, files, flags of the sandbox, rehearsals of a crash
/// (`base`), and what the command of `--on-done` is told: it may well call this program.
const OTHERS: [&str; 14] = [
    "HOME",
    "CONFIG",
    "SANDBOX_BATCH_SECONDS",
    "SANDBOX_EXPIRE_SECONDS",
    "SANDBOX_ENQUEUED_TOKENS",
    "SANDBOX_FAULTS",
    "CRASH",
    "CRASH_COUNT",
    "CRASH_POWER",
    "FAULT",
    "JOB",
    "EXIT",
    "OUTPUT",
    "COST",
];

/// Environment variables, as a value so that tests can have their own.
pub type Environment = BTreeMap<String, String>;

/// A variable that another program of this kind has, and the setting that means the same here.
struct Seed {
    variable: &'static str,
    setting: &'static str,
    /// Whether its value is taken; one that would choose another price is only named.
    is_read: bool,
}

/// The variables that the programs have from whose users ours come.
const SEEDS: [Seed; 6] = [
    Seed { variable: "SERVICE_ORDER", setting: "provider", is_read: true },
    Seed { variable: "SERVICE_TIMEOUT", setting: "timeout", is_read: true },
    Seed { variable: "FAILURE_THRESHOLD", setting: "failure_threshold", is_read: true },
    Seed { variable: "COOL_DOWN_PERIOD", setting: "cool_down", is_read: true },
    Seed { variable: "USE_BATCH_API_FOR_GRAPH", setting: "mode", is_read: false },
    Seed { variable: "BATCH_API_THRESHOLD", setting: "batch_threshold", is_read: false },
];

/// What such variables set, below our own names for the same, with a line about each. A value
/// that says nothing here is left alone: other programs may have such a variable too.
pub(super) fn seeds<'a>(
    place: &str,
    get: impl Fn(&str) -> Option<&'a str>,
    (is_said, knows): (impl Fn(&str) -> bool, impl Fn(&str) -> bool),
) -> VariableLayer {
    let mut layer = VariableLayer::default();
    for Seed { variable, setting, is_read } in SEEDS {
        let ours = format!("{PREFIX}{}", setting.to_ascii_uppercase());
        let Some(text) = get(variable).filter(|_| !is_said(&ours)) else { continue };
        let Some(setting) = named(setting) else { continue };
        if !is_read {
            layer.warnings.push(format!(
                "{variable} in {place} is not read, it would decide about the price: {ours} is our \
                 name for it"
            ));
            continue;
        }
        let value = setting.kind.read(text).ok();
        let Some(value) = value.filter(|_| setting.name != "provider" || knows(text)) else {
            layer
                .warnings
                .push(format!("{variable} in {place} is ignored; {ours} is our name for it"));
            continue;
        };
        layer.warnings.push(format!("{variable} in {place} is read as {ours}={text}"));
        layer.values.push((setting, value, variable.to_owned()));
    }
    layer
}

/// Settings from variables, and what could not be understood.
#[derive(Debug, Default)]
pub(super) struct VariableLayer {
    /// The setting, its value, the variable.
    pub(super) values: Vec<(&'static Setting, Value, String)>,
    pub(super) warnings: Vec<String>,
}

/// The settings among the environment's variables. Empty ones count as unset.
pub(super) fn read(environment: &Environment) -> Result<VariableLayer, ConfigError> {
    let mut layer = VariableLayer::default();
    for (variable, text) in environment {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        if OTHERS.contains(&name) || text.is_empty() {
            continue;
        }
        match setting(name) {
            Some(setting) if setting.place != Place::Job => {
                let value = setting.kind.read(text).map_err(|message| ConfigError::Value {
                    place: "environment".into(),
                    name: variable.clone(),
                    message,
                })?;
                layer.values.push((setting, value, variable.clone()));
            }
            _ => layer.warnings.push(unknown("the environment", variable, name)),
        }
    }
    Ok(layer)
}

/// `default_provider` is the name in files of the setting `provider`.
fn setting(name: &str) -> Option<&'static Setting> {
    let name = name.to_ascii_lowercase();
    named(if name == "default_provider" { "provider" } else { &name })
}

fn unknown(place: &str, variable: &str, name: &str) -> String {
    let meant = nearest(name, visible())
        .map(|name| format!(" (did you mean {PREFIX}{}?)", name.to_ascii_uppercase()))
        .unwrap_or_default();
    format!("{variable} in {place} is not a setting and is ignored{meant}")
}

/// What `.env` of the working folder holds.
#[derive(Clone, Default)]
pub(super) struct DotEnv {
    pub(super) path: PathBuf,
    /// Variable, text, line.
    pub(super) variables: Vec<(String, String, usize)>,
}

/// Names only: the values are other programs' secrets.
impl fmt::Debug for DotEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.iter().map(|(name, ..)| name).collect();
        f.debug_struct("DotEnv").field("path", &self.path).field("names", &names).finish()
    }
}

impl DotEnv {
    pub(super) fn get(&self, variable: &str) -> Option<&str> {
        let found = self
            .variables
            .iter()
            .rev()
            .find(|(name, text, _)| name == variable && !text.is_empty());
        found.map(|(_, text, _)| text.as_str())
    }

    /// The settings in it, under the ban list of project files; those that the environment has
    /// are left out.
    pub(super) fn settings(&self, environment: &Environment) -> Result<VariableLayer, ConfigError> {
        let mut layer = VariableLayer::default();
        for (variable, text, line) in &self.variables {
            let Some(name) = variable.strip_prefix(PREFIX) else { continue };
            let place = format!("{}:{line}", self.path.display());
            let banned = |why: String| ConfigError::Banned {
                place: place.clone(),
                name: variable.clone(),
                why,
            };
            if OTHERS.contains(&name) {
                return Err(banned("set it in the environment".into()));
            }
            match setting(name) {
                Some(Setting { place: Place::NotProject(why), .. }) => {
                    return Err(banned(format!(
                        "{why}; set it in your own configuration or by a flag"
                    )));
                }
                Some(Setting { place: Place::Hidden, .. }) => {
                    return Err(banned("it is for tests".into()));
                }
                Some(setting) if setting.place != Place::Job => {
                    if environment.get(variable).is_some_and(|text| !text.is_empty())
                        || text.is_empty()
                    {
                        continue;
                    }
                    let value = setting.kind.read(text).map_err(|message| ConfigError::Value {
                        place: place.clone(),
                        name: variable.clone(),
                        message,
                    })?;
                    layer.values.push((setting, value, variable.clone()));
                }
                _ => layer.warnings.push(unknown(&place, variable, name)),
            }
        }
        Ok(layer)
    }
}

/// Reads `NAME=value` lines: `export`, quotes, comments and a byte order mark are understood;
/// nothing is expanded. Lines of other shapes are skipped, since other programs read this file
/// too.
pub(super) fn parse_dot_env(text: &str, path: &Path) -> DotEnv {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let variables = text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let (name, value) = assignment(line)?;
            Some((name.to_owned(), value, index + 1))
        })
        .collect();
    DotEnv { path: path.to_owned(), variables }
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    Some((name, unquote(value.trim())))
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote)
            && let Some(end) = inner.find(quote)
        {
            return inner[..end].to_owned();
        }
    }
    let end = value.find(" #").unwrap_or(value.len());
    value[..end].trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_env_lines_as_people_write_them() {
        let text = "\u{feff}A=1\r\n# comment\nexport B = two words \nC='x # y' # z\nD=\"q\"\nE=v # c\nnonsense\nF=\n=x\n";
        let dot_env = parse_dot_env(text, Path::new(".env"));
        let table = [
            ("A", Some("1")),
            ("B", Some("two words")),
            ("C", Some("x # y")),
            ("D", Some("q")),
            ("E", Some("v")),
            ("F", None),
            ("nonsense", None),
        ];
        for (name, expected) in table {
            assert_eq!(dot_env.get(name), expected, "{name}");
        }
    }
}
