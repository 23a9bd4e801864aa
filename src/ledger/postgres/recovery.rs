//! Bringing back what a restored backup lacks: a page of lost leaves a transaction, each as the fact that it
//! was. Where it stands lies in the settings, so that a crash between two pages costs nothing.

mod replay;
mod requests;
mod sweeps;

use crate::ledger::common::recovery::{Numbers, Standing};

use async_trait::async_trait;
use sqlx::PgConnection;

use super::controls::{close_breaker, set_setting, setting};
use super::fault::{conflict, damaged, during};
use super::{PostgresLedger, erasures, leaves, lineage};
use crate::evidence::{Fact, Fork, LostLeaf};
use crate::ledger::{BroughtBack, Controls, LedgerError, LostLine, Recovery, UnderWay};
use crate::model::{BreakerKind, ErasureId, Timestamp};

/// Setting: where a recovery stands.
pub(super) const STANDING: &str = "recovery";

#[async_trait]
impl Recovery for PostgresLedger {
    async fn recovery(&self) -> Result<Option<UnderWay>, LedgerError> {
        self.read_one(|tx| Box::pin(async move { Ok(standing(tx).await?.map(|at| at.under_way())) }))
            .await
    }

    async fn begin_recovery(&self, line: &LostLine, at: Timestamp) -> Result<UnderWay, LedgerError> {
        if self.rollback().await?.is_none() {
            return Err(conflict("the ledger", "nothing says that it is an older copy"));
        }
        let line = line.clone();
        self.write(move |tx| Box::pin(async move { begin(tx, line, at).await }))
            .await
    }

    async fn bring_back(&self, leaves: &[LostLeaf], at: Timestamp) -> Result<BroughtBack, LedgerError> {
        let leaves = leaves.to_vec();
        self.write(move |tx| Box::pin(async move { page(tx, &leaves, at).await }))
            .await
    }

    async fn finish_recovery(&self, at: Timestamp) -> Result<BroughtBack, LedgerError> {
        let done = self
            .write(move |tx| Box::pin(async move { finish(tx, at).await }))
            .await?;
        lineage::begin_line(self).await?;
        Ok(done)
    }

    async fn forks(&self) -> Result<Vec<Fork>, LedgerError> {
        self.read_one(|tx| Box::pin(forks(tx))).await
    }
}

async fn standing(tx: &mut PgConnection) -> Result<Option<Standing>, LedgerError> {
    let kept = setting(tx, STANDING).await?;
    kept.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| damaged(format!("settings: where a recovery stands: {error}")))
}

async fn keep(tx: &mut PgConnection, standing: &Standing) -> Result<(), LedgerError> {
    let text = serde_json::to_string(standing).expect("numbers and times");
    set_setting(tx, STANDING, Some(&text)).await
}

async fn begin(tx: &mut PgConnection, line: LostLine, at: Timestamp) -> Result<UnderWay, LedgerError> {
    if let Some(begun) = standing(tx).await? {
        if begun.line == line {
            return Ok(begun.under_way());
        }
        return Err(conflict(
            "the recovery",
            format!(
                "one was begun from an export of {} facts with the root {}: go on with that one",
                begun.line.size, begun.line.root
            ),
        ));
    }
    let begun = Standing {
        next: line.common,
        holds: Numbers::new(),
        erasures: Numbers::new(),
        sweeps: Numbers::new(),
        attempts: Numbers::new(),
        verified: Vec::new(),
        done: BroughtBack::default(),
        line,
    };
    let fact = Fact::Recovery {
        size: begun.line.size,
        root: begun.line.root,
        common: begun.line.common,
    };
    leaves::append(tx, at, fact).await?;
    keep(tx, &begun).await?;
    Ok(begun.under_way())
}

async fn page(tx: &mut PgConnection, leaves: &[LostLeaf], at: Timestamp) -> Result<BroughtBack, LedgerError> {
    let mut standing = standing(tx)
        .await?
        .ok_or_else(|| conflict("the recovery", "none was begun"))?;
    let mut done = BroughtBack::default();
    for leaf in leaves {
        if leaf.seq != standing.next || leaf.seq >= standing.line.size {
            let problem = format!("it stands at leaf {}, not at {}", standing.next, leaf.seq);
            return Err(conflict("the recovery", problem));
        }
        let fact = Fact::BroughtBack {
            lost: leaf.seq,
            hash: leaf.hash,
            told: leaf.kind.clone(),
        };
        leaves::append(tx, at, fact).await?;
        replay::replay(tx, &mut standing, leaf, at, &mut done).await?;
        standing.next += 1;
        done.leaves += 1;
    }
    if standing.next == standing.line.size {
        requests::interrupted(tx, &mut standing, at).await?;
    }
    if !standing.attempts.is_empty() {
        return Err(conflict(
            "the leaves brought back",
            "a request among them has no outcome yet: they have to come together",
        ));
    }
    standing.done = standing.done.and(done);
    keep(tx, &standing).await?;
    Ok(done)
}

async fn finish(tx: &mut PgConnection, at: Timestamp) -> Result<BroughtBack, LedgerError> {
    let standing = standing(tx)
        .await?
        .ok_or_else(|| conflict("the recovery", "none was begun"))?;
    let LostLine {
        size,
        root,
        common,
        until,
    } = standing.line;
    if standing.next != size {
        let left = size - standing.next;
        return Err(conflict("the recovery", format!("{left} leaves are missing")));
    }
    let mut done = standing.done;
    for (erasure, closed) in &standing.verified {
        done.closings += u64::from(erasures::close_again(tx, ErasureId(*erasure), *closed).await?);
    }
    let before = leaves::ledger_name(tx).await?;
    let ledger = lineage::rename(tx).await?;
    let fact = Fact::Recovered {
        ledger,
        before,
        size,
        root,
        common,
        until,
    };
    leaves::append(tx, at, fact).await?;
    set_setting(tx, STANDING, None).await?;
    close_breaker(tx, BreakerKind::Rollback, None, "reconcile --from", at).await?;
    Ok(done)
}

async fn forks(tx: &mut PgConnection) -> Result<Vec<Fork>, LedgerError> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT seq, content
         FROM leaves
         WHERE kind = 'recovered' AND content IS NOT NULL
         ORDER BY seq",
    )
    .fetch_all(tx)
    .await
    .map_err(during("reading what was brought back"))?;
    rows.into_iter()
        .map(|(seq, content)| {
            Fork::named_by(super::rows::count(seq)?, &content)
                .ok_or_else(|| damaged(format!("leaf {seq} names no line")))
        })
        .collect()
}
