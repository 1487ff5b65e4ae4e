//! Who is asked and paid: settings and keys become an open provider.

use std::time::Duration;

use super::asking_like::said_model;
use super::follow::default_interval;
use super::jobs::Found;
use crate::base::Secret;
use crate::commands::sandbox::options_by_environment;
use crate::commands::{Context, config_error, missing_key};
use crate::config::{Account, KeySource, Settings, key};
use crate::cost::Price;
use crate::provider::{
    Address, BatchApi, KEY_PREFIX, ProviderError, ProviderSettings, SANDBOX, Vendor,
    enqueued_tokens, open,
};
use crate::sandbox::{Family, Running, SandboxOptions, serve};
use crate::ui::{CommandError, ExitCode};

/// What the address of the sandbox in this program is stored as: its port is another each time.
pub(super) const SANDBOX_URL: &str = "sandbox:";
/// What a run that sends nothing has for a key.
const NO_KEY: &str = "none";

/// Whether calls will be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Need {
    /// Calls will be made.
    Key,
    /// Nothing is sent.
    NoKey,
}

/// An open provider.
pub(in crate::commands) struct Who {
    /// The name it is called by.
    pub(in crate::commands) name: String,
    /// The model that is asked.
    pub(in crate::commands) model: String,
    /// The calls.
    pub(in crate::commands) api: Box<dyn BatchApi>,
    /// The address as it is stored and hashed.
    pub(in crate::commands) stored_url: String,
    /// Fingerprint of the key; empty where none is needed.
    pub(in crate::commands) account: String,
    /// The prompt tokens that may be queued, as published for the account's tier.
    pub(in crate::commands) published_queue: Option<u64>,
    /// What the model costs there; `None` = unknown. At a loopback address it is for rehearsal.
    pub(in crate::commands) price: Option<Price>,
    /// Whether nothing leaves this machine.
    pub(in crate::commands) is_loopback: bool,
    /// Whether a sandbox answers, here or at a loopback address: what it makes up is used for
    /// nothing else.
    pub(in crate::commands) is_sandbox: bool,
    /// The longest pause between two questions.
    pub(in crate::commands) check_interval: Duration,
    /// The sandbox in this process, stopped when this is dropped.
    _sandbox: Option<Running>,
}

impl Who {
    /// What speaks against sending this model's requests in batches now, or against its price.
    pub(in crate::commands) fn warnings(&self, context: &Context) -> Vec<String> {
        let of = |price: &Price| price.warnings(&self.model, context.today());
        self.price.as_ref().map(of).unwrap_or_default()
    }

    /// Takes another model of the same provider for the one that is asked and paid.
    pub(super) fn ask_model(&mut self, context: &Context, model: &str) -> Result<(), CommandError> {
        if self.model == model {
            return Ok(());
        }
        let account = context.settings.account(&self.name).map_err(config_error)?;
        if account.base_url != SANDBOX_URL {
            let mut settings = ProviderSettings::new(account.dialect, Secret::new(NO_KEY));
            settings.base_url = Some(account.base_url.clone());
            settings.check_model(model).map_err(usage)?;
        }
        self.price = price_of(&context.settings, &account, model);
        self.published_queue = enqueued_tokens(account.dialect.name, model, account.tier);
        model.clone_into(&mut self.model);
        Ok(())
    }

    /// Calls what is asked by this name; several models have no price together.
    pub(super) fn forget_price(&mut self, models: String) {
        (self.model, self.price, self.published_queue) = (models, None, None);
    }
}

/// The provider and model that the settings name.
pub(in crate::commands) fn who_is_asked(
    context: &Context,
    need: Need,
) -> Result<Who, CommandError> {
    let asked = context.settings.who().map_err(config_error)?;
    open_account(context, &asked.provider, asked.model, need)
}

/// The provider that a job was planned for.
pub(in crate::commands) fn who_of_job(
    context: &Context,
    found: &Found,
) -> Result<Who, CommandError> {
    who_of_retry(context, found, None)
}

/// The same, to ask another model.
pub(in crate::commands) fn who_of_retry(
    context: &Context,
    found: &Found,
    model: Option<&str>,
) -> Result<Who, CommandError> {
    let model = model.unwrap_or(&found.spec.question.model).to_owned();
    let who = open_account(context, &found.job.provider, Some(model), Need::Key)?;
    if who.stored_url != found.job.base_url {
        return Err(CommandError::usage(format!(
            "job {} was submitted to {} at {}, which is now set to {}",
            found.job.short(),
            found.job.provider,
            found.job.base_url,
            who.stored_url
        ))
        .hint("set the address back to go on with this job"));
    }
    Ok(who)
}

