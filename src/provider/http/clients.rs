//! The HTTP clients: one for reading, one for calls that change something. Calls that are answered
//! at once go past the library that makes them: [`super::calls`].
//!
//! Neither follows redirects, since only `Authorization` would be taken off on the way to another
//! host. The writing one keeps no idle connections, so a fault in the connect phase always means
//! that nothing was sent, and it never repeats anything by itself.

use std::sync::Once;

use reqwest::{Client, ClientBuilder, redirect, retry};

use crate::provider::{ProviderError, Proxy, Timeouts};

/// How we name ourselves.
pub(super) const USER_AGENT: &str = concat!("batchctl/", env!("CARGO_PKG_VERSION"));

/// The client for reads: pooled, and no byte for the idle time is a fault.
pub(super) fn reading(
    timeouts: &Timeouts,
    is_loopback: bool,
    proxy: &Proxy,
) -> Result<Client, ProviderError> {
    built(common(timeouts, is_loopback, proxy)?.read_timeout(timeouts.idle))
}

/// The client for calls that change something. It has no idle time: the library counts that from
/// the first byte sent, so a long upload would never end.
pub(super) fn writing(
    timeouts: &Timeouts,
    is_loopback: bool,
    proxy: &Proxy,
) -> Result<Client, ProviderError> {
    built(common(timeouts, is_loopback, proxy)?.pool_max_idle_per_host(0))
}

/// A client for this machine only.
pub(in crate::provider) fn loopback_client() -> Result<Client, ProviderError> {
    built(common(&Timeouts::default(), true, &Proxy::None)?)
}

fn built(builder: ClientBuilder) -> Result<Client, ProviderError> {
    builder.build().map_err(|error| unusable(super::words::innermost(&error)))
}

/// Why there is no client.
pub(super) fn unusable(words: String) -> ProviderError {
    if words.contains("No CA certificates") {
        return ProviderError::NoCertificates;
    }
    ProviderError::Client(words)
}

fn common(
    timeouts: &Timeouts,
    is_loopback: bool,
    proxy: &Proxy,
) -> Result<ClientBuilder, ProviderError> {
    install_tls();
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(timeouts.connect)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .http1_only();
    if is_loopback {
        // A proxy from the environment would take calls to this machine elsewhere, and the library
        // builds no client without a store of certificates unless it is given its own (empty) one.
        return Ok(builder.no_proxy().tls_certs_only([]));
    }
    Ok(match proxy {
        Proxy::System => builder,
        Proxy::None => builder.no_proxy(),
        Proxy::Url(url) => {
            let proxy = reqwest::Proxy::all(url)
                .map_err(|error| ProviderError::BadProxy(super::words::innermost(&error)))?;
            builder.proxy(proxy)
        }
    })
}

/// Says once which TLS is used by all clients.
pub(super) fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that someone else installed one, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
