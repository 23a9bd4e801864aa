//! The HTTP client: [`Remote`] over the network.
//!
//! Redirects, retries, proxies from the environment and decompression are off (dependencies.md):
//! the library's defaults would replay a delete, with body and key, at another address.

use std::fmt;
use std::sync::Once;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::exchange::{Call, Exchange, Payload};
use super::listing::parse_listing;
use super::pace::{Pace, Turn};
use super::remote::{DeleteExtractionFile, DeleteFiles, Listing, Probe, Remote};
use super::wire::{self, BodyRefused};
use crate::model::{BatchAddress, Module};
use crate::outcome::envelope::{Envelope, Status};
use crate::outcome::wait::wait_asked_for;
use crate::outcome::{Answer, Reply};

mod address;

/// Reads that would have to wait longer than this for a turn are given up instead.
const LONGEST_READ_WAIT: Duration = Duration::from_secs(60);

/// Connections kept open beside each other at most, per host.
const IDLE_CONNECTIONS: usize = 32;

/// Idle connections are given up before common servers do so (Node closes after 5 s): a request on
/// a connection that the server is just closing would be lost without anybody knowing its outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// How to reach Extracta.
#[derive(Clone)]
pub struct ClientConfig {
    /// Base address, such as `https://api.extracta.ai/api/v1`; `http` only to this machine.
    pub base_url: String,
    /// The API key.
    pub api_key: SecretString,
    /// Least time between the starts of two deletes; zero for none.
    pub request_interval: Duration,
    /// Least time between two reads of one endpoint, from answer to request. The vendor asks for 2 s.
    pub results_interval: Duration,
    /// Total time for one request and its whole answer.
    pub timeout: Duration,
    /// Time for DNS, connecting and TLS together.
    pub connect_timeout: Duration,
    /// Longest answer to a delete or a probe that is read, in bytes.
    pub max_delete_answer: usize,
    /// Longest listing or upload answer that is read, in bytes.
    pub max_listing: usize,
    /// Proxy for addresses beyond this machine; the environment's proxies are never used.
    pub proxy: Option<String>,
}

impl ClientConfig {
    /// The defaults: no spacing of deletes, 2 s between reads, 60 s in total, 10 s to connect,
    /// answers up to 64 KiB, listings up to 32 MiB, no proxy.
    #[must_use]
    pub fn new(base_url: impl Into<String>, api_key: SecretString) -> Self {
        Self {
            base_url: base_url.into(),
            api_key,
            request_interval: Duration::ZERO,
            results_interval: Duration::from_secs(2),
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            max_delete_answer: 64 * 1024,
            max_listing: 32 * 1024 * 1024,
            proxy: None,
        }
    }
}

impl fmt::Debug for ClientConfig {
    /// Without key, proxy (it may hold a password) and address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("request_interval", &self.request_interval)
            .field("results_interval", &self.results_interval)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("has_proxy", &self.proxy.is_some())
            .finish_non_exhaustive()
    }
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base address is not one that the key may be sent to.
    #[error("base_url {reason}")]
    Address {
        /// What is wrong with it; the address itself is not repeated.
        reason: &'static str,
    },
    /// The key cannot stand in a header.
    #[error("the API key is empty or holds a character that no HTTP header may hold")]
    Key,
    /// The proxy's address cannot be read.
    #[error("the proxy's address is not one such as http://proxy.example:3128")]
    Proxy,
    /// TLS cannot be set up: most often the system's root certificates are missing.
    #[error("TLS cannot be set up; is the package ca-certificates installed?")]
    Tls,
}

/// Extracta over HTTP. Made once, shared by reference.
pub struct ExtractaClient {
    pub(super) exchange: Exchange,
    pub(super) timeout: Duration,
    pub(super) max_listing: usize,
    max_delete_answer: usize,
    deletes: Pace,
    results: Pace,
    batch_results: Pace,
}

