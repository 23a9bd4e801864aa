//! Leaves: their bytes and salts go, their hashes stay. One goes as a whole or not at all, for its salt opens all
//! that it commits to.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::standing::{self, Named};
use super::{Cut, Done, looked_at};
use crate::evidence::Fact;
use crate::ledger::sqlite::fault::{damaged, during};
use crate::ledger::sqlite::leaves::to_i64;
use crate::ledger::sqlite::openings::sealed;
use crate::ledger::sqlite::rows;
use crate::ledger::{Gone, LedgerError, Redactable, RedactionStep};

/// Leaves in one step, at most.
const LEAVES: u32 = 200;

/// Files in one step; a leaf alone may have more.
const FILES: usize = 4_000;

/// Place, time, kind, bytes.
type Row = (i64, i64, String, Option<String>);

/// Leaves of one step, as they were judged.
#[derive(Default)]
struct Judged {
    gone: Vec<u64>,
    kept: Vec<(u64, HashSet<Named>)>,
    /// They last for ever, and are not looked at again.
    lasting: u64,
    /// The place after the last of them; `None`: there was none.
    next: Option<u64>,
}

/// Leaves that stayed before: what they tell of may be over now.
pub(super) async fn kept(tx: &mut SqliteConnection, from: u64, cut: Cut) -> Result<Done, LedgerError> {
    let rows = kept_rows(tx, from).await?;
    let judged = judge(tx, rows, cut).await?;
    let list = json!(judged.gone).to_string();
    for statement in [
        "DELETE FROM leaves_kept_files WHERE seq IN (SELECT value FROM json_each(?1))",
        "DELETE FROM leaves_kept WHERE seq IN (SELECT value FROM json_each(?1))",
    ] {
        change(tx, statement, &list).await?;
    }
    redact(tx, &judged.gone).await?;
    let next = judged.next.map_or(RedactionStep::Leaves, RedactionStep::Kept);
    Ok(done(&judged, next))
}

/// Leaves that none has looked at, as far as they are old enough.
pub(super) async fn unseen(tx: &mut SqliteConnection, cut: Cut) -> Result<Done, LedgerError> {
    let from = looked_at(tx).await?;
    let rows = unseen_rows(tx, from, cut).await?;
    let judged = judge(tx, rows, cut).await?;
    keep(tx, &judged.kept).await?;
    redact(tx, &judged.gone).await?;
    let Some(next) = judged.next else {
        return Ok(done(&judged, RedactionStep::Attempts(i64::MIN, 0)));
    };
    sqlx::query("UPDATE redaction SET looked_at = ?1")
        .bind(to_i64(next))
        .execute(tx)
        .await
        .map_err(during("keeping how far a redaction came"))?;
    Ok(done(&judged, RedactionStep::Leaves))
}

/// What [`kept`] and [`unseen`] would do.
pub(super) async fn count(tx: &mut SqliteConnection, cut: Cut) -> Result<Redactable, LedgerError> {
    let mut found = Redactable::default();
    let mut add = |judged: &Judged| {
        found.leaves += judged.gone.len() as u64;
        found.kept += judged.kept.len() as u64 + judged.lasting;
    };
    let mut from = Some(0);
    while let Some(place) = from {
        let rows = kept_rows(tx, place).await?;
        let judged = judge(tx, rows, cut).await?;
        add(&judged);
        from = judged.next;
    }
    let mut from = Some(looked_at(tx).await?);
    while let Some(place) = from {
        let rows = unseen_rows(tx, place, cut).await?;
        let judged = judge(tx, rows, cut).await?;
        add(&judged);
        from = judged.next;
    }
    Ok(found)
}

async fn kept_rows(tx: &mut SqliteConnection, from: u64) -> Result<Vec<Row>, LedgerError> {
    sqlx::query_as(
        "SELECT l.seq, l.at, l.kind, l.content
         FROM leaves_kept k
         CROSS JOIN leaves l ON l.seq = k.seq
         WHERE k.seq >= ?1
         ORDER BY k.seq
         LIMIT ?2",
    )
    .bind(to_i64(from))
    .bind(LEAVES)
    .fetch_all(tx)
    .await
    .map_err(during("reading leaves that stayed"))
}

