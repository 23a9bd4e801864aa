//! What a report rests on: one snapshot, the files of it in pages. See the files beside this one.

mod files;
mod incidents;
mod record;
mod runs;

use async_trait::async_trait;
use sqlx::PgConnection;
use tokio::sync::mpsc::Sender;

use super::fault::{conflict, during};
use super::rows::{count, optional};
use super::{PostgresLedger, clock, erasures, holds, redact, tallies, tree};
use crate::ledger::{ErasureFiles, LedgerError, ReportFacts, ReportPage, ReportPeriod, Reports, Unowned};
use crate::model::Erasure;

#[async_trait]
impl Reports for PostgresLedger {
    async fn facts(
        &self,
        period: ReportPeriod,
        addresses: bool,
        pages: Sender<ReportPage>,
    ) -> Result<(), LedgerError> {
        self.read(move |tx| {
            Box::pin(async move {
                let facts = facts(tx, &period).await?;
                give(&pages, ReportPage::Facts(Box::new(facts))).await?;
                files::send(tx, &period, addresses, &pages).await
            })
        })
        .await
    }
}

async fn give(pages: &Sender<ReportPage>, page: ReportPage) -> Result<(), LedgerError> {
    pages
        .send(page)
        .await
        .map_err(|_| conflict("the pages of a report", "nobody takes them in any more"))
}

async fn facts(tx: &mut PgConnection, period: &ReportPeriod) -> Result<ReportFacts, LedgerError> {
    let (ledger, sequence): (String, i64) = sqlx::query_as("SELECT ledger, sequence FROM lineage")
        .fetch_one(&mut *tx)
        .await
        .map_err(during("reading which ledger this is"))?;
    Ok(ReportFacts {
        ledger,
        sequence: count(sequence)?,
        tallies: tallies::tallies(tx, period.reached()).await?,
        incidents: incidents::by_policy(tx, period).await?,
        sweeps: runs::sweeps(tx, period).await?,
        unfinished: runs::unfinished(tx, period).await?,
        runs: runs::scheduled(tx, period).await?,
        scheduled_since: runs::scheduled_since(tx).await?,
        adoptions: record::adoptions(tx, period).await?,
        changes: record::changes(tx, period).await?,
        plans: record::plans(tx, period).await?,
        holds: holds::all(tx)
            .await?
            .into_iter()
            .filter(|hold| hold.stood_between(period.from, period.to))
            .collect(),
        erasures: requests(tx, period).await?,
        breakers: record::breakers(tx, period).await?,
        pauses: record::pauses(tx, period).await?,
        anomalies: record::anomalies(tx, period).await?,
        clock_checked_at: clock::last_look(tx).await?,
        unowned: unowned(tx).await?,
        tree: tree::head(tx).await?,
        redacted: redact::redacted(tx).await?,
    })
}

async fn requests(
    tx: &mut PgConnection,
    period: &ReportPeriod,
) -> Result<Vec<(Erasure, ErasureFiles)>, LedgerError> {
    let all = erasures::requests(tx, false).await?;
    let progress = erasures::progress(tx, false, None).await?;
    let open = |request: &Erasure| {
        request.placed_at < period.to && request.closed_at.is_none_or(|end| period.from <= end)
    };
    Ok(all
        .into_iter()
        .zip(progress)
        .filter(|(request, _)| open(request))
        .map(|(request, (_, files))| (request, files))
        .collect())
}

async fn unowned(tx: &mut PgConnection) -> Result<Unowned, LedgerError> {
    let (files, batches, oldest): (i64, i64, Option<i64>) = sqlx::query_as(
        "SELECT count(*), count(DISTINCT f.batch), min(f.uploaded_at)
         FROM files f
         WHERE f.state = 0 -- literals, or the partial index is not taken
           AND f.due_at IS NULL
           AND f.policy = 0",
    )
    .fetch_one(tx)
    .await
    .map_err(during("counting unowned files"))?;
    Ok(Unowned {
        files: count(files)?,
        batches: count(batches)?,
        oldest_upload: optional(oldest)?,
    })
}
