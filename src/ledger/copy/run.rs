//! The steps of a copy, in the order that lets it be cut off after each.

use super::side::{LINEAGE, Source, Standing, Target};
use super::{Copied, CopiedTable, CopyOptions, CopyStep, Reopened};
use crate::evidence::checkpoint::origin;
use crate::ledger::anchor::{Anchor, Anchored, Position};
use crate::ledger::checkpoints::CheckpointFile;
use crate::ledger::common::lineage::{Closed, Line};
use crate::ledger::common::problem::{conflict, damaged};
use crate::ledger::common::table::{Contents, Layout, Row, Table};
use crate::ledger::sqlite::layout::layout;
use crate::ledger::{LedgerError, OpenMode, Place, TreeHead};

type Heard<'h> = &'h (dyn Fn(CopyStep) + Send + Sync);

/// Source and target by name.
struct Names {
    from: String,
    to: String,
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
    let _rights = (from.lock().await?, to.lock().await?);
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

/// An earlier call was cut off when all was done.
async fn already(
    to: &Place,
    names: &Names,
    standing: &Standing,
    line: &Line,
) -> Result<Option<Copied>, LedgerError> {
    let Standing::Ledger(there) = standing else {
        return Ok(None);
    };
    let closed = line
        .closed()
        .filter(|closed| closed.whole && closed.to == names.to);
    if closed.is_none() || *there != line.position.ledger {
        return Err(conflict(
            names.to.clone(),
            "it holds a ledger already: a copy goes where nothing is",
        ));
    }
    Ok(Some(Copied {
        from: names.from.clone(),
        to: names.to.clone(),
        resumed: true,
        tables: Vec::new(),
        tree: to.open(OpenMode::ReadOnly).await?.tree().await?,
    }))
}

/// Whether the source may be carried there. Nothing has been changed yet.
async fn fit(
    from: &Place,
    to: &Place,
    names: &Names,
    standing: &Standing,
    line: &Line,
    heard: Heard<'_>,
) -> Result<TreeHead, LedgerError> {
    match line.closed() {
        Some(closed) if closed.to != names.to => return Err(closed.refusal(&names.from)),
        Some(closed) if closed.whole && *standing == Standing::Nothing => {
            return Err(conflict(
                names.to.clone(),
                format!(
                    "{} was copied there, and nothing is there any more: restore it, or `retentiond ledger reopen` takes the source back",
                    names.from
                ),
            ));
        }
        Some(_) => {}
        None => {
            let found = line.suspicion.clone();
            let found = match found {
                Some(found) => Some(found),
                None => line.against(&Anchor::beside(from.beside()).read()?),
            };
            if let Some(problem) = found {
                return Err(damaged(format!(
                    "{}: {problem}. Settle that first (`retentiond breaker list`), then copy",
                    names.from
                )));
            }
        }
    }
    room_beside(to)?;
    match Anchor::beside(to.beside()).read()? {
        Anchored::At(at) if at.ledger == line.position.ledger && at.sequence > line.position.sequence => {
            return Err(conflict(
                names.to.clone(),
                "the anchor beside it is further than the source: this ledger went on elsewhere",
            ));
        }
        Anchored::At(_) | Anchored::Missing | Anchored::Garbled => {}
    }
    heard(CopyStep::Checking);
    let ledger = from.open(OpenMode::ReadOnly).await?;
    let problems = ledger.check(true).await?;
    if !problems.is_empty() {
        return Err(damaged(format!(
            "{}: {}. Nothing was copied: `retentiond ledger check --deep` names all, restore a backup",
            names.from,
            problems.join("; ")
        )));
    }
    ledger.tree().await
}

/// The directory for what the target's host keeps of it is found missing now and not in an hour.
fn room_beside(to: &Place) -> Result<(), LedgerError> {
    let directory = to.beside().parent().filter(|dir| !dir.as_os_str().is_empty());
    match directory {
        Some(directory) if !directory.is_dir() => Err(LedgerError::NotWritable {
            problem: format!("{}: no such directory; make it first", directory.display()),
        }),
        Some(_) | None => Ok(()),
    }
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

async fn compare(
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

pub(super) async fn reopen(place: &Place) -> Result<Reopened, LedgerError> {
    let name = place.name()?;
    let mut source = place.source().await?;
    let _right = place.lock().await?;
    let line = source.line().await?;
    let Some(closed) = line.closed() else {
        return Err(conflict(name, "it is not closed"));
    };
    let doubt = closed.whole.then(|| {
        format!(
            "the ledger went on as {} since {}, and was opened here again: what happened there may be missing. `retentiond reconcile --from EXPORT` brings it back from an `audit export --with-ids` of that one; if it was never in use, `retentiond breaker reset rollback`",
            closed.to, closed.since
        )
    });
    let line = source.mark(doubt.as_deref(), &line.position).await?;
    line.follow(&Anchor::beside(place.beside()));
    Ok(Reopened {
        ledger: name,
        copy: closed.to,
        was_whole: closed.whole,
    })
}
