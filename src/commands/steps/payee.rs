//! The members of a failover chain: each provider with its model, as calls are made to it.

use std::time::Duration;

use super::who::{Opened, usage};
use crate::commands::{Context, config_error};
use crate::config::{Asked, SetLimits, Source, Who as Named, key};
use crate::cost::Price;
use crate::job::{CallLimits, Member, Other};
use crate::provider::{Dialect, ProviderSettings, open_chat};
use crate::request::{Endpoint, Question};
use crate::ui::CommandError;

/// One that may be asked by calls, and paid.
pub(in crate::commands) struct Payee {
    /// The name it is called by.
    pub(in crate::commands) name: String,
    /// The model that is asked.
    pub(in crate::commands) model: String,
    /// What the service is like.
    pub(in crate::commands) dialect: &'static Dialect,
    /// The address as it is stored and hashed.
    pub(in crate::commands) stored_url: String,
    /// What it costs there; `None` = unknown.
    pub(in crate::commands) price: Option<Price>,
    /// Whether nothing leaves this machine.
    pub(in crate::commands) is_loopback: bool,
    /// Whether a sandbox answers.
    pub(super) is_sandbox: bool,
    /// Fingerprint of the key; empty where there is none.
    pub(super) account: String,
    /// The account's tier, where the user says it.
    pub(super) tier: Option<u64>,
    /// How calls are made to it.
    pub(in crate::commands) calls: Calls,
}

/// How calls are made to a provider.
pub(in crate::commands) struct Calls {
    /// What opens it.
    pub(in crate::commands) settings: ProviderSettings,
    /// Whether its key was found, or none is needed; without one it is left out.
    pub(in crate::commands) has_key: bool,
    /// How long one call may take, where that is said.
    pub(in crate::commands) timeout: Option<Duration>,
    /// The limits of calls that are set.
    pub(in crate::commands) limits: SetLimits,
}

impl Calls {
    /// Who is asked by them, opened: its name and its address as stored, what it is asked and what
    /// that costs, and how long one call may take where nothing is said of it.
    pub(super) fn member(
        &self,
        (name, stored_url): (&str, &str),
        (question, price): (Question, Option<&Price>),
        usual: Duration,
    ) -> Result<Member, CommandError> {
        let limits = self.limits;
        Ok(Member {
            name: name.to_owned(),
            model: question.model.clone(),
            api: open_chat(&self.settings).map_err(usage)?,
            question,
            price: price.cloned(),
            stored_url: stored_url.to_owned(),
            limits: CallLimits {
                concurrency: limits.concurrency,
                rpm: limits.rpm,
                tpm: limits.tpm,
            },
            timeout: self.timeout.unwrap_or(usual),
        })
    }
}

impl Payee {
    /// Its provider and model, for people.
    pub(in crate::commands) fn label(&self) -> String {
        format!("{} {}", self.name, self.model)
    }

    /// The question of the first member as this one is asked it.
    pub(super) fn question(&self, of_first: &Question) -> Question {
        let mut question = of_first.clone();
        question.model.clone_from(&self.model);
        question.base_url.clone_from(&self.stored_url);
        line_url(self.dialect, question.endpoint).clone_into(&mut question.line_url);
        let field = self.dialect.max_tokens_field(question.endpoint, &self.model);
        field.clone_into(&mut question.max_tokens_field);
        question
    }
}

/// The `url` of a request line: one that the service takes in batches, else the usual one.
pub(super) fn line_url(dialect: &Dialect, endpoint: Endpoint) -> &'static str {
    dialect.line_url(endpoint).unwrap_or(match endpoint {
        Endpoint::Chat => "/v1/chat/completions",
        Endpoint::Embeddings => "/v1/embeddings",
        Endpoint::Responses => "/v1/responses",
    })
}

/// How long one call may take: what a flag says, what the provider's section says, what is set
/// for all.
pub(super) fn timeout(context: &Context, of_section: Option<Duration>) -> Option<Duration> {
    let set = context.settings.get(key::TIMEOUT);
    let is_flag = context.settings.source(key::TIMEOUT) == Some(&Source::Flag);
    let (one, other) = if is_flag { (set, of_section) } else { (of_section, set) };
    one.or(other)
}

/// The limits of calls: the provider's own, else those for all.
pub(super) fn limits(context: &Context, of_section: SetLimits) -> SetLimits {
    let settings = &context.settings;
    of_section.or(SetLimits {
        concurrency: settings.get(key::CONCURRENCY),
        rpm: settings.get(key::RPM),
        tpm: settings.get(key::TPM),
    })
}

/// Those who are asked where the first does not answer, open as far as their keys are there.
pub(super) fn open_others(
    context: &Context,
    named: &[Named],
    (opened, first): (&mut Opened, &Payee),
) -> Result<Vec<Payee>, CommandError> {
    let mut others: Vec<Payee> = Vec::new();
    for one in named {
        let (payee, _) = opened.payee(context, &one.provider, one.model.clone())?;
        let is_twice = |other: &Payee| (&other.name, &other.model) == (&payee.name, &payee.model);
        if is_twice(first) || others.iter().any(is_twice) {
            return Err(CommandError::usage(format!(
                "{} stands in the chain twice",
                payee.label()
            ))
            .hint("name another model, as NAME:MODEL, or leave it out"));
        }
        others.push(payee);
    }
    Ok(others)
}

/// The further members of a job's chain as they were named when it was planned.
pub(super) fn named_in(others: &[Other]) -> Vec<Named> {
    let named = others.iter().map(|other| Named {
        provider: other.provider.clone(),
        model: Some(other.question.model.clone()),
    });
    named.collect()
}

/// Who is asked, in order, by the settings.
pub(super) fn asked(context: &Context) -> Result<Asked, CommandError> {
    context.settings.asked().map_err(config_error)
}
