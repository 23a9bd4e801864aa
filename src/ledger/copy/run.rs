//! The steps of a copy, in the order that lets it be cut off after each.

use super::compare::compare;
use super::fit::{already, fit};
use super::side::{LINEAGE, Source, Standing, Target};
use super::{Copied, CopyOptions, CopyStep};
use crate::evidence::checkpoint::origin;
use crate::ledger::anchor::{Anchor, Position};
use crate::ledger::checkpoints::CheckpointFile;
use crate::ledger::common::lineage::{Closed, Line};
use crate::ledger::common::problem::{conflict, damaged};
use crate::ledger::common::table::{Layout, Table};
use crate::ledger::sqlite::layout::layout;
use crate::ledger::{LedgerError, OpenMode, Place};

pub(super) type Heard<'h> = &'h (dyn Fn(CopyStep) + Send + Sync);

/// Source and target by name.
pub(super) struct Names {
    pub(super) from: String,
    pub(super) to: String,
}

pub(super) async fn copy(
    from: &Place,
    to: &Place,
    options: &CopyOptions,
    heard: Heard<'_>,
) -> Result<Copied, LedgerError> {
    let names = Names {
        from: from.name()?,
        to: to.name()?,
    };
    if names.from == names.to {
        return Err(conflict(names.to, "source and target are the same"));
    }
    // Before anything is made: what is not there is not locked.
    let mut source = from.source().await?;
    let _rights = (from.lock_alone().await?, to.lock_alone().await?);
    let standing = to.standing().await?;
    let line = source.line().await?;
    if let Some(done) = already(to, &names, &standing, &line).await? {
        return Ok(done);
    }
    let tree = fit(from, to, &names, &standing, &line, heard).await?;
    let closed = close(source.as_mut(), &names, options, line).await?;

    let layout = layout().await?;
    let tables: Vec<Table> = layout
        .tables
        .iter()
        .filter(|table| table.name != LINEAGE)
        .cloned()
        .collect();
    let mut target = to.target(&layout, &standing, &closed.at).await?;
    let resumed = standing == Standing::Begun(Some(closed.at.clone()));
    let of = source.count(&tables).await?;
    fill(source.as_mut(), target.as_mut(), &tables, options.page, of, heard).await?;
    let equal = compare(source.as_mut(), target.as_mut(), &tables, options.page, of, heard).await;
    let equal = match equal {
        Ok(equal) => equal,
        Err(error) => {
            // The next one begins anew. Should this fail, it finds the same difference.
            let _ = target.forget().await;
            return Err(error);
        }
    };
    hand_over(
        source.as_mut(),
        target.as_mut(),
        (from, to),
        &names,
        options,
        &closed,
        &layout,
    )
    .await?;
    drop(target);
    let arrived = to.open(OpenMode::ReadOnly).await?.tree().await?;
    if (arrived.size, arrived.root) != (tree.size, tree.root) {
        return Err(damaged(format!(
            "{}: the evidence tree has another root",
            names.to
        )));
    }
    Ok(Copied {
        from: names.from,
        to: names.to,
        resumed,
        tables: equal,
        tree: arrived,
    })
}

/// A source that nothing is written to any more.
struct Shut {
    /// Where it is, and with it the copy.
    at: Position,
    /// What it says already is that the copy is whole.
    whole: bool,
}

async fn close(
    source: &mut dyn Source,
    names: &Names,
    options: &CopyOptions,
    line: Line,
) -> Result<Shut, LedgerError> {
    match line.closed() {
        // That was said by a change of its own, behind all that was copied.
        Some(closed) if closed.whole => Ok(Shut {
            at: Position {
                sequence: line.position.sequence.saturating_sub(1),
                ..line.position
            },
            whole: true,
        }),
        Some(_) => Ok(Shut {
            at: line.position,
            whole: false,
        }),
        None => {
            let mark = mark(names, options, false);
            let line = source.mark(Some(&mark), &line.position).await?;
            Ok(Shut {
                at: line.position,
                whole: false,
            })
        }
    }
}

fn mark(names: &Names, options: &CopyOptions, whole: bool) -> String {
    let closed = Closed {
        to: names.to.clone(),
        whole,
        since: options.at.to_string(),
    };
    closed.text()
}

async fn fill(
    source: &mut dyn Source,
    target: &mut dyn Target,
    tables: &[Table],
    page: usize,
    of: u64,
    heard: Heard<'_>,
) -> Result<(), LedgerError> {
    let mut rows = target.count(tables).await?;
    heard(CopyStep::Copying { rows, of });
    for table in tables {
        let mut after = target.last(table).await?.map(|row| table.key_of(&row));
        loop {
            let next = source.page(table, after.as_ref(), page).await?;
            let Some(last) = next.last() else {
                break;
            };
            after = Some(table.key_of(last));
            let count = next.len();
            target.add(table, next).await?;
            rows += count as u64;
            heard(CopyStep::Copying { rows, of });
            if count < page {
                break;
            }
        }
    }
    Ok(())
}

/// From the source to the target: the one says where the ledger is before the other can be opened.
async fn hand_over(
    source: &mut dyn Source,
    target: &mut dyn Target,
    (from, to): (&Place, &Place),
    names: &Names,
    options: &CopyOptions,
    closed: &Shut,
    layout: &Layout,
) -> Result<(), LedgerError> {
    let counters = source.counters().await?;
    if !closed.whole {
        // Fails if somebody wrote all the same, who had opened it before it was closed.
        source.mark(Some(&mark(names, options, true)), &closed.at).await?;
    }
    let checkpoints = CheckpointFile::beside(to.beside());
    checkpoints.take_over(&CheckpointFile::beside(from.beside()), &origin(&closed.at.ledger))?;
    Anchor::beside(to.beside()).set(&closed.at)?;
    target.finish(layout, &closed.at, &counters).await
}
