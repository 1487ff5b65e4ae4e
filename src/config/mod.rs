//! Settings from layers: defaults, the user's file, the project's file, `.env`, the environment,
//! flags. The last one set wins, and each value remembers where it came from.
//!
//! Also who is asked, at which address, with which key, and where the home folder is. Nothing
//! here talks to a provider, and no key is ever written to a log or a message.

mod account;
mod address;
mod chains;
mod environment;
mod error;
mod file;
mod keyring;
mod keys;
mod lower;
mod prices;
mod settings;
mod surroundings;
mod text;
mod units;
mod value;

#[cfg(test)]
mod tests;

pub use crate::base::nearest;
pub use account::{Account, KeySource, Who, is_loopback};
pub use address::without_secrets;
pub use chains::{Asked, ChainEntry};
pub use environment::Environment;
pub use error::ConfigError;
pub use file::{ProviderEntry, SetLimits};
pub use keyring::{Kept, Keyring};
pub use keys::{Key, Place, SETTINGS, Setting, named};
pub use settings::{Overrides, Settings, Source};
pub use surroundings::Surroundings;
pub use text::TextSource;
pub use units::{parse_duration, parse_size};
pub use value::{FromValue, Kind, Value};

/// The settings by name, each with the type of its value: `settings.get(key::CHECK_INTERVAL)`.
pub mod key {
    pub use super::keys::constants::*;
}
