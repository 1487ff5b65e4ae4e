//! `providers test`: one tiny question to each, and who answered it. A few tokens are paid for.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::TestArgs;
use crate::batch::{Failure, FailureKind};
use crate::commands::chat::{CostDocument, Said, read};
use crate::commands::steps::{Opened, chain_of, charge_call, member_of, open_store, remedy, words};
use crate::commands::{Context, config_error};
use crate::config::is_loopback;
use crate::job::Member;
use crate::provider::CallRequest;
use crate::request::{Endpoint, Turn, conversation};
use crate::store::HealthRecord;
use crate::ui::{CommandError, ExitCode, grid, seconds};

/// What is asked.
const QUESTION: &str = "Reply with the word OK.";
/// The fewest that newer models take as a limit.
const MOST_TOKENS: u32 = 16;

/// How a provider did.
struct Tested {
    name: String,
    model: String,
    took: Duration,
    member: Option<Member>,
    outcome: Result<Said, Failure>,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    providers: Vec<TestedDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct TestedDocument<'a> {
    provider: &'a str,
    model: &'a str,
    ok: bool,
    seconds: f64,
    answered_by: Option<&'a str>,
    cost: Option<CostDocument>,
    class: Option<&'static str>,
    http_status: Option<u16>,
    code: Option<&'a str>,
    message: Option<&'a str>,
    fix: Option<String>,
}

/// Runs the command: 0 if all answer, 3 if some do, and if none does 4 for keys and 5 for the rest.
pub(super) fn run(args: &TestArgs, context: &Context) -> Result<ExitCode, CommandError> {
    let mut opened = Opened::for_calls();
    let members = members(args, context, &mut opened)?;
    let is_paid =
        |found: &Found| found.as_ref().is_ok_and(|member| !is_loopback(&member.stored_url));
    if members.iter().any(is_paid) {
        let most =
            format!("one question of a few tokens each, at most {MOST_TOKENS} in the answer");
        context.printer.note(&format!("{most}; it is paid for"));
    }
    let tested: Vec<Tested> = context.block_on(async {
        // One after the other would add up the waits for those who do not answer.
        let mut all = tokio::task::JoinSet::new();
        for (at, found) in members.into_iter().enumerate() {
            all.spawn(async move { (at, test(found).await) });
        }
        let mut tested = all.join_all().await;
        tested.sort_by_key(|(at, _)| *at);
        tested.into_iter().map(|(_, tested)| tested).collect()
    })?;
    remember(context, &tested)?;
    charge(context, &tested)?;
    if context.json {
        let providers = tested.iter().map(Tested::document).collect();
        context.printer.json(&Document { schema_version: 1, providers })?;
    } else {
        let rows: Vec<Vec<String>> = tested.iter().map(Tested::cells).collect();
        for line in grid(&rows, &[]) {
            context.printer.data(&line)?;
        }
        for line in tested.iter().filter_map(Tested::fix) {
            context.printer.important(&format!("  fix: {line}"));
        }
    }
    Ok(exit(&tested))
}

/// Who answers is well: it is no longer left alone.
fn remember(context: &Context, tested: &[Tested]) -> Result<(), CommandError> {
    let store = open_store(context)?;
    let now = context.clock.unix().saturating_mul(1000);
    for Tested { member, outcome, .. } in tested {
        if let (Some(member), Ok(_)) = (member, outcome) {
            store.put_health(&HealthRecord {
                provider: member.name.clone(),
                base_url: member.stored_url.clone(),
                model: member.model.clone(),
                answered: Some(now),
                updated: now,
                ..HealthRecord::default()
            })?;
        }
    }
    Ok(())
}

/// What was asked is paid, and counts against the budget of the day.
fn charge(context: &Context, tested: &[Tested]) -> Result<(), CommandError> {
    let store = open_store(context)?;
    for Tested { member, outcome, .. } in tested {
        if let (Some(member), Ok(said)) = (member, outcome) {
            charge_call(context, &store, member, said.cost(member.price.as_ref()))?;
        }
    }
    Ok(())
}

/// A provider that cannot be asked, by its name, and why.
type Found = Result<Member, (String, Failure)>;

/// Whom to ask: those who were named, all who have a key, or whom a run would ask.
fn members(
    args: &TestArgs,
    context: &Context,
    opened: &mut Opened,
) -> Result<Vec<Found>, CommandError> {
    if args.names.is_empty() && !args.all {
        return Ok(chain_of(context, opened)?.into_iter().map(Ok).collect());
    }
    let names = if args.all {
        context.settings.present_keys()
    } else {
        let mut names = Vec::new();
        for text in &args.names {
            let (members, _) =
                context.settings.named(text, "providers test").map_err(config_error)?;
            for member in members {
                if !names.contains(&member) {
                    names.push(member);
                }
            }
        }
        names
    };
    if names.is_empty() {
        return Err(CommandError::message(ExitCode::Credentials, "no provider's key is there")
            .hint("batchctl login openai"));
    }
    names.iter().map(|name| found(context, opened, name)).collect()
}

