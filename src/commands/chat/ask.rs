//! Asking: the services in their order, until one answers.

use std::time::{Duration, Instant};

use super::answer::{Said, read};
use crate::batch::{Failure, FailureKind};
use crate::commands::Context;
use crate::commands::steps::{Member, chain_of, remedy, words};
use crate::provider::{CallClass, CallRequest};
use crate::request::{Endpoint, RequestError, Turn, conversation};
use crate::ui::{CommandError, ExitCode, Flow, counted};

/// Those who may be asked, and how.
pub(super) struct Asker {
    pub(super) members: Vec<Member>,
}

/// An answer.
pub(super) struct Answered<'a> {
    /// Whose it is.
    pub(super) member: &'a Member,
    /// What it says.
    pub(super) said: Said,
    /// Calls that were made, at all services together.
    pub(super) tries: u32,
    /// From the first call to the answer.
    pub(super) took: Duration,
    /// Those who were asked before.
    pub(super) failed: Vec<Failed>,
}

/// A service that did not answer.
pub(super) struct Failed {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) failure: Failure,
    /// Whether it may still have been billed.
    pub(super) may_be_billed: bool,
}

/// Nobody answered.
pub(super) struct Nobody {
    pub(super) failed: Vec<Failed>,
}

impl Asker {
    /// Opens those whom the settings name; with pictures, those who can see.
    pub(super) fn open(
        context: &Context,
        system: Option<String>,
        has_images: bool,
    ) -> Result<Self, CommandError> {
        let mut members = chain_of(context)?;
        let blind = |member: &Member| has_images && !member.api.dialect().images;
        if let Some(first) = members.iter().find(|member| blind(member))
            && members.iter().all(blind)
        {
            return Err(CommandError::usage(format!("{} takes no pictures", first.name))
                .hint("name another service: --provider openai"));
        }
        members.retain(|member| !blind(member));
        for member in &mut members {
            member.question.system.clone_from(&system);
            // A parameter that cannot be set is found before anything is sent.
            conversation(&member.question, &[]).map_err(usage)?;
        }
        Ok(Self { members })
    }

    /// Asks one after the other; `flow` gets the answer as it comes.
    pub(super) async fn ask(
        &self,
        context: &Context,
        turns: &[Turn],
        mut flow: Option<&mut Flow>,
    ) -> Result<Result<Answered<'_>, Nobody>, CommandError> {
        let start = Instant::now();
        let mut failed = Vec::new();
        let mut tries = 0;
        for member in &self.members {
            tries += 1;
            let request = CallRequest {
                endpoint: Endpoint::Chat,
                model: member.model.clone(),
                body: conversation(&member.question, turns).map_err(usage)?,
            };
            let mut broken = None;
            let reply = match flow.as_deref_mut() {
                None => member.api.call(&request, member.timeout).await,
                Some(flow) => {
                    let mut show = |text: &str| {
                        let shown = flow.push(&context.printer, text);
                        broken = broken.take().or(shown.err());
                    };
                    member.api.stream(&request, member.timeout, &mut show).await
                }
            };
            if let Some(error) = broken {
                return Err(error.into());
            }
            let failure = match reply {
                Ok(reply) => match read(&reply) {
                    Ok(said) => {
                        let took = start.elapsed();
                        return Ok(Ok(Answered { member, said, tries, took, failed }));
                    }
                    Err(failure) => Failed::of(member, failure, true),
                },
                Err(error) => {
                    let may_be = error.error.class == CallClass::Unknown;
                    Failed::of(member, error.error.failure, may_be)
                }
            };
            failed.push(failure);
            if let Some(flow) = flow.as_deref_mut() {
                // What another service says does not belong to half an answer.
                flow.end(&context.printer)?;
                *flow = Flow::default();
            }
        }
        Ok(Err(Nobody { failed }))
    }
}

fn usage(error: RequestError) -> CommandError {
    CommandError::new(ExitCode::Usage, error)
}

impl Failed {
    fn of(member: &Member, failure: Failure, may_be_billed: bool) -> Self {
        let (provider, model) = (member.name.clone(), member.model.clone());
        Self { provider, model, failure, may_be_billed }
    }

    /// Who it is and what went wrong, in one line.
    pub(super) fn line(&self) -> String {
        format!("{} ({}): {}", self.provider, self.model, words(&self.failure))
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
        let mut lines: Vec<String> = self.failed.iter().map(Failed::line).collect();
        let billed = self.failed.iter().filter(|failed| failed.may_be_billed).count();
        if billed > 0 {
            lines.push(format!("possibly billed, no answer: {billed}"));
        }
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
            let hint = remedy(&failed.provider, &failed.failure);
            hints.extend(hint.filter(|hint| !hints.contains(hint)));
        }
        if self.failed.len() == 1 && hints.is_empty() {
            hints.push("ask another service too: --provider openai,zhipu".to_owned());
        }
        hints
    }
}
