//! The one place where an HTTP client is built: redirects, retries, proxies of the environment and
//! decompression off.

use std::sync::Once;
use std::time::Duration;

use super::address::{Address, LOOPBACK};
use super::{ClientConfig, ClientError};

/// Connections kept open beside each other at most, per host.
const IDLE_CONNECTIONS: usize = 32;

/// Idle connections are given up before common servers do so (Node closes after 5 s): a request on
/// a connection that the server is just closing would be lost without anybody knowing its outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// What makes a difference between one client and another.
pub(super) struct Reach<'a> {
    /// Time for DNS, connecting and TLS together.
    pub(super) connect_timeout: Duration,
    /// Proxy for addresses beyond this machine.
    pub(super) proxy: Option<&'a str>,
    /// What the client calls itself; `None`: whoever is passed on names itself, or does not.
    pub(super) agent: Option<&'static str>,
}

impl<'a> Reach<'a> {
    /// Of calls that this program makes itself.
    pub(super) fn of(config: &'a ClientConfig) -> Self {
        Self {
            connect_timeout: config.connect_timeout,
            proxy: config.proxy.as_deref(),
            agent: Some(concat!("retentiond/", env!("CARGO_PKG_VERSION"))),
        }
    }
}

/// The library's client, its defaults off; `roots` are trusted instead of the system's certificates.
pub(super) fn client(
    reach: &Reach<'_>,
    address: &Address,
    roots: Option<Vec<reqwest::Certificate>>,
) -> Result<reqwest::Client, ClientError> {
    static PROVIDER: Once = Once::new();
    // Err means that another part of the process was first: then there is a provider.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where a client is built, defaults off"
    )]
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .http1_only()
        .https_only(!address.plain)
        .connect_timeout(reach.connect_timeout)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_TIMEOUT)
        // In clear only to this machine, whatever a resolver says of the name.
        .resolve_to_addrs("localhost", &LOOPBACK);
    let builder = match reach.agent {
        Some(agent) => builder.user_agent(agent),
        None => builder,
    };
    let builder = match roots {
        Some(roots) => builder.tls_certs_only(roots),
        // Without TLS the system's certificates need not even be there.
        None if address.plain => builder.tls_certs_only([]),
        None => builder,
    };
    let builder = match proxy_of(reach)? {
        // What stays on this machine goes to no proxy, least of all in clear.
        Some(proxy) if !address.local => builder.proxy(proxy),
        Some(_) | None => builder,
    };
    builder.build().map_err(|_| ClientError::Tls)
}

fn proxy_of(reach: &Reach<'_>) -> Result<Option<reqwest::Proxy>, ClientError> {
    let Some(proxy) = reach.proxy else {
        return Ok(None);
    };
    let url = reqwest::Url::parse(proxy).map_err(|_| ClientError::Proxy)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(ClientError::Proxy);
    }
    reqwest::Proxy::all(url).map(Some).map_err(|_| ClientError::Proxy)
}
