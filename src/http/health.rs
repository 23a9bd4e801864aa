//! Health: does the scheduler turn?

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::faces::Faces;

/// `/healthz`: whether the loop turns. What it finds when it turns is another question.
pub(super) async fn turning(State(faces): State<Faces>) -> Response {
    let silence = faces.pulse.silence().as_secs();
    if faces.pulse.is_alive() {
        return "ok\n".into_response();
    }
    let words = format!("the scheduler has not turned for {silence} s\n");
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}
