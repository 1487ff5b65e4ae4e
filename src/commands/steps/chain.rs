//! The services that may be asked at once, in their order: settings and keys become open calls.

use std::sync::Arc;
use std::time::Duration;

use super::asking::{detail, parameters};
use super::who::{SANDBOX_URL, note_source, price_of, start_sandbox, usage};
use crate::base::Secret;
use crate::commands::{Context, config_error, missing_key};
use crate::config::{Source, is_loopback, key};
use crate::cost::Price;
use crate::job::{CallLimits, CallOptions};
use crate::provider::{ChatApi, ProviderSettings, open_chat};
use crate::request::{Endpoint, ImageOptions, Question};
use crate::sandbox::{Family, Running};
use crate::ui::{CommandError, ExitCode};

/// How long a call for a person may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One service with one model.
pub(in crate::commands) struct Member {
    /// The name it is called by.
    pub(in crate::commands) name: String,
    /// The model that is asked.
    pub(in crate::commands) model: String,
    /// The calls.
    pub(in crate::commands) api: Box<dyn ChatApi>,
    /// Model and parameters of each request.
    pub(in crate::commands) question: Question,
    /// What the model costs there; `None` = unknown.
    pub(in crate::commands) price: Option<Price>,
    /// The address as it is stored.
    pub(in crate::commands) stored_url: String,
    /// How long one call may take.
    pub(in crate::commands) timeout: Duration,
    /// The sandbox in this process, stopped when the last member of it is dropped.
    sandbox: Option<Arc<Running>>,
}

/// A chain ready to be asked, and what must run as long as it is.
pub(in crate::commands) struct Opened {
    /// Those who are asked, in order.
    pub(in crate::commands) members: Vec<crate::job::Member>,
    _sandboxes: Vec<Arc<Running>>,
}

impl Opened {
    /// Hands the members over to whoever makes a chain of them.
    pub(in crate::commands) fn of(members: Vec<Member>) -> Self {
        let (members, sandboxes): (Vec<_>, Vec<_>) = members
            .into_iter()
            .map(|member| {
                let asked = crate::job::Member {
                    name: member.name,
                    model: member.model,
                    api: member.api,
                    question: member.question,
                    price: member.price,
                    stored_url: member.stored_url,
                    limits: CallLimits::default(),
                    timeout: member.timeout,
                };
                (asked, member.sandbox)
            })
            .unzip();
        Self { members, _sandboxes: sandboxes.into_iter().flatten().collect() }
    }
}

/// How often a call is made again, and when a service is left alone.
pub(in crate::commands) fn call_options(context: &Context) -> CallOptions {
    let settings = &context.settings;
    let few = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    CallOptions {
        retries: few(settings.get(key::RETRIES)),
        retry_delay: settings.get(key::RETRY_DELAY),
        failure_threshold: few(settings.get(key::FAILURE_THRESHOLD)),
        cool_down: settings.get(key::COOL_DOWN),
    }
}

impl Member {
    /// Whether nothing leaves this machine, and nothing is charged.
    pub(in crate::commands) fn is_loopback(&self) -> bool {
        is_loopback(&self.stored_url)
    }
}

/// Those whom the settings name, the first before the others. One without a key is an error if
/// it is the only one, and left out with a note where others can answer.
pub(in crate::commands) fn chain_of(context: &Context) -> Result<Vec<Member>, CommandError> {
    let asked = context.settings.asked().map_err(config_error)?;
    let mut members: Vec<Member> = Vec::new();
    let mut missing = Vec::new();
    for who in asked.members() {
        let sandbox = members.iter().find_map(|member| member.sandbox.clone());
        match open_member(context, (&who.provider, who.model.clone()), sandbox) {
            Ok(member) => members.push(member),
            Err(error) if error.exit == ExitCode::Credentials => missing.push(error),
            Err(error) => return Err(error),
        }
    }
    if members.is_empty() {
        return Err(missing.remove(0));
    }
    for error in missing {
        context.printer.warning(&format!("{}: it is not asked", error.error));
    }
    Ok(members)
}

/// One service as it is configured, opened for calls. Nothing is sent yet.
pub(in crate::commands) fn member_of(
    context: &Context,
    name: &str,
    model: Option<String>,
) -> Result<Member, CommandError> {
    open_member(context, (name, model), None)
}

fn open_member(
    context: &Context,
    (name, model): (&str, Option<String>),
    running: Option<Arc<Running>>,
) -> Result<Member, CommandError> {
    let settings = &context.settings;
    let account = settings.account(name).map_err(config_error)?;
    let dialect = account.dialect;
    let model = model.or_else(|| dialect.default_model.map(str::to_owned)).ok_or_else(|| {
        CommandError::usage(format!("{name} has no usual model"))
            .hint(format!("name one: --provider {name}:MODEL"))
    })?;
    let is_sandbox = account.base_url == SANDBOX_URL;
    let mut provider = ProviderSettings::new(dialect, Secret::new("none"));
    provider.base_url = Some(account.base_url.clone());
    if !is_sandbox {
        // Before the key: a wrong name is mended without one.
        provider.check_model(&model).map_err(usage)?;
    }
    let (key, source) = settings
        .key_of(&account)
        .map_err(|error| missing_key(error, "asking the model", None, context))?;
    note_source(context, account.note.as_deref(), &source);
    let sandbox = match running.filter(|_| is_sandbox) {
        None if is_sandbox => Some(Arc::new(start_sandbox(context)?)),
        running => running,
    };
    let mut provider =
        settings.provider_settings(&account, key, context.clock.clone()).map_err(config_error)?;
    provider.timeouts = provider.timeouts.sooner(settings.get(key::TIMEOUT_SCALE));
    provider.base_url = Some(match &sandbox {
        Some(sandbox) => sandbox.base_url(Family::OpenAi),
        None => account.base_url.clone(),
    });
    let question = Question {
        model: model.clone(),
        base_url: account.base_url.clone(),
        line_url: dialect.chat.to_owned(),
        max_tokens: settings.get(key::MAX_TOKENS).and_then(|n| u32::try_from(n).ok()),
        max_tokens_field: dialect.max_tokens_field(Endpoint::Chat, &model).to_owned(),
        parameters: parameters(context)?,
        temperature: settings.get(key::TEMPERATURE),
        images: ImageOptions { detail: detail(context), ..ImageOptions::default() },
        ..Question::default()
    };
    Ok(Member {
        api: open_chat(&provider).map_err(usage)?,
        price: price_of(settings, &account, &model),
        timeout: timeout(context, account.timeout),
        name: account.name,
        model,
        question,
        stored_url: account.base_url,
        sandbox,
    })
}

/// How long a call may take: as the line says, else the provider's section, else the settings.
fn timeout(context: &Context, of_section: Option<Duration>) -> Duration {
    let set: Option<Duration> = context.settings.get(key::TIMEOUT);
    let said = set.filter(|_| context.settings.source(key::TIMEOUT) == Some(&Source::Flag));
    said.or(of_section).or(set).unwrap_or(PATIENCE)
}
