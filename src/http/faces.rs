//! What the daemon shows: one route a question. Each answers from the snapshot at hand.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;

use super::{Pulse, secured};
use crate::snapshot::Snapshot;

/// What the faces are drawn from.
#[derive(Debug, Clone)]
pub struct Faces {
    /// The latest picture; `None` until the first is taken.
    pub picture: watch::Receiver<Option<Arc<Snapshot>>>,
    /// The loop's.
    pub pulse: Arc<Pulse>,
}

impl Faces {
    /// The latest picture.
    pub(super) fn snapshot(&self) -> Result<Arc<Snapshot>, NotYet> {
        self.picture.borrow().clone().ok_or(NotYet)
    }
}

/// The first picture is not taken yet.
pub(super) struct NotYet;

impl IntoResponse for NotYet {
    fn into_response(self) -> Response {
        let words = "the service is starting: ask again in a moment\n";
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], words).into_response()
    }
}

/// The routes of page, metrics and health.
pub fn routes(faces: Faces) -> Router {
    let router = Router::new()
        .route("/api/status", get(status))
        .route("/healthz", get(super::health::turning))
        .with_state(faces);
    secured(router)
}

/// The snapshot, as `retentiond status --json` prints it.
async fn status(State(faces): State<Faces>) -> Result<Response, NotYet> {
    let snapshot = faces.snapshot()?;
    Ok(axum::Json(snapshot.as_ref()).into_response())
}
