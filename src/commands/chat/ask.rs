//! Asking: the services in their order, until one answers.

use std::time::Duration;

use super::answer::{Said, read};
use crate::batch::{Failure, FailureKind};
use crate::commands::Context;
use crate::commands::steps::{Opened, chain_of, charge_call, remedy, require_day_left, words};
use crate::job::{Chain, Member};
use crate::provider::CallRequest;
use crate::request::{Endpoint, RequestError, Turn, conversation};
use crate::store::Store;
use crate::ui::{CommandError, ExitCode, Flow, counted};

/// Those who may be asked, and how.
pub(super) struct Asker<'a> {
    pub(super) chain: Chain<'a>,
    /// The account that what they cost is counted in.
    pub(super) store: &'a Store,
}

/// An answer.
pub(super) struct Answered<'a> {
    /// Whose it is.
    pub(super) member: &'a Member,
    /// What it says.
    pub(super) said: Said,
    /// Calls that were made, at all services together.
    pub(super) tries: u32,
    /// From the last call to the answer.
    pub(super) took: Duration,
    /// Those who were asked before.
    pub(super) failed: Vec<Failed>,
}

/// A service that did not answer.
pub(super) struct Failed {
    pub(super) provider: String,
    pub(super) model: String,
    /// What it said last.
    pub(super) failure: Failure,
    /// How often it was asked.
    pub(super) tries: u32,
    /// How long it was waited for each time.
    pub(super) waited: Duration,
}

/// Nobody answered.
pub(super) struct Nobody {
    pub(super) failed: Vec<Failed>,
}

/// Opens those whom the settings name; with pictures, those who can see.
pub(super) fn open(
    context: &Context,
    opened: &mut Opened,
    (system, has_images): (Option<&str>, bool),
) -> Result<Vec<Member>, CommandError> {
    let mut members = chain_of(context, opened)?;
    let is_blind = |member: &Member| has_images && !member.api.dialect().images;
    if let Some(first) = members.iter().find(|member| is_blind(member))
        && members.iter().all(is_blind)
    {
        return Err(CommandError::usage(format!("{} takes no pictures", first.name))
            .hint("name another service: --provider openai"));
    }
    members.retain(|member| !is_blind(member));
    for member in &mut members {
        member.question.system = system.map(str::to_owned);
        // What cannot be asked is found before anything is sent.
        conversation(&member.question, &[]).map_err(usage)?;
    }
    Ok(members)
}

impl Asker<'_> {
    /// Asks one after the other; `flow` gets the answer as it comes. Exit 7 where the budget of the
    /// day is used up.
    pub(super) async fn ask(
        &self,
        context: &Context,
        turns: &[Turn],
        flow: Option<&mut Flow>,
    ) -> Result<Result<Answered<'_>, Nobody>, CommandError> {
        require_day_left(context, self.store, self.chain.members())?;
        let request_for = |member: &Member| CallRequest {
            endpoint: Endpoint::Chat,
            model: member.model.clone(),
            body: conversation(&member.question, turns)
                .expect("whether it can be asked was looked at when it was opened")
                .into(),
        };
        let mut broken = None;
        let asked = match flow {
            None => self.chain.ask(&request_for, None).await,
            Some(flow) => {
                let mut show = |text: &str| {
                    let shown = flow.push(&context.printer, text);
                    broken = broken.take().or(shown.err());
                };
                self.chain.ask(&request_for, Some(&mut show)).await
            }
        };
        if let Some(error) = broken {
            return Err(error.into());
        }
        let answered = match asked {
            Ok(answered) => answered,
            Err(nobody) => return Ok(Err(Nobody { failed: self.failed(nobody.failures) })),
        };
        let member = &self.chain.members()[answered.member];
        let mut failures = answered.failures;
        match read(&answered.reply) {
            Ok(said) => {
                let (tries, took) = (answered.tries, answered.took);
                charge_call(context, self.store, member, said.cost(member.price.as_ref()))?;
                Ok(Ok(Answered { member, said, tries, took, failed: self.failed(failures) }))
            }
            Err(failure) => {
                failures.push((member.title(), failure));
                Ok(Err(Nobody { failed: self.failed(failures) }))
            }
        }
    }

    /// Those who did not answer, each once, with what it said last.
    fn failed(&self, failures: Vec<(String, Failure)>) -> Vec<Failed> {
        let mut all: Vec<Failed> = Vec::new();
        for (title, failure) in failures {
            let (provider, model) = title.split_once(':').unwrap_or((&title, ""));
            let is_same = |one: &&mut Failed| one.provider == provider && one.model == model;
            if let Some(known) = all.iter_mut().find(is_same) {
                (known.failure, known.tries) = (failure, known.tries + 1);
                continue;
            }
            let member = self.chain.members().iter().find(|member| member.title() == title);
            all.push(Failed {
                provider: provider.to_owned(),
                model: model.to_owned(),
                failure,
                tries: 1,
                waited: member.map(|member| member.timeout).unwrap_or_default(),
            });
        }
        all
    }
}

fn usage(error: RequestError) -> CommandError {
    CommandError::new(ExitCode::Usage, error)
}

impl Failed {
    /// Who it is and what went wrong, in one line.
    pub(super) fn line(&self) -> String {
        let tries = match self.tries {
            1 => String::new(),
            tries => format!(", asked {tries} times"),
        };
        format!("{} ({}): {}{tries}", self.provider, self.model, words(&self.failure))
    }
}

impl Nobody {
    /// 4 where all of them refused the key, 5 else: nothing was accepted.
    pub(super) fn exit(&self) -> ExitCode {
        let is_refused = |failed: &Failed| failed.failure.kind == FailureKind::Credentials;
        if self.failed.iter().all(is_refused) {
            ExitCode::Credentials
        } else {
            ExitCode::NothingAccepted
        }
    }

    /// The error that a person reads: what happened at each service, and what to do.
    pub(super) fn error(&self) -> CommandError {
        let lines: Vec<String> = self.failed.iter().map(Failed::line).collect();
        let text = match self.failed.as_slice() {
            [one] => format!("{} did not answer", one.provider),
            all => format!("none of {} answered", counted(all.len() as u64, "service")),
        };
        let cause = anyhow::Error::msg(lines.join("\n"));
        let mut error = CommandError::new(self.exit(), cause.context(text));
        error.hints = self.hints();
        error
    }

    fn hints(&self) -> Vec<String> {
        let mut hints: Vec<String> = Vec::new();
        for failed in &self.failed {
            let hint = remedy(&failed.provider, &failed.failure, failed.waited);
            hints.extend(hint.filter(|hint| !hints.contains(hint)));
        }
        if let ([one], true) = (self.failed.as_slice(), hints.is_empty()) {
            let other = if one.provider == "openai" { "zhipu" } else { "openai" };
            hints.push(format!("ask another service too: --provider {},{other}", one.provider));
        }
        hints
    }
}
