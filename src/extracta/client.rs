//! The HTTP client: [`Remote`] over the network.
//!
//! Redirects, retries, proxies from the environment and decompression are off (dependencies.md):
//! the library's defaults would replay a delete, with body and key, at another address.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::exchange::{Call, Exchange, Payload};
use super::listing::parse_listing;
use super::pace::{Pace, Pacer};
use super::remote::{DeleteExtractionFile, DeleteFiles, Listing, Probe, Remote};
use super::wire::{self, BodyRefused};
use crate::model::{BatchAddress, Module};
use crate::outcome::envelope::{Envelope, Status};
use crate::outcome::wait::wait_asked_for;
use crate::outcome::{Answer, Reply};

mod address;
mod build;
mod config;
mod passage;

pub use config::{ClientConfig, ClientError};
pub use passage::{NotPassed, Passage, Route};

/// Reads that would have to wait longer than this for a turn are given up instead.
const LONGEST_READ_WAIT: Duration = Duration::from_secs(60);

/// Longer pauses that one process is asked for end its sweep; others are not kept waiting for them.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Extracta over HTTP. Made once, shared by reference.
pub struct ExtractaClient {
    pub(super) exchange: Exchange,
    pub(super) timeout: Duration,
    pub(super) max_listing: usize,
    max_delete_answer: usize,
    deletes: Pace,
    results: Pace,
    pub(super) batch_results: Pace,
    account: String,
}

/// A short digest that tells accounts apart; 64 bits of SHA-256, from which no key can be found.
fn account(base: &str, key: &str) -> String {
    let digest = Sha256::new()
        .chain_update("retentiond account\0")
        .chain_update(base)
        .chain_update("\0")
        .chain_update(key);
    hex::encode(&digest.finalize()[..8])
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

    /// The same, trusting `roots` instead of the system's certificates, if given.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_roots(
        config: ClientConfig,
        roots: Option<Vec<reqwest::Certificate>>,
    ) -> Result<Self, ClientError> {
        let address = address::checked(&config.base_url)?;
        let key = config.api_key.expose_secret().trim();
        if key.is_empty() {
            return Err(ClientError::Key);
        }
        let authorization = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| ClientError::Key)?;
        let client = build::client(&build::Reach::of(&config), &address, roots)?;
        Ok(Self::over(client, address, authorization, &config, key))
    }

    /// Another account at the same address, through the same proxy: its own key and spacing, the same connections.
    ///
    /// # Errors
    /// [`ClientError`] for an address or key that cannot be used.
    pub fn beside(&self, config: ClientConfig) -> Result<Self, ClientError> {
        let address = address::checked(&config.base_url)?;
        if address.base != self.exchange.base() {
            return Self::new(config);
        }
        let key = config.api_key.expose_secret().trim();
        if key.is_empty() {
            return Err(ClientError::Key);
        }
        let authorization = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| ClientError::Key)?;
        let client = self.exchange.client();
        Ok(Self::over(client, address, authorization, &config, key))
    }

    fn over(
        client: reqwest::Client,
        address: address::Address,
        authorization: HeaderValue,
        config: &ClientConfig,
        key: &str,
    ) -> Self {
        Self {
            exchange: Exchange::new(client, address.base, authorization),
            timeout: config.timeout,
            max_listing: config.max_listing,
            max_delete_answer: config.max_delete_answer,
            deletes: Pace::new(config.request_interval),
            results: Pace::new(config.results_interval),
            batch_results: Pace::new(config.results_interval),
            account: account(&config.base_url, key),
        }
    }

    /// From now on turns are those of all processes that ask `pacer` for this account.
    #[must_use]
    pub fn paced_by(mut self, pacer: &Arc<dyn Pacer>) -> Self {
        self.deletes.share(Arc::clone(pacer), "deletes");
        self.results.share(Arc::clone(pacer), "getResults");
        self.batch_results.share(Arc::clone(pacer), "getBatchResults");
        self
    }

    /// Sends one delete whose body has passed its guard.
    async fn delete(&self, name: &'static str, path: &'static str, body: Vec<u8>, ids: usize) -> Reply {
        let reply = self
            .exchange
            .make(Call {
                name,
                method: Method::DELETE,
                path,
                payload: Payload::Json(body),
                ids,
                longest_answer: self.max_delete_answer,
                deadline: self.timeout,
            })
            .await;
        if let Some(wait) = pause_of(&reply) {
            // Whoever asked decides what to do itself; the others keep quiet for as long as it would be sat out.
            self.deletes.put_off_for_all(wait.min(LONGEST_PAUSE)).await;
        }
        reply
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
    async fn turn_to_delete(&self) {
        // Deletes go on beside each other: only their starts are spaced.
        drop(self.deletes.turn().await);
    }

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

    fn account(&self) -> String {
        self.account.clone()
    }

    async fn list(&self, batch: &BatchAddress) -> Listing {
        let pace = match batch.parent.module() {
            Module::Classification => &self.results,
            Module::Extraction => &self.batch_results,
        };
        let turn = match pace.turn_within(LONGEST_READ_WAIT).await {
            Ok(turn) => turn,
            Err(wait) => {
                return Listing::CannotTell {
                    reason: format!("the API asked for a pause, {} s are left", wait.as_secs()),
                };
            }
        };
        let reply = self.read(batch).await;
        turn.answered(pause_of(&reply)).await;
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

fn unsent(refused: BodyRefused) -> Reply {
    match refused {
        BodyRefused::TooLong { bytes } => Reply::TooLong { bytes },
        BodyRefused::Shape { .. } => Reply::NotSent {
            reason: refused.to_string(),
        },
    }
}

/// How long a 429 asks for quiet.
fn pause_of(reply: &Reply) -> Option<Duration> {
    let Reply::Answered(answer) = reply else {
        return None;
    };
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
