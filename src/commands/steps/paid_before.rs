//! Rows of the same table that were answered by nearly the same question: its parameters or its
//! model were others, so none of those answers holds for this one. Who changes a small thing
//! should know that all is paid again.

use super::jobs::open_store;
use super::plan::Planned;
use crate::commands::Context;
use crate::config::key;
use crate::job::Spec;
use crate::request::Question;
use crate::store::Store;
use crate::ui::{CommandError, counted};

/// The newest jobs that are looked at.
const LOOKED_AT: usize = 50;

/// Says so, where it is the case: which job answered how many, and what was otherwise.
pub(super) fn paid_before(
    context: &Context,
    planned: &Planned,
) -> Result<Option<String>, CommandError> {
    let Planned { spec, plan, .. } = planned;
    let is_new = plan.estimate.learned_from == 0 && plan.estimate.sent.requests > 0;
    if !is_new || context.settings.get(key::AGAIN) || !Store::exists(&context.home) {
        return Ok(None);
    }
    let store = open_store(context)?;
    for job in store.jobs()?.iter().take(LOOKED_AT) {
        let Ok(other) = Spec::of(job) else { continue };
        let is_same_table = other.source_digest == spec.source_digest;
        let Some(what) = difference(&other.question, &spec.question).filter(|_| is_same_table)
        else {
            continue;
        };
        let counts = store.status_counts(&job.key)?;
        let good: u64 = counts.iter().filter(|(s, _)| s.is_good()).map(|(_, rows)| rows).sum();
        if good > 0 {
            return Ok(Some(format!(
                "job {} answered {} of this table with another {what}; those that are sent here \
                 are paid again",
                job.short(),
                counted(good, "row")
            )));
        }
    }
    Ok(None)
}

/// What is otherwise where the words, the columns and the address are the same.
fn difference(before: &Question, now: &Question) -> Option<&'static str> {
    let alike = Question {
        model: now.model.clone(),
        max_tokens: now.max_tokens,
        max_tokens_field: now.max_tokens_field.clone(),
        temperature: now.temperature,
        parameters: now.parameters.clone(),
        ..before.clone()
    };
    if alike != *now {
        return None;
    }
    let table = [
        (before.model != now.model, "model"),
        (before.max_tokens != now.max_tokens, "--max-tokens"),
        (before.temperature != now.temperature, "--temperature"),
        (before.parameters != now.parameters, "--param"),
    ];
    table.into_iter().find_map(|(differs, name)| differs.then_some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameters_may_differ() {
        let now = Question { max_tokens: Some(50), ..Question::default() };
        let table = [
            (now.clone(), None),
            (Question { max_tokens: None, ..now.clone() }, Some("--max-tokens")),
            (Question { temperature: Some(0.0), ..now.clone() }, Some("--temperature")),
            (Question { model: "gpt-4o".to_owned(), ..now.clone() }, Some("model")),
            (Question { system: Some("be brief".to_owned()), ..now.clone() }, None),
            (Question { base_url: "sandbox:".to_owned(), ..now.clone() }, None),
        ];
        for (before, expected) in table {
            assert_eq!(difference(&before, &now), expected, "{before:?}");
        }
    }
}
