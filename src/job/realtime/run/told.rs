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

    /// Says that a service refuses everything and is not asked in this run any more: whoever is
    /// next answers in its place, and is paid.
    pub(super) fn warn_of_end(&mut self, member: usize, words: &str) {
        let first = self.state.ended & bit(member) == 0;
        self.state.ended |= bit(member);
        // Of the last one, and of an only one, the end of the run tells.
        let has_next = member + 1 < self.chain.members().len();
        if first && has_next {
            let member = &self.chain.members()[member];
            self.driver.warn(&format!(
                "{} {} refuses all calls and is not asked any more; the next one is asked, and \
                 paid: {}",
                member.name,
                member.model,
                redact(words)
            ));
        }
    }

    /// Says of whom nothing is asked yet because of what an earlier run met.
    pub(super) fn warn_of_rest(&self) {
        for (member, standing) in self.chain.members().iter().zip(self.chain.standings()) {
            let Some(left) = standing.cooling else { continue };
            self.driver.warn(&format!(
                "{} {} failed before and is left alone for {:.0}s more\n  \
                 ask it at once: batchctl providers health --reset {}",
                member.name,
                member.model,
                left.as_secs_f64().ceil(),
                member.name,
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
