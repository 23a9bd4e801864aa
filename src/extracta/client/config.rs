//! What the client is told, and why it may refuse.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

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
