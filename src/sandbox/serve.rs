//! Key, spacing, then the endpoint: what the real server would do with a call, no fault considered.

use serde_json::json;
use tokio::time::Instant;

use super::answer::Answer;
use super::call::{Call, Payload, Reference};
use super::deletions::{self, perform};
use super::route::{Endpoint, Module};
use super::state::{Place, World};
use super::{parents, reads, uploads};

/// How much of a delete is carried out; its answer is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    All,
    /// The first half of the list, rounded down.
    Half,
    Nothing,
}

/// The answer, and how many files went.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) answer: Answer,
    pub(super) removed: usize,
}

impl From<Answer> for Served {
    fn from(answer: Answer) -> Self {
        Self { answer, removed: 0 }
    }
}

/// Serves a call; `request` is its number in the journal.
pub(super) fn serve(world: &mut World, call: &Call, extent: Extent, request: u64) -> Served {
    let endpoint = call.route.endpoint;
    if let Payload::Refused(answer) = &call.payload {
        return answer.clone().into();
    }
    let admitted = know(world, call).and_then(|key| pace(world, key, endpoint));
    if let (Err(refusal), true) = (admitted, endpoint != Endpoint::Unrouted) {
        return refusal.into();
    }
    act(world, call, extent, request)
}

/// Carries a call out after its answer: the key is judged again, the spacing was judged then.
pub(super) fn serve_late(world: &mut World, call: &Call, request: u64) -> Served {
    match know(world, call) {
        Ok(_) => act(world, call, Extent::All, request),
        Err(refusal) => refusal.into(),
    }
}

fn act(world: &mut World, call: &Call, extent: Extent, request: u64) -> Served {
    let kept_from_acting = extent == Extent::Nothing;
    let outcome = match call.route.endpoint {
        Endpoint::Credits => Ok(Answer::json(200, &json!({"status": "ok", "credits": 50}))),
        Endpoint::ViewClassification | Endpoint::ViewExtraction => parents::view(world, call),
        Endpoint::GetResults | Endpoint::GetBatchResults => reads::results(world, call),
        Endpoint::CreateClassification
        | Endpoint::CreateExtraction
        | Endpoint::UpdateClassification
        | Endpoint::UpdateExtraction
        | Endpoint::UploadFiles
            if kept_from_acting =>
        {
            Ok(Answer::internal_error())
        }
        Endpoint::CreateClassification | Endpoint::CreateExtraction => parents::create(world, call),
        Endpoint::UpdateClassification | Endpoint::UpdateExtraction => parents::update(world, call),
        Endpoint::UploadFiles => uploads::upload(world, call),
        Endpoint::DeleteFiles => {
            return perform(world, deletions::delete_files(world, call), extent, request);
        }
        Endpoint::DeleteBatch => {
            return perform(world, deletions::delete_batch(world, call), extent, request);
        }
        Endpoint::DeleteClassification => {
            return perform(
                world,
                deletions::delete_classification(world, call),
                extent,
                request,
            );
        }
        Endpoint::DeleteExtraction => {
            return perform(world, deletions::delete_extraction(world, call), extent, request);
        }
        Endpoint::Unrouted => Ok(Answer::page(404, &format!("Cannot {}", call.line))),
    };
    outcome.unwrap_or_else(|refusal| refusal).into()
}

/// 401 for a wrong or missing key, 403 for a forbidden one (C: the codes are known, their bodies are not).
fn know(world: &World, call: &Call) -> Result<String, Answer> {
    let key = call.key.clone().unwrap_or_default();
    if world.config.forbidden_keys.contains(&key) {
        return Err(Answer::error(403, "Forbidden"));
    }
    if !world.config.api_keys.contains(&key) {
        return Err(Answer::error(401, "Unauthorized"));
    }
    Ok(key)
}

/// 429 for a call that comes too soon (C: the code is known, its body is not; nothing is known of `Retry-After`).
fn pace(world: &mut World, key: String, endpoint: Endpoint) -> Result<(), Answer> {
    let spacing = match endpoint {
        Endpoint::GetResults | Endpoint::GetBatchResults => world.config.read_spacing,
        Endpoint::DeleteFiles
        | Endpoint::DeleteBatch
        | Endpoint::DeleteClassification
        | Endpoint::DeleteExtraction => world.config.delete_spacing,
        Endpoint::Credits
        | Endpoint::CreateClassification
        | Endpoint::ViewClassification
        | Endpoint::UpdateClassification
        | Endpoint::UploadFiles
        | Endpoint::CreateExtraction
        | Endpoint::ViewExtraction
        | Endpoint::UpdateExtraction
        | Endpoint::Unrouted => return Ok(()),
    };
    if spacing.is_zero() {
        return Ok(());
    }
    let (now, slot) = (Instant::now(), (key, endpoint));
    // A refused call does not start the wait anew.
    if world
        .last_calls
        .get(&slot)
        .is_some_and(|last| now.duration_since(*last) < spacing)
    {
        return Err(Answer::error(429, "Too many requests"));
    }
    world.last_calls.insert(slot, now);
    Ok(())
}

/// The parent that the call names, or 400 "… does not exist" (C).
pub(super) fn find_parent<'c>(world: &World, call: &'c Call) -> Result<&'c str, Answer> {
    let module = call.route.module;
    match call.parent() {
        Reference::Id(id) if world.parents(module).contains_key(id) => Ok(id),
        Reference::Id(_) | Reference::Falsy | Reference::Odd => Err(Answer::unknown(module.parent_word())),
    }
}

/// The batch that the call names, or 400 "Batch does not exist" (C).
pub(super) fn find_batch(
    world: &World,
    module: Module,
    parent: &str,
    batch: Reference<'_>,
) -> Result<Place, Answer> {
    let found = match batch {
        Reference::Id(id) => world
            .parents(module)
            .get_key_value(parent)
            .and_then(|(parent, held)| {
                let (batch, _) = held.batches.get_key_value(id)?;
                Some(Place {
                    module,
                    parent: parent.clone(),
                    batch: batch.clone(),
                })
            }),
        Reference::Falsy | Reference::Odd => None,
    };
    found.ok_or_else(|| Answer::unknown("Batch"))
}
