//! What the sandbox holds: parents (classifications or extraction templates), their batches, their files.
//!
//! Every step costs by the ids it touches, not by what is stored, so that the sandbox can be the reference server of
//! the benchmarks. Knows nothing of HTTP.

mod processing;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use self::processing::{TypeLink, type_links};
use super::config::{Processing, SandboxConfig};
use super::faults::FaultBook;
use super::ids::IdSource;
use super::journal::{Cause, Journal, Removed};
use super::route::{Endpoint, Module};

/// A document type of a classification: its name and, when linked, the extraction template that gets a copy of each
/// file so classified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentType {
    /// The name, as results show it.
    pub name: String,
    /// The linked extraction template, if any.
    pub extraction_id: Option<String>,
}

impl DocumentType {
    /// A document type that is linked to nothing.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            extraction_id: None,
        }
    }

    /// A document type whose files are copied into an extraction template.
    pub fn linked(name: impl Into<String>, extraction_id: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            extraction_id: Some(extraction_id.into()),
        }
    }
}

/// A file's progress. The vendor's set is open (C), so a test may set any text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum FileStatus {
    /// Not yet begun.
    Waiting,
    /// Being worked on.
    Processing,
    /// Done; results and linked copy exist.
    Processed,
    /// Any other text: `failed`, `error`, or one that no client has seen.
    Other(String),
}

impl FileStatus {
    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Waiting => "waiting",
            Self::Processing => "processing",
            Self::Processed => "processed",
            Self::Other(text) => text,
        }
    }
}

impl From<FileStatus> for String {
    fn from(status: FileStatus) -> Self {
        status.as_str().to_owned()
    }
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) module: Module,
    pub(super) parent: Arc<str>,
    pub(super) batch: Arc<str>,
}

/// The second copy of a classified file: another file, with other ids.
#[derive(Debug, Clone)]
pub(super) struct LinkedCopy {
    pub(super) extraction: Arc<str>,
    pub(super) batch: Arc<str>,
    pub(super) file: Arc<str>,
}

/// What an upload brings: never the bytes themselves.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrival {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: Option<String>,
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) arrival: Arrival,
    pub(super) status: FileStatus,
    pub(super) reads: u32,
    pub(super) document_type: Option<Arc<str>>,
    pub(super) copy: Option<LinkedCopy>,
}

#[derive(Debug)]
pub(super) struct Batch {
    pub(super) created_at: i64,
    /// By push id, so in the order of upload.
    pub(super) files: BTreeMap<Arc<str>, File>,
    /// Extraction template → the batch there that takes this batch's copies.
    copies: HashMap<Arc<str>, Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Parent {
    pub(super) details: Map<String, Value>,
    pub(super) created_at: i64,
    pub(super) batches: BTreeMap<Arc<str>, Batch>,
    types: Vec<TypeLink>,
    next_type: usize,
}

/// The `Date` header: the clock plus a skew, or none at all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DateLine {
    pub(super) skew_ms: i64,
    pub(super) omitted: bool,
}

/// All state, behind one lock.
#[derive(Debug)]
pub(super) struct World {
    pub(super) config: SandboxConfig,
    pub(super) faults: FaultBook,
    pub(super) journal: Journal,
    pub(super) date: DateLine,
    /// The last accepted call of each key and paced endpoint.
    pub(super) last_calls: HashMap<(String, Endpoint), Instant>,
    classifications: BTreeMap<Arc<str>, Parent>,
    extractions: BTreeMap<Arc<str>, Parent>,
    index: HashMap<Arc<str>, Place>,
    tombstones: HashSet<Arc<str>>,
    ids: IdSource,
}

impl World {
    pub(super) fn new(config: SandboxConfig) -> Self {
        Self {
            faults: FaultBook::default(),
            journal: Journal::new(config.journal_limit),
            date: DateLine::default(),
            last_calls: HashMap::new(),
            classifications: BTreeMap::new(),
            extractions: BTreeMap::new(),
            index: HashMap::new(),
            tombstones: HashSet::new(),
            ids: IdSource::new(config.seed),
            config,
        }
    }

    /// Milliseconds UTC on the sandbox's clock, without the `Date` header's skew.
    pub(super) fn now_ms(&self) -> i64 {
        (self.config.clock)()
    }

    pub(super) fn parents(&self, module: Module) -> &BTreeMap<Arc<str>, Parent> {
        match module {
            Module::Classification => &self.classifications,
            Module::Extraction => &self.extractions,
        }
    }

    pub(super) fn parents_mut(&mut self, module: Module) -> &mut BTreeMap<Arc<str>, Parent> {
        match module {
            Module::Classification => &mut self.classifications,
            Module::Extraction => &mut self.extractions,
        }
    }

    pub(super) fn batch(&self, module: Module, parent: &str, batch: &str) -> Option<&Batch> {
        self.parents(module).get(parent)?.batches.get(batch)
    }

    pub(super) fn batch_mut(&mut self, module: Module, parent: &str, batch: &str) -> Option<&mut Batch> {
        self.parents_mut(module).get_mut(parent)?.batches.get_mut(batch)
    }

