//! What it may cost that a call goes to another member of a failover chain: the dearest one
//! decides what a run may come to, and one whose price is unknown, or in another currency, leaves
//! that unknown.

use super::bill::{Bill, Level};
use super::estimate::Estimate;
use super::price::Price;
use super::terms::Forecast;
use crate::request::Mode;

/// What all requests would cost with one further member of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct OtherBill {
    /// Its provider and model, as people read them.
    pub who: String,
    /// Its price; `None` = unknown.
    pub price: Option<Price>,
    /// The bill.
    pub bill: Bill,
}

impl Estimate {
    /// The further members that may be paid: none where no call is made.
    pub fn payees(&self) -> impl Iterator<Item = &OtherBill> {
        let calls = [self.mode, self.finish].contains(&Mode::Realtime);
        self.others.iter().filter(move |_| calls)
    }

    /// Those of them of which nobody knows what they may cost, in this currency.
    pub fn unpriced(&self) -> impl Iterator<Item = &OtherBill> {
        let currency = self.price.as_ref().map(|price| price.currency);
        self.payees().filter(move |other| {
            let own = other.price.as_ref().filter(|price| Some(price.currency) == currency);
            own.is_none() || other.bill.cost(Mode::Realtime, Level::Likely).is_none()
        })
    }

    /// The forecast of the first member with the bounds of the dearest.
    pub(super) fn dearest(&self, own: Forecast) -> Forecast {
        if self.payees().next().is_none() {
            return own;
        }
        let mut all = own;
        if self.unpriced().next().is_some() {
            (all.cost.high, all.cost.worst, all.reserve) = (None, None, None);
            return all;
        }
        for other in self.payees() {
            let cost = |level| other.bill.cost(Mode::Realtime, level);
            let dearer = |own: Option<u64>, other: Option<u64>| Some(own?.max(other?));
            all.cost.high = dearer(all.cost.high, cost(Level::High));
            all.cost.worst = dearer(all.cost.worst, cost(Level::Worst));
        }
        all
    }

    /// The chain in words, the first member too; empty where nobody else is asked.
    pub(super) fn chain_words(&self, first: &str) -> Vec<String> {
        let mut others = self.payees().peekable();
        if others.peek().is_none() {
            return Vec::new();
        }
        let currency = self.price.as_ref().map(|price| price.currency);
        let told = others.map(|other| match &other.price {
            None => format!("then {} (price unknown)", other.who),
            Some(price) if Some(price.currency) != currency => {
                format!("then {} (paid in {})", other.who, price.currency)
            }
            Some(_) => match other.bill.cost(Mode::Realtime, Level::Likely) {
                None => format!("then {} (price unknown)", other.who),
                Some(0) => format!("then {} (free)", other.who),
                pico => format!("then {} (all of it likely {})", other.who, self.amount(pico)),
            },
        });
        std::iter::once(first.to_owned()).chain(told).collect()
    }
}
