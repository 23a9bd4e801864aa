//! What ended long ago beside files: holds, requests, stops, uploads, plans.

use sqlx::SqliteConnection;

use super::{Cut, Done};
use crate::ledger::sqlite::fault::during;
use crate::ledger::{Gone, LedgerError, RedactionStep};

/// Rows of each kind that go in one step.
const AT_ONCE: i64 = 500;

/// `?1`: before when it ended; `?2`: most rows. The parts of a thing go before the thing.
const STATEMENTS: [&str; 9] = [
    "DELETE FROM holds
     WHERE id IN (SELECT id FROM holds WHERE ends_at < ?1 ORDER BY ends_at LIMIT ?2)",
    "DELETE FROM erasure_files
     WHERE erasure IN (SELECT id FROM erasures WHERE closed_at < ?1 ORDER BY id LIMIT ?2)",
    "DELETE FROM erasures
     WHERE id IN (SELECT id FROM erasures WHERE closed_at < ?1 ORDER BY id LIMIT ?2)",
    "DELETE FROM breakers
     WHERE id IN (SELECT id FROM breakers WHERE closed_at < ?1 ORDER BY id LIMIT ?2)",
    "DELETE FROM pauses
     WHERE id IN (SELECT id FROM pauses WHERE min(until, ifnull(cleared_at, until)) < ?1 ORDER BY id LIMIT ?2)",
    "DELETE FROM upload_files
     WHERE upload IN (
         SELECT id FROM uploads WHERE settled_at < ?1 AND state NOT IN ('open', 'doubtful') ORDER BY id LIMIT ?2
     )",
    "DELETE FROM uploads
     WHERE id IN (
         SELECT id FROM uploads WHERE settled_at < ?1 AND state NOT IN ('open', 'doubtful') ORDER BY id LIMIT ?2
     )",
    // What a correction replaced; the one in force is a fact that the rules need.
    "DELETE FROM start_events
     WHERE id IN (SELECT id FROM start_events WHERE replaced_at < ?1 ORDER BY id LIMIT ?2)",
    // The list alone: that there was such a plan, and what approved it, names nobody.
    "DELETE FROM plan_files
     WHERE plan IN (SELECT id FROM plans INDEXED BY plans_by_time WHERE at < ?1)
       AND (plan, place) IN (
           SELECT f.plan, f.place
           FROM plans p INDEXED BY plans_by_time
           CROSS JOIN plan_files f ON f.plan = p.id
           WHERE p.at < ?1
           LIMIT ?2
       )",
];

pub(super) async fn step(tx: &mut SqliteConnection, cut: Cut) -> Result<Done, LedgerError> {
    // A plan that lost files can never be approved any more.
    sqlx::query(
        "UPDATE plans INDEXED BY plans_by_time SET waits_for = NULL WHERE at < ?1 AND waits_for IS NOT NULL",
    )
    .bind(cut.before.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during("ending plans that waited too long"))?;
    let (mut records, mut again) = (0, false);
    for statement in STATEMENTS {
        let went = sqlx::query(statement)
            .bind(cut.before.as_millis())
            .bind(AT_ONCE)
            .execute(&mut *tx)
            .await
            .map_err(during("redacting what ended long ago"))?
            .rows_affected();
        records += went;
        again |= went >= AT_ONCE.unsigned_abs();
    }
    Ok(Done {
        gone: Gone {
            records,
            ..Gone::default()
        },
        last: None,
        next: Some(if again {
            RedactionStep::Records
        } else {
            RedactionStep::Kept(0)
        }),
    })
}