    pub(super) fn place(&self, file: &str) -> Option<&Place> {
        self.index.get(file)
    }

    pub(super) fn file_mut(&mut self, file: &str) -> Option<&mut File> {
        let place = self.index.get(file)?.clone();
        self.batch_mut(place.module, &place.parent, &place.batch)?
            .files
            .get_mut(file)
    }

    /// Whether an id once named a file that was deleted.
    pub(super) fn was_deleted(&self, file: &str) -> bool {
        self.tombstones.contains(file)
    }

    pub(super) fn add_parent(&mut self, module: Module, details: Map<String, Value>, at_ms: i64) -> Arc<str> {
        let id = self.ids.push_id(at_ms);
        let types = type_links(&details);
        let parent = Parent {
            details,
            created_at: at_ms,
            batches: BTreeMap::new(),
            types,
            next_type: 0,
        };
        self.parents_mut(module).insert(Arc::clone(&id), parent);
        id
    }

    /// Adds an empty batch; `None` when the parent does not exist.
    pub(super) fn add_batch(&mut self, module: Module, parent: &str, at_ms: i64) -> Option<Arc<str>> {
        let id = self.ids.batch_id();
        let batch = Batch {
            created_at: at_ms,
            files: BTreeMap::new(),
            copies: HashMap::new(),
        };
        self.parents_mut(module)
            .get_mut(parent)?
            .batches
            .insert(Arc::clone(&id), batch);
        Some(id)
    }

    /// Adds a file, and processes it at once when the configuration says so; `None` when the batch does not exist.
    pub(super) fn add_file(&mut self, place: &Place, arrival: Arrival, at_ms: i64) -> Option<Arc<str>> {
        let id = self.ids.push_id(at_ms);
        self.add_file_as(id, place, arrival, at_ms)
    }

    /// A file under an id that it brings along, in a parent and a batch that are made if they are not there.
    pub(super) fn hold_file(&mut self, id: &str, place: &Place, at_ms: i64) {
        let parents = self.parents_mut(place.module);
        let parent = parents
            .entry(Arc::clone(&place.parent))
            .or_insert_with(|| Parent {
                details: Map::new(),
                created_at: at_ms,
                batches: BTreeMap::new(),
                types: Vec::new(),
                next_type: 0,
            });
        parent
            .batches
            .entry(Arc::clone(&place.batch))
            .or_insert_with(|| Batch {
                created_at: at_ms,
                files: BTreeMap::new(),
                copies: HashMap::new(),
            });
        self.add_file_as(Arc::from(id), place, Arrival::default(), at_ms);
    }

    /// As [`add_file`](Self::add_file), under an id that somebody else has chosen.
    pub(super) fn add_file_as(
        &mut self,
        id: Arc<str>,
        place: &Place,
        arrival: Arrival,
        at_ms: i64,
    ) -> Option<Arc<str>> {
        let status = FileStatus::Waiting;
        let file = File {
            arrival,
            status,
            reads: 0,
            document_type: None,
            copy: None,
        };
        self.batch_mut(place.module, &place.parent, &place.batch)?
            .files
            .insert(Arc::clone(&id), file);
        self.index.insert(Arc::clone(&id), place.clone());
        if self.config.processing == Processing::Immediate {
            self.process(&id, at_ms);
        }
        Some(id)
    }

    /// Removes one file for good; false when it is not there. `request` is the journal's number of the call that
    /// did it, zero for none.
    pub(super) fn remove_file(&mut self, id: &str, cause: Cause, request: u64) -> bool {
        let Some((id, place)) = self.index.remove_entry(id) else {
            return false;
        };
        let removed = self
            .batch_mut(place.module, &place.parent, &place.batch)
            .and_then(|batch| batch.files.remove(&id).map(|file| (file, batch.files.is_empty())));
        let Some((file, emptied)) = removed else {
            return false;
        };
        if emptied && self.config.emptied_batch_vanishes {
            self.drop_batch(&place);
        }
        let at_ms = self.now_ms();
        self.tombstones.insert(Arc::clone(&id));
        self.journal.removed(Removed {
            request,
            at_ms,
            place,
            file: id,
            cause,
        });
        if let Some(copy) = file.copy.filter(|_| !self.config.linked_copies_survive) {
            self.remove_file(&copy.file, Cause::LinkedCopy, request);
        }
        true
    }

    /// Forgets a batch's entry, which holds no files any more.
    pub(super) fn drop_batch(&mut self, place: &Place) {
        if let Some(parent) = self.parents_mut(place.module).get_mut(&place.parent) {
            parent.batches.remove(&place.batch);
        }
    }

    /// Merges new details over a parent's; false when it does not exist.
    pub(super) fn update_details(&mut self, module: Module, id: &str, details: &Map<String, Value>) -> bool {
        let Some(parent) = self.parents_mut(module).get_mut(id) else {
            return false;
        };
        parent
            .details
            .extend(details.iter().map(|(key, value)| (key.clone(), value.clone())));
        parent.types = type_links(&parent.details);
        true
    }
}
