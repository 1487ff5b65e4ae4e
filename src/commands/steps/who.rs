//! Who is asked and paid: settings and keys become an open provider.

use std::sync::Arc;
use std::time::Duration;

use super::asking_like::said_model;
use super::follow::default_interval;
use super::jobs::Found;
use super::mode::{Wanted, finish, may_call, wanted};
use super::payee::{Calls, Payee, asked, limits, named_in, open_others, timeout};
use crate::base::Secret;
use crate::commands::sandbox::options_by_environment;
use crate::commands::{Context, config_error, missing_key};
use crate::config::{Account, ConfigError, KeySource, Settings, Who as Named, key};
use crate::cost::Price;
use crate::provider::{
    Address, BatchApi, KEY_PREFIX, ProviderError, ProviderSettings, SANDBOX, Vendor,
    enqueued_tokens, open,
};
use crate::request::Mode;
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
    /// How calls are made to it.
    pub(in crate::commands) calls: Calls,
    /// Who is asked by calls where it does not answer, in this order.
    pub(in crate::commands) others: Vec<Payee>,
    /// The sandbox in this process, stopped when this is dropped.
    _sandbox: Option<Arc<Running>>,
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
    let asked = asked(context)?;
    let named: Vec<Named> = asked.members().cloned().collect();
    open_all(context, &named, need, wanted(context) == Wanted::Of(Mode::Realtime))
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
    let who = open_all(context, &named_by(found, model), Need::Key, is_by_calls(context, found))?;
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
    open_all(context, &named_by(found, None), Need::NoKey, is_by_calls(context, found))
}

/// The same with the model that the line names.
pub(super) fn who_asked_like(context: &Context, found: &Found) -> Result<Who, CommandError> {
    let model = said_model(context);
    let named = named_by(found, model.as_deref());
    open_all(context, &named, Need::NoKey, is_by_calls(context, found))
}

/// Who a job asks, in order, the first perhaps for another model.
fn named_by(found: &Found, model: Option<&str>) -> Vec<Named> {
    let model = model.unwrap_or(&found.spec.question.model).to_owned();
    let first = Named { provider: found.job.provider.clone(), model: Some(model) };
    std::iter::once(first).chain(named_in(&found.spec.others)).collect()
}

/// Whether a job needs none but calls.
fn is_by_calls(context: &Context, found: &Found) -> bool {
    found.spec.mode == Mode::Realtime && finish(context, Mode::Realtime) == Mode::Realtime
}

/// Opens those who are asked: the first, and as far as there are keys those after it.
fn open_all(
    context: &Context,
    named: &[Named],
    need: Need,
    calls_only: bool,
) -> Result<Who, CommandError> {
    let Some((first, others)) = named.split_first() else {
        return Err(CommandError::usage("nobody is asked"));
    };
    let mut opened = Opened { need, sandbox: None };
    let (first, missing) = opened.payee(context, &first.provider, first.model.clone())?;
    let others = open_others(context, others, (&mut opened, &first))?;
    if let Some(error) = missing {
        let has_other = others.iter().any(|other| other.calls.has_key);
        if !calls_only || !has_other {
            return Err(missing_key(error, "calls to the provider", None, context));
        }
    }
    if need == Need::Key && (calls_only || may_call(context)) {
        tell_left_out(context, std::iter::once(&first).chain(&others));
    }
    let is_loopback = first.is_loopback
        && (!(calls_only || may_call(context)) || others.iter().all(|other| other.is_loopback));
    Ok(Who {
        api: open(&first.calls.settings).map_err(usage)?,
        published_queue: enqueued_tokens(first.dialect.name, &first.model, first.tier),
        check_interval: default_interval(&first.name),
        is_loopback,
        is_sandbox: first.is_sandbox,
        price: first.price,
        name: first.name,
        model: first.model,
        stored_url: first.stored_url,
        account: first.account,
        calls: first.calls,
        others,
        _sandbox: opened.sandbox,
    })
}

/// Who has no key is not asked; one of them must have one, which was seen to.
fn tell_left_out<'a>(context: &Context, members: impl Iterator<Item = &'a Payee>) {
    let without = members.filter(|member| !member.calls.has_key);
    let mut names: Vec<&str> = without.map(|member| member.name.as_str()).collect();
    names.dedup();
    if let Some(one) = names.first() {
        let names = names.join(", ");
        context.note_once(&format!(
            "left out of the chain, as there is no key: {names} (batchctl login {one})"
        ));
    }
}

