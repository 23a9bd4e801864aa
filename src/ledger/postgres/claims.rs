//! The intent (T1). The decision comes from the caller, the facts it decides on from inside the
//! transaction: between plan and claim a hold may have been placed, and then it wins.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::{conflict, during, ensure_rows};
use super::leaves::{self, Sealing};
use super::right::{Fence, lost};
use super::rows::ids;
use super::{Asker, PostgresLedger, due, erasures, holds, notes, settle};
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
impl Claims for PostgresLedger {
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
        let seat = self.holder.number().await;
        self.read(move |tx| Box::pin(super::unverified::unverified(tx, seat, since, page)))
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
        // Once more where the seat was lost, with its connection or its lease.
        for _ in 0..2 {
            let fence = self.holder.fence().await?;
            let intent = intent.clone();
            let claimed = self.write_asking(
                move |tx, asker| Box::pin(async move { fenced(tx, fence, &intent, asker).await }),
                |(files, holds): (Vec<FileRecord>, Holds)| {
                    files.iter().map(|file| permit(file, &holds)).collect()
                },
            );
            match claimed.await? {
                Some(claim) => {
                    return Ok(Claim {
                        good_for: fence.good_for(),
                        ..claim
                    });
                }
                None => self.holder.fell(fence).await,
            }
        }
        Err(lost("twice in a row"))
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
        // Once more where the seat was lost: a process that stood still comes here first.
        for _ in 0..2 {
            // What looks like an orphan may be another's work.
            let fence = self.holder.fence().await?;
            let seat = fence.number();
            self.holder.bury_the_dead().await;
            // Asked at every turn: only what was interrupted is worth a commit.
            if !self
                .read_one(move |tx| Box::pin(settle::interrupted(tx, seat)))
                .await?
            {
                return Ok(0);
            }
            let recovered = self.write(move |tx| {
                Box::pin(async move {
                    if !fence.stands(tx).await? {
                        return Ok(None);
                    }
                    settle::recover_orphans(tx, seat, at).await.map(Some)
                })
            });
            match recovered.await? {
                Some(files) => return Ok(files),
                None => self.holder.fell(fence).await,
            }
        }
        Err(lost("twice in a row"))
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
#[derive(Clone)]
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

/// The claim; `None` where our seat does not stand any more. Asked after the lock of all writers is had: whoever takes
/// what is ours for an orphan's comes before this claim, which then sees it, or after, and finds the lease renewed.
async fn fenced(
    tx: &mut PgConnection,
    fence: Fence,
    intent: &Intent,
    asker: Asker<(Vec<FileRecord>, Holds), Verdicts>,
) -> Result<Option<Claim>, LedgerError> {
    if !fence.stands(tx).await? {
        return Ok(None);
    }
    claim(tx, fence, intent, asker).await.map(Some)
}

async fn claim(
    tx: &mut PgConnection,
    fence: Fence,
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
    let attempt = write_intent(tx, fence, intent, &permitted).await?;
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
    tx: &mut PgConnection,
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
    tx: &mut PgConnection,
    fence: Fence,
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
    let before = settle::count_sent_before(tx, intent.sweep.0, intent.batch, &originals).await?;
    let spent = sqlx::query(
        "UPDATE sweeps
         SET sent = sent + $2
         WHERE id = $1
           AND state = 'open'
           AND sent + $2 <= $3
           -- Somebody leads it.
           AND ($4::bigint IS NULL OR peer IS NOT NULL)
           -- What was adopted since by somebody else decides from then on.
           AND rule_set = coalesce((SELECT rule_set FROM rule_adoptions ORDER BY id DESC LIMIT 1), rule_set)",
    )
    .bind(intent.sweep.0)
    .bind(to_i64((originals.len() as u64).saturating_sub(before)))
    .bind(to_i64(intent.budget))
    .bind(fence.number())
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    if spent.rows_affected() != 1 {
        return Err(conflict(
            format!("sweep {}", intent.sweep.0),
            format!(
                "{} more files exceed its limit of {}, or it is not open, or nobody leads it, or its rules are not in force any more",
                originals.len(),
                intent.budget
            ),
        ));
    }
    let attempt: i64 = sqlx::query_scalar(
        "INSERT INTO attempts (sweep, kind, batch, intent_at, boottime_ms, peer)
         VALUES ($1, $2, $3, $4, $5, $6)
         RETURNING id",
    )
    .bind(intent.sweep.0)
    .bind(intent.kind.name())
    .bind(intent.batch.0)
    .bind(intent.at.as_millis())
    .bind(intent.boottime_ms)
    .bind(fence.number())
    .fetch_one(&mut *tx)
    .await
    .map_err(during(context))?;
    let listed = sqlx::query(
        "INSERT INTO attempt_files (attempt, file_id)
         SELECT $1, j.file_id
         FROM unnest($2::text[]) j (file_id)",
    )
    .bind(attempt)
    .bind(ids(&files))
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    ensure_rows("files of an attempt", listed.rows_affected(), files.len())?;
    let moved = sqlx::query(
        "UPDATE files
         SET state = 1
         WHERE batch = $1
           AND file_id = ANY ($2)
           AND state IN (0, 4)",
    )
    .bind(intent.batch.0)
    .bind(ids(&files))
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    ensure_rows("files being claimed", moved.rows_affected(), files.len())?;
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

/// Counts beyond what a database can hold do not exist.
fn to_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
