//! A provider as the user set it up, and the checks before any key is sent anywhere.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use crate::base::{Clock, Secret, SystemClock};

use super::files::OpenAiShaped;
use super::realtime_only::RealtimeOnly;
use super::sandbox::{KEY_PREFIX, SANDBOX};
use super::{BatchApi, Dialect, ProviderError};

/// A provider as the user set it up.
#[derive(Clone)]
pub struct ProviderSettings {
    /// The name by which the user knows it: built-in, or of `[providers.NAME]`.
    pub name: String,
    /// What it is like; for one of the user's own, its kind.
    pub dialect: &'static Dialect,
    /// Another address than the dialect's.
    pub base_url: Option<String>,
    /// The key.
    pub key: Secret,
    /// The way out; never used for loopback addresses.
    pub proxy: Proxy,
    /// How long calls may take.
    pub timeouts: Timeouts,
    /// Whether a deleted input file is known to stop a late create, if not as the dialect says.
    pub fence_trusted: Option<bool>,
    /// The version of the API that calls name, where the service wants one (Anthropic's); `None`
    /// for the usual one.
    pub api_version: Option<String>,
    /// What waits between the tries of a read.
    pub clock: Arc<dyn Clock>,
}

impl ProviderSettings {
    /// A built-in provider as it comes.
    pub fn new(dialect: &'static Dialect, key: Secret) -> Self {
        Self {
            name: dialect.name.to_owned(),
            dialect,
            base_url: None,
            key,
            proxy: Proxy::System,
            timeouts: Timeouts::default(),
            fence_trusted: None,
            api_version: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// The address calls will go to, checked.
    pub fn address(&self) -> Result<Address, ProviderError> {
        let text = self.base_url.as_deref().unwrap_or(self.dialect.base_url);
        if text.is_empty() {
            return Err(ProviderError::NoAddress(self.name.clone()));
        }
        Address::parse(text)
    }

    /// Whether calls go to another host than the provider's own; that is said before the first one.
    pub fn is_at_other_host(&self) -> Result<bool, ProviderError> {
        let address = self.address()?;
        let own = Address::parse(self.dialect.base_url);
        Ok(own.map_or(true, |own| own.url.origin() != address.url.origin()))
    }

    /// Refuses a model of another maker at a maker's own address; any name goes elsewhere.
    pub fn check_model(&self, model: &str) -> Result<(), ProviderError> {
        if self.is_at_other_host()? {
            return Ok(());
        }
        match self.dialect.refuses_model(model) {
            None => Ok(()),
            Some(maker) => Err(ProviderError::ForeignModel {
                provider: self.name.clone(),
                model: model.to_owned(),
                maker: maker.provider_name(),
            }),
        }
    }

    /// Whether the key is one of a sandbox.
    pub(super) fn has_sandbox_key(&self) -> bool {
        self.key.expose().starts_with(KEY_PREFIX)
    }
}

impl fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderSettings")
            .field("name", &self.name)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// Opens the provider for batches; sends nothing yet. One without batches refuses each call.
pub fn open(settings: &ProviderSettings) -> Result<Box<dyn BatchApi>, ProviderError> {
    if !settings.dialect.batches {
        return Ok(Box::new(RealtimeOnly::new(settings)?));
    }
    Ok(Box::new(OpenAiShaped::new(settings)?))
}

/// Whether what stands at this address answers synthetically.
pub(super) fn is_sandbox(settings: &ProviderSettings, address: &Address) -> bool {
    settings.dialect.name == SANDBOX.name || (address.is_loopback() && settings.has_sandbox_key())
}

/// How long calls may take. A timeout of a call that changes something leaves its effect unknown,
/// so they are generous.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Without any byte, in a download or an upload.
    pub idle: Duration,
    /// For a whole call without a file, and for the reply after an upload's last byte.
    pub call: Duration,
    /// Bytes per second that an upload must reach over all.
    pub slowest_upload: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            call: Duration::from_secs(120),
            slowest_upload: 32 << 10,
        }
    }
}

impl Timeouts {
    /// All of them this many times shorter, for rehearsals; never longer.
    #[must_use]
    pub fn sooner(self, scale: f64) -> Self {
        let scale = if scale > 1.0 { scale } else { 1.0 };
        Self {
            connect: self.connect.div_f64(scale),
            idle: self.idle.div_f64(scale),
            call: self.call.div_f64(scale),
            slowest_upload: self.slowest_upload,
        }
    }

    /// The most an upload of this many bytes may take.
    pub(super) fn upload(&self, bytes: u64) -> Duration {
        self.call + Duration::from_secs(bytes / self.slowest_upload.max(1))
    }
}

/// The way out: `--proxy URL|system|none`.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// As the environment and the system say.
    #[default]
    System,
    /// Straight.
    None,
    /// Through this one (`http`, `https`, `socks5`, `socks5h`).
    Url(String),
}

impl FromStr for Proxy {
    type Err = ProviderError;

    fn from_str(text: &str) -> Result<Self, ProviderError> {
        match text.trim() {
            "system" => Ok(Self::System),
            "none" => Ok(Self::None),
            url => {
                let parsed = Url::parse(url)
                    .map_err(|error| ProviderError::BadProxy(format!("not an address: {error}")))?;
                if !matches!(parsed.scheme(), "http" | "https" | "socks5" | "socks5h") {
                    let words = format!("{}:// is not a kind of proxy", parsed.scheme());
                    return Err(ProviderError::BadProxy(words));
                }
                if let Some(password) = parsed.password() {
                    // Registers it, so that it never shows in a message.
                    drop(Secret::new(password));
                }
                Ok(Self::Url(url.to_owned()))
            }
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "system",
            Self::None => "none",
            Self::Url(_) => "[proxy]",
        })
    }
}

