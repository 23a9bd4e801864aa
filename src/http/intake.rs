//! The intake endpoint: what uploaders tell, over a Unix socket or with a token on loopback.
//!
//! Every answer is given after the ledger's commit. Bodies, names and subjects are never logged.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::{openapi, secured};
use crate::intake::desk::{Desk, Refusal, RefusedRow, Rows};

/// Most bytes of a body.
pub const INTAKE_BODY_BYTES: usize = 16 << 20;

/// Bodies that are worked on at a time; one more is told to come again.
const AT_A_TIME: usize = 32;

/// The token that a listener asks for. No `Debug`: it is a secret.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// Keeps a digest, so that comparing takes the same time whatever is offered.
    #[must_use]
    pub fn new(token: &SecretString) -> Self {
        Self(digest(token.expose_secret()))
    }

    /// Whether the request offers it as its bearer token.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let mut said = headers.get_all(AUTHORIZATION).iter();
        let (Some(one), None) = (said.next(), said.next()) else {
            return false;
        };
        let offered = one.to_str().ok().and_then(|text| text.split_once(' '));
        let Some((scheme, token)) = offered else {
            return false;
        };
        let offered = digest(token.trim());
        // Every byte is looked at; and it is digests that are compared.
        let differ = offered.iter().zip(self.0).fold(0, |sum, (a, b)| sum | (a ^ b));
        scheme.eq_ignore_ascii_case("bearer") && differ == 0
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[derive(Clone)]
struct Counter {
    desk: Arc<Desk>,
    seats: Arc<Semaphore>,
}

/// The routes of the endpoint; with a token, all of them ask for it.
pub fn intake_routes(desk: Arc<Desk>, token: Option<Token>) -> Router {
    let counter = Counter {
        desk,
        seats: Arc::new(Semaphore::new(AT_A_TIME)),
    };
    let mut router = Router::new()
        .route("/v1/files", post(files))
        .route("/v1/responses", post(responses))
        .route("/v1/holds/{reference}", put(hold))
        .route("/v1/events", post(event))
        .route("/v1/openapi.json", get(openapi::document))
        .layer(DefaultBodyLimit::max(INTAKE_BODY_BYTES))
        .with_state(counter);
    if let Some(token) = token {
        router = router.layer(from_fn_with_state(token, admit));
    }
    secured(router)
}

async fn admit(State(token): State<Token>, request: Request, next: Next) -> Response {
    if token.admits(request.headers()) {
        return next.run(request).await;
    }
    let problem = Problem::new("token", "send the token as `Authorization: Bearer …`");
    (
        StatusCode::UNAUTHORIZED,
        [(WWW_AUTHENTICATE, "Bearer")],
        axum::Json(problem),
    )
        .into_response()
}

/// Why a request was not taken.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// A short, stable name of the reason.
    code: &'static str,
    /// The reason in words, and what to do about it.
    help: String,
    /// Rows that are wrong, the first hundred: nothing of the body was kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<RefusedRow>,
    /// All rows that are wrong.
    refused_total: u64,
}

impl Problem {
    fn new(code: &'static str, help: impl Into<String>) -> Self {
        Self {
            code,
            help: help.into(),
            refused: Vec::new(),
            refused_total: 0,
        }
    }
}

/// A request that was not taken, as it is answered.
struct Refused(StatusCode, Problem);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let answer = (self.0, axum::Json(self.1));
        if self.0 == StatusCode::SERVICE_UNAVAILABLE {
            return ([(RETRY_AFTER, "1")], answer).into_response();
        }
        answer.into_response()
    }
}

fn busy() -> Refused {
    Refused(
        StatusCode::SERVICE_UNAVAILABLE,
        Problem::new(
            "busy",
            "the ledger is at work for others: send the same again in a second",
        ),
    )
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Wrong { code, help } => Self(StatusCode::BAD_REQUEST, Problem::new(code, help)),
            Refusal::Conflict { code, help } => Self(StatusCode::CONFLICT, Problem::new(code, help)),
            Refusal::Rows {
                refused,
                refused_total,
            } => {
                let mut problem = Problem::new(
                    "rows-refused",
                    "nothing of the body was kept: correct these rows, or ask with keep_good=true",
                );
                problem.refused = refused;
                problem.refused_total = refused_total;
                Self(StatusCode::UNPROCESSABLE_ENTITY, problem)
            }
            Refusal::Busy => busy(),
            Refusal::Failed(error) => {
                tracing::error!(%error, "an intake request could not be written to the ledger");
                let help = "the ledger cannot take it: send the same again later; nothing is recorded twice";
                Self(StatusCode::SERVICE_UNAVAILABLE, Problem::new("ledger", help))
            }
        }
    }
}

/// The body, once there is a seat for it.
struct Taken<'a> {
    desk: &'a Desk,
    body: Bytes,
    _seat: tokio::sync::SemaphorePermit<'a>,
}

fn take(counter: &Counter, body: Result<Bytes, BytesRejection>) -> Result<Taken<'_>, Refused> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            Problem::new(
                "too-long",
                format!("a body has at most {INTAKE_BODY_BYTES} bytes: send it in parts"),
            ),
        ),
        status => Refused(status, Problem::new("body", "the body did not arrive whole")),
    })?;
    let seat = counter.seats.try_acquire().map_err(|_| busy())?;
    Ok(Taken {
        desk: &counter.desk,
        body,
        _seat: seat,
    })
}

/// How the body's rows are written, by its type.
fn rows_of(headers: &HeaderMap) -> Result<Rows, Refused> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim();
    match kind.to_ascii_lowercase().as_str() {
        "application/json" => Ok(Rows::Json),
        "application/jsonl" | "application/x-ndjson" | "application/x-jsonlines" => Ok(Rows::Lines),
        _ => Err(Refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Problem::new(
                "content-type",
                "send application/json, or application/x-ndjson for JSON lines",
            ),
        )),
    }
}

fn json_only(headers: &HeaderMap) -> Result<(), Refused> {
    match rows_of(headers)? {
        Rows::Json => Ok(()),
        Rows::Lines => Err(Refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Problem::new("content-type", "send application/json"),
        )),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FilesQuery {
    keep_good: bool,
}

async fn files(
    State(counter): State<Counter>,
    query: Result<Query<FilesQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    let Ok(Query(query)) = query else {
        let help = "the only parameter is keep_good, true or false";
        return Err(Refused(StatusCode::BAD_REQUEST, Problem::new("query", help)));
    };
    let rows = rows_of(&headers)?;
    let taken = take(&counter, body)?;
    let done = taken.desk.files(&taken.body, rows, query.keep_good).await?;
    Ok(axum::Json(done).into_response())
}

async fn responses(
    State(counter): State<Counter>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    json_only(&headers)?;
    let taken = take(&counter, body)?;
    Ok(axum::Json(taken.desk.response(&taken.body).await?).into_response())
}

async fn hold(
    State(counter): State<Counter>,
    Path(reference): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    json_only(&headers)?;
    let taken = take(&counter, body)?;
    let placed = taken.desk.hold(&reference, &taken.body).await?;
    let status = if placed.known {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, axum::Json(placed)).into_response())
}

async fn event(
    State(counter): State<Counter>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refused> {
    json_only(&headers)?;
    let taken = take(&counter, body)?;
    Ok(axum::Json(taken.desk.event(&taken.body).await?).into_response())
}
