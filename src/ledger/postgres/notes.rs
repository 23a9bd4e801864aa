//! What is learned of files outside an attempt: a probe, a second look, an operator, a refusal.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::fault::during;
use super::leaves::{self, Sealing};
use super::rows::{file_id, ids};
use super::settle::{move_files, states};
use crate::evidence::Fact;
use crate::evidence::leaf::States;
use crate::ledger::LedgerError;
use crate::model::{BatchKey, FileId, FileState, Finding, Timestamp};
use crate::outcome::{FileEvent, next_state};

pub(super) async fn note(
    tx: &mut PgConnection,
    batch: BatchKey,
    files: &[FileId],
    event: FileEvent,
    reason: &str,
    at: Timestamp,
) -> Result<u64, LedgerError> {
    let mut moves: BTreeMap<(FileState, FileState), Vec<FileId>> = BTreeMap::new();
    for (file, from) in states(tx, batch, files.iter()).await? {
        // Its own request is under way, perhaps another process's: that one's answer tells.
        if from == FileState::Deleting {
            continue;
        }
        // Not an error here: whoever notes works from a picture that may be out of date.
        if let Ok(to) = next_state(from, event) {
            moves.entry((from, to)).or_default().push(file);
        }
    }
    if moves.is_empty() {
        return Ok(0);
    }
    let mut moved = 0;
    for ((from, to), files) in &moves {
        move_files(tx, batch, files, *from, *to).await?;
        write_notes(tx, batch, files, (*from, *to), event, reason, at).await?;
        match event {
            FileEvent::GivenUp => set_reason(tx, batch, files, reason).await?,
            // An operator sends it round again: with a clean slate, or the next no would be the last.
            FileEvent::Retried => forget_strikes(tx, batch, files).await?,
            FileEvent::Claimed
            | FileEvent::Released
            | FileEvent::Confirmed
            | FileEvent::FoundGone
            | FileEvent::Lost
            | FileEvent::StillThere
            | FileEvent::Resolved
            | FileEvent::GoneByOthers => {}
        }
        moved += files.len() as u64;
    }
    tell_of_moves(tx, batch, moves, event, reason, at).await?;
    Ok(moved)
}

async fn tell_of_moves(
    tx: &mut PgConnection,
    batch: BatchKey,
    moves: BTreeMap<(FileState, FileState), Vec<FileId>>,
    event: FileEvent,
    reason: &str,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let mut by_state: BTreeMap<FileState, Vec<FileId>> = BTreeMap::new();
    for ((_, to), files) in moves {
        by_state.entry(to).or_default().extend(files);
    }
    let address = leaves::address(tx, batch).await?;
    let mut sealing = Sealing::new()?;
    let to = States::by(|state| {
        let files = by_state.remove(&state)?;
        sealing.files(leaves::field_of(state), &[(batch, address.clone(), files)])
    });
    let fact = Fact::Moved {
        event: event_name(event).to_owned(),
        to,
        reason: sealing.text("reason", reason),
    };
    leaves::append_sealed(tx, at, fact, sealing).await
}

/// What a look found, as a leaf.
async fn tell_of_look(
    tx: &mut PgConnection,
    batch: BatchKey,
    files: &[(FileId, Finding)],
    at: Timestamp,
) -> Result<(), LedgerError> {
    let address = leaves::address(tx, batch).await?;
    let mut sealing = Sealing::new()?;
    let mut set = |field, wanted| {
        let found = files.iter().filter(|(_, finding)| *finding == wanted);
        let found = found.map(|(file, _)| file.clone()).collect();
        sealing.files(field, &[(batch, address.clone(), found)])
    };
    let fact = Fact::Verification {
        absent: set("absent", Finding::Absent),
        still_there: set("still_there", Finding::StillThere),
    };
    leaves::append_sealed(tx, at, fact, sealing).await
}

async fn write_notes(
    tx: &mut PgConnection,
    batch: BatchKey,
    files: &[FileId],
    (from, to): (FileState, FileState),
    event: FileEvent,
    reason: &str,
    at: Timestamp,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO notes (at, batch, file_id, event, from_state, to_state, reason)
         SELECT $1, $2, j.file_id, $4, $5, $6, $7
         FROM unnest($3::text[]) j (file_id)",
    )
    .bind(at.as_millis())
    .bind(batch.0)
    .bind(ids(files))
    .bind(event_name(event))
    .bind(from.code())
    .bind(to.code())
    .bind(reason)
    .execute(tx)
    .await
    .map_err(during("noting a move"))?;
    Ok(())
}

