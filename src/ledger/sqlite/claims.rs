//! The intent (T1). The decision comes from the caller, the facts it decides on from inside the
//! transaction: between plan and claim a hold may have been placed, and then it wins.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sqlx::{Row, SqliteConnection};

use super::fault::{conflict, damaged, during, ensure_rows};
use super::leaves::{self, Sealing};
use super::rows::ids;
use super::{Asker, SqliteLedger, batch, due, erasures, holds, notes, settle};
use crate::evidence::Fact;
use crate::ledger::{After, Claim, ClaimRequest, Claims, LedgerError, Permit, Settlement};
use crate::model::{
    AccountName, AttemptId, AttemptKind, BatchKey, FileId, FileRecord, Finding, Holds, PolicyName, SweepId,
    Timestamp,
};
use crate::outcome::{FileEvent, next_state};

/// The verdict on each file of a claim, in the order read.
type Verdicts = Vec<Result<(), String>>;

#[async_trait]
impl Claims for SqliteLedger {
    async fn due(
        &self,
        policy: &PolicyName,
        now: Timestamp,
        after: Option<&After>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError> {
        let (policy, after) = (policy.clone(), after.cloned());
        self.read(move |tx| Box::pin(async move { due::due(tx, &policy, now, after.as_ref(), page).await }))
            .await
    }

    async fn unverified(&self, since: Timestamp, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
        self.read(move |tx| Box::pin(super::unverified::unverified(tx, since, page)))
            .await
    }

    async fn unknown(&self, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
        if !self.read_one(|tx| Box::pin(due::any_unknown(tx))).await? {
            return Ok(Vec::new());
        }
        self.read(move |tx| Box::pin(due::unknown(tx, page))).await
    }

    async fn unknown_in(
        &self,
        account: Option<&AccountName>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError> {
        if !self.read_one(|tx| Box::pin(due::any_unknown(tx))).await? {
            return Ok(Vec::new());
        }
        let account = account.cloned();
        self.read(move |tx| Box::pin(async move { due::unknown_in(tx, account.as_ref(), page).await }))
            .await
    }

    async fn copies_of(&self, batch: BatchKey, files: &[FileId]) -> Result<Vec<FileRecord>, LedgerError> {
        let files = files.to_vec();
        self.read(move |tx| Box::pin(async move { due::copies_of(tx, batch, &files).await }))
            .await
    }

    async fn claim(&self, request: &ClaimRequest<'_>, permit: Permit<'_>) -> Result<Claim, LedgerError> {
        if request.files.is_empty() {
            return Ok(nothing(Vec::new()));
        }
        let intent = Intent {
            sweep: request.sweep,
            kind: request.kind,
            batch: request.batch,
            files: request.files.to_vec(),
            at: request.at,
            boottime_ms: request.boottime_ms,
            budget: request.budget,
        };
        self.write_asking(
            move |tx, asker| Box::pin(async move { claim(tx, &intent, asker).await }),
            |(files, holds): (Vec<FileRecord>, Holds)| {
                files.iter().map(|file| permit(file, &holds)).collect()
            },
        )
        .await
    }

    async fn settle(&self, attempt: AttemptId, settlement: &Settlement) -> Result<(), LedgerError> {
        let settlement = settlement.clone();
        self.write(move |tx| Box::pin(async move { settle::settle(tx, attempt, &settlement).await }))
            .await
    }

    async fn note(
        &self,
        batch: BatchKey,
        files: &[FileId],
        event: FileEvent,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        if files.is_empty() {
            return Ok(0);
        }
        let (files, reason) = (files.to_vec(), reason.to_owned());
        self.write(move |tx| {
            Box::pin(async move { notes::note(tx, batch, &files, event, &reason, at).await })
        })
        .await
    }

    async fn recover_orphans(&self, at: Timestamp) -> Result<u64, LedgerError> {
        // Asked at every turn: only what was interrupted is worth a commit.
        if !self.read_one(|tx| Box::pin(settle::interrupted(tx))).await? {
            return Ok(0);
        }
        self.write(move |tx| Box::pin(settle::recover_orphans(tx, at)))
            .await
    }

    async fn verified(
        &self,
        batch: BatchKey,
        files: &[(FileId, Finding)],
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        if files.is_empty() {
            return Ok(0);
        }
        let files = files.to_vec();
        self.write(move |tx| Box::pin(async move { notes::verified(tx, batch, &files, at).await }))
            .await
    }

    async fn strike(
        &self,
        batch: BatchKey,
        files: &[FileId],
        by: u32,
        reason: &str,
    ) -> Result<Vec<(FileId, u32)>, LedgerError> {
        let (files, reason) = (files.to_vec(), reason.to_owned());
        self.write(move |tx| Box::pin(async move { notes::strike(tx, batch, &files, by, &reason).await }))
            .await
    }
}

/// A [`ClaimRequest`] that may outlive its caller.
struct Intent {
    sweep: SweepId,
    kind: AttemptKind,
    batch: BatchKey,
    files: Vec<FileId>,
    at: Timestamp,
    boottime_ms: i64,
    budget: u64,
}

fn nothing(kept: Vec<(FileId, String)>) -> Claim {
    Claim {
        attempt: None,
        files: Vec::new(),
        kept,
        good_for: None,
    }
}

async fn claim(
    tx: &mut SqliteConnection,
    intent: &Intent,
    asker: Asker<(Vec<FileRecord>, Holds), Verdicts>,
) -> Result<Claim, LedgerError> {
    if intent.files.iter().collect::<BTreeSet<_>>().len() != intent.files.len() {
        return Err(conflict("the list of a claim", "it names a file twice"));
    }
    let mut kept = Vec::new();
    let files = claimable(tx, intent, &mut kept).await?;
    let holds =
        Holds::new(holds::active(tx, intent.at).await?).with_erasures(erasures::requests(tx, true).await?);
    let verdicts = asker.ask((files.clone(), holds)).await?;
    let mut permitted = Vec::new();
    for (file, verdict) in files.into_iter().zip(verdicts) {
        match verdict {
            Ok(()) => permitted.push(file),
            Err(reason) => kept.push((file.key.file, reason)),
        }
    }
    if permitted.is_empty() {
        return Ok(nothing(kept));
    }
    let attempt = write_intent(tx, intent, &permitted).await?;
    let files: Vec<FileId> = permitted.into_iter().map(|file| file.key.file).collect();
    Ok(Claim {
        attempt: Some(attempt),
        files,
        kept,
        good_for: None,
    })
}

/// The files as they are now, those left out that no transition leads from to `deleting`.
async fn claimable(
    tx: &mut SqliteConnection,
    intent: &Intent,
    kept: &mut Vec<(FileId, String)>,
) -> Result<Vec<FileRecord>, LedgerError> {
    let found = due::by_key(tx, intent.batch, &intent.files).await?;
    if found.len() < intent.files.len() {
        let known: BTreeSet<&FileId> = found.iter().map(|file| &file.key.file).collect();
        let strangers = intent.files.iter().filter(|file| !known.contains(file));
        kept.extend(strangers.map(|file| (file.clone(), "the ledger does not know it".to_owned())));
    }
    let (files, settled): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|file| next_state(file.state, FileEvent::Claimed).is_ok());
    kept.extend(
        settled
            .into_iter()
            .map(|file| (file.key.file, format!("it is {}", file.state.name()))),
    );
    Ok(files)
}

/// Counts the files against the sweep's budget (a file that it sent before, and a copy, costs nothing),
/// writes the attempt, and moves the files.
async fn write_intent(
    tx: &mut SqliteConnection,
    intent: &Intent,
    permitted: &[FileRecord],
) -> Result<AttemptId, LedgerError> {
    let context = "writing an intent";
    let files: Vec<&FileId> = permitted.iter().map(|file| &file.key.file).collect();
    let originals: Vec<&FileId> = permitted
        .iter()
        .filter(|file| file.copy_of.is_none())
        .map(|file| &file.key.file)
        .collect();
    let statements = sqlx::query(concat!(
        "UPDATE sweeps
         SET sent = c.total
         FROM (
             SELECT sent + $6 - (",
        settle::sent_before!("$1", "$2", "$7"),
        ") AS total
             FROM sweeps
             WHERE id = $1
         ) c
         WHERE id = $1
           AND state = 'open'
           AND c.total <= $8
           -- What was adopted since by somebody else decides from then on.
           AND rule_set = coalesce((SELECT rule_set FROM rule_adoptions ORDER BY id DESC LIMIT 1), rule_set);

         INSERT INTO attempts (sweep, kind, batch, intent_at, boottime_ms)
         VALUES ($1, $3, $2, $4, $5)
         RETURNING id;

         INSERT INTO attempt_files (attempt, file_id)
         SELECT last_insert_rowid(), value
         FROM json_each($9);

         UPDATE files
         SET state = 1
         FROM json_each($9) j
         WHERE files.batch = $2
           AND files.file_id = j.value
           AND files.state IN (0, 4)"
    ))
    .bind(intent.sweep.0)
    .bind(intent.batch.0)
    .bind(intent.kind.name())
    .bind(intent.at.as_millis())
    .bind(intent.boottime_ms)
    .bind(to_i64(originals.len() as u64))
    .bind(ids(&originals))
    .bind(to_i64(intent.budget))
    .bind(ids(&files));
    let done = batch::run(tx, statements, context).await?;
    let [spent, attempt, listed, moved] = &done[..] else {
        return Err(damaged("an intent was not written as a whole"));
    };
    if spent.changed != 1 {
        return Err(conflict(
            format!("sweep {}", intent.sweep.0),
            format!(
                "{} more files exceed its limit of {}, or it is not open, or its rules are not in force any more",
                originals.len(),
                intent.budget
            ),
        ));
    }
    ensure_rows("files of an attempt", listed.changed, files.len())?;
    ensure_rows("files being claimed", moved.changed, files.len())?;
    let row = attempt
        .rows
        .first()
        .ok_or_else(|| damaged("an attempt has no number"))?;
    let attempt = row.try_get(0).map_err(during(context))?;
    let sealing = Sealing::new()?;
    let fact = Fact::Intent {
        attempt,
        sweep: intent.sweep.0,
        call: intent.kind.name().to_owned(),
        files: sealing.attempted("files", &permitted[0].batch, files),
    };
    leaves::append_sealed(tx, intent.at, fact, sealing).await?;
    Ok(AttemptId(attempt))
}

/// Counts beyond what SQLite can hold do not exist.
fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
