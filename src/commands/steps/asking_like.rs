//! The question of a job, asked anew: what the line says of limits, parameters and the model goes
//! on top. A line that words a question of its own is another matter.

use super::asking::parameters;
use super::form::expected;
use super::input::Taken;
use super::tell_form::{tell_form, tells_form};
use super::who::Who;
use crate::commands::Context;
use crate::config::{Key, Source, key};
use crate::job::Spec;
use crate::request::{Question, Source as Text};
use crate::ui::CommandError;

/// Whether the line itself says what is asked, so that a job's question is not meant.
pub(in crate::commands) fn words_question(context: &Context) -> bool {
    said(context, key::PROMPT)
        || said(context, key::PROMPT_FILE)
        || said(context, key::SYSTEM)
        || said(context, key::SYSTEM_FILE)
        || said(context, key::INPUT_COLUMN)
        || said(context, key::MESSAGES_COLUMN)
        || said(context, key::IMAGE_COLUMN)
        || said(context, key::IMAGE_ROOT)
        || said(context, key::IMAGE_DETAIL)
        || said(context, key::IMAGE_MAX_SIDE)
        || said(context, key::JSON_FIELDS)
        || said(context, key::JSON_SCHEMA)
        || said(context, key::NO_JSON_HINT)
        || said(context, key::ENDPOINT)
        || said(context, key::PROVIDER)
}

/// Whether the line itself names a model.
pub(super) fn said_model(context: &Context) -> Option<String> {
    if said(context, key::MODEL) { context.settings.get(key::MODEL) } else { None }
}

fn said<T>(context: &Context, key: Key<T>) -> bool {
    context.settings.source(key) == Some(&Source::Flag)
}

/// The question of a job at the model that is asked, with what the line says on top.
pub(super) fn ask_like(
    context: &Context,
    (taken, who): (&Taken, &Who),
    job: &Spec,
) -> Result<Question, CommandError> {
    let mut question = job.question.clone();
    question.base_url.clone_from(&who.stored_url);
    if question.source == Text::Foreign {
        question.model.clone_from(&who.model);
        question.max_tokens = taken.bodies.as_ref().and_then(|bodies| bodies.most);
        return Ok(question);
    }
    if question.model != who.model {
        question.model.clone_from(&who.model);
        let field = who.api.dialect().max_tokens_field(question.endpoint, &who.model);
        field.clone_into(&mut question.max_tokens_field);
        if tells_form(&question) {
            tell_form(&mut question, &expected(&job.form)?, (&who.name, who.api.dialect()));
        }
    }
    if said(context, key::MAX_TOKENS) {
        let most = context.settings.get(key::MAX_TOKENS);
        question.max_tokens = most.and_then(|most| u32::try_from(most).ok());
    }
    if said(context, key::TEMPERATURE) {
        question.temperature = context.settings.get(key::TEMPERATURE);
    }
    if said(context, key::PARAM) {
        question.parameters = parameters(context)?;
    }
    Ok(question)
}
