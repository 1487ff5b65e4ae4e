//! The keys that `login` kept: one file in the home folder that only its owner may read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::error::ConfigError;
use crate::base::{self, Secret};

/// The kept keys.
#[derive(Debug)]
pub struct Keyring {
    path: PathBuf,
    keys: BTreeMap<String, Kept>,
}

/// A kept key and the address it belongs to.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The key.
    pub key: Secret,
    /// The provider's address at the time of login; the key goes nowhere else.
    pub base_url: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    base_url: String,
    key: String,
}

impl Keyring {
    /// Reads the key file of a home folder; none there is an empty one. Refused if others may
    /// read it.
    pub fn open(home: &Path) -> Result<Self, ConfigError> {
        let path = home.join("keys.toml");
        let failed = |source| ConfigError::File { path: path.clone(), source };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(failed(source)),
        };
        if !text.is_empty() && base::is_open_to_others(&path).map_err(failed)? {
            return Err(ConfigError::OpenKeyFile { path });
        }
        // The parser's own message would quote the line, and with it a key.
        let lines: BTreeMap<String, Line> = toml::from_str(&text).map_err(|_| {
            failed(io::Error::new(io::ErrorKind::InvalidData, "not a file that login wrote"))
        })?;
        let keys = lines
            .into_iter()
            .map(|(name, line)| {
                (name, Kept { key: Secret::new(line.key), base_url: line.base_url })
            })
            .collect();
        Ok(Self { path, keys })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key kept under a provider's name.
    pub fn get(&self, provider: &str) -> Option<&Kept> {
        self.keys.get(provider)
    }

    /// Keeps a key, in place of an earlier one.
    pub fn keep(&mut self, provider: &str, kept: Kept) -> Result<(), ConfigError> {
        self.keys.insert(provider.to_owned(), kept);
        self.write()
    }

    /// Forgets a key; says whether there was one.
    pub fn forget(&mut self, provider: &str) -> Result<bool, ConfigError> {
        let was_there = self.keys.remove(provider).is_some();
        if was_there {
            self.write()?;
        }
        Ok(was_there)
    }

    fn write(&self) -> Result<(), ConfigError> {
        let lines: BTreeMap<&str, Line> = self
            .keys
            .iter()
            .map(|(name, kept)| {
                let key = kept.key.expose().to_owned();
                (name.as_str(), Line { base_url: kept.base_url.clone(), key })
            })
            .collect();
        let text = toml::to_string(&lines).expect("texts by name are always TOML");
        let failed = |source| ConfigError::File { path: self.path.clone(), source };
        if let Some(home) = self.path.parent() {
            base::private_dir(home).map_err(failed)?;
        }
        base::write_private(&self.path, text.as_bytes()).map_err(failed)
    }
}
