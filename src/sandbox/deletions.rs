//! The four deletes, with the hazard modelled at its worst: a missing id reaches for the parent.
//!
//! Whatever the vendor documents as "all three required" but does not say it refuses is taken here as a wider delete
//! (I), so that a client that ever sends one is caught by the journal's [`Cause::Widened`].

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;

use super::answer::Answer;
use super::call::{Call, FileList, Reference};
use super::config::{SecondDelete, UnknownIds};
use super::journal::Cause;
use super::route::Module;
use super::serve::{Extent, Served, find_batch, find_parent};
use super::state::{Place, World};

/// What a delete is to remove.
enum Scope {
    Files(Vec<Arc<str>>),
    Batch(Place),
    Parent(Module, Arc<str>),
}

/// A delete, understood but not yet carried out.
pub(super) struct Deletion {
    scope: Scope,
    cause: Cause,
    answer: Answer,
}

/// Carries out an understood delete, or hands on its refusal.
pub(super) fn perform(
    world: &mut World,
    understood: Result<Deletion, Answer>,
    extent: Extent,
    request: u64,
) -> Served {
    match understood {
        Ok(deletion) => {
            let removed = carry_out(world, deletion.scope, deletion.cause, extent, request);
            Served {
                answer: deletion.answer,
                removed,
            }
        }
        Err(refusal) => refusal.into(),
    }
}

/// `deleteFiles` (D). Not documented, hence knobs: unknown ids, a second delete, the most ids, `deleteAll`. A missing,
/// empty or falsy `fileIds` takes the batch, a missing `batchId` the classification (I).
pub(super) fn delete_files(world: &World, call: &Call) -> Result<Deletion, Answer> {
    let parent = find_parent(world, call)?;
    let batch = call.reference("batchId");
    if batch == Reference::Falsy {
        return Ok(widened(
            Scope::Parent(call.route.module, parent.into()),
            files_deleted(world, true),
        ));
    }
    let place = find_batch(world, call.route.module, parent, batch)?;
    let ids = match call.file_list() {
        FileList::Widens => return Ok(widened(Scope::Batch(place), files_deleted(world, true))),
        FileList::Odd => return Err(Answer::unknown("File")),
        FileList::Ids(ids) => ids,
    };
    if world.config.max_file_ids.is_some_and(|most| ids.len() > most) {
        return Err(Answer::error(413, "Too many files in one request"));
    }
    let sorted = sort_ids(world, &place, &ids);
    let stored = world
        .batch(place.module, &place.parent, &place.batch)
        .map_or(0, |batch| batch.files.len());
    let success = files_deleted(world, !sorted.live.is_empty() && sorted.live.len() == stored);
    let answer = answer_for(world, &sorted, success)?;
    Ok(Deletion {
        scope: Scope::Files(sorted.live),
        cause: Cause::Listed,
        answer,
    })
}

/// `{"status":"success","message":"Files deleted"}` (D), perhaps with `deleteAll` (C/I).
fn files_deleted(world: &World, emptied: bool) -> Answer {
    if emptied && world.config.include_delete_all {
        let body = json!({"status": "success", "message": "Files deleted", "deleteAll": true});
        return Answer::json(200, &body);
    }
    Answer::success("Files deleted")
}

/// `deleteBatch` (D/C); a missing batch id takes the classification (I).
pub(super) fn delete_batch(world: &World, call: &Call) -> Result<Deletion, Answer> {
    let parent = find_parent(world, call)?;
    let answer = Answer::success("Batch deleted");
    let batch = call.reference("batchId");
    if batch == Reference::Falsy {
        return Ok(widened(Scope::Parent(call.route.module, parent.into()), answer));
    }
    let place = find_batch(world, call.route.module, parent, batch)?;
    Ok(Deletion {
        scope: Scope::Batch(place),
        cause: Cause::Parent,
        answer,
    })
}

/// `deleteClassification` (D): every batch, result and file.
pub(super) fn delete_classification(world: &World, call: &Call) -> Result<Deletion, Answer> {
    let parent = find_parent(world, call)?;
    let scope = Scope::Parent(call.route.module, parent.into());
    Ok(Deletion {
        scope,
        cause: Cause::Parent,
        answer: Answer::success("Classification deleted"),
    })
}

