//! Proof files: that one leaf tells of one file, under a checkpoint. They show nothing of other files.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::checkpoint::Checkpoint;
use super::seal::FileProof;
use super::{FileSet, Hash, Note, VerifierKey, proof};

/// The format and its version.
pub const FORMAT: &str = "retentiond-proof-1";

/// What is shown of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`FORMAT`].
    pub format: String,
    /// The checkpoint's note.
    pub checkpoint: String,
    /// Leaves that tell of the file, the oldest first.
    pub leaves: Vec<Shown>,
}

/// One leaf that tells of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Its bytes.
    pub leaf: String,
    /// The path from it to the checkpoint's root.
    pub path: Vec<Hash>,
    /// The field of the leaf that the file is in.
    pub field: String,
    /// The file in that field's set.
    pub file: FileProof,
}

/// What a proof says once it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// The file, as JSON: module, parent, batch, id.
    pub file: String,
    /// The tree.
    pub origin: String,
    /// Leaves under the checkpoint.
    pub size: u64,
    /// Whether the key asked for signed the checkpoint.
    pub signed: bool,
    /// What the leaves say of the file.
    pub facts: Vec<ProvenFact>,
}

/// What one leaf says of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProvenFact {
    /// Place of the leaf.
    pub seq: u64,
    /// Its time, in ms UTC.
    pub at: i64,
    /// Its kind.
    pub kind: String,
    /// What it says of the file: `files`, `deleted`, `absent`, …
    pub field: String,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not hold: {problem}")]
pub struct Unproven {
    /// What is wrong.
    pub problem: String,
}

impl Receipt {
    /// Checks everything that the proof claims; with a key also who signed it.
    ///
    /// # Errors
    /// [`Unproven`] says what is wrong.
    pub fn verify(&self, key: Option<&VerifierKey>) -> Result<Proven, Unproven> {
        if self.format != FORMAT {
            return Err(unproven(format!("its format is not {FORMAT}")));
        }
        let note = Note::parse(&self.checkpoint).map_err(unproven)?;
        let said = Checkpoint::parse(note.text()).map_err(unproven)?;
        if let Some(key) = key {
            note.verify(key).map_err(unproven)?;
        }
        let first = self.leaves.first().ok_or_else(|| unproven("it shows no leaf"))?;
        let facts = self.leaves.iter().map(|shown| {
            if shown.file.file == first.file.file {
                shown.verify(&said)
            } else {
                Err(unproven("its leaves tell of different files"))
            }
        });
        Ok(Proven {
            file: first.file.file.clone(),
            facts: facts.collect::<Result<_, _>>()?,
            origin: said.origin,
            size: said.size,
            signed: key.is_some(),
        })
    }
}

impl Shown {
    fn verify(&self, checkpoint: &Checkpoint) -> Result<ProvenFact, Unproven> {
        let read: Value = serde_json::from_str(&self.leaf).map_err(unproven)?;
        let number = |name: &str| read[name].as_u64();
        let seq = number("seq").ok_or_else(|| unproven("a leaf without a place"))?;
        let hash = Hash::of_leaf(self.leaf.as_bytes());
        proof::verify_inclusion(&hash, seq, checkpoint.size, &self.path, &checkpoint.root)
            .map_err(|error| unproven(format!("leaf {seq}: {error}")))?;
        let set: FileSet = serde_json::from_value(read["fact"][&self.field].clone())
            .map_err(|_| unproven(format!("leaf {seq} has no files in `{}`", self.field)))?;
        self.file
            .verify(&set)
            .map_err(|error| unproven(format!("leaf {seq}, `{}`: {error}", self.field)))?;
        Ok(ProvenFact {
            seq,
            at: read["at"]
                .as_i64()
                .ok_or_else(|| unproven("a leaf without a time"))?,
            kind: read["kind"].as_str().unwrap_or_default().to_owned(),
            field: self.field.clone(),
        })
    }
}

fn unproven(problem: impl std::fmt::Display) -> Unproven {
    Unproven {
        problem: problem.to_string(),
    }
}
