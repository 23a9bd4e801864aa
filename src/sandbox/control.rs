//! `/_sandbox/…`: scripting and inspection for whoever has only `curl`. No key is asked; the listener is loopback.
//!
//! | method and path | what |
//! |---|---|
//! | `POST /_sandbox/faults` | plants a [`Fault`]; answers its number |
//! | `GET /_sandbox/faults` | all planted faults with their counters |
//! | `DELETE /_sandbox/faults[?id=N]` | removes one, or all |
//! | `GET /_sandbox/state` | everything held, and the request counters |
//! | `GET /_sandbox/requests` | the journal of requests |
//! | `GET /_sandbox/deleted` | every file removed, and why |
//! | `POST /_sandbox/clock` | `{"skew_ms": N, "omit": bool}` for the `Date` header |

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;
use hyper::{Method, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::BrokenOff;
use super::exchange::Shared;
use super::faults::Fault;
use super::journal::DeletedFile;
use super::route::Module;
use super::state::{Batch, DateLine, Parent, World};

/// Below this path nothing belongs to the vendor's API.
pub(super) const PREFIX: &str = "/_sandbox/";
const LIMIT: usize = 1024 * 1024;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct ClockSetting {
    skew_ms: i64,
    omit: bool,
}

/// Serves one control request.
pub(super) async fn serve<B>(request: Request<B>, shared: &Shared) -> Result<Answer, BrokenOff>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LIMIT)
        .collect()
        .await
        .map_err(|_| BrokenOff)?
        .to_bytes();
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or("");
    let answer = match (&head.method, path) {
        (&Method::POST, "faults") => plant(&mut shared.lock(), &body),
        (&Method::GET, "faults") => Answer::json(200, &shared.lock().faults.planted()),
        (&Method::DELETE, "faults") => clear(&mut shared.lock(), head.uri.query()),
        (&Method::GET, "state") => Answer::json(200, &state(&shared.lock())),
        (&Method::GET, "requests") => Answer::json(200, shared.lock().journal.requests()),
        (&Method::GET, "deleted") => {
            let world = shared.lock();
            let removed: Vec<DeletedFile> = world.journal.removals().iter().map(DeletedFile::from).collect();
            Answer::json(200, &removed)
        }
        (&Method::POST, "clock") => set_clock(&mut shared.lock(), &body),
        _ => Answer::error(404, "no such control path"),
    };
    Ok(answer)
}

fn plant(world: &mut World, body: &[u8]) -> Answer {
    let fault = match serde_json::from_slice::<Fault>(body) {
        Ok(fault) => fault,
        Err(error) => return Answer::error(400, &error.to_string()),
    };
    match world.faults.plant(fault) {
        Ok(id) => Answer::json(200, &json!({"status": "success", "id": id})),
        Err(invalid) => Answer::error(400, &invalid.to_string()),
    }
}

fn clear(world: &mut World, query: Option<&str>) -> Answer {
    let Some(query) = query else {
        world.faults.clear();
        return Answer::success("all faults removed");
    };
    let id = query.strip_prefix("id=").and_then(|id| id.parse().ok());
    match id {
        Some(id) if world.faults.remove(id) => Answer::success("fault removed"),
        Some(_) | None => Answer::error(404, "no such fault"),
    }
}

fn set_clock(world: &mut World, body: &[u8]) -> Answer {
    match serde_json::from_slice::<ClockSetting>(body) {
        Ok(setting) => {
            world.date = DateLine {
                skew_ms: setting.skew_ms,
                omitted: setting.omit,
            };
            Answer::success("clock set")
        }
        Err(error) => Answer::error(400, &error.to_string()),
    }
}

fn state(world: &World) -> Value {
    let module = |module: Module| -> Vec<Value> {
        world
            .parents(module)
            .iter()
            .map(|(id, parent)| parent_state(module, id, parent))
            .collect()
    };
    json!({
        "now": world.now_ms(),
        "classifications": module(Module::Classification),
        "extractions": module(Module::Extraction),
        "requests": world.journal.counts(),
        "deleted": world.journal.removals().len(),
    })
}

fn parent_state(module: Module, id: &str, parent: &Parent) -> Value {
    let batches: Vec<Value> = parent
        .batches
        .iter()
        .map(|(id, batch)| batch_state(id, batch))
        .collect();
    json!({
        module.parent_key(): id,
        "name": parent.details.get("name"),
        "createdAt": parent.created_at,
        "batches": batches,
    })
}

fn batch_state(id: &str, batch: &Batch) -> Value {
    let files: Vec<Value> = batch
        .files
        .iter()
        .map(|(id, file)| {
            let copy = file.copy.as_ref().map(|copy| {
                json!({"extractionId": &*copy.extraction, "batchId": &*copy.batch, "fileId": &*copy.file})
            });
            json!({
                "fileId": &**id,
                "fileName": file.arrival.name,
                "status": file.status.as_str(),
                "documentType": file.document_type.as_deref(),
                "bytes": file.arrival.bytes,
                "sha256": file.arrival.sha256,
                "extraction": copy,
            })
        })
        .collect();
    json!({"batchId": id, "createdAt": batch.created_at, "files": files})
}
