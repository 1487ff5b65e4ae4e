//! When a group goes into the account, and what ends a run: nothing left, a signal, a wish, a halt,
//! a long silence.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{Caller, GLANCE, GRACE, GROUP, GROUP_AFTER, GROUP_PAUSE, PATIENCE, Why};
use crate::batch::{Failure, FailureKind};
use crate::job::realtime::journal::Mark;
use crate::job::realtime::shared::Message;

impl Caller<'_> {
    /// What was counted goes into the account with what came before: as soon as there is enough of
    /// it and the last group is there.
    pub(super) fn group_if_due(&mut self) {
        let is_kept = self.shared.grouped.load(Ordering::SeqCst) >= self.state.groups;
        let (rows, since) = self.state.group;
        let now = self.chain.clock().instant();
        let is_late = since.is_some_and(|at| now.saturating_duration_since(at) >= GROUP_AFTER);
        let is_last = self.state.out == 0 && since.is_some();
        let has_paused = |at| now.saturating_duration_since(at) >= GROUP_PAUSE;
        let is_enough = rows >= GROUP && self.state.grouped.is_none_or(has_paused);
        if is_kept && (is_enough || is_late || is_last) {
            self.group();
        }
    }

    fn group(&mut self) {
        let mut counted = Vec::new();
        let mut failed = None;
        for (shard, listed) in &mut self.state.journals {
            match listed.journal.carry_over() {
                Ok(bytes) => counted.push((*shard, bytes)),
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            self.list_failed(error);
        }
        self.state.journals.retain(|_, listed| listed.rows > 0 || !listed.is_whole);
        let asked = self.state.tallies.take();
        self.tell(Message::Group { asked, counted });
        self.state.groups += 1;
        self.state.grouped = Some(self.chain.clock().instant());
        self.state.group = (0, None);
    }

    /// What only time or others bring: a signal, a wish, a halt, a long silence.
    pub(super) fn look(&mut self) {
        let now = self.chain.clock().instant();
        self.group_if_due();
        if let Some((_, until)) = &mut self.state.why {
            // Whatever stopped the calls, a person waits no longer than that for the last of them.
            if until.is_none() && self.driver.stop.cause().is_some() {
                *until = Some(now + GRACE);
            }
            return;
        }
        if let Some(cause) = self.driver.stop.cause() {
            self.stop(Why::Stopped(cause), Some(now + GRACE));
        } else if self.shared.is_over() || self.shared.is_halted.load(Ordering::SeqCst) {
            self.stop(Why::Halted, None);
        } else if now.saturating_duration_since(self.state.glanced) >= GLANCE {
            self.state.glanced = now;
            match self.driver.store.is_cancel_wished(&self.driver.job.key) {
                Ok(true) => self.stop(Why::Wished, Some(now + GRACE)),
                Ok(false) => {}
                Err(error) => self.fail(error.into()),
            }
        }
        let most = self.driver.options.max_wait;
        if most.is_some_and(|most| now.saturating_duration_since(self.state.began) >= most) {
            self.stop(Why::Waited, Some(now + GRACE));
        }
        let is_silent = now.saturating_duration_since(self.state.answered) >= PATIENCE;
        // Calls that are out have the last word, and others do not follow on them for ever.
        self.state.is_holding = is_silent && self.has_rows();
        if self.state.is_holding && self.state.out == 0 {
            self.stop(Why::Unreachable(self.last_failure()), None);
        }
    }

    pub(super) fn stop(&mut self, why: Why, until: Option<Instant>) {
        self.state.why.get_or_insert((why, until));
        self.shared.stop();
    }

    pub(super) fn has_rows(&self) -> bool {
        let state = &self.state;
        !(state.ready.is_empty() && state.turn.is_empty() && state.later.is_empty())
            || state.building > 0
    }

    /// Whether it is over, and why.
    pub(super) fn is_over(&mut self) -> Option<Why> {
        let now = self.chain.clock().instant();
        let out = self.state.out;
        if let Some((why, until)) = &self.state.why {
            let is_late = until.is_some_and(|until| now >= until);
            return (out == 0 || is_late).then(|| why.clone());
        }
        if self.shared.is_over() {
            return (out == 0).then_some(Why::Halted);
        }
        (out == 0 && self.state.is_fed && !self.has_rows()).then_some(Why::Through)
    }

    /// What is still out is cut off; it may have been billed.
    pub(super) fn end(&mut self, why: Why) -> Why {
        for listed in self.state.journals.values_mut() {
            let out: Vec<_> = listed.journal.out().iter().map(|(row, by)| (*row, *by)).collect();
            for (row, member) in out {
                // A mark that cannot be written is missing, and what is missing counts the same.
                let _ = listed.journal.ended(row, member, Mark::Unanswered);
                self.state.tallies.ended(member, Mark::Unanswered);
            }
        }
        self.chain.forget_calls();
        self.hand_over_answers();
        self.group();
        why
    }

    pub(super) fn last_failure(&self) -> Failure {
        let members = self.chain.members().iter().enumerate();
        let told = members.filter_map(|(at, member)| Some((member, self.chain.last_failure(at)?)));
        let told: Vec<_> = told.map(|(member, failure)| (member.title(), failure)).collect();
        told_together(told)
    }
}

/// What each service said, as one failure: that of the first in the chain, which is the job's own,
/// with the words of all.
fn told_together(mut told: Vec<(String, Failure)>) -> Failure {
    if told.len() < 2 {
        let only = told.pop().map(|(_, failure)| failure);
        return only.unwrap_or_else(|| Failure::ours(FailureKind::Network, "nobody answered"));
    }
    let words = told.iter().map(|(who, failure)| {
        let status = failure.status.map(|status| format!(" (HTTP {status})")).unwrap_or_default();
        format!("{who}: {}{status}", failure.message)
    });
    let words = words.collect::<Vec<_>>().join("; ");
    Failure::ours(told[0].1.kind, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_14_a_total_failure_tells_what_each_service_said() {
        let failure = |kind, status, words: &str| Failure {
            status: Some(status),
            ..Failure::ours(kind, words)
        };
        let key = failure(FailureKind::Credentials, 401, "wrong key");
        let money = failure(FailureKind::Account, 429, "no money left");
        assert_eq!(told_together(vec![("a:m".to_owned(), key.clone())]), key);
        let both = told_together(vec![("a:m".to_owned(), key), ("b:m".to_owned(), money)]);
        assert_eq!(both.kind, FailureKind::Credentials);
        assert_eq!(both.message, "a:m: wrong key (HTTP 401); b:m: no money left (HTTP 429)");
        assert_eq!(told_together(Vec::new()).message, "nobody answered");
    }
}
