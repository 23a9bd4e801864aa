//! Where a file lies at Extracta: module, parent, batch.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AccountName, BatchId, ClassificationId, ExtractionId, FileId};

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
    /// The account that it lies in; `None`: the one without a name. Ids of two accounts say nothing of each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
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
        if let Some(account) = &self.account {
            write!(f, "{account}: ")?;
        }
        write!(f, "{}/{}", self.parent.as_str(), self.batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(account: Option<&str>) -> FileAddress {
        FileAddress {
            batch: BatchAddress {
                parent: Parent::Classification(ClassificationId::new("c1").unwrap()),
                batch: BatchId::new("b1").unwrap(),
                account: account.map(|name| AccountName::new(name).unwrap()),
            },
            file: FileId::new("f1").unwrap(),
        }
    }

    #[test]
    fn the_account_without_a_name_is_spelled_as_before_there_were_others() {
        let plain = r#"{"classification_id":"c1","batch_id":"b1","file_id":"f1"}"#;
        assert_eq!(serde_json::to_string(&file(None)).unwrap(), plain);
        assert_eq!(serde_json::from_str::<FileAddress>(plain).unwrap(), file(None));
        assert_eq!(file(None).batch.to_string(), "c1/b1");
    }

    #[test]
    fn a_named_account_is_part_of_the_address() {
        let named = r#"{"classification_id":"c1","batch_id":"b1","account":"acme","file_id":"f1"}"#;
        assert_eq!(serde_json::to_string(&file(Some("acme"))).unwrap(), named);
        assert_eq!(
            serde_json::from_str::<FileAddress>(named).unwrap(),
            file(Some("acme"))
        );
        assert_ne!(file(Some("acme")), file(None));
        assert_eq!(file(Some("acme")).batch.to_string(), "acme: c1/b1");
    }
}
