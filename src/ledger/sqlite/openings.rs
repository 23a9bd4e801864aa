//! What opens the commitments of leaves, many leaves at a time: salts, texts, and the files that they name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::fault::{damaged, during};
use super::leaves::{clear_files, field_of};
use super::rows::{batch_address, count, file_id, state};
use crate::evidence::seal::FileTexts;
use crate::ledger::{LedgerError, Opening};
use crate::model::{BatchKey, FileId};

/// Files by field, in the ledger's own numbers.
type Named = BTreeMap<String, Vec<(BatchKey, FileId)>>;

/// The salt of a leaf, and what its commitments hide.
pub(super) struct Sealed {
    pub(super) seq: u64,
    salt: [u8; 32],
    texts: BTreeMap<String, String>,
    pub(super) files: Named,
}

/// Place, salt, texts and files in clear, kind, and the attempt that the leaf tells of.
type Row = (i64, Vec<u8>, Option<String>, String, Option<i64>);

/// Those of `leaves` that have something to hide and still a salt, in order.
pub(super) async fn sealed(tx: &mut SqliteConnection, leaves: &[u64]) -> Result<Vec<Sealed>, LedgerError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT s.seq, s.salt, s.sealed, l.kind, l.content ->> '$.fact.attempt'
         FROM json_each(?1) j
         CROSS JOIN leaf_salts s ON s.seq = j.value
         CROSS JOIN leaves l ON l.seq = s.seq
         ORDER BY s.seq",
    )
    .bind(json!(leaves).to_string())
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading what opens leaves"))?;
    let attempts: BTreeSet<i64> = rows.iter().filter_map(attempt).collect();
    let attempted = attempted(tx, &attempts).await?;
    rows.into_iter()
        .map(|row| {
            let (texts, files) = match attempt(&row) {
                Some(id) => (BTreeMap::new(), of_attempt(&row.3, attempted.get(&id))?),
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

/// As whoever checks wants them: files as the leaf committed to them.
pub(super) async fn openings(
    tx: &mut SqliteConnection,
    leaves: &[u64],
) -> Result<BTreeMap<u64, Opening>, LedgerError> {
    let sealed = sealed(tx, leaves).await?;
    let batches: BTreeSet<i64> = sealed
        .iter()
        .flat_map(|leaf| leaf.files.values().flatten())
        .map(|(batch, _)| batch.0)
        .collect();
    let spelled = spelled(tx, &batches).await?;
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

/// Their files are those of the attempt's rows.
fn attempt(row: &Row) -> Option<i64> {
    row.4.filter(|_| matches!(row.3.as_str(), "intent" | "outcome"))
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

async fn attempted(
    tx: &mut SqliteConnection,
    attempts: &BTreeSet<i64>,
) -> Result<HashMap<i64, Vec<Ended>>, LedgerError> {
    if attempts.is_empty() {
        return Ok(HashMap::new());
    }
    // A row a result: each row that SQLite's thread hands over costs more than it takes to find it.
    let rows: Vec<(i64, i64, Option<i64>, String)> = sqlx::query_as(
        "SELECT a.id, a.batch, l.result, json_group_array(l.file_id)
         FROM json_each(?1) j
         CROSS JOIN attempts a ON a.id = j.value
         CROSS JOIN attempt_files l ON l.attempt = a.id
         GROUP BY a.id, a.batch, l.result",
    )
    .bind(json!(attempts).to_string())
    .fetch_all(tx)
    .await
    .map_err(during("reading the files of attempts"))?;
    let mut found: HashMap<i64, Vec<Ended>> = HashMap::new();
    for (attempt, batch, result, list) in rows {
        let list: Vec<String> =
            serde_json::from_str(&list).map_err(|error| damaged(format!("a list of file ids: {error}")))?;
        let files = list.into_iter().map(file_id).collect::<Result<_, _>>()?;
        let batch = BatchKey(batch);
        found
            .entry(attempt)
            .or_default()
            .push(Ended { batch, result, files });
    }
    Ok(found)
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

async fn spelled(
    tx: &mut SqliteConnection,
    batches: &BTreeSet<i64>,
) -> Result<HashMap<i64, FileTexts>, LedgerError> {
    if batches.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
        "SELECT id, module, parent, batch
         FROM batches
         WHERE id IN (SELECT value FROM json_each(?1))",
    )
    .bind(json!(batches).to_string())
    .fetch_all(tx)
    .await
    .map_err(during("reading batches"))?;
    rows.into_iter()
        .map(|(id, module, parent, batch)| Ok((id, FileTexts::of(&batch_address(&module, parent, batch)?))))
        .collect()
}
