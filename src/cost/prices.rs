//! Prices of models: a dated list inside the program, and what the user says above it.
//!
//! A model that neither knows has no price: that is unknown, never 0. Nothing is asked of anybody.

mod names;
mod own;
mod table;
mod words;

pub use own::{OwnPrice, per_million, rate_text};
pub use table::Listing;
pub use words::{OLD_DAYS, first_day};

use self::table::Table;
use super::price::Price;

/// The list and the user's own prices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PriceBook {
    own: Vec<OwnPrice>,
}

impl PriceBook {
    /// The list with the user's own prices, which go first.
    pub fn new(own: Vec<OwnPrice>) -> Self {
        Self { own }
    }

    /// The price of a model at a built-in provider, or the user's.
    pub fn find(&self, provider: &str, model: &str) -> Option<Price> {
        self.find_in(provider, &[provider], model)
    }

    /// The price of a model at a provider of this name, which has the prices of those `tables`
    /// (the first that knows it), unless the user set one.
    ///
    /// The list: the exact name, else the longest name that it is a version of. The user's: the
    /// exact name, else the longest beginning, which yields to a longer name of the list:
    /// `gpt-4o` prices no `gpt-4o-mini`. `Price::model` says which was found.
    pub fn find_in(&self, provider: &str, tables: &[&str], model: &str) -> Option<Price> {
        let listed = tables.iter().find_map(|table| listing(table, model));
        let own = self.own.iter().filter(|own| own.is_for(provider, tables, model));
        let own = own.max_by_key(|own| own.weight());
        match own.filter(|own| listed.is_none_or(|listing| own.is_above(listing))) {
            Some(own) => Some(own.price(provider, listed)),
            None => listed.map(|listing| listing.price.clone()),
        }
    }

    /// The user's own prices.
    pub fn own(&self) -> &[OwnPrice] {
        &self.own
    }
}

/// What the list has on a model at a provider.
pub fn listing(provider: &str, model: &str) -> Option<&'static Listing> {
    Table::built_in().find(provider, model)
}

/// The whole list, or one provider's part of it.
pub fn listings(provider: Option<&str>) -> impl Iterator<Item = &'static Listing> {
    let all = Table::built_in().listings.iter();
    all.filter(move |entry| provider.is_none_or(|name| entry.price.provider == name))
}

#[cfg(test)]
mod tests;
