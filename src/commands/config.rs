//! `config show|path|validate`: what is set, and where.

use serde_json::{Map, json};

use super::flags::JsonArg;
use super::{Context, config_error};
use crate::config::{Settings, Value, without_secrets};
use crate::ui::{CommandError, ExitCode, grid};

/// Arguments of `config`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What `config` can do.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Action {
    /// Print every setting with its value and where it came from
    Show(JsonArg),
    /// Print the names of the files that are read
    Path,
    /// Read all files and say what is wrong with them
    Validate,
}

impl Args {
    /// Whether it must stop at an unreadable configuration.
    pub fn needs_settings(&self) -> bool {
        !matches!(self.action, Action::Path)
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    match &args.action {
        Action::Show(JsonArg { json: true }) => context.printer.json(&document(context))?,
        Action::Show(_) => {
            for line in table(&context.settings) {
                context.printer.data(&line)?;
            }
        }
        Action::Path => {
            for line in paths(context) {
                context.printer.data(&line)?;
            }
        }
        Action::Validate => validate(context)?,
    }
    Ok(ExitCode::Success)
}

/// A value as it may be shown: addresses without user and password.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) if text.contains("://") => without_secrets(text),
        value => value.to_string(),
    }
}

fn table(settings: &Settings) -> Vec<String> {
    let mut rows = vec![vec!["SETTING".to_owned(), "VALUE".to_owned(), "FROM".to_owned()]];
    for (setting, set) in settings.all() {
        let (value, source) = match set {
            Some((value, source)) => (shown(value), source.to_string()),
            None => ("-".to_owned(), String::new()),
        };
        rows.push(vec![setting.name.to_owned(), value, source]);
    }
    for (name, (entry, source)) in settings.provider_entries() {
        let fields = [
            ("kind", entry.kind.clone()),
            ("base_url", entry.base_url.as_deref().map(without_secrets)),
            ("api_key_env", entry.api_key_env.clone()),
            ("model", entry.model.clone()),
            ("tier", entry.tier.map(|tier| tier.to_string())),
            ("timeout", entry.timeout.map(|time| format!("{}s", time.as_secs_f64()))),
            ("concurrency", entry.limits.concurrency.map(|most| most.to_string())),
            ("rpm", entry.limits.rpm.map(|most| most.to_string())),
            ("tpm", entry.limits.tpm.map(|most| most.to_string())),
            (
                "fence",
                entry.fence_trusted.map(|yes| if yes { "trusted" } else { "untrusted" }.to_owned()),
            ),
        ];
        for (field, value) in fields {
            let Some(value) = value else { continue };
            rows.push(vec![format!("providers.{name}.{field}"), value, source.to_string()]);
        }
    }
    for (name, (entry, source)) in settings.chain_entries() {
        let members = entry.members.join(", ");
        rows.push(vec![format!("chains.{name}"), members, source.to_string()]);
    }
    for own in settings.price_book().own() {
        for (field, value) in own.fields() {
            rows.push(vec![format!("prices.{}.{field}", own.model), value, own.place.clone()]);
        }
    }
    for name in settings.present_keys() {
        let account = settings.account(&name).ok();
        let source = account.and_then(|account| settings.key_of(&account).ok());
        let source = source.map(|(_, source)| source.to_string()).unwrap_or_default();
        rows.push(vec![format!("key of {name}"), "present".to_owned(), source]);
    }
    grid(&rows, &[])
}

fn document(context: &Context) -> serde_json::Value {
    let settings: Map<String, serde_json::Value> = context
        .settings
        .all()
        .map(|(setting, set)| {
            let (value, source) = match set {
                Some((value, source)) => (json_of(value), json!(source.to_string())),
                None => (json!(null), json!(null)),
            };
            (setting.name.to_owned(), json!({ "value": value, "source": source }))
        })
        .collect();
    let prices: Vec<serde_json::Value> = context
        .settings
        .price_book()
        .own()
        .iter()
        .map(|own| {
            let fields =
                own.fields().into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
            let fields: Map<String, serde_json::Value> = fields.collect();
            json!({ "model": own.model, "values": fields, "source": own.place })
        })
        .collect();
    let chains: Map<String, serde_json::Value> = context
        .settings
        .chain_entries()
        .iter()
        .map(|(name, (entry, _))| (name.clone(), json!(entry.members)))
        .collect();
    json!({
        "schema_version": 1,
        "settings": settings,
        "chains": chains,
        "prices": prices,
        "keys_present": context.settings.present_keys(),
        "home": context.home.display().to_string(),
    })
}

fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Flag(value) => json!(value),
        Value::Whole(value) => json!(value),
        Value::Number(value) => json!(value),
        Value::List(values) => json!(values),
        Value::Duration(value) => json!(value.as_secs_f64()),
        Value::Text(_) => json!(shown(value)),
    }
}

fn paths(context: &Context) -> Vec<String> {
    let around = &context.surroundings;
    let user = around.user_file().map(|(path, _)| path);
    let files = [
        ("user", user),
        ("project", Some(around.project_file())),
        (".env", Some(around.dot_env())),
        ("keys", Some(context.home.join("keys.toml"))),
        ("home", Some(context.home.clone())),
    ];
    let rows: Vec<Vec<String>> = files
        .into_iter()
        .filter_map(|(name, path)| {
            let path = path?;
            let state = if path.exists() { "" } else { "(not there)" };
            Some(vec![name.to_owned(), path.display().to_string(), state.to_owned()])
        })
        .collect();
    grid(&rows, &[])
}

/// The settings have been read already; what is left are the providers' sections.
fn validate(context: &Context) -> Result<(), CommandError> {
    let settings = &context.settings;
    settings.prompt().map_err(config_error)?;
    settings.system().map_err(config_error)?;
    for name in settings.provider_entries().keys() {
        settings.account(name).map_err(config_error)?;
    }
    settings.asked().map_err(config_error)?;
    for own in settings.price_book().own() {
        let today = context.today();
        if let Some(warning) = own.alone().is_old(today) {
            context.printer.warning(&format!("prices.{}: {warning}", own.model));
        }
    }
    context.printer.note("the configuration is fine");
    Ok(())
}
