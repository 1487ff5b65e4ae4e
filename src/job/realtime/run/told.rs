//! What people are told while calls are made: who is left alone for a while, and who refuses.

use super::{Caller, bit};
use crate::base::redact;
use crate::store::HealthRecord;

impl Caller<'_> {
    /// Says once that a service is left alone for a while.
    pub(super) fn warn_of(&self, health: &HealthRecord) {
        let HealthRecord { provider, model, failures, reason, .. } = health;
        if health.until.is_some() && *failures == self.chain.options().failure_threshold.max(1) {
            let reason = reason.as_deref().unwrap_or("no reason given");
            self.driver.warn(&format!(
                "{provider} {model} failed {failures} times in a row and is left alone for a \
                 while, then tried again: {reason}"
            ));
        }
    }

    /// Says once that a service refuses calls for their number.
    pub(super) fn warn_of_refusals(&mut self, member: usize, words: &str) {
        let first = self.state.refused & bit(member) == 0;
        self.state.refused |= bit(member);
        if first {
            let member = &self.chain.members()[member];
            self.driver.warn(&format!(
                "{} {} refuses calls for their number; fewer are made until it takes them: {}",
                member.name,
                member.model,
                redact(words)
            ));
        }
    }
}
