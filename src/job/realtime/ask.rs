//! One question over a chain, outside of any job: the first member that may be asked, and on its
//! failure the next.

use std::time::Duration;

use super::chain::{Chain, Member, Pick, bit};
use super::retry::{Backoff, Step};
use crate::batch::{Failure, FailureKind};
use crate::provider::{Advice, CallReply, CallRequest, ChatError};

/// A person who waits for an answer is told rather than kept waiting longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, and who gave it.
#[derive(Debug)]
pub struct Answered {
    /// Its place in the chain.
    pub member: usize,
    /// The answer.
    pub reply: CallReply,
    /// Calls that were made for it.
    pub tries: u32,
    /// How long the last of them took.
    pub took: Duration,
    /// Who was asked before (`openai:gpt-4o`) and how that failed, in this order.
    pub failures: Vec<(String, Failure)>,
}

/// Nobody answered.
#[derive(Debug)]
pub struct AskFailed {
    /// Who was asked (`openai:gpt-4o`) and how that failed, in this order; those that were left
    /// alone say until when.
    pub failures: Vec<(String, Failure)>,
}

impl std::fmt::Display for AskFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = self.failures.iter().map(|(who, why)| format!("{who}: {}", why.message));
        f.write_str(&told.collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for AskFailed {}

impl Chain<'_> {
    /// Asks one question. `on_text` gets the answer piece by piece where it is given; once a piece
    /// has come nobody else is asked. Who cannot take the request as it is (a parameter that it does
    /// not know, a prompt that is too long) is not asked again, and the next is: nothing is said of
    /// the others by that. Rows of a job are another matter.
    pub async fn ask(
        &self,
        request_for: &(dyn Fn(&Member) -> CallRequest + Sync),
        mut on_text: Option<&mut (dyn FnMut(&str) + Send)>,
    ) -> Result<Answered, AskFailed> {
        let most = self.members().len();
        let mut backoff = Backoff::new(self.options(), most);
        let mut failures: Vec<(String, Failure)> = Vec::new();
        let (mut asked, mut unfit) = (0_u64, 0_u64);
        let mut tries = 0_u32;
        loop {
            let call = match self.pick((asked, most), &|_| 0) {
                Pick::Go(call) => call,
                Pick::Wait(at) => {
                    let now = self.clock().instant();
                    let left = at
                        .map_or(Duration::from_millis(20), |at| at.saturating_duration_since(now));
                    if left > PATIENCE || backoff.waits(left) > PATIENCE {
                        return Err(self.all_of(failures));
                    }
                    self.clock().sleep(left).await;
                    continue;
                }
                Pick::Nobody if asked == unfit => return Err(self.all_of(failures)),
                Pick::Nobody => {
                    asked = unfit;
                    match backoff.next() {
                        Some(pause) => self.clock().sleep(pause).await,
                        None => return Err(self.all_of(failures)),
                    }
                    continue;
                }
            };
            let member = &self.members()[call.member];
            let request = request_for(member);
            let began = self.clock().instant();
            tries += 1;
            let mut has_text = false;
            let end = match on_text.as_deref_mut() {
                Some(on_text) => {
                    let mut seen = |text: &str| {
                        has_text = true;
                        on_text(text);
                    };
                    member.api.stream(&request, member.timeout, &mut seen).await
                }
                None => member.api.call(&request, member.timeout).await,
            };
            if self.ended(call, end.as_ref().map_err(AsRef::as_ref)) {
                // What is not remembered now is found out again.
                let _ = self.remember(call.member);
            }
            let error = match end {
                Ok(reply) => {
                    let took = self.clock().instant().saturating_duration_since(began);
                    return Ok(Answered { member: call.member, reply, tries, took, failures });
                }
                Err(error) => error,
            };
            let ChatError { error, advice, .. } = *error;
            failures.push((member.title(), error.failure));
            asked |= bit(call.member);
            let step = match advice {
                Advice::NotThisRow => {
                    unfit |= bit(call.member);
                    Step::Again
                }
                advice => backoff.count(advice),
            };
            if has_text || step == Step::GiveUp {
                return Err(AskFailed { failures });
            }
        }
    }

    /// The failures, with those that were not asked at all.
    fn all_of(&self, mut failures: Vec<(String, Failure)>) -> AskFailed {
        for standing in self.standings() {
            if failures.iter().any(|(who, _)| *who == standing.title) {
                continue;
            }
            let why = standing.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            let words = match (standing.cooling, standing.paused) {
                (Some(left), _) => format!(
                    "left alone for {} s more after {} failures in a row{why}",
                    left.as_secs().max(1),
                    standing.failures
                ),
                (_, Some(left)) => {
                    format!("it asked to wait {} s more{why}", left.as_secs().max(1))
                }
                _ => format!("not asked{why}"),
            };
            failures.push((standing.title, Failure::ours(FailureKind::RateLimited, words)));
        }
        AskFailed { failures }
    }
}
