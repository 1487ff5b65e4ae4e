//! How a remote call can end badly, and what may be concluded from it.

use std::fmt;
use std::io;

use crate::base::redact;
use crate::batch::Failure;

/// What is known about the effect of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallClass {
    /// It never left this machine: nothing exists, and it may be repeated.
    NotSent,
    /// The provider said no: nothing exists.
    Rejected,
    /// It may have been done. A create must be looked for before it is repeated.
    Unknown,
}

/// A remote call that failed.
#[derive(Debug)]
pub struct CallError {
    /// What is known about its effect.
    pub class: CallClass,
    /// The fact, with the provider's words.
    pub failure: Failure,
    /// What was attempted, as words that follow "failed to".
    pub call: &'static str,
    /// Where, as the user names it.
    pub provider: Box<str>,
    /// The fault of our own disk, if it was one.
    pub local: Option<io::Error>,
}

impl CallError {
    /// Whether the fault is one of local storage and not of the provider or the way to it.
    pub fn is_local(&self) -> bool {
        self.local.is_some()
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.call, self.provider, redact(&self.failure.message))?;
        match (self.failure.status, &self.failure.code) {
            (Some(status), Some(code)) => write!(f, " (HTTP {status}, {})", redact(code)),
            (Some(status), None) => write!(f, " (HTTP {status})"),
            (None, Some(code)) => write!(f, " ({})", redact(code)),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.local.as_ref().map(|error| error as _)
    }
}

/// Why a provider cannot be used as it was set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// No such built-in provider or kind.
    #[error("no provider or kind is named {name:?}; there are {}", .known.join(", "))]
    UnknownProvider {
        /// What was asked for.
        name: String,
        /// All names.
        known: Vec<&'static str>,
    },
    /// The provider needs an address from the user.
    #[error("provider {0} has no address: give it a base_url")]
    NoAddress(String),
    /// The address is not one a key may go to.
    #[error("the address {address:?} cannot be used: {why}")]
    BadAddress {
        /// The address, without query and without what stood before an `@`.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The proxy cannot be used.
    #[error("the proxy cannot be used: {0} (give URL, `system` or `none`)")]
    BadProxy(String),
    /// The key cannot stand in a header.
    #[error("the key for {0} holds characters that no key has, such as a line end or a quote")]
    BadKey(String),
    /// The service does not serve this maker's models.
    #[error(
        "{provider} does not serve {model}, which is a model of {maker}; use `--provider {maker}` or another model"
    )]
    ForeignModel {
        /// The provider asked for.
        provider: String,
        /// The model asked for.
        model: String,
        /// The name of its maker's own service.
        maker: &'static str,
    },
    /// Nobody can be trusted, so nothing can be asked over https.
    #[error(
        "no CA certificates were found on this system, so no https address can be trusted: install \
         the package ca-certificates, or point SSL_CERT_FILE at a file with certificates"
    )]
    NoCertificates,
    /// The HTTP client could not be set up.
    #[error("cannot set up HTTP: {0}")]
    Client(String),
}