/// `deleteExtraction` (D): the id that is missing says what goes. No `fileId`: the batch. No `batchId`: the template
/// with everything in it, whatever `fileId` says. Null and empty count as missing (I). Answers
/// `{status:"deleted", deletedAt}` (C).
pub(super) fn delete_extraction(world: &World, call: &Call) -> Result<Deletion, Answer> {
    let parent = find_parent(world, call)?;
    let answer = Answer::json(200, &json!({"status": "deleted", "deletedAt": world.now_ms()}));
    let batch = call.reference("batchId");
    if batch == Reference::Falsy {
        return Ok(widened(Scope::Parent(call.route.module, parent.into()), answer));
    }
    let place = find_batch(world, call.route.module, parent, batch)?;
    let id = match call.reference("fileId") {
        Reference::Falsy => return Ok(widened(Scope::Batch(place), answer)),
        Reference::Odd => return Err(Answer::unknown("File")),
        Reference::Id(id) => id,
    };
    let sorted = sort_ids(world, &place, &[id]);
    let answer = answer_for(world, &sorted, answer)?;
    Ok(Deletion {
        scope: Scope::Files(sorted.live),
        cause: Cause::Listed,
        answer,
    })
}

fn widened(scope: Scope, answer: Answer) -> Deletion {
    Deletion {
        scope,
        cause: Cause::Widened,
        answer,
    }
}

/// The ids of a list, sorted by what is known of them.
struct SortedIds {
    /// There, each once, in the list's order.
    live: Vec<Arc<str>>,
    /// Some id never existed (here), or counts as such.
    unknown: bool,
    /// Every id in the list was deleted before.
    only_deleted: bool,
}

fn sort_ids(world: &World, place: &Place, ids: &[&str]) -> SortedIds {
    let batch = world.batch(place.module, &place.parent, &place.batch);
    let mut sorted = SortedIds {
        live: Vec::with_capacity(ids.len()),
        unknown: false,
        only_deleted: true,
    };
    let mut seen = HashSet::with_capacity(ids.len());
    for id in ids.iter().filter(|id| seen.insert(**id)) {
        let deleted = world.was_deleted(id);
        sorted.only_deleted &= deleted;
        match batch.and_then(|batch| batch.files.get_key_value(*id)) {
            Some((id, _)) => sorted.live.push(Arc::clone(id)),
            None => sorted.unknown |= !deleted || world.config.second_delete == SecondDelete::DoesNotExist,
        }
    }
    sorted
}

fn answer_for(world: &World, sorted: &SortedIds, success: Answer) -> Result<Answer, Answer> {
    if !sorted.unknown {
        return Ok(success);
    }
    match world.config.unknown_ids {
        UnknownIds::Refuse => Err(Answer::unknown("File")),
        UnknownIds::Ignore if sorted.only_deleted => Err(Answer::unknown("File")),
        UnknownIds::Ignore => Ok(success),
        UnknownIds::Partial => Ok(Answer::internal_error()),
    }
}

fn carry_out(world: &mut World, scope: Scope, cause: Cause, extent: Extent, request: u64) -> usize {
    let mut ids = match &scope {
        Scope::Files(ids) => ids.clone(),
        Scope::Batch(place) => files_of(world, place),
        Scope::Parent(module, parent) => batches_of(world, *module, parent)
            .iter()
            .flat_map(|place| files_of(world, place))
            .collect(),
    };
    ids.truncate(match extent {
        Extent::All => ids.len(),
        Extent::Half => ids.len() / 2,
        Extent::Nothing => 0,
    });
    let before = world.journal.removals().len();
    for id in &ids {
        world.remove_file(id, cause, request);
    }
    if extent == Extent::All {
        match &scope {
            Scope::Files(..) => {}
            Scope::Batch(place) => world.drop_batch(place),
            Scope::Parent(module, parent) => {
                world.parents_mut(*module).remove(parent);
            }
        }
    }
    world.journal.removals().len() - before
}

fn files_of(world: &World, place: &Place) -> Vec<Arc<str>> {
    world
        .batch(place.module, &place.parent, &place.batch)
        .map(|batch| batch.files.keys().cloned().collect())
        .unwrap_or_default()
}

fn batches_of(world: &World, module: Module, parent: &Arc<str>) -> Vec<Place> {
    let Some(held) = world.parents(module).get(parent) else {
        return Vec::new();
    };
    held.batches
        .keys()
        .map(|batch| Place {
            module,
            parent: Arc::clone(parent),
            batch: Arc::clone(batch),
        })
        .collect()
}

/// A scripted fault's bystanders: so many files of the call's batch that the call did not name.
pub(super) fn take_neighbours(world: &mut World, call: &Call, count: usize, request: u64) -> usize {
    let (Reference::Id(parent), Reference::Id(batch)) = (call.parent(), call.reference("batchId")) else {
        return 0;
    };
    let named: HashSet<String> = call.file_ids().into_iter().collect();
    let Some(batch) = world.batch(call.route.module, parent, batch) else {
        return 0;
    };
    let taken: Vec<_> = batch
        .files
        .keys()
        .filter(|id| !named.contains(&***id))
        .take(count)
        .cloned()
        .collect();
    taken
        .iter()
        .filter(|id| world.remove_file(id, Cause::Neighbour, request))
        .count()
}