/// What the members of a chain are opened with: one sandbox serves all of them, for as long as this
/// is there.
pub(in crate::commands) struct Opened {
    need: Need,
    sandbox: Option<Arc<Running>>,
}

impl Opened {
    /// Nobody yet; calls will be made.
    pub(in crate::commands) fn for_calls() -> Self {
        Self { need: Need::Key, sandbox: None }
    }

    /// One provider with a model, and what is wrong where its key is missing.
    pub(super) fn payee(
        &mut self,
        context: &Context,
        name: &str,
        model: Option<String>,
    ) -> Result<(Payee, Option<ConfigError>), CommandError> {
        let account = context.settings.account(name).map_err(config_error)?;
        let dialect = account.dialect;
        let model =
            model.or_else(|| dialect.default_model.map(str::to_owned)).ok_or_else(|| {
                CommandError::usage(format!("{name} has no usual model"))
                    .hint(format!("name one with --model, or as {name}:MODEL"))
            })?;
        let is_sandbox = account.base_url == SANDBOX_URL;
        if !is_sandbox {
            // Before the key: a wrong name is mended without one.
            let mut settings = ProviderSettings::new(dialect, Secret::new(NO_KEY));
            settings.base_url = Some(account.base_url.clone());
            settings.check_model(&model).map_err(usage)?;
        }
        let found = self.key(context, &account)?;
        let (key, is_rehearsal) = (found.key, found.is_rehearsal);
        let has_key = found.missing.is_none();
        let fingerprint =
            if has_key && !is_sandbox { key.fingerprint(&account.base_url) } else { String::new() };
        let clock = context.clock.clone();
        let mut settings =
            context.settings.provider_settings(&account, key, clock).map_err(config_error)?;
        settings.timeouts = settings.timeouts.sooner(context.settings.get(key::TIMEOUT_SCALE));
        settings.base_url = Some(if is_sandbox {
            self.sandbox(context)?.base_url(Family::OpenAi)
        } else {
            account.base_url.clone()
        });
        settings.check_model(&model).map_err(usage)?;
        let payee = Payee {
            is_loopback: Address::parse(settings.base_url.as_deref().unwrap_or_default())
                .is_ok_and(|address| address.is_loopback()),
            is_sandbox: is_sandbox || is_rehearsal,
            price: price_of(&context.settings, &account, &model),
            calls: Calls {
                settings,
                has_key,
                timeout: timeout(context, account.timeout),
                limits: limits(context, account.limits),
            },
            dialect,
            account: fingerprint,
            tier: account.tier,
            name: account.name,
            model,
            stored_url: account.base_url,
        };
        Ok((payee, found.missing))
    }

    /// The key of an account. What makes no call asks for none, and yet knows a sandbox by the
    /// one that is set.
    fn key(&self, context: &Context, account: &Account) -> Result<FoundKey, CommandError> {
        let none = || Secret::new(NO_KEY);
        match context.settings.key_of(account) {
            Ok((key, source)) => {
                let is_rehearsal = key.expose().starts_with(KEY_PREFIX);
                if self.need == Need::NoKey {
                    return Ok(FoundKey { key: none(), is_rehearsal, missing: None });
                }
                note_source(context, account.note.as_deref(), &source);
                Ok(FoundKey { key, is_rehearsal, missing: None })
            }
            Err(_) if self.need == Need::NoKey => {
                Ok(FoundKey { key: none(), is_rehearsal: false, missing: None })
            }
            Err(error @ ConfigError::NoKey { .. }) => {
                Ok(FoundKey { key: none(), is_rehearsal: false, missing: Some(error) })
            }
            Err(error) => Err(missing_key(error, "calls to the provider", None, context)),
        }
    }

    fn sandbox(&mut self, context: &Context) -> Result<Arc<Running>, CommandError> {
        if let Some(running) = &self.sandbox {
            return Ok(Arc::clone(running));
        }
        let running = Arc::new(start_sandbox(context)?);
        self.sandbox = Some(Arc::clone(&running));
        Ok(running)
    }
}

/// A key, or none.
struct FoundKey {
    key: Secret,
    /// Whether the key that is set is one of a sandbox.
    is_rehearsal: bool,
    /// What is wrong where a key is needed and is nowhere.
    missing: Option<ConfigError>,
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
        context.note_once(note);
    }
    if matches!(source, KeySource::DotEnv(_)) {
        context.note_once(&source.to_string());
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
