//! How a connection for calls comes about: straight, through the tunnel of an HTTP proxy or
//! through a SOCKS proxy, and TLS above it. The ways and their order are those of the library that
//! makes the other clients, of the same parts.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderValue, USER_AGENT};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::provider::settings::Address;
use crate::provider::{ProviderError, Proxy, Timeouts};

use super::clients;

type Tcp = TokioIo<TcpStream>;
/// A connection to the service or to the proxy on the way, which may want TLS of its own.
type Stream = MaybeHttpsStream<Tcp>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Opening<S> = Pin<Box<dyn Future<Output = Result<S, BoxError>> + Send>>;

/// A quiet connection is asked for a sign of life as often, and given up after so many questions.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TRIES: u32 = 3;
/// Bytes that nobody acknowledges for so long break the connection.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// Where SOCKS proxies listen.
const SOCKS_PORT: u16 = 1080;

/// Opens connections to one service.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Way>,
    within: Duration,
}

/// No connection came about in time.
#[derive(Debug, thiserror::Error)]
#[error("operation timed out")]
struct Late;

impl Connector {
    /// For this address, on this way out.
    pub(super) fn new(
        address: &Address,
        timeouts: &Timeouts,
        proxy: &Proxy,
    ) -> Result<Self, ProviderError> {
        let tcp = tcp(timeouts);
        let tls = tls(address.is_loopback())?;
        let way = match proxy_of(address, proxy)? {
            None => Way::Straight(tcp),
            Some(proxy) => through(&proxy, tcp, &tls),
        };
        Ok(Self { https: HttpsConnector::from((way, Arc::new(tls))), within: timeouts.connect })
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Stream>;
    type Error = BoxError;
    type Future = Opening<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (opening, within) = (self.https.call(to), self.within);
        Box::pin(async move {
            match tokio::time::timeout(within, opening).await {
                Ok(opened) => opened,
                Err(_) => Err(Late.into()),
            }
        })
    }
}

/// The way to the service, below its TLS.
#[derive(Clone)]
enum Way {
    Straight(HttpConnector),
    Tunnel(Tunnel<HttpsConnector<HttpConnector>>),
    Socks(Socks),
}

impl Service<Uri> for Way {
    type Response = Stream;
    type Error = BoxError;
    type Future = Opening<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // All of them are, always.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self {
            Self::Straight(tcp) => {
                let opening = tcp.call(to);
                Box::pin(async { Ok(MaybeHttpsStream::Http(opening.await?)) })
            }
            Self::Tunnel(tunnel) => {
                let opening = tunnel.call(to);
                Box::pin(async { Ok(opening.await?) })
            }
            Self::Socks(socks) => {
                let opening = socks.clone().open(to);
                Box::pin(async { Ok(MaybeHttpsStream::Http(opening.await?)) })
            }
        }
    }
}

/// A SOCKS proxy.
#[derive(Clone)]
struct Socks {
    proxy: Intercept,
    tcp: HttpConnector,
}

impl Socks {
    async fn open(self, to: Uri) -> Result<Tcp, BoxError> {
        let kind = self.proxy.uri().scheme_str().unwrap_or_default();
        let is_resolved_here = matches!(kind, "socks4" | "socks5");
        let to = if is_resolved_here { resolved(&to).await? } else { to };
        let place = self.proxy.uri().clone();
        if kind.starts_with("socks4") {
            return Ok(SocksV4::new(place, self.tcp).call(to).await?);
        }
        let mut socks = SocksV5::new(place, self.tcp);
        if let Some((user, password)) = self.proxy.raw_auth() {
            socks = socks.with_auth(user.to_owned(), password.to_owned());
        }
        Ok(socks.call(to).await?)
    }
}

/// The same place by its number.
async fn resolved(to: &Uri) -> Result<Uri, BoxError> {
    let host = to.host().unwrap_or_default().trim_matches(['[', ']']);
    let scheme = to.scheme_str().unwrap_or("https");
    let port = to.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    let mut found = tokio::net::lookup_host((host, port)).await?;
    let found = found.next().ok_or("the name has no address")?;
    Ok(format!("{scheme}://{found}/").parse()?)
}

fn through(proxy: &Intercept, tcp: HttpConnector, tls: &ClientConfig) -> Way {
    if proxy.uri().scheme_str().is_some_and(|scheme| scheme.starts_with("socks")) {
        return Way::Socks(Socks { proxy: proxy.clone(), tcp });
    }
    let mut tls = tls.clone();
    tls.alpn_protocols.clear();
    let https = HttpsConnector::from((tcp, Arc::new(tls)));
    let mut tunnel = Tunnel::new(proxy.uri().clone(), https);
    if let Some(auth) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(auth.clone());
    }
    let agent = (USER_AGENT, HeaderValue::from_static(clients::USER_AGENT));
    Way::Tunnel(tunnel.with_headers(HeaderMap::from_iter([agent])))
}

/// The proxy on the way to an address. One on this machine is reached without: a proxy from the
/// environment would take its calls elsewhere. All others are `https`.
fn proxy_of(address: &Address, proxy: &Proxy) -> Result<Option<Intercept>, ProviderError> {
    if address.is_loopback() {
        return Ok(None);
    }
    let matcher = match proxy {
        Proxy::None => return Ok(None),
        Proxy::System => Matcher::from_system(),
        Proxy::Url(text) => Matcher::builder().all(whole(text)?).build(),
    };
    let to = Uri::try_from(address.as_str())
        .map_err(|error| ProviderError::Client(format!("{address}: {error}")))?;
    Ok(matcher.intercept(&to))
}

/// The address of a proxy with all that may be left out in a setting.
fn whole(text: &str) -> Result<String, ProviderError> {
    let parsed = match Url::parse(text) {
        Ok(url) if url.has_host() => Ok(url),
        Err(_) | Ok(_) => Url::parse(&format!("http://{text}")),
    };
    let mut url = parsed.map_err(|error| ProviderError::BadProxy(error.to_string()))?;
    if url.port().is_none() && url.scheme().starts_with("socks") {
        // An address with a host takes a port.
        let _ = url.set_port(Some(SOCKS_PORT));
    }
    Ok(url.into())
}

fn tcp(timeouts: &Timeouts) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timeouts.connect));
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp.set_keepalive_interval(Some(KEEP_ALIVE));
    tcp.set_keepalive_retries(Some(KEEP_ALIVE_TRIES));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    tcp
}

/// TLS as the system trusts. On this machine nobody is trusted, so no store is needed.
fn tls(is_loopback: bool) -> Result<ClientConfig, ProviderError> {
    clients::install_tls();
    let builder = ClientConfig::builder();
    let mut config = if is_loopback {
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    } else {
        let verifier =
            rustls_platform_verifier::Verifier::new(Arc::clone(builder.crypto_provider()))
                .map_err(|error| clients::unusable(error.to_string()))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        builder.with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
