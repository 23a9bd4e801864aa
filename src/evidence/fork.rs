//! Two lines of one tree: the one that a restored backup cut off, and the one that goes on from it.
//!
//! Checkpoints of the line that was cut off never fit the tree again. The leaf `recovered` names that line, and
//! the leaves `brought-back` hold its leaves' hashes: from the common beginning on they give its roots again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::checkpoint::origin;
use super::{Frontier, Hash};

/// A line that was cut off, as the leaf `recovered` names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    /// Place of that leaf.
    pub leaf: u64,
    /// Origin that the line's checkpoints went out under.
    pub before: String,
    /// Leaves that both lines have in common.
    pub common: u64,
    /// Leaves of the line that were brought back, from the first on.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Leaves of its largest checkpoint.
    pub until: u64,
}

impl Fork {
    /// What a leaf `recovered` says.
    #[must_use]
    pub fn named_by(leaf: u64, content: &str) -> Option<Self> {
        let read: Value = serde_json::from_str(content).ok()?;
        let fact = &read["fact"];
        Some(Self {
            leaf,
            before: origin(fact["before"].as_str()?),
            common: fact["common"].as_u64()?,
            size: fact["size"].as_u64()?,
            root: fact["root"].as_str()?.parse().ok()?,
            until: fact["until"].as_u64()?,
        })
    }

    /// Whether a checkpoint over `size` leaves may be of this line and not of the tree that goes on.
    #[must_use]
    pub fn takes(&self, checkpoint_of: &str, size: u64) -> bool {
        checkpoint_of == self.before && (self.common + 1..=self.until).contains(&size)
    }
}

/// A fork that is walked along while its leaves come by.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) fork: Fork,
    tree: Option<Frontier>,
    /// The leaf that names it was met, and agreed.
    pub(super) named: bool,
    /// Roots that it came by, of sizes that somebody asks for.
    roots: BTreeSet<(u64, Hash)>,
}

impl Walk {
    pub(super) fn along(fork: Fork) -> Self {
        Self {
            fork,
            tree: None,
            named: false,
            roots: BTreeSet::new(),
        }
    }

    /// The tree as it is now: the walk begins where it is as large as what both have in common.
    pub(super) fn pass(&mut self, tree: &Frontier) {
        if tree.size() == self.fork.common {
            self.tree = Some(tree.clone());
        }
    }

    /// A leaf `brought-back`: one that does not come next is of another fork.
    pub(super) fn step(&mut self, content: &str, asked: impl Fn(u64) -> bool) {
        if self.named {
            return;
        }
        let Some(tree) = &mut self.tree else { return };
        let read: Value = serde_json::from_str(content).unwrap_or_default();
        let hash = read["fact"]["hash"].as_str().and_then(|hash| hash.parse().ok());
        if read["fact"]["lost"].as_u64() == Some(tree.size())
            && let Some(hash) = hash
        {
            tree.append(hash);
            if asked(tree.size()) {
                self.roots.insert((tree.size(), tree.root()));
            }
        }
    }

    /// The leaf `recovered`: whether it is the one that was announced, and the walk ends where it says.
    pub(super) fn end(&mut self, said: &Fork) -> bool {
        if *said != self.fork {
            return false;
        }
        let there = |tree: &Frontier| (tree.size(), tree.root()) == (said.size, said.root);
        self.named = self.tree.as_ref().is_some_and(there);
        self.named
    }

    /// Whether a checkpoint of the line is explained: its root was come by, or lies where nothing can be had of it.
    pub(super) fn explains(&self, size: u64, root: Hash) -> bool {
        self.roots.contains(&(size, root)) || size > self.fork.size
    }
}
