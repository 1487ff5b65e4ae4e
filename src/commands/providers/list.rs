//! `providers list`: every provider that can be named. Of a key only where it is from is told.

use serde::Serialize;

use crate::commands::{Context, config_error};
use crate::config::{ConfigError, KeySource, without_secrets};
use crate::ui::{CommandError, ExitCode, grid};

/// One provider.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    kind: &'static str,
    base_url: String,
    /// Whether there is a key, or none is needed.
    has_key: bool,
    /// Where it is from, or what to do.
    key: String,
    model: Option<String>,
    batch: bool,
    realtime: bool,
    images: bool,
    /// Whether it is of the user's own.
    own: bool,
}

#[derive(Debug, Serialize)]
struct Document {
    schema_version: u32,
    providers: Vec<Listed>,
    chains: Vec<Chain>,
}

#[derive(Debug, Serialize)]
struct Chain {
    name: String,
    members: Vec<String>,
}

/// Prints the list.
pub(super) fn run(context: &Context) -> Result<ExitCode, CommandError> {
    let names = context.settings.provider_names();
    let providers: Vec<Listed> =
        names.iter().map(|name| listed(context, name)).collect::<Result<_, _>>()?;
    let chains: Vec<Chain> = context
        .settings
        .chain_entries()
        .iter()
        .map(|(name, (entry, _))| Chain { name: name.clone(), members: entry.members.clone() })
        .collect();
    if context.json {
        context.printer.json(&Document { schema_version: 1, providers, chains })?;
        return Ok(ExitCode::Success);
    }
    let words = ["NAME", "KIND", "MODEL", "BATCH", "NOW", "KEY", "ADDRESS"];
    let mut rows = vec![words.map(str::to_owned).to_vec()];
    rows.extend(providers.iter().map(Listed::cells));
    for line in grid(&rows, &[]) {
        context.printer.data(&line)?;
    }
    for Chain { name, members } in &chains {
        context.printer.data(&format!("chain {name}: {}", members.join(", then ")))?;
    }
    Ok(ExitCode::Success)
}

fn listed(context: &Context, name: &str) -> Result<Listed, CommandError> {
    let settings = &context.settings;
    let account = settings.account(name).map_err(config_error)?;
    let dialect = account.dialect;
    let entry = settings.provider_entries().get(name).map(|(entry, _)| entry);
    let of_section = entry.and_then(|entry| entry.model.clone());
    let (has_key, key) = match settings.key_of(&account) {
        Ok((_, KeySource::NotNeeded)) => (true, "not needed".to_owned()),
        Ok((_, source)) => (true, from(&source)),
        Err(ConfigError::NoKey { .. }) => (false, "-".to_owned()),
        Err(error) => (false, error.to_string()),
    };
    Ok(Listed {
        name: name.to_owned(),
        kind: dialect.name,
        base_url: without_secrets(&account.base_url),
        has_key,
        key,
        model: of_section.or_else(|| dialect.default_model.map(str::to_owned)),
        batch: dialect.batches,
        realtime: true,
        images: dialect.images,
        own: dialect.name != name,
    })
}

fn from(source: &KeySource) -> String {
    match source {
        KeySource::Environment(name) => name.clone(),
        KeySource::DotEnv(_) => "./.env".to_owned(),
        KeySource::KeyFile(_) => "login".to_owned(),
        KeySource::NotNeeded => "not needed".to_owned(),
    }
}

impl Listed {
    fn cells(&self) -> Vec<String> {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        vec![
            self.name.clone(),
            if self.own { self.kind.to_owned() } else { "built-in".to_owned() },
            self.model.clone().unwrap_or_else(|| "-".to_owned()),
            yes(self.batch),
            yes(self.realtime),
            self.key.clone(),
            self.base_url.clone(),
        ]
    }
}
