//! What happened to files in the period, counted by the policy that owns them.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::super::fault::during;
use super::super::rows::{count, policy_name};
use crate::ledger::{Incidents, LedgerError, ReportPeriod};
use crate::model::PolicyName;

/// Files of one kind, each once: the kind's number, then its files.
const FILES: &str = "WITH happened (kind, batch, file_id) AS (
         SELECT 0, a.batch, l.file_id
         FROM attempts a
         JOIN attempt_files l ON l.attempt = a.id
         WHERE a.settled_at >= $1 AND a.settled_at < $2
           AND a.outcome = 'refused'
           -- One among many was perhaps not meant.
           AND (SELECT count(*) FROM attempt_files m WHERE m.attempt = a.id) = 1
         UNION
         SELECT CASE l.result WHEN 5 THEN 1 ELSE 2 END, a.batch, l.file_id
         FROM attempts a
         JOIN attempt_files l ON l.attempt = a.id AND l.result IN (4, 5)
         WHERE a.settled_at >= $1 AND a.settled_at < $2
         UNION
         SELECT 1, n.batch, n.file_id
         FROM notes n
         WHERE n.at >= $1 AND n.at < $2 AND n.event = 'given-up'
         UNION
         SELECT 3, n.batch, n.file_id
         FROM notes n
         WHERE n.at >= $1 AND n.at < $2 AND n.event = 'still-there' AND n.from_state IN (2, 3)
     )
     SELECT p.name, h.kind::bigint, count(*)
     FROM happened h
     JOIN files f ON f.file_id = h.file_id AND f.batch = h.batch
     JOIN policies p ON p.id = f.policy
     GROUP BY p.name, h.kind";

pub(super) async fn by_policy(
    tx: &mut PgConnection,
    period: &ReportPeriod,
) -> Result<BTreeMap<Option<PolicyName>, Incidents>, LedgerError> {
    let rows: Vec<(Option<String>, i64, i64)> = sqlx::query_as(FILES)
        .bind(period.from.as_millis())
        .bind(period.to.as_millis())
        .fetch_all(tx)
        .await
        .map_err(during("counting what happened"))?;
    let mut incidents: BTreeMap<Option<PolicyName>, Incidents> = BTreeMap::new();
    for (name, kind, files) in rows {
        let of = incidents.entry(name.map(policy_name).transpose()?).or_default();
        let files = count(files)?;
        match kind {
            0 => of.refused = files,
            1 => of.given_up = files,
            2 => of.unknown = files,
            _ => of.revived = files,
        }
    }
    Ok(incidents)
}