/// The first leaf of our time ends it; one from the future is passed over, or it would keep all behind it.
async fn unseen_rows(tx: &mut SqliteConnection, from: u64, cut: Cut) -> Result<Vec<Row>, LedgerError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT seq, at, kind, content
         FROM leaves
         WHERE seq >= ?1
         ORDER BY seq
         LIMIT ?2",
    )
    .bind(to_i64(from))
    .bind(LEAVES)
    .fetch_all(tx)
    .await
    .map_err(during("reading leaves to be redacted"))?;
    let mut old: Vec<Row> = rows
        .into_iter()
        .take_while(|row| !young(row, cut) || row.1 > cut.now.as_millis())
        .collect();
    // Behind the last old one there are none but those from the future.
    let end = old
        .iter()
        .rposition(|row| !young(row, cut))
        .map_or(0, |at| at + 1);
    old.truncate(end);
    Ok(old)
}

fn young(row: &Row, cut: Cut) -> bool {
    row.1 >= cut.before.as_millis()
}

async fn judge(tx: &mut SqliteConnection, rows: Vec<Row>, cut: Cut) -> Result<Judged, LedgerError> {
    let places: Vec<u64> = rows
        .iter()
        .map(|row| rows::count(row.0))
        .collect::<Result<_, _>>()?;
    let mut named: HashMap<u64, HashSet<Named>> = sealed(tx, &places)
        .await?
        .into_iter()
        .map(|leaf| (leaf.seq, leaf.files.into_values().flatten().collect()))
        .collect();
    let mut files = 0;
    let fits = rows.iter().zip(&places).take_while(|(_, place)| {
        let first = files == 0;
        files += named.get(place).map_or(0, HashSet::len);
        first || files <= FILES
    });
    let fits = fits.count();
    let all: HashSet<Named> = places[..fits]
        .iter()
        .filter_map(|place| named.get(place))
        .flatten()
        .cloned()
        .collect();
    let stay = standing::files(tx, &all, cut).await?;
    let mut judged = Judged::default();
    for (row, place) in rows.into_iter().zip(places).take(fits) {
        let names = named.remove(&place).unwrap_or_default();
        judged.next = Some(place + 1);
        if Fact::LASTING.contains(&row.2.as_str()) {
            judged.lasting += 1;
        } else if young(&row, cut)
            || names.iter().any(|file| stay.contains(file))
            || stands(tx, &row, cut).await?
        {
            judged.kept.push((place, names));
        } else {
            judged.gone.push(place);
        }
    }
    Ok(judged)
}

async fn stands(tx: &mut SqliteConnection, row: &Row, cut: Cut) -> Result<bool, LedgerError> {
    let (seq, at, kind, content) = row;
    let content = content.as_deref().unwrap_or("{}");
    let leaf: Value =
        serde_json::from_str(content).map_err(|error| damaged(format!("leaf {seq}: {error}")))?;
    standing::told_of(tx, kind, &leaf["fact"], *at, cut).await
}

async fn redact(tx: &mut SqliteConnection, places: &[u64]) -> Result<(), LedgerError> {
    let list = json!(places).to_string();
    for statement in [
        "DELETE FROM leaf_salts WHERE seq IN (SELECT value FROM json_each(?1))",
        "UPDATE leaves SET content = NULL WHERE seq IN (SELECT value FROM json_each(?1))",
    ] {
        change(tx, statement, &list).await?;
    }
    Ok(())
}

async fn keep(tx: &mut SqliteConnection, kept: &[(u64, HashSet<Named>)]) -> Result<(), LedgerError> {
    let seqs: Vec<u64> = kept.iter().map(|(seq, _)| *seq).collect();
    let files: Vec<Value> = kept
        .iter()
        .flat_map(|(seq, files)| files.iter().map(move |(batch, file)| json!([batch.0, file, seq])))
        .collect();
    for (statement, list) in [
        (
            "INSERT INTO leaves_kept (seq) SELECT value FROM json_each(?1)",
            json!(seqs).to_string(),
        ),
        (
            "INSERT INTO leaves_kept_files (batch, file_id, seq)
             SELECT value ->> 0, value ->> 1, value ->> 2
             FROM json_each(?1)",
            Value::Array(files).to_string(),
        ),
    ] {
        change(tx, statement, &list).await?;
    }
    Ok(())
}

async fn change(tx: &mut SqliteConnection, statement: &'static str, list: &str) -> Result<(), LedgerError> {
    sqlx::query(statement)
        .bind(list)
        .execute(tx)
        .await
        .map_err(during("redacting leaves"))?;
    Ok(())
}

fn done(judged: &Judged, next: RedactionStep) -> Done {
    Done {
        gone: Gone {
            leaves: judged.gone.len() as u64,
            ..Gone::default()
        },
        last: judged.gone.last().copied(),
        next: Some(next),
    }
}
