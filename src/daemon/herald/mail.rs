//! Carrying: one request a try, nothing followed, a few tries with growing rests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use secrecy::SecretSlice;
use tokio::sync::mpsc;

use super::{Event, sign};
use crate::config::NotifySettings;
use crate::engine::Clock;
use crate::model::Timestamp;

/// How long one try may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Rests between the tries of one message.
#[derive(Debug, Clone)]
pub(super) struct Patience(pub(super) Vec<Duration>);

impl Default for Patience {
    /// Five tries in about three minutes.
    fn default() -> Self {
        Self([1, 5, 30, 150].map(Duration::from_secs).to_vec())
    }
}

/// What is to be said.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// Behind the receiver's address: empty for an event.
    suffix: String,
    body: String,
    id: String,
}

impl Letter {
    pub(super) fn event(event: &Event) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let body = event.body();
        let id = sign::id_of(&body, NUMBER.fetch_add(1, Ordering::Relaxed));
        Self {
            suffix: String::new(),
            body,
            id,
        }
    }

    pub(super) fn ping(suffix: &str, body: String) -> Self {
        Self {
            suffix: format!("/{suffix}"),
            body,
            id: String::new(),
        }
    }
}

/// Why a message did not arrive. Names no address: it may be a secret of its own.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// An answer that is no success.
    #[error("the receiver answered HTTP {0}")]
    Refused(u16),
    /// No answer in time.
    #[error("no answer within 10 seconds")]
    TooLate,
    /// No connection, or it broke.
    #[error("the receiver cannot be reached")]
    Unreachable,
}

/// A receiver.
pub struct Post {
    name: &'static str,
    url: String,
    secret: Option<SecretSlice<u8>>,
    client: reqwest::Client,
}

impl Post {
    /// The receiver of events; `None` where the file names none.
    ///
    /// # Errors
    /// When no TLS client can be made.
    pub fn webhook(settings: &NotifySettings, secret: SecretSlice<u8>) -> Result<Option<Self>, String> {
        let url = settings.webhook_url.as_deref();
        url.map(|url| Self::new("webhook", url, Some(secret))).transpose()
    }

    /// The receiver of starts and ends; `None` where the file names none.
    ///
    /// # Errors
    /// When no TLS client can be made.
    pub fn ping(settings: &NotifySettings) -> Result<Option<Self>, String> {
        let url = settings.ping_url.as_deref();
        url.map(|url| Self::new("ping", url, None)).transpose()
    }

    fn new(name: &'static str, url: &str, secret: Option<SecretSlice<u8>>) -> Result<Self, String> {
        Ok(Self {
            name,
            url: url.trim_end_matches('/').to_owned(),
            secret,
            client: client(url.starts_with("http://"))?,
        })
    }

    /// One try with an event of no consequence.
    ///
    /// # Errors
    /// [`Undelivered`].
    pub async fn test(&self, now: Timestamp) -> Result<(), Undelivered> {
        let letter = match self.secret {
            Some(_) => Letter::event(&Event::test(now)),
            None => Letter::ping("log", "somebody ran `retentiond notify test`\n".to_owned()),
        };
        self.send(&letter, now).await
    }

    /// Carries letters until nobody hands any in.
    pub(super) async fn carry(
        self,
        mut waiting: mpsc::Receiver<Letter>,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) {
        while let Some(letter) = waiting.recv().await {
            let mut rests = patience.0.iter();
            loop {
                let error = match self.send(&letter, clock.now()).await {
                    Ok(()) => break,
                    Err(error) => error,
                };
                // 410: the receiver never wants to hear of it again.
                let rest = rests
                    .next()
                    .filter(|_| !matches!(error, Undelivered::Refused(410)));
                let Some(rest) = rest else {
                    tracing::warn!(receiver = self.name, %error, "a notification was not delivered and is given up");
                    break;
                };
                tracing::debug!(receiver = self.name, %error, "a notification is tried again");
                tokio::time::sleep(*rest).await;
            }
        }
    }

    async fn send(&self, letter: &Letter, now: Timestamp) -> Result<(), Undelivered> {
        let mut request = self
            .client
            .post(format!("{}{}", self.url, letter.suffix))
            .timeout(TIMEOUT);
        if let Some(secret) = &self.secret {
            let seconds = now.as_millis().div_euclid(1000);
            let signature = sign::signature(secret, &letter.id, seconds, &letter.body);
            request = request
                .header("content-type", "application/json")
                .header("webhook-id", &letter.id)
                .header("webhook-timestamp", seconds.to_string())
                .header("webhook-signature", signature);
        } else {
            request = request.header("content-type", "text/plain; charset=utf-8");
        }
        match request.body(letter.body.clone()).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(Undelivered::Refused(answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err(Undelivered::TooLate),
            Err(_) => Err(Undelivered::Unreachable),
        }
    }
}

/// `plain` only for this machine: the policy file takes no other.
fn client(plain: bool) -> Result<reqwest::Client, String> {
    static PROVIDER: Once = Once::new();
    // Err means that another part of the process was first: then there is a provider.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    #[expect(
        clippy::disallowed_methods,
        reason = "not for the API: redirects, retries and proxies are off here as well"
    )]
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .https_only(!plain)
        .connect_timeout(TIMEOUT)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("retentiond/", env!("CARGO_PKG_VERSION")));
    // Without TLS the system's certificates need not even be there.
    let builder = if plain {
        builder.tls_certs_only([])
    } else {
        builder
    };
    builder.build().map_err(|_| "TLS cannot be set up".to_owned())
}

#[cfg(test)]
mod tests;
