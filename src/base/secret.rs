//! Keys: held so that no format string can show them, and filtered from all that is printed.

use std::borrow::Cow;
use std::fmt;
use std::sync::RwLock;

/// What stands where a key would have stood.
const MASK: &str = "[key]";
/// Shorter texts are not filtered: they would blank ordinary words out of messages.
const SHORTEST_FILTERED: usize = 6;

/// Every key that was loaded in this process; `redact` removes them from any text.
static LOADED: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// A key. Neither `Debug` nor `Display` shows it; only `expose` hands it out, for the one header
/// it belongs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a key over and registers it with [`redact`].
    pub fn new(key: impl Into<String>) -> Self {
        let key = key.into();
        if key.len() >= SHORTEST_FILTERED {
            let mut loaded = LOADED.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            if !loaded.contains(&key) {
                loaded.push(key.clone());
            }
        }
        Self(key)
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// First 8 hex digits of a salted digest: tells two keys apart without telling either.
    pub fn fingerprint(&self, salt: &str) -> String {
        let digest =
            blake3::Hasher::new().update(salt.as_bytes()).update(self.0.as_bytes()).finalize();
        digest.to_hex()[..8].to_owned()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// The text without any key that this process has loaded. Providers repeat parts of keys in
/// their refusals, so everything printed or stored from outside passes here.
pub fn redact(text: &str) -> Cow<'_, str> {
    let loaded = LOADED.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut text = Cow::Borrowed(text);
    for key in loaded.iter() {
        if text.contains(key.as_str()) {
            text = Cow::Owned(text.replace(key.as_str(), MASK));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_in_no_format_and_is_taken_out_of_foreign_text() {
        let key = Secret::new("sk-base-secret-test-0001");
        assert_eq!(format!("{key} {key:?}"), "[key] [key]");
        assert_eq!(redact("bad key sk-base-secret-test-0001!"), "bad key [key]!");
        assert_eq!(key.expose(), "sk-base-secret-test-0001");
        assert_ne!(key.fingerprint("a"), key.fingerprint("b"));
    }
}
