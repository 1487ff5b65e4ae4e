//! What finished requests say themselves: they are sent as they stand, so their bodies and not
//! the settings tell which model is asked and how long an answer may be.

use serde::Deserialize;

use super::asking_like::said_model;
use super::choice::selection;
use super::who::Who;
use crate::commands::Context;
use crate::config::key;
use crate::job::visit_selected;
use crate::request::read_foreign;
use crate::table::{Format, Table};
use crate::ui::{CommandError, counted};

/// Models that are named where requests ask several.
const NAMED: usize = 3;

/// What the bodies of a request file say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::commands) struct Bodies {
    /// The models that are named, each once, in their order; `None` = a body names none.
    models: Vec<Option<String>>,
    /// The most tokens that an answer may have, all choices of a request together; `None` where
    /// a body sets no limit.
    pub(super) most: Option<u32>,
}

#[derive(Default, Deserialize)]
struct Limits {
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    n: Option<u64>,
}

impl Limits {
    fn most(&self) -> Option<u64> {
        let limits = [self.max_tokens, self.max_completion_tokens, self.max_output_tokens];
        let most = limits.into_iter().flatten().max()?;
        Some(most.saturating_mul(self.n.unwrap_or(1).max(1)))
    }
}

impl Bodies {
    /// Reads the selected lines of a request file; other tables have no bodies.
    pub(super) fn of(context: &Context, table: &Table) -> Result<Option<Self>, CommandError> {
        if table.shape().format != Format::Requests {
            return Ok(None);
        }
        let endpoint = super::asking::endpoint(context);
        let mut bodies = Self { models: Vec::new(), most: Some(0) };
        visit_selected::<crate::job::JobError>(table, &selection(context, table)?, |row| {
            // A line that is no request is skipped later, with its reason.
            if let Ok(request) = read_foreign(row.raw(), endpoint) {
                bodies.add(request.model.as_deref(), request.body);
            }
            Ok(())
        })?;
        bodies.most = bodies.most.filter(|_| !bodies.models.is_empty());
        Ok(Some(bodies))
    }

    fn add(&mut self, model: Option<&str>, body: &str) {
        if !self.models.iter().any(|known| known.as_deref() == model) {
            self.models.push(model.map(str::to_owned));
        }
        let limits: Limits = serde_json::from_str(body).unwrap_or_default();
        let most = limits.most().map(|most| u32::try_from(most).unwrap_or(u32::MAX));
        self.most = self.most.zip(most).map(|(known, most)| known.max(most));
    }

    /// The models that are asked where bodies without one get the given one.
    fn asked<'a>(&'a self, given: &'a str) -> Vec<&'a str> {
        let mut asked: Vec<&str> = Vec::new();
        for model in self.models.iter().map(|model| model.as_deref().unwrap_or(given)) {
            if !asked.contains(&model) {
                asked.push(model);
            }
        }
        asked
    }

    /// Makes the model of the bodies the one that is asked and paid. A line that names another
    /// one is refused. Where the bodies ask several, no price is known.
    pub(super) fn decide(&self, context: &Context, who: &mut Who) -> Result<(), CommandError> {
        let given = who.model.clone();
        let asked = self.asked(&given);
        let named = names(&asked);
        if is_model_said(context)
            && let Some(other) = asked.iter().find(|model| **model != given)
        {
            let text = format!("the requests ask {other}, but the line names the model {given}");
            return Err(CommandError::usage(text)
                .hint("finished requests are sent as they stand: leave the model out"));
        }
        if said_max_tokens(context) {
            context.printer.note(
                "--max-tokens is not used: finished requests are sent as they stand, with their \
                 own limits",
            );
        }
        match asked.as_slice() {
            [] => Ok(()),
            [one] => who.ask_model(context, one),
            several => {
                for model in several {
                    who.ask_model(context, model)?;
                }
                let count = counted(several.len() as u64, "model");
                context.printer.note(&format!(
                    "the requests ask {count} ({named}), so their price is unknown; a file for \
                     each model has one"
                ));
                // A body without a model is given the one that was named.
                let model = if self.models.contains(&None) { given } else { named };
                who.forget_price(model);
                Ok(())
            }
        }
    }
}

fn names(models: &[&str]) -> String {
    let shown = models[..models.len().min(NAMED)].join(", ");
    match models.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Whether the line itself names a model, alone or with its provider.
fn is_model_said(context: &Context) -> bool {
    let is_flag = context.settings.source(key::PROVIDER) == Some(&crate::config::Source::Flag);
    let with_model = context.settings.get(key::PROVIDER).is_some_and(|name| name.contains(':'));
    said_model(context).is_some() || is_flag && with_model
}

fn said_max_tokens(context: &Context) -> bool {
    context.settings.source(key::MAX_TOKENS) == Some(&crate::config::Source::Flag)
}
