//! The test's side: scripting, seeding and inspection without HTTP.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, json};

use super::config::SandboxConfig;
use super::exchange::Shared;
use super::faults::{Fault, InvalidFault, PlantedFault};
use super::journal::{Cause, DeletedFile, RequestRecord};
use super::route::{Endpoint, Module};
use super::state::{Arrival, DateLine, DocumentType, FileStatus, Place, World};

/// One file held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SandboxFile {
    /// The module it is in.
    pub module: Module,
    /// Its classification or template.
    pub parent_id: String,
    /// Its batch.
    pub batch_id: String,
    /// Its id.
    pub file_id: String,
    /// The name it was uploaded under.
    pub name: String,
    /// How far its processing is.
    pub state: FileStatus,
    /// Its size in bytes; 0 for seeded files.
    pub bytes: u64,
    /// SHA-256 of its content in hex; `None` for seeded files.
    pub sha256: Option<String>,
    /// The id of its linked copy in the extraction module, if it has one.
    pub copy_id: Option<String>,
}

/// A seed named a parent or a batch that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox holds no {what} {id}")]
pub struct NotHeld {
    what: &'static str,
    id: String,
}

/// Scripts and inspects a running sandbox. Clones speak to the same one.
#[derive(Debug, Clone)]
pub struct SandboxHandle {
    pub(super) shared: Arc<Shared>,
}

/// Scripting.
impl SandboxHandle {
    /// Plants a fault; the number names it in the journal.
    pub fn add_fault(&self, fault: Fault) -> Result<u64, InvalidFault> {
        self.shared.lock().faults.plant(fault)
    }

    /// All planted faults, with their counters.
    pub fn faults(&self) -> Vec<PlantedFault> {
        self.shared.lock().faults.planted().to_vec()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Turns knobs while the server runs. The address, the seed and the journal's limit are read only at the start.
    pub fn configure(&self, turn: impl FnOnce(&mut SandboxConfig)) {
        turn(&mut self.shared.lock().config);
        self.shared.changed();
    }

    /// Adds this many ms to the clock in every `Date` header; ids and creation times keep the clock.
    pub fn set_clock_skew(&self, skew_ms: i64) {
        self.shared.lock().date.skew_ms = skew_ms;
    }

    /// Sends no `Date` header, or sends it again.
    pub fn omit_date(&self, omitted: bool) {
        let mut world = self.shared.lock();
        world.date = DateLine {
            omitted,
            ..world.date
        };
    }

    /// Sets a file's status to any text; false when it is not there.
    pub fn set_file_status(&self, file_id: &str, status: FileStatus) -> bool {
        self.change(|world| world.file_mut(file_id).map(|file| file.status = status).is_some())
    }

    /// Removes a file as if somebody else had; false when it is not there.
    pub fn remove_file(&self, file_id: &str) -> bool {
        self.change(|world| world.remove_file(file_id, Cause::Handle, 0))
    }

    fn change<T>(&self, step: impl FnOnce(&mut World) -> T) -> T {
        let outcome = step(&mut self.shared.lock());
        self.shared.changed();
        outcome
    }
}

/// Seeding: what uploads would do, without HTTP.
impl SandboxHandle {
    /// A classification with these document types.
    pub fn seed_classification(&self, name: &str, types: &[DocumentType]) -> String {
        let types: Vec<_> = types
            .iter()
            .map(|kind| {
                let mut listed = json!({"name": kind.name, "description": kind.name, "uniqueWords": []});
                if let Some(extraction) = &kind.extraction_id {
                    listed["extractionId"] = json!(extraction);
                }
                listed
            })
            .collect();
        let details = Map::from_iter([
            ("name".to_owned(), json!(name)),
            ("description".to_owned(), json!("")),
            ("documentTypes".to_owned(), json!(types)),
        ]);
        self.change(|world| {
            world
                .add_parent(Module::Classification, details, world.now_ms())
                .to_string()
        })
    }

    /// An extraction template.
    pub fn seed_extraction(&self, name: &str) -> String {
        let details = Map::from_iter([
            ("name".to_owned(), json!(name)),
            ("language".to_owned(), json!("English")),
            ("fields".to_owned(), json!([])),
        ]);
        self.change(|world| {
            world
                .add_parent(Module::Extraction, details, world.now_ms())
                .to_string()
        })
    }

    /// An empty batch in a classification or template.
    pub fn seed_batch(&self, module: Module, parent_id: &str) -> Result<String, NotHeld> {
        let batch = self.change(|world| world.add_batch(module, parent_id, world.now_ms()));
        let missing = || NotHeld {
            what: "parent",
            id: parent_id.to_owned(),
        };
        batch.map(|id| id.to_string()).ok_or_else(missing)
    }

    /// `count` files in a batch of a classification, uploaded now; their ids, in order.
    pub fn seed_files(
        &self,
        classification: &str,
        batch: &str,
        count: usize,
    ) -> Result<Vec<String>, NotHeld> {
        let now = self.shared.lock().now_ms();
        self.seed_files_at(Module::Classification, classification, batch, count, now)
    }

