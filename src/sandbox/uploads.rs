//! `uploadFiles` of both modules: files into a named batch, or into a new one.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, Payload, Reference};
use super::links::signed_link;
use super::serve::{find_batch, find_parent};
use super::state::{Place, World};

/// Answers `{status, …Id, batchId, files:[{fileId, fileName, url}]}` (C; the word in `status` is inferred). An unknown
/// batch answers 400 "Batch does not exist" (C), no file at all 400 (I).
pub(super) fn upload(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let module = call.route.module;
    let Payload::Upload { files, .. } = &call.payload else {
        return Err(Answer::error(400, "No files uploaded"));
    };
    let parent = find_parent(world, call)?;
    if files.is_empty() {
        return Err(Answer::error(400, "No files uploaded"));
    }
    let place = target_batch(world, call, parent)?;
    let now = world.now_ms();
    let mut listed: Vec<Value> = Vec::with_capacity(files.len());
    for arrival in files {
        let id = world
            .add_file(&place, arrival.clone(), now)
            .ok_or_else(|| Answer::unknown("Batch"))?;
        let url = signed_link(&world.config.canary, &place, &id, &arrival.name);
        listed.push(json!({"fileId": &*id, "fileName": arrival.name, "url": url}));
    }
    let body = json!({
        "status": "uploaded",
        module.parent_key(): parent,
        "batchId": &*place.batch,
        "files": listed,
    });
    Ok(Answer::json(200, &body))
}

fn target_batch(world: &mut World, call: &Call, parent: &str) -> Result<Place, Answer> {
    let module = call.route.module;
    let named = call.reference("batchId");
    if named != Reference::Falsy {
        return find_batch(world, module, parent, named);
    }
    let now = world.now_ms();
    let batch = world
        .add_batch(module, parent, now)
        .ok_or_else(|| Answer::unknown(module.parent_word()))?;
    Ok(Place {
        module,
        parent: parent.into(),
        batch,
    })
}
