//! One gateway for all accounts: the key that a client brings says whose request it is.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{Gateway, pass};

/// What is kept of a key: enough to know it again.
type Mark = [u8; 32];

/// The gateways of all accounts.
pub struct Gateways {
    unnamed: Arc<Gateway>,
    named: Vec<(Mark, Arc<Gateway>)>,
}

impl Gateways {
    /// The gateway of the account without a name: of every client whose key is no named account's.
    #[must_use]
    pub fn new(unnamed: Gateway) -> Self {
        Self {
            unnamed: Arc::new(unnamed),
            named: Vec::new(),
        }
    }

    /// And one of a named account, for whoever brings its key: to its address, and into its books.
    #[must_use]
    pub fn with(mut self, key: &SecretString, gateway: Gateway) -> Self {
        self.named.push((mark(key.expose_secret()), Arc::new(gateway)));
        self
    }

    /// Every path and method.
    pub fn routes(self: Arc<Self>) -> Router {
        Router::new().fallback(choose).with_state(self)
    }

    /// The gateway of the account without a name.
    #[must_use]
    pub fn unnamed(&self) -> &Gateway {
        &self.unnamed
    }

    /// Waits until what was under way is written down. No request may come in any more.
    pub async fn settled(&self) {
        self.unnamed.settled().await;
        for (_, gateway) in &self.named {
            gateway.settled().await;
        }
    }

    fn of(&self, headers: &HeaderMap) -> &Arc<Gateway> {
        let brought = headers
            .get(AUTHORIZATION)
            .and_then(|value| bearer(value.as_bytes()))
            .map(mark);
        let named = self.named.iter().find(|(key, _)| Some(*key) == brought);
        named.map_or(&self.unnamed, |(_, gateway)| gateway)
    }
}

async fn choose(State(gateways): State<Arc<Gateways>>, request: Request) -> Response {
    let gateway = Arc::clone(gateways.of(request.headers()));
    pass(State(gateway), request).await
}

fn mark(key: &str) -> Mark {
    Sha256::digest(key).into()
}

/// The token of `Bearer TOKEN`; the scheme in letters of either case.
fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(value).ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn the_token_is_what_follows_the_scheme() {
        for (value, token) in [
            ("Bearer key", Some("key")),
            ("bearer  key ", Some("key")),
            ("Basic key", None),
            ("key", None),
            ("", None),
        ] {
            assert_eq!(bearer(value.as_bytes()), token, "{value}");
        }
    }
}
