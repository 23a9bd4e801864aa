//! What a ledger says of how far it has come, held against what is kept beside it.

use super::values::count;
use crate::evidence::Checkpoint;
use crate::ledger::anchor::{Anchor, Anchored, Position};
use crate::ledger::{LedgerError, TreeHead};

/// What the ledger says of itself.
#[derive(Debug)]
pub(in crate::ledger) struct Line {
    pub(in crate::ledger) position: Position,
    pub(in crate::ledger) suspicion: Option<String>,
}

impl Line {
    pub(in crate::ledger) fn of(
        (ledger, sequence, suspicion): (String, i64, Option<String>),
    ) -> Result<Self, LedgerError> {
        let sequence = count(sequence)?;
        Ok(Self {
            position: Position { ledger, sequence },
            suspicion,
        })
    }

    /// After the commit. The transaction stands if this fails: the anchor is behind then, and whoever
    /// deletes next brings it up or does not delete.
    pub(in crate::ledger) fn follow(&self, anchor: &Anchor) {
        // Moving on would hide what was found.
        if self.suspicion.is_some() {
            return;
        }
        if let Err(error) = anchor.follow(&self.position) {
            tracing::warn!(%error, "the ledger's anchor stays behind");
        }
    }

    /// What the anchor has against the ledger being the latest of its line; a missing one has nothing.
    pub(in crate::ledger) fn against(&self, anchored: &Anchored) -> Option<String> {
        match anchored {
            Anchored::Missing => None,
            Anchored::Garbled => Some("the anchor beside the ledger cannot be understood: whether this is the latest ledger or an older copy cannot be told".to_owned()),
            Anchored::At(at) if at.ledger != self.position.ledger => Some("the anchor belongs to another ledger: this one was put in its place".to_owned()),
            Anchored::At(at) if at.sequence > self.position.sequence => Some(format!(
                "the ledger lacks the last {} changes that it had: an older copy was restored, or they were lost",
                at.sequence - self.position.sequence
            )),
            Anchored::At(_) => None,
        }
    }
}

/// What a ledger that was copied elsewhere says in the place of a suspicion: a program that does not know of it takes
/// it for one, and deletes nothing either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ledger) struct Closed {
    /// Where to.
    pub(in crate::ledger) to: String,
    /// The copy is whole, and may be in use.
    pub(in crate::ledger) whole: bool,
    /// Since when, as it is shown.
    pub(in crate::ledger) since: String,
}

const MOVING: &str = "being copied to `";
const MOVED: &str = "copied to `";
const SINCE: &str = "` since ";
const HINT: &str = "; ";

impl Closed {
    pub(in crate::ledger) fn read(suspicion: &str) -> Option<Self> {
        let (rest, whole) = match suspicion.strip_prefix(MOVING) {
            Some(rest) => (rest, false),
            None => (suspicion.strip_prefix(MOVED)?, true),
        };
        let (to, rest) = rest.rsplit_once(SINCE)?;
        let (since, _) = rest.split_once(HINT)?;
        Some(Self {
            to: to.to_owned(),
            whole,
            since: since.to_owned(),
        })
    }

    pub(in crate::ledger) fn text(&self) -> String {
        let Self { to, whole, since } = self;
        let (verb, next) = if *whole {
            (
                MOVED,
                "that is the ledger now: name it as `url` in [ledger]. If it is lost, `retentiond ledger reopen` takes this one back",
            )
        } else {
            (
                MOVING,
                "the same `retentiond ledger copy` goes on; `retentiond ledger reopen` takes this one back",
            )
        };
        format!("{verb}{to}{SINCE}{since}{HINT}{next}")
    }

    pub(in crate::ledger) fn sentence(&self) -> String {
        format!("this ledger is closed: {}", self.text())
    }

    /// Nothing is written to it.
    pub(in crate::ledger) fn refusal(&self, path: &str) -> LedgerError {
        LedgerError::NotOurs {
            path: path.to_owned(),
            problem: self.sentence(),
        }
    }
}

impl Line {
    /// Whether the ledger was copied elsewhere, and is closed since.
    pub(in crate::ledger) fn closed(&self) -> Option<Closed> {
        Closed::read(self.suspicion.as_deref()?)
    }
}

/// Whether a checkpoint of this ledger went out that the tree has not come to. An anchor that was
/// restored together with the ledger says nothing: this file may still.
pub(in crate::ledger) fn behind_checkpoint(said: &Checkpoint, tree: &TreeHead) -> Option<String> {
    if said.origin != tree.origin {
        return Some(
            "the checkpoints beside the ledger are another ledger's: this one was put in its place"
                .to_owned(),
        );
    }
    (said.size > tree.size)
        .then(|| "the ledger is behind a checkpoint that went out: an older copy was restored".to_owned())
}

/// How much the tree lacks, as far as the checkpoints beside it tell; begins with a space.
fn missing_facts(said: Option<Checkpoint>, tree: &TreeHead) -> String {
    match said.filter(|said| said.origin == tree.origin && said.size > tree.size) {
        Some(said) => format!(
            " A checkpoint over {} facts went out, and the ledger holds {}: at least {} are missing, from number {} on.",
            said.size,
            tree.size,
            said.size - tree.size,
            tree.size
        ),
        None => String::new(),
    }
}

/// With what is missing, and what to do about it.
pub(in crate::ledger) fn suspicion(problem: &str, said: Option<Checkpoint>, tree: &TreeHead) -> String {
    let facts = missing_facts(said, tree);
    format!(
        "{problem}.{facts} Holds, erasure requests and outcomes since may be missing: `retentiond reconcile --from EXPORT` brings them back from an `audit export --with-ids`; without one compare `retentiond hold list` and `retentiond erase list` with your own, and enter again what is missing"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_closed_ledger_says_is_read_back_and_nothing_else_is() {
        for (to, whole) in [
            ("sqlite:/a` since b; c.db", true),
            ("database l at db:5432", false),
        ] {
            let closed = Closed {
                to: to.to_owned(),
                whole,
                since: "2026-11-29T02:00:00Z".to_owned(),
            };
            assert_eq!(Closed::read(&closed.text()), Some(closed));
        }
        for text in [
            "",
            "the ledger lacks the last 3 changes that it had",
            "copied to `x",
        ] {
            assert_eq!(Closed::read(text), None, "{text}");
        }
    }
}
