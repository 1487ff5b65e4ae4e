//! What the line that made a job said of how it runs: kept with the job, so that `resume` goes on
//! as it was begun. What a file or the environment says is looked up anew each time.

use std::collections::BTreeMap;

use super::form::is_on_line;
use super::jobs::Found;
use crate::commands::{Context, config_error};
use crate::config::key;
use crate::ui::CommandError;

/// The settings that decide how calls are made and rows are finished, but neither what is asked nor
/// what it may cost.
const KEPT: [&str; 12] = [
    key::CONCURRENCY.name,
    key::RPM.name,
    key::TPM.name,
    key::TIMEOUT.name,
    key::RETRIES.name,
    key::RETRY_DELAY.name,
    key::FAILURE_THRESHOLD.name,
    key::COOL_DOWN.name,
    key::ABORT_SHARE.name,
    key::PARALLEL_UPLOADS.name,
    key::MAX_ENQUEUED_TOKENS.name,
    key::FINISH.name,
];

/// Those that the line gives, as one would type them after `--set`.
pub(super) fn said(context: &Context) -> BTreeMap<String, String> {
    let names = KEPT.into_iter().map(|name| (name, context.settings.said(name)));
    names.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

impl Found {
    /// The surroundings to go on in: what the line says now, then what the one said that made the
    /// job, then what is set for all.
    pub(in crate::commands) fn as_begun(&self, context: &Context) -> Result<Context, CommandError> {
        // Who says how rows go on says how the last ones are finished.
        let goes_on = is_on_line(context, key::MODE) || is_on_line(context, key::ROUNDS);
        self.begun(context, goes_on)
    }

    /// The same to ask rows again, which are finished as that line says.
    pub(in crate::commands) fn as_called(
        &self,
        context: &Context,
    ) -> Result<Context, CommandError> {
        self.begun(context, true)
    }

    fn begun(&self, context: &Context, otherwise: bool) -> Result<Context, CommandError> {
        let is_kept = |name: &str| {
            context.settings.said(name).is_none() && !(name == key::FINISH.name && otherwise)
        };
        let mut laid = Ok(());
        let begun = context.with_settings(|over| {
            let mut kept = self.spec.said.iter().filter(|(name, _)| is_kept(name));
            laid = kept.try_for_each(|(name, value)| over.assign(&format!("{name}={value}")));
        });
        laid.map_err(config_error)?;
        Ok(begun)
    }
}