fn found(context: &Context, opened: &mut Opened, name: &str) -> Result<Found, CommandError> {
    let (name, model) = match name.split_once(':') {
        Some((name, model)) => (name, Some(model.to_owned())),
        None => (name, None),
    };
    let entries = context.settings.provider_entries();
    let of_section = || entries.get(name).and_then(|(entry, _)| entry.model.clone());
    match member_of(context, opened, (name, model.or_else(of_section))) {
        Ok(member) => Ok(Ok(member)),
        // The others are asked all the same.
        Err(error) if error.exit == ExitCode::Credentials => {
            let failure = Failure::ours(FailureKind::Credentials, error.error.to_string());
            Ok(Err((name.to_owned(), failure)))
        }
        Err(error) => Err(error),
    }
}

async fn test(found: Found) -> Tested {
    let mut member = match found {
        Ok(member) => member,
        Err((name, failure)) => {
            let (model, took) = ("-".to_owned(), Duration::ZERO);
            return Tested { name, model, took, member: None, outcome: Err(failure) };
        }
    };
    member.question.max_tokens = Some(MOST_TOKENS);
    let start = Instant::now();
    let outcome = ask(&member).await;
    let (name, model) = (member.name.clone(), member.model.clone());
    Tested { name, model, took: start.elapsed(), member: Some(member), outcome }
}

async fn ask(member: &Member) -> Result<Said, Failure> {
    let body = conversation(&member.question, &[Turn::asked(QUESTION)])
        .map_err(|error| Failure::ours(FailureKind::Invalid, error.to_string()))?;
    let request =
        CallRequest { endpoint: Endpoint::Chat, model: member.model.clone(), body: body.into() };
    let reply = member.api.call(&request, member.timeout).await;
    read(&reply.map_err(|error| error.error.failure)?)
}

impl Tested {
    fn cells(&self) -> Vec<String> {
        let seconds = format!("{:.1}s", self.took.as_secs_f64());
        let told = match &self.outcome {
            Ok(said) => match (&self.member, self.cost()) {
                (Some(member), _) if is_loopback(&member.stored_url) => {
                    "nothing charged".to_owned()
                }
                (Some(_), Some(cost)) => cost,
                _ if said.usage.is_none() => "tokens and cost unknown".to_owned(),
                _ => "cost unknown".to_owned(),
            },
            Err(failure) => words(failure),
        };
        let is = if self.outcome.is_ok() { "ok" } else { "failed" };
        vec![self.name.clone(), self.model.clone(), is.to_owned(), seconds, told]
    }

    fn cost(&self) -> Option<String> {
        let said = self.outcome.as_ref().ok()?;
        said.cost(self.member.as_ref()?.price.as_ref()).map(|cost| cost.show())
    }

    /// What to do about a failure.
    fn fix(&self) -> Option<String> {
        remedy(&self.name, self.outcome.as_ref().err()?, self.took)
    }

    fn document(&self) -> TestedDocument<'_> {
        let said = self.outcome.as_ref().ok();
        let failure = self.outcome.as_ref().err();
        let member = self.member.as_ref();
        TestedDocument {
            provider: &self.name,
            model: &self.model,
            ok: said.is_some(),
            seconds: seconds(self.took),
            answered_by: said.and_then(|said| said.model.as_deref()),
            cost: said.zip(member).and_then(|(said, member)| {
                CostDocument::of(said, member.price.as_ref(), &member.stored_url)
            }),
            class: failure.map(|failure| failure.kind.as_str()),
            http_status: failure.and_then(|failure| failure.status),
            code: failure.and_then(|failure| failure.code.as_deref()),
            message: failure.map(|failure| failure.message.as_str()),
            fix: self.fix(),
        }
    }
}

fn exit(tested: &[Tested]) -> ExitCode {
    let good = tested.iter().filter(|tested| tested.outcome.is_ok()).count();
    let is_refused = |tested: &Tested| matches!(&tested.outcome, Err(failure) if failure.kind == FailureKind::Credentials);
    match good {
        good if good == tested.len() => ExitCode::Success,
        0 if tested.iter().all(is_refused) => ExitCode::Credentials,
        0 => ExitCode::NothingAccepted,
        _ => ExitCode::SomeRowsBad,
    }
}