    /// `count` files in a batch of either module, uploaded at an instant in ms UTC (which their ids carry).
    pub fn seed_files_at(
        &self,
        module: Module,
        parent: &str,
        batch: &str,
        count: usize,
        at_ms: i64,
    ) -> Result<Vec<String>, NotHeld> {
        self.seed(
            module,
            parent,
            batch,
            at_ms,
            (1..=count).map(|number| format!("document-{number:06}.pdf")),
        )
    }

    /// One named file, uploaded at an instant in ms UTC. A name that holds a document type's name gets that type.
    pub fn seed_file(
        &self,
        module: Module,
        parent: &str,
        batch: &str,
        name: &str,
        at_ms: i64,
    ) -> Result<String, NotHeld> {
        let mut ids = self.seed(module, parent, batch, at_ms, std::iter::once(name.to_owned()))?;
        ids.pop().ok_or_else(|| NotHeld {
            what: "batch",
            id: batch.to_owned(),
        })
    }

    /// One file of a classification under this very id, uploaded now: for ids that no generator makes.
    pub fn seed_file_with_id(&self, classification: &str, batch: &str, id: &str) -> Result<(), NotHeld> {
        let place = Place {
            module: Module::Classification,
            parent: classification.into(),
            batch: batch.into(),
        };
        let arrival = Arrival {
            name: "document.pdf".to_owned(),
            ..Arrival::default()
        };
        let added = self.change(|world| world.add_file_as(id.into(), &place, arrival, world.now_ms()));
        added.map(drop).ok_or_else(|| NotHeld {
            what: "batch",
            id: batch.to_owned(),
        })
    }

    fn seed(
        &self,
        module: Module,
        parent: &str,
        batch: &str,
        at_ms: i64,
        names: impl Iterator<Item = String>,
    ) -> Result<Vec<String>, NotHeld> {
        let place = Place {
            module,
            parent: parent.into(),
            batch: batch.into(),
        };
        self.change(|world| {
            names
                .map(|name| {
                    let arrival = Arrival {
                        name,
                        ..Arrival::default()
                    };
                    let id = world.add_file(&place, arrival, at_ms);
                    id.map(|id| id.to_string()).ok_or_else(|| NotHeld {
                        what: "batch",
                        id: batch.to_owned(),
                    })
                })
                .collect()
        })
    }
}

/// Inspection.
impl SandboxHandle {
    /// Every file held: classifications first, each in order of upload.
    pub fn files(&self) -> Vec<SandboxFile> {
        let world = self.shared.lock();
        [Module::Classification, Module::Extraction]
            .into_iter()
            .flat_map(|module| files_in(&world, module))
            .collect()
    }

    /// Whether a file is held.
    pub fn exists(&self, file_id: &str) -> bool {
        self.shared.lock().place(file_id).is_some()
    }

    /// Whether a classification or template is held.
    pub fn parent_exists(&self, module: Module, parent_id: &str) -> bool {
        self.shared.lock().parents(module).contains_key(parent_id)
    }

    /// Every file removed since the start, in order, and why.
    pub fn deleted(&self) -> Vec<DeletedFile> {
        self.shared
            .lock()
            .journal
            .removals()
            .iter()
            .map(DeletedFile::from)
            .collect()
    }

    /// The journal of requests; control requests are not in it.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.lock().journal.requests().iter().cloned().collect()
    }

    /// Requests to one endpoint since the start.
    pub fn request_count(&self, endpoint: Endpoint) -> u64 {
        self.shared.lock().journal.count(endpoint)
    }

    /// Waits until an endpoint has had at least `count` requests. A request counts once it is decided, before any
    /// scripted delay.
    pub async fn await_requests(&self, endpoint: Endpoint, count: u64) {
        self.await_until(|handle| handle.request_count(endpoint) >= count)
            .await;
    }

    /// Waits until a file is gone.
    pub async fn await_gone(&self, file_id: &str) {
        self.await_until(|handle| !handle.exists(file_id)).await;
    }

    /// Waits until `condition` holds; asked again after every change.
    pub async fn await_until(&self, condition: impl Fn(&Self) -> bool) {
        let mut changes = self.shared.watch();
        while !condition(self) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

fn files_in(world: &World, module: Module) -> Vec<SandboxFile> {
    let mut files = Vec::new();
    for (parent_id, parent) in world.parents(module) {
        for (batch_id, batch) in &parent.batches {
            files.extend(batch.files.iter().map(|(id, file)| SandboxFile {
                module,
                parent_id: parent_id.to_string(),
                batch_id: batch_id.to_string(),
                file_id: id.to_string(),
                name: file.arrival.name.clone(),
                state: file.status.clone(),
                bytes: file.arrival.bytes,
                sha256: file.arrival.sha256.clone(),
                copy_id: file.copy.as_ref().map(|copy| copy.file.to_string()),
            }));
        }
    }
    files
}
