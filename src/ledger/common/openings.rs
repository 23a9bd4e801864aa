//! What opens the commitments of leaves, as it lies in the ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::problem::damaged;
use super::sealing::{clear_files, field_of};
use super::values::{batch_address, count, file_id, state};
use crate::evidence::seal::FileTexts;
use crate::ledger::{LedgerError, Opening};
use crate::model::{BatchKey, FileId};

/// Files by field, in the ledger's own numbers.
type Named = BTreeMap<String, Vec<(BatchKey, FileId)>>;

/// The salt of a leaf, and what its commitments hide.
pub(in crate::ledger) struct Sealed {
    pub(in crate::ledger) seq: u64,
    salt: [u8; 32],
    texts: BTreeMap<String, String>,
    pub(in crate::ledger) files: Named,
}

/// Place, salt, texts and files in clear, kind, and the attempt that the leaf tells of.
pub(in crate::ledger) type Row = (i64, Vec<u8>, Option<String>, String, Option<i64>);

/// Their files are those of the attempt's rows.
fn attempt(row: &Row) -> Option<i64> {
    row.4.filter(|_| matches!(row.3.as_str(), "intent" | "outcome"))
}

/// The attempts whose files [`sealed`] wants.
pub(in crate::ledger) fn attempts(rows: &[Row]) -> BTreeSet<i64> {
    rows.iter().filter_map(attempt).collect()
}

pub(in crate::ledger) fn sealed(rows: Vec<Row>, attempted: &Attempted) -> Result<Vec<Sealed>, LedgerError> {
    rows.into_iter()
        .map(|row| {
            let (texts, files) = match attempt(&row) {
                Some(id) => (BTreeMap::new(), of_attempt(&row.3, attempted.0.get(&id))?),
                None => in_clear(row.0, row.2.as_deref())?,
            };
            Ok(Sealed {
                seq: count(row.0)?,
                salt: row
                    .1
                    .try_into()
                    .map_err(|_| damaged(format!("leaf_salts {}: no salt", row.0)))?,
                texts,
                files,
            })
        })
        .collect()
}

fn in_clear(seq: i64, sealed: Option<&str>) -> Result<(BTreeMap<String, String>, Named), LedgerError> {
    let (mut texts, mut files) = (BTreeMap::new(), Named::new());
    let fields: BTreeMap<String, Value> = match sealed {
        None => BTreeMap::new(),
        Some(sealed) => {
            serde_json::from_str(sealed).map_err(|error| damaged(format!("leaf {seq}: {error}")))?
        }
    };
    for (field, value) in fields {
        if let Value::String(text) = value {
            texts.insert(field, text);
            continue;
        }
        let named = clear_files(&value)?.into_iter();
        let named = named.flat_map(|(batch, files)| files.into_iter().map(move |file| (batch, file)));
        files.insert(field, named.collect());
    }
    Ok((texts, files))
}

/// One attempt's files with one result.
struct Ended {
    batch: BatchKey,
    result: Option<i64>,
    files: Vec<FileId>,
}

/// The files of attempts.
#[derive(Default)]
pub(in crate::ledger) struct Attempted(HashMap<i64, Vec<Ended>>);

impl Attempted {
    pub(in crate::ledger) fn add(
        &mut self,
        attempt: i64,
        batch: i64,
        result: Option<i64>,
        files: Vec<String>,
    ) -> Result<(), LedgerError> {
        let files = files.into_iter().map(file_id).collect::<Result<_, _>>()?;
        self.0.entry(attempt).or_default().push(Ended {
            batch: BatchKey(batch),
            result,
            files,
        });
        Ok(())
    }
}

/// All, for the intent; by the state that they went to, for the outcome.
fn of_attempt(kind: &str, results: Option<&Vec<Ended>>) -> Result<Named, LedgerError> {
    let mut named = Named::new();
    for part in results.into_iter().flatten() {
        let field = match part.result {
            _ if kind == "intent" => "files",
            Some(result) => field_of(state(result)?),
            None => continue,
        };
        let files = part.files.iter().map(|file| (part.batch, file.clone()));
        named.entry(field.to_owned()).or_default().extend(files);
    }
    Ok(named)
}

/// The batches that [`openings`] wants spelled.
pub(in crate::ledger) fn batches(sealed: &[Sealed]) -> BTreeSet<i64> {
    sealed
        .iter()
        .flat_map(|leaf| leaf.files.values().flatten())
        .map(|(batch, _)| batch.0)
        .collect()
}

/// As whoever checks wants them: files as the leaf committed to them. `batches`: number, account, module, parent, batch.
pub(in crate::ledger) fn openings(
    sealed: Vec<Sealed>,
    batches: Vec<(i64, String, String, String, String)>,
) -> Result<BTreeMap<u64, Opening>, LedgerError> {
    let spelled: HashMap<i64, FileTexts> = batches
        .into_iter()
        .map(|(id, account, module, parent, batch)| {
            Ok((
                id,
                FileTexts::of(&batch_address(&account, &module, parent, batch)?),
            ))
        })
        .collect::<Result<_, LedgerError>>()?;
    sealed
        .into_iter()
        .map(|leaf| {
            let mut files = BTreeMap::new();
            for (field, named) in leaf.files {
                let texts: Option<Vec<String>> = named
                    .iter()
                    .map(|(batch, file)| Some(spelled.get(&batch.0)?.text(file)))
                    .collect();
                let texts =
                    texts.ok_or_else(|| damaged(format!("leaf {} names an unknown batch", leaf.seq)))?;
                files.insert(field, texts);
            }
            let opening = Opening {
                salt: leaf.salt,
                texts: leaf.texts,
                files,
            };
            Ok((leaf.seq, opening))
        })
        .collect()
}
