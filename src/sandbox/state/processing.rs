//! The end of a file's processing: its document type, and its second copy where that type is linked.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Arrival, FileStatus, LinkedCopy, Place, World};
use crate::sandbox::route::Module;

/// A document type, ready for choosing.
#[derive(Debug)]
pub(super) struct TypeLink {
    name: Arc<str>,
    lowercase: String,
    extraction: Option<Arc<str>>,
}

impl World {
    /// Ends a file's processing: classified by name or by turns, copied where its type is linked.
    pub(in crate::sandbox) fn process(&mut self, file: &str, at_ms: i64) {
        let Some(place) = self.index.get(file).cloned() else {
            return;
        };
        let (kind, copy) = match place.module {
            Module::Extraction => (None, None),
            Module::Classification => self.classify(&place, file, at_ms),
        };
        if let Some(file) = self.file_mut(file) {
            file.status = FileStatus::Processed;
            file.document_type = kind;
            file.copy = copy;
        }
    }

    fn classify(&mut self, place: &Place, file: &str, at_ms: i64) -> (Option<Arc<str>>, Option<LinkedCopy>) {
        let Some(parent) = self.classifications.get_mut(&place.parent) else {
            return (None, None);
        };
        let Some(held) = parent
            .batches
            .get(&place.batch)
            .and_then(|batch| batch.files.get(file))
        else {
            return (None, None);
        };
        let arrival = held.arrival.clone();
        let Some(link) = choose_type(&parent.types, &mut parent.next_type, &arrival.name) else {
            return (None, None);
        };
        let (kind, extraction) = (Arc::clone(&link.name), link.extraction.clone());
        let copy = extraction.and_then(|extraction| self.copy_into(&extraction, place, arrival, at_ms));
        (Some(kind), copy)
    }

    /// All copies of one classification batch share one extraction batch, which is theirs alone.
    fn copy_into(
        &mut self,
        extraction: &Arc<str>,
        from: &Place,
        file: Arrival,
        at_ms: i64,
    ) -> Option<LinkedCopy> {
        let known = self
            .batch(from.module, &from.parent, &from.batch)?
            .copies
            .get(extraction)
            .cloned();
        let known = known.filter(|batch| self.batch(Module::Extraction, extraction, batch).is_some());
        let batch = match known {
            Some(batch) => batch,
            None => self.add_batch(Module::Extraction, extraction, at_ms)?,
        };
        self.batch_mut(from.module, &from.parent, &from.batch)?
            .copies
            .insert(Arc::clone(extraction), Arc::clone(&batch));
        let place = Place {
            module: Module::Extraction,
            parent: Arc::clone(extraction),
            batch: Arc::clone(&batch),
        };
        let file = self.add_file(&place, file, at_ms)?;
        Some(LinkedCopy {
            extraction: Arc::clone(extraction),
            batch,
            file,
        })
    }
}

pub(super) fn type_links(details: &Map<String, Value>) -> Vec<TypeLink> {
    let listed = details
        .get("documentTypes")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let text = |kind: &Value, key: &str| kind.get(key).and_then(Value::as_str).map(Arc::<str>::from);
    listed
        .iter()
        .filter_map(|kind| {
            let name = text(kind, "name")?;
            let extraction = text(kind, "extractionId").filter(|id| !id.is_empty());
            Some(TypeLink {
                lowercase: name.to_lowercase(),
                name,
                extraction,
            })
        })
        .collect()
}

/// A file whose name holds a type's name is of that type; the rest take turns.
fn choose_type<'t>(types: &'t [TypeLink], next: &mut usize, file_name: &str) -> Option<&'t TypeLink> {
    let file_name = file_name.to_lowercase();
    if let Some(named) = types.iter().find(|link| file_name.contains(&link.lowercase)) {
        return Some(named);
    }
    let chosen = types.get(next.checked_rem(types.len())?)?;
    *next += 1;
    Some(chosen)
}
