//! Where a file lies at Extracta: module, parent, batch.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BatchId, ClassificationId, ExtractionId, FileId};

/// The two modules of the API that hold files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Module {
    /// `/documentClassification/…`
    Classification,
    /// `/createExtraction`, `/deleteExtraction`, …
    Extraction,
}

/// What a batch belongs to: a classification, or an extraction template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parent {
    /// A batch of a document classification.
    #[serde(rename = "classification_id")]
    Classification(ClassificationId),
    /// A batch of a data extraction.
    #[serde(rename = "extraction_id")]
    Extraction(ExtractionId),
}

impl Parent {
    /// Which module the parent lives in.
    #[must_use]
    pub const fn module(&self) -> Module {
        match self {
            Self::Classification(_) => Module::Classification,
            Self::Extraction(_) => Module::Extraction,
        }
    }

    /// The parent's id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Classification(id) => id.as_str(),
            Self::Extraction(id) => id.as_str(),
        }
    }
}

/// One batch, fully named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BatchAddress {
    /// The classification or extraction that holds the batch.
    #[serde(flatten)]
    pub parent: Parent,
    /// The batch.
    #[serde(rename = "batch_id")]
    pub batch: BatchId,
}

/// One file, fully named: no delete is ever built from less.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileAddress {
    /// The batch that holds the file.
    #[serde(flatten)]
    pub batch: BatchAddress,
    /// The file.
    #[serde(rename = "file_id")]
    pub file: FileId,
}

impl fmt::Display for BatchAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.parent.as_str(), self.batch)
    }
}
