//! Commitments: a leaf says *that* something was so of a file without saying of which.
//!
//! Each leaf with something to hide has a random salt of 32 bytes of its own, kept apart from the leaf. Each
//! text and each file gets a salt derived from it, so that one can be shown without the others, and
//! without the salt nobody can find an id by trying candidates.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::proof;
use super::{Hash, proof::ProofError};
use crate::model::{
    AccountName, BatchAddress, BatchId, ClassificationId, ExtractionId, FileAddress, FileId, Parent,
};

/// Files that a leaf speaks of: how many, and the root of the small tree over their commitments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSet {
    /// Number of files.
    pub files: u64,
    /// RFC 6962 root over the commitments, in the order of the files' texts.
    pub root: Hash,
}

/// One leaf's salt, ready to commit with.
#[derive(Clone)]
pub struct Seal {
    mac: Hmac<Sha256>,
}

/// What shows that one file is in a [`FileSet`]: nothing of the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileProof {
    /// The file as it was committed to: [`file_text`].
    pub file: String,
    /// Its own salt.
    pub salt: Hash,
    /// Its place in the set.
    pub index: u64,
    /// The path to the set's root.
    pub path: Vec<Hash>,
}

impl FileProof {
    /// Checks that the file is in `set`.
    ///
    /// # Errors
    /// [`ProofError`] says what is wrong.
    pub fn verify(&self, set: &FileSet) -> Result<(), ProofError> {
        let leaf = Hash::of_leaf(&commitment(&self.salt, self.file.as_bytes()).0);
        proof::verify_inclusion(&leaf, self.index, set.files, &self.path, &set.root)
    }
}

impl Seal {
    /// From a leaf's salt.
    #[must_use]
    pub fn new(salt: &[u8; 32]) -> Self {
        Self {
            mac: Hmac::new_from_slice(salt).expect("HMAC takes keys of any length"),
        }
    }

    /// Commits to a text under the name of its field.
    #[must_use]
    pub fn text(&self, field: &str, text: &str) -> Hash {
        let salt = self.derive(&[b"text", field.as_bytes()]);
        commitment(&salt, text.as_bytes())
    }

    /// Commits to files: `texts` are sorted first, each text once.
    #[must_use]
    pub fn files(&self, set: &str, texts: &mut Vec<String>) -> FileSet {
        let leaves = self.leaves(set, texts);
        FileSet {
            files: leaves.len() as u64,
            root: proof::root(&leaves),
        }
    }

    /// Shows one file of a set made by [`Self::files`] of the same texts; `None` when it is not among them.
    #[must_use]
    pub fn prove(&self, set: &str, texts: &mut Vec<String>, file: &str) -> Option<FileProof> {
        let leaves = self.leaves(set, texts);
        let index = texts.binary_search_by(|text| text.as_str().cmp(file)).ok()?;
        Some(FileProof {
            file: file.to_owned(),
            salt: self.file_salt(set, index),
            index: index as u64,
            path: proof::inclusion(&leaves, index)?,
        })
    }

    fn leaves(&self, set: &str, texts: &mut Vec<String>) -> Vec<Hash> {
        texts.sort_unstable();
        texts.dedup();
        texts
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let commitment = commitment(&self.file_salt(set, index), text.as_bytes());
                Hash::of_leaf(&commitment.0)
            })
            .collect()
    }

    fn file_salt(&self, set: &str, index: usize) -> Hash {
        self.derive(&[b"file", set.as_bytes(), &(index as u64).to_be_bytes()])
    }

    /// HMAC-SHA-256 under the leaf's salt; a zero byte ends each part.
    fn derive(&self, parts: &[&[u8]]) -> Hash {
        let mut mac = self.mac.clone();
        for part in parts {
            mac.update(part);
            mac.update(&[0]);
        }
        Hash(mac.finalize().into_bytes().into())
    }
}

/// Whether a leaf committed to these texts and files under this salt.
///
/// # Errors
/// The field that the leaf says something else of.
pub fn opens(
    leaf: &str,
    salt: &[u8; 32],
    texts: &BTreeMap<String, String>,
    files: &BTreeMap<String, Vec<String>>,
) -> Result<(), String> {
    let seal = Seal::new(salt);
    let said: Value = serde_json::from_str(leaf).unwrap_or_default();
    let differs = |field: &str, shown: Value| said["fact"][field] != shown;
    for (field, text) in texts {
        if differs(field, json!(seal.text(field, text))) {
            return Err(field.clone());
        }
    }
    for (field, files) in files {
        if differs(field, json!(seal.files(field, &mut files.clone()))) {
            return Err(field.clone());
        }
    }
    Ok(())
}

/// The first field in which a leaf commits to files that are not among `files`.
#[must_use]
pub fn unopened(leaf: &str, files: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let said: Value = serde_json::from_str(leaf).unwrap_or_default();
    let fields = said["fact"].as_object()?;
    let hides = |value: &Value| FileSet::deserialize(value).is_ok_and(|set| set.files > 0);
    fields
        .iter()
        .find(|(field, value)| hides(value) && !files.contains_key(*field))
        .map(|(field, _)| field.clone())
}

/// `SHA-256(salt ‖ text)`.
#[must_use]
pub fn commitment(salt: &Hash, text: &[u8]) -> Hash {
    Hash(
        Sha256::new()
            .chain_update(salt.0)
            .chain_update(text)
            .finalize()
            .into(),
    )
}

/// How the files of one batch are spelled: `["classification","<parent>","<batch>","<file>"]`; in a named account
/// `["classification","<parent>","<batch>","<account>","<file>"]`.
#[derive(Debug)]
pub struct FileTexts {
    head: String,
}

impl FileTexts {
    /// For one batch.
    #[must_use]
    pub fn of(batch: &BatchAddress) -> Self {
        let (module, parent) = match &batch.parent {
            Parent::Classification(id) => ("classification", id.as_str()),
            Parent::Extraction(id) => ("extraction", id.as_str()),
        };
        let mut words = vec![module, parent, batch.batch.as_str()];
        words.extend(batch.account.as_ref().map(AccountName::as_str));
        let mut head = super::canonical::canonical(&words);
        head.pop();
        head.push(',');
        Self { head }
    }

    /// One file of it.
    #[must_use]
    pub fn text(&self, file: &FileId) -> String {
        let file = serde_json::to_string(file.as_str()).expect("a text is JSON");
        format!("{}{file}]", self.head)
    }
}

/// The file that a text of [`FileTexts`] spells; `None` where it spells none.
#[must_use]
pub fn file_of(text: &str) -> Option<FileAddress> {
    let words: Vec<String> = serde_json::from_str(text).ok()?;
    let (module, parent, batch, account, file) = match <[String; 4]>::try_from(words) {
        Ok([module, parent, batch, file]) => (module, parent, batch, None, file),
        Err(words) => {
            let [module, parent, batch, account, file] = <[String; 5]>::try_from(words).ok()?;
            (module, parent, batch, Some(AccountName::new(account).ok()?), file)
        }
    };
    let parent = match module.as_str() {
        "classification" => Parent::Classification(ClassificationId::new(parent).ok()?),
        "extraction" => Parent::Extraction(ExtractionId::new(parent).ok()?),
        _ => return None,
    };
    Some(FileAddress {
        batch: BatchAddress {
            parent,
            batch: BatchId::new(batch).ok()?,
            account,
        },
        file: FileId::new(file).ok()?,
    })
}
