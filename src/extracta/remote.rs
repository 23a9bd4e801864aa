//! The contract between the engine and the API, in the model's words.

use async_trait::async_trait;

use crate::model::{BatchAddress, BatchId, ClassificationId, ExtractionId, FileId, Timestamp};
use crate::outcome::Reply;

/// `DELETE /documentClassification/deleteFiles`: exactly these files of this batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteFiles {
    classification: ClassificationId,
    batch: BatchId,
    files: Vec<FileId>,
}

/// A list of files to delete that no request may be built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidList {
    /// No file: the API might read it as "all".
    #[error("a delete without file ids must not be sent")]
    Empty,
    /// A file twice.
    #[error("a file id stands twice in one delete")]
    Duplicate,
}

impl DeleteFiles {
    /// # Errors
    /// [`InvalidList`] when `files` is empty or names a file twice.
    pub fn new(
        classification: ClassificationId,
        batch: BatchId,
        files: Vec<FileId>,
    ) -> Result<Self, InvalidList> {
        if files.is_empty() {
            return Err(InvalidList::Empty);
        }
        let distinct: std::collections::HashSet<&FileId> = files.iter().collect();
        if distinct.len() != files.len() {
            return Err(InvalidList::Duplicate);
        }
        Ok(Self {
            classification,
            batch,
            files,
        })
    }

    /// The classification.
    #[must_use]
    pub fn classification(&self) -> &ClassificationId {
        &self.classification
    }

    /// The batch.
    #[must_use]
    pub fn batch(&self) -> &BatchId {
        &self.batch
    }

    /// The files, at least one, none twice.
    #[must_use]
    pub fn files(&self) -> &[FileId] {
        &self.files
    }
}

/// `DELETE /deleteExtraction` at file scope: all three ids, or it cannot be built.
///
/// A missing file id would delete the batch, a missing batch id the customer's whole template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteExtractionFile {
    /// The template.
    pub extraction: ExtractionId,
    /// The batch.
    pub batch: BatchId,
    /// The one file.
    pub file: FileId,
}

/// Where a linked extraction copy lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Copy {
    /// The template.
    pub extraction: ExtractionId,
    /// The copy's batch.
    pub batch: BatchId,
    /// The copy's own file id.
    pub file: FileId,
}

/// One file of a listing. The signed `url` and the file's name are dropped while parsing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// The file.
    pub file: FileId,
    /// `processed`, `waiting`, `processing`, `failed`, `error`, …: an open set.
    pub status: String,
    /// The document type found, if processed.
    pub document_type: Option<String>,
    /// The linked extraction copy, if any.
    pub copy: Option<Copy>,
}

impl ListedFile {
    /// Whether processing has not ended yet: a linked copy may still appear.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.status.as_str(), "waiting" | "processing")
    }
}

/// What a look at a batch (getResults, getBatchResults) found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// The batch's files: whoever is not among them is gone.
    Files(Vec<ListedFile>),
    /// The batch (or its parent) does not exist: all its files are gone.
    NoBatch,
    /// Nothing can be concluded (`waiting`, 401, 403, 429, 5xx, no JSON, unknown shape).
    CannotTell {
        /// Why, in words: no ids, links or names.
        reason: String,
    },
}

/// Extracta, as the engine sees it. Each call makes at most one HTTP request and never retries.
#[async_trait]
pub trait Remote: Send + Sync {
    /// Waits until the next delete may start (`request_interval`). To be asked **before** the intent: a
    /// pause or a breaker that comes while it waits must still win.
    async fn turn_to_delete(&self) {}

    /// Deletes exactly the listed files.
    async fn delete_files(&self, request: &DeleteFiles) -> Reply;

    /// Deletes exactly one extraction file.
    async fn delete_extraction_file(&self, request: &DeleteExtractionFile) -> Reply;

    /// Looks at a batch. Waits for the endpoint's spacing first.
    async fn list(&self, batch: &BatchAddress) -> Listing;

    /// Which account this is: a short digest of address and key. It tells nothing of the key, and
    /// changes when either changes.
    fn account(&self) -> String;

    /// `GET /credits`: the harmless call that tests key, TLS and `Date`.
    async fn probe(&self) -> Probe;
}

/// What the harmless call showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// The key works.
    Works {
        /// The API's clock (`Date` header), if sent.
        date: Option<Timestamp>,
    },
    /// 401 or 403.
    Refused {
        /// The status.
        status: u16,
        /// The API's clock, if sent.
        date: Option<Timestamp>,
    },
    /// No usable answer.
    Unavailable {
        /// Why, in words.
        reason: String,
    },
}