/// The same for what makes no call: neither key nor a matching address is asked for.
pub(in crate::commands) fn who_asked(
    context: &Context,
    found: &Found,
) -> Result<Who, CommandError> {
    let model = Some(found.spec.question.model.clone());
    open_account(context, &found.job.provider, model, Need::NoKey)
}

/// The same with the model that the line names.
pub(super) fn who_asked_like(context: &Context, found: &Found) -> Result<Who, CommandError> {
    let model = said_model(context).unwrap_or_else(|| found.spec.question.model.clone());
    open_account(context, &found.job.provider, Some(model), Need::NoKey)
}

fn open_account(
    context: &Context,
    name: &str,
    model: Option<String>,
    need: Need,
) -> Result<Who, CommandError> {
    let account = context.settings.account(name).map_err(config_error)?;
    let dialect = account.dialect;
    let model = model.or_else(|| dialect.default_model.map(str::to_owned)).ok_or_else(|| {
        CommandError::usage(format!("{name} has no usual model")).hint("name one with --model")
    })?;
    let is_sandbox = account.base_url == SANDBOX_URL;
    if !is_sandbox {
        // Before the key: a wrong name is mended without one.
        let mut settings = ProviderSettings::new(dialect, Secret::new(NO_KEY));
        settings.base_url = Some(account.base_url.clone());
        settings.check_model(&model).map_err(usage)?;
    }
    let key = match need {
        Need::NoKey => Secret::new(NO_KEY),
        Need::Key => {
            let (key, source) = context
                .settings
                .key_of(&account)
                .map_err(|error| missing_key(error, "calls to the provider", None, context))?;
            note_source(context, account.note.as_deref(), &source);
            key
        }
    };
    let fingerprint = if is_sandbox { String::new() } else { key.fingerprint(&account.base_url) };
    // What makes no call asks for no key, and yet knows a sandbox by the one that is set.
    let has_its_key = match need {
        Need::Key => key.expose().starts_with(KEY_PREFIX),
        Need::NoKey => {
            let set = context.settings.key_of(&account);
            set.is_ok_and(|(key, _)| key.expose().starts_with(KEY_PREFIX))
        }
    };
    let clock = context.clock.clone();
    let mut settings =
        context.settings.provider_settings(&account, key, clock).map_err(config_error)?;
    settings.timeouts = settings.timeouts.sooner(context.settings.get(key::TIMEOUT_SCALE));
    let sandbox = if is_sandbox { Some(start_sandbox(context)?) } else { None };
    settings.base_url = Some(match &sandbox {
        Some(sandbox) => sandbox.base_url(Family::OpenAi),
        None => account.base_url.clone(),
    });
    settings.check_model(&model).map_err(usage)?;
    Ok(Who {
        is_loopback: Address::parse(settings.base_url.as_deref().unwrap_or_default())
            .is_ok_and(|address| address.is_loopback()),
        is_sandbox: is_sandbox || has_its_key,
        api: open(&settings).map_err(usage)?,
        price: price_of(&context.settings, &account, &model),
        published_queue: enqueued_tokens(dialect.name, &model, account.tier),
        name: account.name,
        model,
        stored_url: account.base_url,
        account: fingerprint,
        check_interval: default_interval(name),
        _sandbox: sandbox,
    })
}

/// What a model costs at a provider: the user's price, else that of the list.
pub(in crate::commands) fn price_of(
    settings: &Settings,
    account: &Account,
    model: &str,
) -> Option<Price> {
    let tables = price_tables(account, model);
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    settings.price_book().find_in(&account.name, &tables, model)
}

/// The parts of the list that price a provider's models: that of its kind. The sandbox has the
/// price that the model's maker asks.
pub(in crate::commands) fn price_tables(account: &Account, model: &str) -> Vec<String> {
    let kind = account.dialect.name;
    if kind != SANDBOX.name {
        return vec![kind.to_owned()];
    }
    let maker = Vendor::of_model(model).map_or(kind, Vendor::provider_name);
    // Some makers have prices of their international service alone.
    vec![maker.to_owned(), format!("{maker}-intl")]
}

pub(super) fn usage(error: ProviderError) -> CommandError {
    CommandError::new(ExitCode::Usage, error)
}

pub(super) fn note_source(context: &Context, note: Option<&str>, source: &KeySource) {
    if let Some(note) = note {
        context.printer.note(note);
    }
    if matches!(source, KeySource::DotEnv(_)) {
        context.printer.note(&source.to_string());
    }
}

/// The sandbox in this process; its state lies in the home and survives the process.
pub(super) fn start_sandbox(context: &Context) -> Result<Running, CommandError> {
    let options = SandboxOptions {
        // A rehearsal is of any provider's model.
        any_model: true,
        ..options_by_environment(context.home.join("sandbox"), context)?
    };
    Ok(context.block_on(serve(options))??)
}
