//! The gateway's face: requests stream through as they are, and so do their answers.
//!
//! Passes bytes between a client and the API, and hands what bears on the ledger to
//! [`intake::gateway`](crate::intake::gateway). A body is never held: of an upload what stands before its
//! first file is looked at, of small bodies a bounded copy is kept. No file name, link or key is logged.

mod accounts;
mod copy;
mod head;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

pub use self::accounts::Gateways;
use self::copy::{SentBody, Whole};
use self::head::{answer_headers, has_body, request_headers, text};
use super::Limits;
use crate::extracta::{NotPassed, Passage, Route};
use crate::intake::gateway::{Call, Form, Gate, OWN_HEADERS};
use crate::outcome::Reply;

/// For all of a request and the head of its answer: an upload over a slow line takes its time.
const PATIENCE: Duration = Duration::from_secs(3600);

/// For what stands before the first file of an upload.
const FIRST_PATIENCE: Duration = Duration::from_secs(60);

/// As much of an upload as is looked at for its fields before it is sent on, in bytes.
const FIRST_BYTES: usize = 64 * 1024;

/// Longest answer to an upload or a delete that is read, in bytes.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// Longest results that are learned from, in bytes.
const MAX_RESULTS: usize = 16 * 1024 * 1024;

/// Longest request body that is read, other than an upload's, in bytes.
const MAX_REQUEST: usize = 1024 * 1024;

/// Answers learned from at a time: each may be held as a copy.
const LEARNERS: usize = 4;

/// Passes requests on to one account.
pub struct Gateway {
    passage: Passage,
    gate: Arc<Gate>,
    learners: Arc<Semaphore>,
    under_way: TaskTracker,
}

/// A request on its way out.
struct Outgoing {
    method: Method,
    route: Route,
    headers: HeaderMap,
    body: Body,
}

impl Gateway {
    /// The walls of its listener: long uploads, long waits, few of both.
    pub const LIMITS: Limits = Limits {
        connections: 256,
        head_bytes: 64 * 1024,
        head_time: Duration::from_secs(75),
        body_bytes: usize::MAX,
        answer_time: Duration::from_secs(3600 + 60),
        connection_time: Duration::from_secs(3600),
        farewell: Duration::from_secs(20),
    };

    /// Through `passage`, with its books kept by `gate`.
    #[must_use]
    pub fn new(passage: Passage, gate: Gate) -> Self {
        Self {
            passage,
            gate: Arc::new(gate),
            learners: Arc::new(Semaphore::new(LEARNERS)),
            under_way: TaskTracker::new(),
        }
    }

    /// The bookkeeping.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Waits until what was under way is written down. No request may come in any more.
    pub async fn settled(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }
}

async fn pass(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let Some(route) = gateway.passage.route(target) else {
        return own(
            StatusCode::BAD_REQUEST,
            "the path leads out of base_url; nothing was sent",
        );
    };
    let call = Call::of(head.method.as_str(), route.path());
    let outgoing = Outgoing {
        headers: request_headers(&head.headers, call),
        method: head.method,
        route,
        body,
    };
    // On a task of its own: what has been sent is written down even when the client goes away.
    let under_way = gateway.under_way.clone();
    let task = under_way.spawn(async move {
        let answer = match call {
            Call::Upload(_) => gateway.upload(outgoing, &head.headers).await,
            Call::Results(module) => gateway.results(module, outgoing).await,
            Call::DeleteFiles | Call::DeleteBatch | Call::DeleteClassification | Call::DeleteExtraction => {
                gateway.delete(call, outgoing).await
            }
            Call::Other => gateway.forward(outgoing).await.map(streamed),
        };
        let answer = answer.unwrap_or_else(|refusal| refusal);
        tracing::debug!(
            call = call.name(),
            http.status = answer.status().as_u16(),
            "passed on"
        );
        answer
    });
    task.await.unwrap_or_else(|_| {
        own(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a defect; whether the request was carried out is not known",
        )
    })
}

