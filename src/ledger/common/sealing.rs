//! What a leaf of the evidence tree hides, and how its content is spelled.

use serde_json::{Map, Value, json};

use super::problem::damaged;
use super::values::{count, file_id};
use crate::evidence::seal::FileTexts;
use crate::evidence::{Fact, FileSet, Frontier, Hash, Seal};
use crate::ledger::LedgerError;
use crate::model::{BatchAddress, BatchKey, FileId, FileState};

/// The salt of a leaf to be, and what its commitments hide.
pub(in crate::ledger) struct Sealing {
    pub(in crate::ledger) salt: [u8; 32],
    seal: Seal,
    pub(in crate::ledger) clear: Map<String, Value>,
}

impl Sealing {
    pub(in crate::ledger) fn new() -> Result<Self, LedgerError> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|error| LedgerError::NotWritable {
            problem: format!("no random bytes for a salt: {error}"),
        })?;
        Ok(Self {
            salt,
            seal: Seal::new(&salt),
            clear: Map::new(),
        })
    }

    /// Commits to a text.
    pub(in crate::ledger) fn text(&mut self, field: &str, text: &str) -> Hash {
        self.clear.insert(field.to_owned(), json!(text));
        self.seal.text(field, text)
    }

    pub(in crate::ledger) fn optional(&mut self, field: &str, text: Option<&str>) -> Option<Hash> {
        text.map(|text| self.text(field, text))
    }

    /// Commits to files that their attempt's rows name, so that they need not be kept a second time.
    pub(in crate::ledger) fn attempted<'f>(
        &self,
        field: &str,
        batch: &BatchAddress,
        files: impl IntoIterator<Item = &'f FileId>,
    ) -> FileSet {
        let spelled = FileTexts::of(batch);
        let mut texts: Vec<String> = files.into_iter().map(|file| spelled.text(file)).collect();
        self.seal.files(field, &mut texts)
    }

    /// Commits to files, and keeps which; `None` for none. `[[batch, [file, …]], …]` in the ledger's numbers.
    pub(in crate::ledger) fn files(
        &mut self,
        field: &str,
        files: &[(BatchKey, BatchAddress, Vec<FileId>)],
    ) -> Option<FileSet> {
        let mut texts = Vec::new();
        for (_, address, files) in files {
            let spelled = FileTexts::of(address);
            texts.extend(files.iter().map(|file| spelled.text(file)));
        }
        if texts.is_empty() {
            return None;
        }
        let kept: Vec<Value> = files
            .iter()
            .map(|(batch, _, files)| json!([batch.0, files]))
            .collect();
        self.clear.insert(field.to_owned(), Value::Array(kept));
        Some(self.seal.files(field, &mut texts))
    }
}

/// The field of a leaf that holds the files which went to a state.
pub(in crate::ledger) const fn field_of(state: FileState) -> &'static str {
    state.name()
}

pub(in crate::ledger) fn frontier(size: i64, edge: &[u8]) -> Result<Frontier, LedgerError> {
    Frontier::from_bytes(count(size)?, edge).ok_or_else(|| {
        damaged(format!(
            "the edge of the evidence tree does not fit its {size} leaves"
        ))
    })
}

/// The first leaf: which ledger this is, and how much there was before.
pub(in crate::ledger) fn genesis(ledger: String, before: &str) -> Result<Fact, LedgerError> {
    let before: Value = serde_json::from_str(before)
        .map_err(|error| damaged(format!("tree: what was before the first leaf: {error}")))?;
    let number = |name: &str| {
        before[name]
            .as_u64()
            .ok_or_else(|| damaged(format!("tree: `{name}` before the first leaf is missing")))
    };
    Ok(Fact::Genesis {
        ledger,
        transactions: number("transactions")?,
        sweeps: number("sweeps")?,
        attempts: number("attempts")?,
        attempt_files: number("attempt_files")?,
        notes: number("notes")?,
        holds: number("holds")?,
        erasures: number("erasures")?,
        approvals: number("approvals")?,
        breakers: number("breakers")?,
    })
}

/// SHA-256 of a text that stands elsewhere in the ledger.
pub(in crate::ledger) fn digest_of(text: &str) -> Hash {
    use sha2::{Digest, Sha256};
    Hash(Sha256::digest(text).into())
}

/// Numbers beyond what a database can hold do not exist.
pub(in crate::ledger) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(in crate::ledger) fn clear_files(value: &Value) -> Result<Vec<(BatchKey, Vec<FileId>)>, LedgerError> {
    let wrong = || damaged("leaf_salts: a list of files is garbled");
    value
        .as_array()
        .ok_or_else(wrong)?
        .iter()
        .map(|pair| {
            let batch = pair[0].as_i64().ok_or_else(wrong)?;
            let files = pair[1].as_array().ok_or_else(wrong)?;
            let files = files
                .iter()
                .map(|file| file_id(file.as_str().ok_or_else(wrong)?.to_owned()))
                .collect::<Result<_, _>>()?;
            Ok((BatchKey(batch), files))
        })
        .collect()
}
