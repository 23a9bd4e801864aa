//! Leaves of the evidence tree: appended in the transaction of the fact that they tell of.

use serde_json::{Map, Value, json};
use sqlx::SqliteConnection;

use super::fault::{conflict, damaged, during, ensure_rows};
use super::rows::{batch_address, count};
use super::{batch, rows};
use crate::evidence::seal::FileTexts;
use crate::evidence::{Fact, FileSet, Frontier, Hash, Leaf, Seal};
use crate::ledger::LedgerError;
use crate::model::{BatchAddress, BatchKey, FileId, FileState, Timestamp};

/// The salt of a leaf to be, and what its commitments hide.
pub(super) struct Sealing {
    salt: [u8; 32],
    seal: Seal,
    clear: Map<String, Value>,
}

impl Sealing {
    pub(super) fn new() -> Result<Self, LedgerError> {
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
    pub(super) fn text(&mut self, field: &str, text: &str) -> Hash {
        self.clear.insert(field.to_owned(), json!(text));
        self.seal.text(field, text)
    }

    pub(super) fn optional(&mut self, field: &str, text: Option<&str>) -> Option<Hash> {
        text.map(|text| self.text(field, text))
    }

    /// Commits to files that their attempt's rows name, so that they need not be kept a second time.
    pub(super) fn attempted<'f>(
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
    pub(super) fn files(
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
pub(super) const fn field_of(state: FileState) -> &'static str {
    state.name()
}

/// Adds a leaf without anything to hide.
pub(super) async fn append(tx: &mut SqliteConnection, at: Timestamp, fact: Fact) -> Result<(), LedgerError> {
    write(tx, at, fact, None).await
}

/// Adds a leaf with commitments.
pub(super) async fn append_sealed(
    tx: &mut SqliteConnection,
    at: Timestamp,
    fact: Fact,
    sealing: Sealing,
) -> Result<(), LedgerError> {
    write(tx, at, fact, Some(sealing)).await
}

async fn write(
    tx: &mut SqliteConnection,
    at: Timestamp,
    fact: Fact,
    sealing: Option<Sealing>,
) -> Result<(), LedgerError> {
    let (mut tree, before) = edge(tx).await?;
    if tree.size() == 0 {
        let begin = genesis(tx, &before).await?;
        insert(tx, &mut tree, at, begin, None).await?;
    }
    insert(tx, &mut tree, at, fact, sealing).await
}

/// The tree, and how much there was before its first leaf.
async fn edge(tx: &mut SqliteConnection) -> Result<(Frontier, String), LedgerError> {
    let (size, edge, before): (i64, Vec<u8>, String) = sqlx::query_as(
        "SELECT size, edge, before
         FROM tree",
    )
    .fetch_one(tx)
    .await
    .map_err(during("reading the edge of the evidence tree"))?;
    Ok((frontier(size, &edge)?, before))
}

pub(super) fn frontier(size: i64, edge: &[u8]) -> Result<Frontier, LedgerError> {
    Frontier::from_bytes(count(size)?, edge).ok_or_else(|| {
        damaged(format!(
            "the edge of the evidence tree does not fit its {size} leaves"
        ))
    })
}

async fn insert(
    tx: &mut SqliteConnection,
    tree: &mut Frontier,
    at: Timestamp,
    fact: Fact,
    sealing: Option<Sealing>,
) -> Result<(), LedgerError> {
    let context = "adding a leaf to the evidence tree";
    let kind = fact.kind();
    let content = Leaf::new(tree.size(), at, fact).content();
    let hash = Hash::of_leaf(content.as_bytes());
    let seq = to_i64(tree.size());
    tree.append(hash);
    let salt = sealing.as_ref().map(|sealing| sealing.salt.to_vec());
    let sealed = sealing
        .filter(|sealing| !sealing.clear.is_empty())
        .map(|sealing| Value::Object(sealing.clear).to_string());
    let statements = sqlx::query(
        "INSERT INTO leaves (seq, at, kind, hash, content)
         VALUES ($1, $2, $3, $4, $5);

         INSERT INTO leaf_salts (seq, salt, sealed)
         SELECT $1, $6, $7
         WHERE $6 IS NOT NULL;

         UPDATE tree
         SET size = $1 + 1, edge = $8
         WHERE size = $1",
    )
    .bind(seq)
    .bind(at.as_millis())
    .bind(kind)
    .bind(hash.0.to_vec())
    .bind(content)
    .bind(salt)
    .bind(sealed)
    .bind(tree.to_bytes());
    let done = batch::run(tx, statements, context).await?;
    let [_, _, grown] = &done[..] else {
        return Err(damaged("a leaf was not written as a whole"));
    };
    ensure_rows("the evidence tree", grown.changed, 1)
}

async fn genesis(tx: &mut SqliteConnection, before: &str) -> Result<Fact, LedgerError> {
    let before: Value = serde_json::from_str(before)
        .map_err(|error| damaged(format!("tree: what was before the first leaf: {error}")))?;
    let number = |name: &str| {
        before[name]
            .as_u64()
            .ok_or_else(|| damaged(format!("tree: `{name}` before the first leaf is missing")))
    };
    Ok(Fact::Genesis {
        ledger: ledger_name(tx).await?,
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

pub(super) async fn ledger_name(tx: &mut SqliteConnection) -> Result<String, LedgerError> {
    sqlx::query_scalar(
        "SELECT ledger
         FROM lineage",
    )
    .fetch_one(tx)
    .await
    .map_err(during("reading the ledger's name"))
}

/// The full address of a batch, as commitments spell it.
pub(super) async fn address(tx: &mut SqliteConnection, batch: BatchKey) -> Result<BatchAddress, LedgerError> {
    let row: Option<(String, String, String)> = sqlx::query_as(
        "SELECT module, parent, batch
         FROM batches
         WHERE id = ?1",
    )
    .bind(batch.0)
    .fetch_optional(tx)
    .await
    .map_err(during("reading a batch"))?;
    let (module, parent, name) =
        row.ok_or_else(|| conflict(format!("batch {}", batch.0), "the ledger does not know it"))?;
    batch_address(&module, parent, name)
}

/// SHA-256 of a text that stands elsewhere in the ledger.
pub(super) fn digest_of(text: &str) -> Hash {
    use sha2::{Digest, Sha256};
    Hash(Sha256::digest(text).into())
}

/// Numbers beyond what SQLite can hold do not exist.
pub(super) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn clear_files(value: &Value) -> Result<Vec<(BatchKey, Vec<FileId>)>, LedgerError> {
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
                .map(|file| rows::file_id(file.as_str().ok_or_else(wrong)?.to_owned()))
                .collect::<Result<_, _>>()?;
            Ok((BatchKey(batch), files))
        })
        .collect()
}