const fn event_name(event: FileEvent) -> &'static str {
    match event {
        FileEvent::Claimed => "claimed",
        FileEvent::Released => "released",
        FileEvent::Confirmed => "confirmed",
        FileEvent::FoundGone => "found-gone",
        FileEvent::Lost => "lost",
        FileEvent::GivenUp => "given-up",
        FileEvent::StillThere => "still-there",
        FileEvent::Retried => "retried",
        FileEvent::Resolved => "resolved",
        FileEvent::GoneByOthers => "gone-by-others",
    }
}

/// The event of a name; `None` where it is none of ours.
pub(super) fn event_of(name: &str) -> Option<FileEvent> {
    const ALL: [FileEvent; 10] = [
        FileEvent::Claimed,
        FileEvent::Released,
        FileEvent::Confirmed,
        FileEvent::FoundGone,
        FileEvent::Lost,
        FileEvent::GivenUp,
        FileEvent::StillThere,
        FileEvent::Retried,
        FileEvent::Resolved,
        FileEvent::GoneByOthers,
    ];
    ALL.into_iter().find(|event| event_name(*event) == name)
}

async fn set_reason(
    tx: &mut PgConnection,
    batch: BatchKey,
    files: &[FileId],
    reason: &str,
) -> Result<(), LedgerError> {
    strike(tx, batch, files, 0, reason).await.map(|_| ())
}

async fn forget_strikes(tx: &mut PgConnection, batch: BatchKey, files: &[FileId]) -> Result<(), LedgerError> {
    sqlx::query(
        "DELETE FROM strikes
         WHERE batch = $1
           AND file_id = ANY ($2)",
    )
    .bind(batch.0)
    .bind(ids(files))
    .execute(tx)
    .await
    .map_err(during("forgetting refusals"))?;
    Ok(())
}

pub(super) async fn strike(
    tx: &mut PgConnection,
    batch: BatchKey,
    files: &[FileId],
    by: u32,
    reason: &str,
) -> Result<Vec<(FileId, u32)>, LedgerError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "INSERT INTO strikes (batch, file_id, strikes, reason)
         SELECT $1, j.file_id, $3, $4
         FROM unnest($2::text[]) j (file_id)
         ON CONFLICT (batch, file_id) DO UPDATE
         SET strikes = strikes.strikes + excluded.strikes, reason = excluded.reason
         RETURNING file_id, strikes",
    )
    .bind(batch.0)
    .bind(ids(files))
    .bind(i64::from(by))
    .bind(reason)
    .fetch_all(tx)
    .await
    .map_err(during("counting refusals"))?;
    rows.into_iter()
        .map(|(file, strikes)| Ok((file_id(file)?, u32::try_from(strikes).unwrap_or(u32::MAX))))
        .collect()
}

pub(super) async fn verified(
    tx: &mut PgConnection,
    batch: BatchKey,
    files: &[(FileId, Finding)],
    at: Timestamp,
) -> Result<u64, LedgerError> {
    if files.is_empty() {
        return Ok(0);
    }
    let (looked, found): (Vec<&str>, Vec<&str>) = files
        .iter()
        .map(|(file, finding)| (file.as_str(), finding_name(*finding)))
        .unzip();
    let marked = sqlx::query(
        "UPDATE attempt_files
         SET verified_at = $3, finding = j.finding
         FROM unnest($2::text[], $4::text[]) j (file_id, finding)
         WHERE attempt_files.file_id = j.file_id
           -- The first look that found it so is the evidence; another one adds nothing.
           AND attempt_files.finding IS DISTINCT FROM j.finding
           -- The last attempt of this batch that ended in deleted or gone.
           AND attempt_files.attempt = (
               SELECT max(l.attempt)
               FROM attempt_files l
               JOIN attempts a ON a.id = l.attempt
               WHERE l.file_id = j.file_id
                 AND l.result IN (2, 3)
                 AND a.batch = $1
           )",
    )
    .bind(batch.0)
    .bind(looked)
    .bind(at.as_millis())
    .bind(found)
    .execute(&mut *tx)
    .await
    .map_err(during("marking what a second look found"))?
    .rows_affected();
    if marked > 0 {
        tell_of_look(tx, batch, files, at).await?;
    }
    let contradicted: Vec<FileId> = files
        .iter()
        .filter(|(_, finding)| *finding == Finding::StillThere)
        .map(|(file, _)| file.clone())
        .collect();
    let done: Vec<FileId> = states(tx, batch, contradicted.iter())
        .await?
        .into_iter()
        // A file that is live or unknown anyway is no contradiction.
        .filter(|(_, state)| matches!(state, FileState::Deleted | FileState::Gone))
        .map(|(file, _)| file)
        .collect();
    note(
        tx,
        batch,
        &done,
        FileEvent::StillThere,
        "a second look still found it",
        at,
    )
    .await?;
    Ok(marked)
}

pub(super) const fn finding_name(finding: Finding) -> &'static str {
    match finding {
        Finding::Absent => "absent",
        Finding::StillThere => "still-there",
    }
}