impl Gateway {
    /// Intent, request, books, answer: in this order.
    async fn upload(&self, outgoing: Outgoing, said: &HeaderMap) -> Result<Response, Response> {
        let own_headers = said
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(OWN_HEADERS))
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let declared = self.gate.declared(own_headers).map_err(|refused| {
            own(
                StatusCode::BAD_REQUEST,
                &format!("{refused} ({}); nothing was uploaded", refused.code),
            )
        })?;
        let form = Arc::new(Mutex::new(Form::new(text(said, &CONTENT_TYPE))));
        let mut pieces = outgoing.body.into_data_stream();
        let first = first_pieces(&mut pieces, &form).await?;
        let fields = lock(&form).fields().clone();
        let begun = self.gate.begin(declared, &fields).await.map_err(|error| {
            tracing::error!(%error, "an upload was turned away: its intent cannot be written");
            let words = "the ledger cannot be written; nothing was uploaded, try again";
            let mut answer = own(StatusCode::SERVICE_UNAVAILABLE, words);
            answer.headers_mut().insert(RETRY_AFTER, 5.into());
            answer
        })?;
        let watched = Arc::clone(&form);
        let rest = pieces.inspect_ok(move |piece| lock(&watched).push(piece));
        let pieces = stream::iter(first.into_iter().map(Ok)).chain(rest);
        let sent = self
            .passage
            .send(
                outgoing.method,
                outgoing.route,
                outgoing.headers,
                Some(reqwest::Body::wrap_stream(pieces)),
                PATIENCE,
            )
            .await;
        let (reply, answer) = match sent {
            Ok(response) => {
                let whole = Whole::read(response, MAX_ANSWER).await;
                (whole.reply(), whole.answer())
            }
            Err(error) => (reply_of(&error), unpassed(&error)),
        };
        let fields = lock(&form).fields().clone();
        self.gate.finish(begun, &fields, reply).await;
        Ok(answer)
    }

    /// The answer is read, and what it confirms is marked, before the client sees it.
    async fn delete(&self, call: Call, mut outgoing: Outgoing) -> Result<Response, Response> {
        let content_type = text(&outgoing.headers, &CONTENT_TYPE).map(str::to_owned);
        let copy = SentBody::of(&mut outgoing, MAX_REQUEST);
        let whole = Whole::read(self.forward(outgoing).await?, MAX_ANSWER).await;
        let request = copy.taken();
        let marked = self
            .gate
            .removed(call, content_type.as_deref(), request.as_deref(), &whole.reply())
            .await;
        if let Err(error) = marked {
            tracing::error!(%error, call = call.name(), "a delete by another client is not in the ledger: the next sweep looks");
        }
        Ok(whole.answer())
    }

    /// The answer streams through; once it has ended, its copy is learned from.
    async fn results(
        self: Arc<Self>,
        module: crate::model::Module,
        mut outgoing: Outgoing,
    ) -> Result<Response, Response> {
        let Ok(seat) = Arc::clone(&self.learners).try_acquire_owned() else {
            return self.forward(outgoing).await.map(streamed);
        };
        let copy = SentBody::of(&mut outgoing, MAX_REQUEST);
        let response = self.forward(outgoing).await?;
        let gateway = Arc::clone(&self);
        Ok(copy::streamed_and_kept(response, MAX_RESULTS, move |answer| {
            let task = async move {
                if let Some(request) = copy.taken()
                    && let Err(error) = gateway.gate.learn(module, &request, &answer).await
                {
                    tracing::warn!(%error, "results that another client fetched are not in the ledger");
                }
                drop(seat);
            };
            self.under_way.spawn(task);
        }))
    }

    async fn forward(&self, outgoing: Outgoing) -> Result<reqwest::Response, Response> {
        let body =
            has_body(&outgoing.body).then(|| reqwest::Body::wrap_stream(outgoing.body.into_data_stream()));
        self.passage
            .send(outgoing.method, outgoing.route, outgoing.headers, body, PATIENCE)
            .await
            .map_err(|error| unpassed(&error))
    }
}

/// The pieces of an upload up to its first file, so that the intent can say where it leads.
async fn first_pieces(
    pieces: &mut axum::body::BodyDataStream,
    form: &Mutex<Form>,
) -> Result<Vec<Bytes>, Response> {
    let (mut first, mut bytes) = (Vec::new(), 0);
    let enough = |bytes| {
        let form = lock(form);
        bytes >= FIRST_BYTES || !form.goes_on() || form.fields().has_file()
    };
    while !enough(bytes) {
        match timeout(FIRST_PATIENCE, pieces.next()).await {
            Ok(Some(Ok(piece))) => {
                lock(form).push(&piece);
                bytes += piece.len();
                first.push(piece);
            }
            Ok(None) => break,
            Ok(Some(Err(_))) | Err(_) => {
                return Err(own(
                    StatusCode::REQUEST_TIMEOUT,
                    "the request broke off; nothing was uploaded",
                ));
            }
        }
    }
    Ok(first)
}

fn lock(form: &Mutex<Form>) -> MutexGuard<'_, Form> {
    form.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reply_of(error: &NotPassed) -> Reply {
    match error.clone() {
        NotPassed::NotSent { reason } => Reply::NotSent { reason },
        NotPassed::Lost { reason } => Reply::Lost { reason },
    }
}

/// What the client is told where the API gave no answer.
fn unpassed(error: &NotPassed) -> Response {
    own(StatusCode::BAD_GATEWAY, &error.to_string())
}

/// An answer of the gateway's own, in the API's envelope.
fn own(status: StatusCode, words: &str) -> Response {
    let body = serde_json::json!({"status": "error", "message": format!("retentiond gateway: {words}")});
    (status, axum::Json(body)).into_response()
}

/// An answer that passes as it comes.
fn streamed(response: reqwest::Response) -> Response {
    let (status, headers) = (response.status(), answer_headers(response.headers()));
    (status, headers, Body::from_stream(response.bytes_stream())).into_response()
}
