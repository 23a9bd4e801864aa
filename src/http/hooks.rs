//! The door for webhooks: `POST /hooks/extracta`, of a named account `/hooks/extracta/NAME`. The signature is their
//! authentication.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::Limits;
use crate::intake::webhook::{HookError, Hooks};
use crate::model::AccountName;

/// The header that carries the signature.
const SIGNATURE: &str = "x-webhook-signature";

/// The walls of their listener: deliveries up to 1 MiB.
pub const HOOK_LIMITS: Limits = Limits {
    connections: 64,
    head_bytes: 16 * 1024,
    head_time: Duration::from_secs(10),
    body_bytes: 1024 * 1024,
    answer_time: Duration::from_secs(30),
    connection_time: Duration::from_secs(120),
    farewell: Duration::from_secs(2),
};

/// The route, and that of named accounts.
pub fn hook_routes(hooks: Arc<Hooks>) -> Router {
    super::secured(
        Router::new()
            .route("/hooks/extracta", post(deliver))
            .route("/hooks/extracta/{account}", post(deliver_in))
            .with_state(hooks),
    )
}

async fn deliver(State(hooks): State<Arc<Hooks>>, headers: HeaderMap, body: Bytes) -> Response {
    take(&hooks, None, &headers, &body).await
}

async fn deliver_in(
    State(hooks): State<Arc<Hooks>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match hooks.account(&name) {
        Some(account) => take(&hooks, Some(&account), &headers, &body).await,
        None => (StatusCode::NOT_FOUND, "the policy file has no such account\n").into_response(),
    }
}

async fn take(hooks: &Hooks, account: Option<&AccountName>, headers: &HeaderMap, body: &[u8]) -> Response {
    // Two signatures are none.
    let mut said = headers.get_all(SIGNATURE).iter();
    let signature = said.next().filter(|_| said.next().is_none());
    let signature = signature.map(|value| value.as_bytes());
    match hooks.take_in(account, signature, body).await {
        Ok(delivered) => axum::Json(delivered).into_response(),
        Err(error) => {
            let status = match &error {
                HookError::Unsigned => StatusCode::UNAUTHORIZED,
                HookError::Shape => StatusCode::BAD_REQUEST,
                HookError::Ledger(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            tracing::warn!(http.status = status.as_u16(), %error, "a webhook was not taken");
            (status, format!("{error}\n")).into_response()
        }
    }
}
