//! Creating, viewing and updating classifications and extraction templates.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::Call;
use super::reads;
use super::route::Module;
use super::serve::find_parent;
use super::state::World;

fn details_key(module: Module) -> &'static str {
    match module {
        Module::Classification => "classificationDetails",
        Module::Extraction => "extractionDetails",
    }
}

fn details(call: &Call) -> Result<&Map<String, Value>, Answer> {
    let key = details_key(call.route.module);
    let found = call.field(key).and_then(Value::as_object);
    found.ok_or_else(|| Answer::error(400, &format!("{key} is required")))
}

/// `createClassification`, `createExtraction`: `{status:"created", createdAt, …Id}` (C); a missing name is refused (I).
pub(super) fn create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let module = call.route.module;
    let details = details(call)?;
    if details
        .get("name")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        return Err(Answer::error(400, "name is required"));
    }
    let now = world.now_ms();
    let id = world.add_parent(module, details.clone(), now);
    Ok(Answer::json(
        200,
        &json!({"status": "created", "createdAt": now, module.parent_key(): &*id}),
    ))
}

/// `viewClassification` (C; no batches in it), `viewExtraction` (C; batches in it, no `status`).
pub(super) fn view(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let module = call.route.module;
    let id = find_parent(world, call)?;
    let parent = world
        .parents(module)
        .get(id)
        .ok_or_else(|| Answer::unknown(module.parent_word()))?;
    let mut details = parent.details.clone();
    details.insert("createdAt".to_owned(), json!(parent.created_at));
    let mut answer = Map::new();
    match module {
        Module::Classification => {
            answer.insert("status".to_owned(), json!("success"));
        }
        Module::Extraction if parent.batches.is_empty() => {}
        Module::Extraction => {
            let batches: Map<String, Value> = parent
                .batches
                .iter()
                .map(|(id, batch)| (id.to_string(), reads::batch_summary(batch)))
                .collect();
            details.insert("batches".to_owned(), Value::Object(batches));
        }
    }
    answer.insert(module.parent_key().to_owned(), json!(id));
    answer.insert(details_key(module).to_owned(), Value::Object(details));
    Ok(Answer::json(200, &answer))
}

/// `updateClassification` (C), `updateExtraction` (I): what is given replaces what was there.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let module = call.route.module;
    let id = find_parent(world, call)?;
    world.update_details(module, id, details(call)?);
    let now = world.now_ms();
    Ok(Answer::json(
        200,
        &json!({"status": "updated", "updatedAt": now, module.parent_key(): id}),
    ))
}