impl fmt::Debug for ExtractaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtractaClient")
            .field("base", &self.exchange.base())
            .finish_non_exhaustive()
    }
}

impl ExtractaClient {
    /// Builds the client; nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError`] for an address, key or proxy that cannot be used, or without root
    /// certificates.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        Self::with_roots(config, None)
    }

    /// `roots`: the certificates to trust instead of the system's.
    fn with_roots(
        config: ClientConfig,
        roots: Option<Vec<reqwest::Certificate>>,
    ) -> Result<Self, ClientError> {
        let address = address::checked(&config.base_url)?;
        let key = config.api_key.expose_secret().trim();
        if key.is_empty() {
            return Err(ClientError::Key);
        }
        let authorization = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| ClientError::Key)?;
        let client = build(&config, &address, roots)?;
        Ok(Self {
            exchange: Exchange::new(client, address.base, authorization),
            timeout: config.timeout,
            max_listing: config.max_listing,
            max_delete_answer: config.max_delete_answer,
            deletes: Pace::new(config.request_interval),
            results: Pace::new(config.results_interval),
            batch_results: Pace::new(config.results_interval),
        })
    }

    /// Sends one delete whose body has passed its guard.
    async fn delete(&self, name: &'static str, path: &'static str, body: Vec<u8>, ids: usize) -> Reply {
        // Deletes go on beside each other: only their starts are spaced.
        drop(self.deletes.turn().await);
        self.exchange
            .make(Call {
                name,
                method: Method::DELETE,
                path,
                payload: Payload::Json(body),
                ids,
                longest_answer: self.max_delete_answer,
                deadline: self.timeout,
            })
            .await
    }

    /// A turn for a read, or the wait that makes waiting for it pointless.
    async fn turn_to_read<'a>(&self, pace: &'a Pace) -> Result<Turn<'a>, Duration> {
        let closed_for = pace.closed_for();
        if closed_for > LONGEST_READ_WAIT {
            return Err(closed_for);
        }
        Ok(pace.turn().await)
    }

    async fn read(&self, batch: &BatchAddress) -> Reply {
        let (name, path) = match batch.parent.module() {
            Module::Classification => ("getResults", "/documentClassification/getResults"),
            Module::Extraction => ("getBatchResults", "/getBatchResults"),
        };
        self.exchange
            .make(Call {
                name,
                method: Method::POST,
                path,
                payload: Payload::Json(wire::body_of_listing(batch)),
                ids: 0,
                longest_answer: self.max_listing,
                deadline: self.timeout,
            })
            .await
    }
}

#[async_trait]
impl Remote for ExtractaClient {
    async fn delete_files(&self, request: &DeleteFiles) -> Reply {
        let body = wire::body_of_delete_files(request);
        match wire::guard_delete_files(&body) {
            Ok(()) => {
                let path = "/documentClassification/deleteFiles";
                self.delete("deleteFiles", path, body, request.files().len())
                    .await
            }
            Err(refused) => unsent(refused),
        }
    }

    async fn delete_extraction_file(&self, request: &DeleteExtractionFile) -> Reply {
        let body = wire::body_of_delete_extraction_file(request);
        match wire::guard_delete_extraction_file(&body) {
            Ok(()) => {
                self.delete("deleteExtraction", "/deleteExtraction", body, 1)
                    .await
            }
            Err(refused) => unsent(refused),
        }
    }

    async fn list(&self, batch: &BatchAddress) -> Listing {
        let pace = match batch.parent.module() {
            Module::Classification => &self.results,
            Module::Extraction => &self.batch_results,
        };
        let turn = match self.turn_to_read(pace).await {
            Ok(turn) => turn,
            Err(wait) => {
                return Listing::CannotTell {
                    reason: format!("the API asked for a pause, {} s are left", wait.as_secs()),
                };
            }
        };
        let reply = self.read(batch).await;
        if let Reply::Answered(answer) = &reply
            && let Some(millis) = wait_of(answer)
        {
            pace.slow_down(Instant::now() + millis);
        }
        drop(turn);
        listing_of(reply, batch)
    }

