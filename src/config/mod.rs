//! Settings from layers: defaults, the user's file, the project's file, the environment, flags.
//! The last one set wins, and each value remembers where it came from.
//!
//! Also the keys of the providers and the home folder. Nothing here talks to a provider, and no
//! key is ever written to a log or a message.

mod keys;
mod settings;
mod units;
mod value;

pub use keys::{Key, Place, SETTINGS, Setting, named};
pub use settings::{Overrides, Settings, Source};
pub use units::{parse_duration, parse_size};
pub use value::{Kind, Value};

/// The settings by name, each with the type of its value: `settings.get(key::CHECK_INTERVAL)`.
pub mod key {
    pub use super::keys::constants::*;
}
