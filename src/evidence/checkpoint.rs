//! C2SP checkpoints (<https://c2sp.org/tlog-checkpoint>): which tree, how many leaves, which root.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Frontier, Hash};

/// What a checkpoint says of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The tree's name, which no other has.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// A text that is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no checkpoint: {problem}")]
pub struct NoCheckpoint {
    /// Which line is wrong.
    pub problem: &'static str,
}

/// The origin of a ledger's tree, from the ledger's random name.
#[must_use]
pub fn origin(ledger: &str) -> String {
    format!("retentiond/{ledger}")
}

impl Checkpoint {
    /// Of a tree as it stands.
    #[must_use]
    pub fn of(origin: &str, tree: &Frontier) -> Self {
        Self {
            origin: origin.to_owned(),
            size: tree.size(),
            root: tree.root(),
        }
    }

    /// Its three lines, the text of the note.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root.0)
        )
    }

    /// Reads the text of a note. Lines behind the third are extensions, which we do not write: they are
    /// refused, since nothing would check them.
    ///
    /// # Errors
    /// [`NoCheckpoint`] names the line.
    pub fn parse(text: &str) -> Result<Self, NoCheckpoint> {
        let wrong = |problem| NoCheckpoint { problem };
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root, ""] = lines[..] else {
            return Err(wrong("it has not three lines"));
        };
        if origin.is_empty() {
            return Err(wrong("the tree has no name"));
        }
        let plain = size == "0" || (!size.starts_with('0') && size.bytes().all(|b| b.is_ascii_digit()));
        let size = size.parse().ok().filter(|_| plain);
        let root = STANDARD.decode(root).ok();
        Ok(Self {
            origin: origin.to_owned(),
            size: size.ok_or_else(|| wrong("the second line is no number of leaves"))?,
            root: root
                .and_then(|root| Hash::from_slice(&root))
                .ok_or_else(|| wrong("the third line is no root"))?,
        })
    }
}
