//! The services that may be asked at once outside of a job, in their order.

use std::time::Duration;

use super::asking::{detail, parameters};
use super::who::Opened;
use crate::commands::{Context, config_error, missing_key};
use crate::config::key;
use crate::job::Member;
use crate::request::{Endpoint, ImageOptions, Question};
use crate::ui::{CommandError, ExitCode};

/// How long a call for a person may take where nothing is said.
const PATIENCE: Duration = Duration::from_secs(30);

/// Those whom the settings name, the first before the others. One without a key is an error if
/// it is the only one, and left out with a note where others can answer.
pub(in crate::commands) fn chain_of(
    context: &Context,
    opened: &mut Opened,
) -> Result<Vec<Member>, CommandError> {
    let asked = context.settings.asked().map_err(config_error)?;
    let mut members: Vec<Member> = Vec::new();
    let mut missing = Vec::new();
    for who in asked.members() {
        match member_of(context, opened, (&who.provider, who.model.clone())) {
            Ok(member) if members.iter().any(|known| known.title() == member.title()) => {
                let who = format!("{} {}", member.name, member.model);
                return Err(CommandError::usage(format!("{who} stands in the chain twice"))
                    .hint("name another model, as NAME:MODEL, or leave it out"));
            }
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

/// One service as it is configured, opened for calls. Nothing is sent yet. Exit 4 where its key is
/// missing.
pub(in crate::commands) fn member_of(
    context: &Context,
    opened: &mut Opened,
    (name, model): (&str, Option<String>),
) -> Result<Member, CommandError> {
    let (payee, missing) = opened.payee(context, name, model)?;
    if let Some(error) = missing {
        return Err(missing_key(error, "asking the model", None, context));
    }
    let settings = &context.settings;
    let question = Question {
        model: payee.model.clone(),
        base_url: payee.stored_url.clone(),
        line_url: payee.dialect.chat.to_owned(),
        max_tokens: settings.get(key::MAX_TOKENS).and_then(|n| u32::try_from(n).ok()),
        max_tokens_field: payee.dialect.max_tokens_field(Endpoint::Chat, &payee.model).to_owned(),
        parameters: parameters(context)?,
        temperature: settings.get(key::TEMPERATURE),
        images: ImageOptions { detail: detail(context), ..ImageOptions::default() },
        ..Question::default()
    };
    let about = (payee.name.as_str(), payee.stored_url.as_str());
    payee.calls.member(about, (question, payee.price.as_ref()), PATIENCE)
}
