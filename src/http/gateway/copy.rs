//! Bounded copies of what passes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::Outgoing;
use super::head::{answer_headers, text};
use crate::outcome::{Answer, Reply};

/// An answer that says nothing for so long has broken off.
const SILENCE: Duration = Duration::from_secs(300);

/// The beginning of a body; nothing, once it is longer than the bound.
#[derive(Debug, Clone)]
struct Beginning {
    bytes: Vec<u8>,
    most: usize,
    beyond: bool,
}

impl Beginning {
    const fn new(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            most,
            beyond: false,
        }
    }

    fn push(&mut self, piece: &[u8]) {
        self.beyond |= self.bytes.len() + piece.len() > self.most;
        if self.beyond {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(piece);
        }
    }
}

/// A copy of a request's body, made while it is sent.
pub(super) struct SentBody(Arc<Mutex<Beginning>>);

impl SentBody {
    /// Of this request, up to so many bytes.
    pub(super) fn of(outgoing: &mut Outgoing, most: usize) -> Self {
        let copy = Arc::new(Mutex::new(Beginning::new(most)));
        if super::has_body(&outgoing.body) {
            let (body, watched) = (std::mem::take(&mut outgoing.body), Arc::clone(&copy));
            let pieces = body.into_data_stream().inspect_ok(move |piece| {
                watched.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
            });
            outgoing.body = Body::from_stream(pieces);
        }
        Self(copy)
    }

    /// What was sent, if the bound held all of it.
    pub(super) fn taken(&self) -> Option<Vec<u8>> {
        let copy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!copy.beyond).then(|| copy.bytes.clone())
    }
}

/// An answer that is read before the client sees it, as far as the bound allows.
pub(super) struct Whole {
    status: axum::http::StatusCode,
    headers: HeaderMap,
    pieces: Vec<Bytes>,
    /// What came after the pieces.
    end: End,
    /// What is left where the bound was reached.
    response: reqwest::Response,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Reached,
    Beyond,
    Broken,
}

impl Whole {
    /// Reads an answer up to so many bytes.
    pub(super) async fn read(mut response: reqwest::Response, most: usize) -> Self {
        let (status, headers) = (response.status(), answer_headers(response.headers()));
        let (mut pieces, mut length) = (Vec::new(), 0);
        let end = loop {
            match timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    length += piece.len();
                    pieces.push(piece);
                    if length > most {
                        break End::Beyond;
                    }
                }
                Ok(Ok(None)) => break End::Reached,
                Ok(Err(_)) | Err(_) => break End::Broken,
            }
        };
        Self {
            status,
            headers,
            pieces,
            end,
            response,
        }
    }

    /// What it says, for whoever interprets it.
    pub(super) fn reply(&self) -> Reply {
        let status = self.status.as_u16();
        match self.end {
            End::Reached => Reply::Answered(answer_of(status, &self.headers, self.pieces.concat())),
            End::Beyond => Reply::Lost {
                reason: format!("the answer (HTTP {status}) is longer than can be read"),
            },
            End::Broken => Reply::Lost {
                reason: format!("the answer (HTTP {status}) broke off"),
            },
        }
    }

    /// The same for the client, byte for byte; one that broke off breaks off for the client, too.
    pub(super) fn answer(self) -> Response {
        let body = match self.end {
            End::Reached => Body::from(self.pieces.concat()),
            End::Beyond => {
                let rest = self.response.bytes_stream().map_err(axum::Error::new);
                Body::from_stream(stream::iter(self.pieces.into_iter().map(Ok)).chain(rest))
            }
            End::Broken => {
                let broken = Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted));
                Body::from_stream(stream::iter(
                    self.pieces.into_iter().map(Ok).chain(std::iter::once(broken)),
                ))
            }
        };
        (self.status, self.headers, body).into_response()
    }
}

/// An answer that streams through; when its end has come, `done` is given the copy.
pub(super) fn streamed_and_kept(
    response: reqwest::Response,
    most: usize,
    done: impl FnOnce(Answer) + Send + 'static,
) -> Response {
    let (status, headers) = (response.status(), answer_headers(response.headers()));
    let passing = Passing {
        // Whoever writes out a body of known length does not ask for more behind its last byte.
        left: response.content_length(),
        response,
        kept: Some((Beginning::new(most), done)),
        status: status.as_u16(),
        headers: headers.clone(),
    };
    let pieces = stream::unfold(passing, |mut passing| async move {
        let piece = passing.next().await?;
        Some((piece, passing))
    });
    (status, headers, Body::from_stream(pieces)).into_response()
}

struct Passing<F> {
    response: reqwest::Response,
    /// Bytes still to come, where the answer says so.
    left: Option<u64>,
    kept: Option<(Beginning, F)>,
    status: u16,
    headers: HeaderMap,
}

impl<F: FnOnce(Answer)> Passing<F> {
    async fn next(&mut self) -> Option<Result<Bytes, reqwest::Error>> {
        match self.response.chunk().await {
            Ok(Some(piece)) => {
                if let Some((copy, _)) = &mut self.kept {
                    copy.push(&piece);
                }
                self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
                if self.left == Some(0) {
                    self.hand_over();
                }
                Some(Ok(piece))
            }
            Ok(None) => {
                self.hand_over();
                None
            }
            Err(error) => {
                self.kept = None;
                Some(Err(error))
            }
        }
    }

    fn hand_over(&mut self) {
        if let Some((copy, done)) = self.kept.take().filter(|(copy, _)| !copy.beyond) {
            done(answer_of(self.status, &self.headers, copy.bytes));
        }
    }
}

fn answer_of(status: u16, headers: &HeaderMap, body: Vec<u8>) -> Answer {
    Answer {
        status,
        content_type: text(headers, &CONTENT_TYPE).map(str::to_owned),
        retry_after: Vec::new(),
        date: None,
        redirect_host: None,
        body,
        cut: false,
    }
}
