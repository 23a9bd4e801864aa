//! Who is there, what they are at, and what a process that is at nothing still holds.

use std::time::Duration;

use sqlx::PgConnection;

use crate::ledger::postgres::fault::during;
use crate::ledger::postgres::rows::{count, file_id, policy_name, timestamp};
use crate::ledger::{LedgerError, Peer};
use crate::model::{BatchKey, FileId, SweepId};
use crate::rules::policy::RuleDigest;

type PeerRow = (
    String,
    String,
    i64,
    i64,
    bool,
    bool,
    Option<String>,
    Option<i64>,
    Option<String>,
    i64,
);

pub(super) async fn peers(tx: &mut PgConnection, seat: Option<i64>) -> Result<Vec<Peer>, LedgerError> {
    let rows: Vec<PeerRow> = sqlx::query_as(
        "SELECT p.name, p.version, p.since, greatest(server_ms() - p.seen_at, 0),
                p.number IN (SELECT number FROM living),
                coalesce(p.number = $1, FALSE),
                p.rules, s.id, n.name,
                (SELECT count(*) FROM parts t WHERE t.peer = p.number AND t.summary IS NULL)
         FROM peers p
         LEFT JOIN sweeps s ON s.id = (SELECT max(o.id) FROM sweeps o WHERE o.state = 'open' AND o.peer = p.number)
         LEFT JOIN policies n ON n.id = s.policy
         ORDER BY 5 DESC, p.since DESC, p.number",
    )
    .bind(seat)
    .fetch_all(tx)
    .await
    .map_err(during("reading who has the right to delete"))?;
    rows.into_iter().map(peer).collect()
}

fn peer(row: PeerRow) -> Result<Peer, LedgerError> {
    let (name, version, since, silent, alive, ours, rules, sweep, policy, parts) = row;
    let sweep = match (sweep, policy) {
        (Some(sweep), Some(policy)) => Some((SweepId(sweep), policy_name(policy)?)),
        _ => None,
    };
    Ok(Peer {
        name,
        version,
        since: timestamp(since)?,
        silent_for: Duration::from_millis(count(silent)?),
        alive,
        ours,
        rules: rules.map(RuleDigest),
        sweep,
        parts: count(parts)?,
    })
}

/// Sweeps that the seat leads, and parts that it works at, are nobody's from now on.
pub(super) async fn let_go(tx: &mut PgConnection, seat: i64) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE sweeps
         SET peer = NULL
         WHERE peer = $1 AND state = 'open'",
    )
    .bind(seat)
    .execute(&mut *tx)
    .await
    .map_err(during("leaving a sweep to others"))?;
    super::give_back(tx, seat).await?;
    Ok(())
}

/// What requests that may be on their way are for, batch by batch.
pub(super) async fn asked_by_others(
    tx: &mut PgConnection,
    seat: Option<i64>,
    sweep: SweepId,
) -> Result<Vec<(BatchKey, Vec<FileId>)>, LedgerError> {
    let rows: Vec<(i64, Vec<String>)> = sqlx::query_as(
        "SELECT a.batch, array_agg(l.file_id ORDER BY l.file_id)
         FROM attempts a
         JOIN attempt_files l ON l.attempt = a.id
         WHERE a.settled_at IS NULL
           AND a.sweep = $2
           AND a.peer IS DISTINCT FROM $1
           AND a.peer IN (SELECT number FROM leased)
         GROUP BY a.batch
         ORDER BY a.batch",
    )
    .bind(seat)
    .bind(sweep.0)
    .fetch_all(tx)
    .await
    .map_err(during("looking for what others have asked for"))?;
    rows.into_iter()
        .map(|(batch, files)| {
            let files: Result<_, _> = files.into_iter().map(file_id).collect();
            Ok((BatchKey(batch), files?))
        })
        .collect()
}
