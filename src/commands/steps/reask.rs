//! How often rows are asked again because of their answers, as the settings want it.

use crate::commands::Context;
use crate::commands::flags::MOST_REASKS;
use crate::config::{Source, key};
use crate::job::Spec;
use crate::request::{Endpoint, Form, Question, Source as Text};
use crate::ui::CommandError;

/// How often rows of a job that was planned so are asked again: as often as it was planned with,
/// unless the line says otherwise.
pub(super) fn reasks_like(
    context: &Context,
    job: &Spec,
    question: &Question,
) -> Result<u32, CommandError> {
    match context.settings.source(key::REASK) {
        Some(Source::Flag) => reasks(context, &job.form, question),
        _ => Ok(job.reask),
    }
}

/// How often a row of such a question is asked again. What was said for all jobs holds where it
/// can; said on the line it is refused where it cannot.
pub(super) fn reasks(
    context: &Context,
    form: &Form,
    question: &Question,
) -> Result<u32, CommandError> {
    let times = context.settings.get(key::REASK);
    if times > MOST_REASKS {
        return Err(CommandError::usage(format!(
            "reask: a number of second questions is wanted, 0 to {MOST_REASKS}"
        )));
    }
    let obstacle = if times == 0 {
        return Ok(0);
    } else if context.settings.get(key::FINISH) == "none" {
        Some((
            "--reask asks again in further rounds, and with --finish none there are none",
            "drop one of the two",
        ))
    } else if question.source == Text::Foreign {
        Some((
            "--reask adds to requests, and those of this file came ready-made",
            "drop it; what is not good can be asked again with other request files",
        ))
    } else if !form.is_json() || question.endpoint == Endpoint::Embeddings {
        Some((
            "--reask asks again where the answer is not the JSON that is wanted, and none is",
            "add --json-fields KEYS, or drop --reask",
        ))
    } else {
        None
    };
    match obstacle {
        None => Ok(u32::try_from(times).expect("it is at most 5")),
        Some((why, remedy)) if context.settings.source(key::REASK) == Some(&Source::Flag) => {
            Err(CommandError::usage(why).hint(remedy))
        }
        Some(_) => Ok(0),
    }
}
