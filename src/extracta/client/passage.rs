//! The way out for other clients' requests: streamed on as they are, with their own key.
//!
//! The same client as for our own calls: certificates checked, no redirect, no retry, no proxy of the
//! environment, no decompression. Knows nothing of what a request means.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Body, Method, Response, Url};
use tokio::time::timeout;

use super::address;
use super::build::{self, Reach};
use super::config::ClientError;
use crate::extracta::exchange::words;

/// Time for DNS, connecting and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Streams requests on to one base address. No `Debug`: an error of the library may hold an address.
pub struct Passage {
    client: reqwest::Client,
    base: String,
    /// Path of the base address, without a slash at its end.
    path: String,
}

/// Where a request leads.
#[derive(Clone, PartialEq, Eq)]
pub struct Route {
    url: Url,
    path: String,
}

impl Route {
    /// The path below the base address, dots and escapes of it resolved: what the server will see.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPassed {
    /// Nothing left this machine.
    #[error("not sent: {reason}")]
    NotSent {
        /// Why: no address, no id.
        reason: String,
    },
    /// It may have arrived, and may have been carried out.
    #[error("it is not known whether it was carried out: {reason}")]
    Lost {
        /// Why: no address, no id.
        reason: String,
    },
}

impl Passage {
    /// To a base address such as `https://api.extracta.ai/api/v1`; `proxy` for addresses beyond this
    /// machine.
    ///
    /// # Errors
    /// [`ClientError`] for an address or proxy that cannot be used, or without root certificates.
    pub fn new(base_url: &str, proxy: Option<&str>) -> Result<Self, ClientError> {
        Self::with_roots(base_url, proxy, None)
    }

    /// The same, trusting `roots` instead of the system's certificates, if given.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_roots(
        base_url: &str,
        proxy: Option<&str>,
        roots: Option<Vec<reqwest::Certificate>>,
    ) -> Result<Self, ClientError> {
        let address = address::checked(base_url)?;
        let reach = Reach {
            connect_timeout: CONNECT_TIMEOUT,
            proxy,
            agent: None,
        };
        let client = build::client(&reach, &address, roots)?;
        let path = Url::parse(&address.base).map(|url| url.path().trim_end_matches('/').to_owned());
        Ok(Self {
            client,
            path: path.unwrap_or_default(),
            base: address.base,
        })
    }

    /// Where a request's path and query lead: below the base address, whether or not the client's own
    /// address ends with the base address's path. `None` for what would lead out of it.
    #[must_use]
    pub fn route(&self, path_and_query: &str) -> Option<Route> {
        // Anything else could change the host that it is put behind.
        if !path_and_query.starts_with('/') {
            return None;
        }
        let below = path_and_query
            .strip_prefix(self.path.as_str())
            .filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
            .unwrap_or(path_and_query);
        let url = Url::parse(&format!("{}{below}", self.base)).ok()?;
        let path = url.path().strip_prefix(self.path.as_str())?;
        if !(path.is_empty() || path.starts_with('/')) {
            return None;
        }
        let path = path.to_owned();
        Some(Route { url, path })
    }

    /// Sends a request on, once, and gives the head of its answer; the body is still to be read.
    /// `headers` go as they are; with a `Content-Length` among them the body is sent in that length,
    /// without one in chunks. `patience` is for all of the request and the head of the answer.
    ///
    /// # Errors
    /// [`NotPassed`] says whether it may have arrived.
    pub async fn send(
        &self,
        method: Method,
        route: Route,
        headers: HeaderMap,
        body: Option<Body>,
        patience: Duration,
    ) -> Result<Response, NotPassed> {
        let request = self.client.request(method, route.url).headers(headers);
        let request = match body {
            Some(body) => request.body(body),
            None => request,
        };
        match timeout(patience, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let reason = words::of(&error);
                Err(if error.is_connect() || error.is_builder() {
                    NotPassed::NotSent { reason }
                } else {
                    NotPassed::Lost { reason }
                })
            }
            Err(_) => Err(NotPassed::Lost {
                reason: format!("no answer within {} s", patience.as_secs()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(base: &str, given: &str) -> Option<String> {
        let passage = Passage::new(base, None).expect("a base address");
        let route = passage.route(given)?;
        Some(format!(
            "{} {}",
            route.path(),
            route.url.as_str().trim_start_matches("http://127.0.0.1:9")
        ))
    }

    #[test]
    fn a_request_leads_below_the_base_address_with_or_without_its_path() {
        let base = "http://127.0.0.1:9/api/v1";
        for (given, expected) in [
            ("/api/v1/uploadFiles", "/uploadFiles /api/v1/uploadFiles"),
            ("/uploadFiles", "/uploadFiles /api/v1/uploadFiles"),
            ("/credits?a=%2F&b", "/credits /api/v1/credits?a=%2F&b"),
            ("/api/v10/x", "/api/v10/x /api/v1/api/v10/x"),
            ("/api/v1", " /api/v1"),
            ("/a/../uploadFiles", "/uploadFiles /api/v1/uploadFiles"),
            ("/a/%2e%2E/uploadFiles", "/uploadFiles /api/v1/uploadFiles"),
        ] {
            assert_eq!(path(base, given).as_deref(), Some(expected), "{given}");
        }
        assert_eq!(
            path("http://127.0.0.1:9", "/credits").as_deref(),
            Some("/credits /credits")
        );
    }

    #[test]
    fn a_path_that_leads_out_of_the_base_address_leads_nowhere() {
        let base = "http://127.0.0.1:9/api/v1";
        for given in ["/../secret", "/api/v1/../../x", "/%2e%2e/%2e%2e/", "//../..", "*"] {
            assert_eq!(path(base, given), None, "{given}");
        }
        assert_eq!(path("http://127.0.0.1:9", "@evil.example/"), None);
        assert_eq!(path("http://127.0.0.1:9", ":1/x"), None);
    }
}
