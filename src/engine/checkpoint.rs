//! Checkpoints of the evidence tree: signed where there is a key, kept, and told to the log.

use super::sweep::Engine;
use crate::evidence::{Checkpoint, Note, SecretKey};
use crate::ledger::{Ledger, LedgerError, StoredCheckpoint};
use crate::model::Timestamp;

/// At least one a day, also when nothing happened: an old one would look like a tree that was cut.
const DAILY_MS: i64 = 24 * 3_600_000;

/// How often the ledger is asked whether a day is over.
const ASKED_MS: i64 = 10 * 60_000;

/// Makes a checkpoint of the tree as it is now. `None` while it has no leaf, and while the ledger may not be the
/// latest of its line: it would vouch for a tree that lacks what went out before, and hide that it does.
///
/// # Errors
/// The ledger's.
pub async fn make(
    ledger: &dyn Ledger,
    key: Option<&SecretKey>,
    now: Timestamp,
) -> Result<Option<StoredCheckpoint>, LedgerError> {
    let head = ledger.tree().await?;
    if head.size == 0 || ledger.rollback().await?.is_some() {
        return Ok(None);
    }
    let text = Checkpoint {
        origin: head.origin,
        size: head.size,
        root: head.root,
    }
    .text();
    let keys: Vec<&SecretKey> = key.into_iter().collect();
    let checkpoint = StoredCheckpoint {
        at: now,
        size: head.size,
        root: head.root,
        note: Note::sign(&text, &keys).to_string(),
    };
    ledger.keep_checkpoint(&checkpoint).await?;
    // The journal is one more place that somebody would have to change.
    tracing::info!(
        leaves = checkpoint.size,
        root = %checkpoint.root,
        signed = key.is_some(),
        note = checkpoint.note.trim_end(),
        "checkpoint"
    );
    Ok(Some(checkpoint))
}

impl Engine {
    /// With the key that signs checkpoints.
    #[must_use]
    pub fn signing(self, key: Option<SecretKey>) -> Self {
        Self {
            audit_key: key,
            ..self
        }
    }

    /// A checkpoint after a sweep; its note. A failure is said, and the next one makes up for it.
    ///
    /// # Errors
    /// A ledger that is damaged, or that can no longer be written to safely: that ends the sweep as anywhere else.
    pub(super) async fn checkpoint(&self) -> Result<Option<String>, LedgerError> {
        match make(self.ledger.as_ref(), self.audit_key.as_ref(), self.clock.now()).await {
            Ok(made) => Ok(made.map(|checkpoint| checkpoint.note)),
            Err(error @ LedgerError::Damaged { .. }) => Err(error),
            Err(error) => {
                tracing::error!(%error, "no checkpoint could be made; the next sweep tries again");
                Ok(None)
            }
        }
    }

    /// A checkpoint where the last one is a day old.
    pub async fn daily_checkpoint(&self) {
        use std::sync::atomic::Ordering::Relaxed;
        let now = self.clock.now();
        let asked = self.checkpoint_asked.load(Relaxed);
        if (asked..asked.saturating_add(ASKED_MS)).contains(&now.as_millis()) {
            return;
        }
        self.checkpoint_asked.store(now.as_millis(), Relaxed);
        let old = match self.ledger.tree().await {
            Ok(head) => head
                .checkpoint
                .is_none_or(|last| now.millis_since(last.at) >= DAILY_MS),
            Err(error) => {
                tracing::error!(%error, "the evidence tree cannot be read");
                false
            }
        };
        if old && let Err(error) = self.checkpoint().await {
            tracing::error!(%error, "no checkpoint could be made");
        }
    }
}