    async fn probe(&self) -> Probe {
        let reply = self
            .exchange
            .make(Call {
                name: "credits",
                method: Method::GET,
                path: "/credits",
                payload: Payload::Empty,
                ids: 0,
                longest_answer: self.max_delete_answer,
                deadline: self.timeout,
            })
            .await;
        probe_of(reply)
    }
}

fn build(
    config: &ClientConfig,
    address: &address::Address,
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
        .connect_timeout(config.connect_timeout)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!("retentiond/", env!("CARGO_PKG_VERSION")))
        // In clear only to this machine, whatever a resolver says of the name.
        .resolve_to_addrs("localhost", &address::LOOPBACK);
    let builder = match roots {
        Some(roots) => builder.tls_certs_only(roots),
        // Without TLS the system's certificates need not even be there.
        None if address.plain => builder.tls_certs_only([]),
        None => builder,
    };
    let builder = match proxy_of(config)? {
        // What stays on this machine goes to no proxy, least of all in clear.
        Some(proxy) if !address.local => builder.proxy(proxy),
        Some(_) | None => builder,
    };
    builder.build().map_err(|_| ClientError::Tls)
}

fn proxy_of(config: &ClientConfig) -> Result<Option<reqwest::Proxy>, ClientError> {
    let Some(proxy) = &config.proxy else {
        return Ok(None);
    };
    let url = reqwest::Url::parse(proxy).map_err(|_| ClientError::Proxy)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(ClientError::Proxy);
    }
    reqwest::Proxy::all(url).map(Some).map_err(|_| ClientError::Proxy)
}

fn unsent(refused: BodyRefused) -> Reply {
    match refused {
        BodyRefused::TooLong { bytes } => Reply::TooLong { bytes },
        BodyRefused::Shape { .. } => Reply::NotSent {
            reason: refused.to_string(),
        },
    }
}

fn wait_of(answer: &Answer) -> Option<Duration> {
    let millis = wait_asked_for(&answer.retry_after, answer.date).filter(|_| answer.status == 429)?;
    u64::try_from(millis).ok().map(Duration::from_millis)
}

fn listing_of(reply: Reply, batch: &BatchAddress) -> Listing {
    match reply {
        Reply::NotSent { reason } | Reply::Lost { reason } => Listing::CannotTell { reason },
        Reply::TooLong { bytes } => Listing::CannotTell {
            reason: format!("the request would have {bytes} bytes"),
        },
        Reply::Answered(answer) if answer.cut => Listing::CannotTell {
            reason: format!("HTTP {}, a listing beyond the limit", answer.status),
        },
        Reply::Answered(answer) => {
            parse_listing(answer.status, answer.content_type.as_deref(), &answer.body, batch)
        }
    }
}

fn probe_of(reply: Reply) -> Probe {
    let answer = match reply {
        Reply::NotSent { reason } | Reply::Lost { reason } => return Probe::Unavailable { reason },
        Reply::TooLong { bytes } => {
            let reason = format!("the request would have {bytes} bytes");
            return Probe::Unavailable { reason };
        }
        Reply::Answered(answer) => answer,
    };
    let Answer { status, date, .. } = answer;
    let envelope = Envelope::read(answer.content_type.as_deref(), &answer.body).filter(|_| !answer.cut);
    let well = envelope.is_some_and(|e| matches!(e.status(), Status::Text("ok" | "success")));
    match status {
        200 if well => Probe::Works { date },
        200 => Probe::Unavailable {
            reason: "HTTP 200 without the documented body: is base_url right?".to_owned(),
        },
        401 | 403 => Probe::Refused { status, date },
        _ => Probe::Unavailable {
            reason: format!("HTTP {status}"),
        },
    }
}

#[cfg(test)]
pub(super) mod tests;
