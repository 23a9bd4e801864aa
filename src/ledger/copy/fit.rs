//! Before anything is changed: whether this may be copied there.

use super::run::{Heard, Names};
use super::side::Standing;
use super::{Copied, CopyStep};
use crate::ledger::anchor::{Anchor, Anchored};
use crate::ledger::common::lineage::Line;
use crate::ledger::common::problem::{conflict, damaged};
use crate::ledger::{LedgerError, OpenMode, Place, TreeHead};

/// An earlier call was cut off when all was done.
pub(super) async fn already(
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
pub(super) async fn fit(
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
