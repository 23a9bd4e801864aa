//! What arrived, held against what was sent: both read again, each from its own ledger.

use super::run::Heard;
use super::side::{Source, Target};
use super::{CopiedTable, CopyStep};
use crate::ledger::LedgerError;
use crate::ledger::common::problem::damaged;
use crate::ledger::common::table::{Contents, Row, Table};

pub(super) async fn compare(
    source: &mut dyn Source,
    target: &mut dyn Target,
    tables: &[Table],
    page: usize,
    of: u64,
    heard: Heard<'_>,
) -> Result<Vec<CopiedTable>, LedgerError> {
    let mut equal = Vec::with_capacity(tables.len());
    let mut rows = 0;
    heard(CopyStep::Comparing { rows, of });
    for table in tables {
        let (mut here, mut there) = (Contents::default(), Contents::default());
        let mut after = None;
        loop {
            let pages = futures_util::future::try_join(
                source.page(table, after.as_ref(), page),
                target.page(table, after.as_ref(), page),
            );
            let (ours, theirs) = pages.await?;
            same(table, &ours, &theirs)?;
            ours.iter().for_each(|row| here.add(row));
            theirs.iter().for_each(|row| there.add(row));
            rows += ours.len() as u64;
            heard(CopyStep::Comparing { rows, of });
            match ours.last() {
                Some(last) if ours.len() == page => after = Some(table.key_of(last)),
                Some(_) | None => break,
            }
        }
        let ((rows, sha256), other) = (here.finish(), there.finish());
        if (rows, sha256) != other {
            return Err(damaged(format!(
                "the copy differs from its source in table {}",
                table.name
            )));
        }
        equal.push(CopiedTable {
            name: table.name.clone(),
            rows,
            sha256,
        });
    }
    Ok(equal)
}

fn same(table: &Table, ours: &[Row], theirs: &[Row]) -> Result<(), LedgerError> {
    if ours == theirs {
        return Ok(());
    }
    let first = ours
        .iter()
        .zip(theirs)
        .position(|(ours, theirs)| ours != theirs)
        .unwrap_or_else(|| ours.len().min(theirs.len()));
    let row = ours.get(first).or(theirs.get(first));
    let key = row.map(|row| table.key_of(row)).unwrap_or_default();
    Err(damaged(format!(
        "the copy differs from its source in table {}, first at the row {}: it is not used, and the next `retentiond ledger copy` begins anew",
        table.name,
        key.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )))
}
