//! What the daemon shows: one route a question. Each answers from the snapshot at hand.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Activity, DoorFigures, Pulse, health, metrics, page, secured};
use crate::snapshot::Snapshot;

/// A picture, and when it was taken by a clock that no one sets.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The picture.
    pub snapshot: Arc<Snapshot>,
    /// When it was taken.
    pub taken: Instant,
}

/// What the faces are drawn from.
#[derive(Debug, Clone)]
pub struct Faces {
    /// The latest picture; `None` until the first is taken.
    pub picture: watch::Receiver<Option<Shown>>,
    /// The loop's.
    pub pulse: Arc<Pulse>,
    /// What has been done.
    pub activity: Arc<Activity>,
    /// Each listener by name.
    pub doors: Vec<(&'static str, Arc<DoorFigures>)>,
}

impl Faces {
    /// The latest picture.
    pub(super) fn snapshot(&self) -> Result<Arc<Snapshot>, NotYet> {
        let shown = self.picture.borrow();
        shown
            .as_ref()
            .map(|shown| Arc::clone(&shown.snapshot))
            .ok_or(NotYet)
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
        .route("/", get(page::page))
        .route("/api/status", get(status))
        .route("/healthz", get(health::turning))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .with_state(faces);
    secured(router)
}

/// The snapshot, as `retentiond status --json` prints it.
async fn status(State(faces): State<Faces>) -> Result<Response, NotYet> {
    let snapshot = faces.snapshot()?;
    Ok(axum::Json(snapshot.as_ref()).into_response())
}
