//! Health: does the scheduler turn, and would it delete if something were due?

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::time::Duration;

use super::faces::Faces;
use crate::snapshot::Check;

/// A picture older than this says nothing about now.
const STALE: Duration = Duration::from_secs(600);

/// `/healthz`: whether the loop turns. What it finds when it turns is another question.
pub(super) async fn turning(State(faces): State<Faces>) -> Response {
    let check = scheduler(&faces);
    if check.ok {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", check.says)).into_response()
}

/// `/readyz`: whether it would delete if something were due; with `?verbose`, or when not, check by check.
pub(super) async fn ready(State(faces): State<Faces>, RawQuery(query): RawQuery) -> Response {
    let checks = checks(&faces);
    let ready = checks.iter().all(|check| check.ok);
    let verbose = query.is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
    if ready && !verbose {
        return "ok\n".into_response();
    }
    let mut words = String::new();
    for Check { name, ok, says } in &checks {
        let sign = if *ok { '+' } else { '-' };
        words.push_str(&format!("[{sign}] {name}: {says}\n"));
    }
    if ready {
        words.push_str("ready\n");
        return words.into_response();
    }
    words.push_str("not ready\n");
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}

/// Whether every check passes.
pub(super) fn is_ready(faces: &Faces) -> bool {
    checks(faces).iter().all(|check| check.ok)
}

/// What only this process knows, then what the picture says.
fn checks(faces: &Faces) -> Vec<Check> {
    let shown = faces.picture.borrow().clone();
    let age = shown.as_ref().map(|shown| shown.taken.elapsed());
    let fresh = Check {
        name: "picture",
        ok: age.is_some_and(|age| age < STALE),
        says: age.map_or_else(
            || "none is taken yet".to_owned(),
            |age| format!("taken {} s ago", age.as_secs()),
        ),
    };
    let mut checks = vec![scheduler(faces), fresh];
    checks.extend(shown.into_iter().flat_map(|shown| shown.snapshot.checks.clone()));
    checks
}

fn scheduler(faces: &Faces) -> Check {
    let ok = faces.pulse.is_alive();
    let silence = faces.pulse.silence().as_secs();
    Check {
        name: "scheduler",
        ok,
        says: if ok {
            "turns".to_owned()
        } else {
            format!("the scheduler has not turned for {silence} s")
        },
    }
}