/// An address that a key may go to: https, or http on loopback; no query and no password in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
}

impl Address {
    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, ProviderError> {
        let bad = |why: &str| ProviderError::BadAddress {
            address: presentable(text),
            why: why.to_owned(),
        };
        if !text.contains("://") {
            return Err(bad("it must begin with https://"));
        }
        let mut url = Url::parse(text.trim()).map_err(|error| bad(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it must not hold a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("it must not hold a query or fragment"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err(bad("a key is only sent over https (http only on loopback)")),
            _ => return Err(bad("it must begin with https://")),
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self { url })
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// The address as text, without a slash at the end.
    pub fn as_str(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// The host, with the port if it is not the usual one.
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The root of the server.
    pub(super) fn root(&self) -> Url {
        let mut root = self.url.clone();
        root.set_path("/");
        root
    }

    /// An address below this one; each part is encoded, so an id from outside stays one part.
    pub(super) fn join(&self, parts: &[&str]) -> Url {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .expect("http and https addresses have a path")
            .pop_if_empty()
            .extend(parts);
        url
    }

    /// A link from a provider, absolute or from the root of the server, and whether the key may go
    /// there. Only https, except that a loopback provider may name itself.
    pub(super) fn link(&self, link: &str) -> Result<(Url, bool), ProviderError> {
        let bad = |why: &str| ProviderError::BadAddress {
            address: presentable(link),
            why: why.to_owned(),
        };
        let url = self.url.join(link).map_err(|error| bad(&error.to_string()))?;
        let is_own = url.origin() == self.url.origin();
        if url.scheme() != "https" && !is_own {
            return Err(bad("a link of a provider must begin with https://"));
        }
        Ok((url, is_own))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    }
}

/// An address for a message: signed links carry their right in the query, and people paste keys in
/// front of an `@`.
pub(super) fn presentable(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    match (address.find("://"), address.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}{}", &address[..scheme + 3], &address[at + 1..])
        }
        (None, Some(at)) => address[at + 1..].to_owned(),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_addresses_a_key_may_go_to() {
        for good in [
            "https://api.openai.com/v1",
            "https://api.openai.com/v1/",
            "http://127.0.0.1:8080/v1",
            "http://localhost:1/v1",
            "http://[::1]:9/v1",
        ] {
            Address::parse(good).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        for bad in [
            "http://api.openai.com/v1",
            "http://0.0.0.0:80/v1",
            "http://127.0.0.1.example.com/v1",
            "http://localhost.example.com/",
            "https://user:sk-secret@api.openai.com/v1",
            "https://api.openai.com/v1?key=sk-secret",
            "ftp://api.openai.com",
            "api.openai.com",
            "",
        ] {
            let error = Address::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("sk-secret"), "{error}");
        }
    }

    #[test]
    fn parts_stay_parts_and_links_take_the_key_only_home() {
        let address = Address::parse("https://api.example.com/v1/").unwrap();
        assert_eq!(address.as_str(), "https://api.example.com/v1");
        let joined = |id| address.join(&["files", id, "content"]).to_string();
        assert_eq!(joined("file-1"), "https://api.example.com/v1/files/file-1/content");
        assert_eq!(joined("a/b?c"), "https://api.example.com/v1/files/a%2Fb%3Fc/content");
        let table = [
            ("/v1/files/x", Some(("https://api.example.com/v1/files/x", true))),
            ("https://api.example.com/x", Some(("https://api.example.com/x", true))),
            (
                "https://store.example.com/x?sig=1",
                Some(("https://store.example.com/x?sig=1", false)),
            ),
            ("https://api.example.com:444/x", Some(("https://api.example.com:444/x", false))),
            ("//evil.example.com/x", Some(("https://evil.example.com/x", false))),
            ("http://api.example.com/x", None),
            ("http://127.0.0.1:22/x", None),
            ("file:///etc/passwd", None),
        ];
        for (link, expected) in table {
            let found = address.link(link).ok();
            let found = found.as_ref().map(|(url, own)| (url.as_str(), *own));
            assert_eq!(found, expected, "{link}");
        }
        let local = Address::parse("http://127.0.0.1:8080/v1").unwrap();
        assert!(local.link("/content").unwrap().1);
        assert!(local.link("http://127.0.0.1:8081/content").is_err());
    }

    #[test]
    fn proxies_are_read_and_their_passwords_do_not_show() {
        assert_eq!("system".parse::<Proxy>().unwrap(), Proxy::System);
        assert_eq!("none".parse::<Proxy>().unwrap(), Proxy::None);
        let proxy: Proxy = "socks5h://me:pass-0815-word@127.0.0.1:1080".parse().unwrap();
        assert_eq!(format!("{proxy:?}"), "[proxy]");
        assert_eq!(crate::base::redact("x pass-0815-word y"), "x [key] y");
        assert!("ftp://x".parse::<Proxy>().is_err());
        assert!("x".parse::<Proxy>().is_err());
    }
}
