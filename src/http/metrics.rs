//! `/metrics`: the snapshot and the counters, for Prometheus.
//!
//! Every series is there from the first scrape, zero or not, and none carries an id. `families` is the
//! whole list; `docs/operations.md` holds it as a table, and a test holds one against the other.

mod families;
mod text;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};

use super::faces::{Faces, NotYet};
use text::Form;

pub(super) async fn metrics(State(faces): State<Faces>, headers: HeaderMap) -> Result<Response, NotYet> {
    let snapshot = faces.snapshot()?;
    let wish = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let form = Form::wished(wish.unwrap_or_default());
    let text = form.render(&families::families(&snapshot, &faces));
    Ok(([(CONTENT_TYPE, form.content_type()), (VARY, "accept")], text).into_response())
}
