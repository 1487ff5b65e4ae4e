//! Which row is asked next and whom, and that its call is on the list before it goes out.

use std::sync::atomic::Ordering;

use super::{BACKLOG, BUILDING, Caller, Why};
use crate::base::crash_point;
use crate::job::realtime::chain::{Call, Pick};
use crate::job::realtime::feed::Order;
use crate::job::realtime::later::Later;
use crate::job::realtime::retry::chance;
use crate::job::realtime::shared::Item;

impl Caller<'_> {
    /// All calls that may begin now, each on the list of its shard.
    pub(super) fn next_calls(&mut self) -> Vec<(Box<Item>, Call)> {
        let mut calls = Vec::new();
        while let Some(call) = self.next_call() {
            calls.push(call);
        }
        if calls.is_empty() {
            return calls;
        }
        // One write for all of them, and none of them goes out before it.
        let mut journals = self.state.journals.values_mut();
        if let Err(error) = journals.try_for_each(|listed| listed.journal.write_out()) {
            for (item, call) in calls {
                self.take_back(item, call);
            }
            self.list_failed(error);
            return Vec::new();
        }
        for (item, _) in &calls {
            crash_point!("call", item.custom_id);
        }
        self.shared.out.store(self.state.out as u64, Ordering::Relaxed);
        calls
    }

    /// A call is not begun after all, since its list cannot be written.
    fn take_back(&mut self, item: Box<Item>, call: Call) {
        self.chain.take_back(call);
        self.state.tallies.not_sent(call.member);
        self.state.out -= 1;
        if let Some(listed) = self.state.journals.get_mut(&item.shard) {
            listed.journal.answered(item.entry.row);
        }
        self.state.turn.push_back(item);
    }

    /// The next row that may be asked now, and whom.
    fn next_call(&mut self) -> Option<(Box<Item>, Call)> {
        let state = &mut self.state;
        let is_full = self.shared.backlog.load(Ordering::Relaxed) + state.out >= BACKLOG;
        if state.why.is_some() || state.is_holding || is_full || self.shared.is_over() {
            return None;
        }
        let now = self.chain.clock().instant();
        state.opens = None;
        while state.later.peek().is_some_and(|later| later.due <= now) {
            let later = state.later.pop().expect("looked at above");
            state.turn.push_back(later.item);
        }
        for is_fresh in [false, true] {
            while let Some(item) = self.pop(is_fresh) {
                let tokens = item.tokens;
                match self.chain.pick((item.tried, item.most), &|_| tokens) {
                    Pick::Go(call) => {
                        if is_fresh {
                            self.shared.preferred.store(call.member, Ordering::Relaxed);
                        }
                        if item.built[call.member].is_some() {
                            self.begin(&item, call);
                            return Some((item, call));
                        }
                        self.chain.take_back(call);
                        if self.state.building >= BUILDING {
                            self.push_back(item, is_fresh);
                            break;
                        }
                        self.state.building += 1;
                        // Nobody hears it only where all is over.
                        let _ = self.orders.send(Order::Build(item, call.member));
                    }
                    Pick::Wait(at) => {
                        let opens = &mut self.state.opens;
                        *opens = [*opens, at].into_iter().flatten().min();
                        self.push_back(item, is_fresh);
                        break;
                    }
                    Pick::Nobody if item.tried == 0 => {
                        let failure = self.last_failure();
                        self.push_back(item, is_fresh);
                        self.stop(Why::Refused(failure), None);
                        return None;
                    }
                    Pick::Nobody => self.put_off(item),
                }
            }
        }
        None
    }

    fn pop(&mut self, is_fresh: bool) -> Option<Box<Item>> {
        if is_fresh { self.state.ready.pop_front() } else { self.state.turn.pop_front() }
    }

    fn push_back(&mut self, item: Box<Item>, is_fresh: bool) {
        if is_fresh {
            self.state.ready.push_front(item);
        } else {
            self.state.turn.push_front(item);
        }
    }

    /// All that may be asked were asked: once more, after a while.
    fn put_off(&mut self, mut item: Box<Item>) {
        item.tried = 0;
        let pause = item.backoff.pause(chance());
        if pause.is_zero() {
            // Only refused: the gates say when.
            self.state.turn.push_back(item);
            return;
        }
        let due = self.chain.clock().instant() + pause;
        self.state.later.push(Later { due, item });
    }

    fn begin(&mut self, item: &Item, call: Call) {
        if let Some(listed) = self.state.journals.get_mut(&item.shard) {
            listed.journal.sent(item.entry.row, call.member);
        }
        self.state.tallies.sent(call.member);
        self.state.out += 1;
    }
}
