//! A ledger that is given a new name, and a crash before the files beside it have it, too.

use super::*;
use crate::ledger::{Evidence, Recovery};
use crate::ledger::{Rules, StoredCheckpoint};

#[tokio::test]
async fn a_new_name_that_a_crash_cut_off_is_finished_at_the_next_look() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = opened(&dir).await;
    let place = |name: &str| dir.path().join(name);
    ledger
        .adopt_rules(&RuleDigest("one".to_owned()), "text", now())
        .await
        .unwrap();
    let head = ledger.tree().await.unwrap();
    let note = crate::evidence::Checkpoint {
        origin: head.origin.clone(),
        size: head.size,
        root: head.root,
    };
    let note = crate::evidence::Note::sign(&note.text(), &[]).to_string();
    let checkpoint = StoredCheckpoint {
        at: now(),
        size: head.size,
        root: head.root,
        note,
    };
    ledger.keep_checkpoint(&checkpoint).await.unwrap();
    assert_eq!(ledger.rollback().await.unwrap(), None);
    let (anchor, notes) = (place("ledger.db.anchor"), place("ledger.db.checkpoints"));
    let before = (std::fs::read(&anchor).unwrap(), std::fs::read(&notes).unwrap());

    ledger.accept_lineage(now()).await.unwrap();
    let aside = format!(
        "ledger.db.checkpoints.{}",
        &head.origin["retentiond/".len()..][..8]
    );
    assert_eq!(std::fs::read(place(&aside)).unwrap(), before.1);
    assert!(!notes.exists());
    // The transaction was the last that got through.
    std::fs::write(&anchor, &before.0).unwrap();
    std::fs::rename(place(&aside), &notes).unwrap();
    assert_eq!(
        ledger.rollback().await.unwrap(),
        None,
        "it has that name by its own tree"
    );
    assert_ne!(std::fs::read(&anchor).unwrap(), before.0);
    assert!(place(&aside).exists() && !notes.exists());
    assert_eq!(ledger.rollback().await.unwrap(), None);
    assert_eq!(ledger.forks().await.unwrap(), [], "nothing was brought back");

    let other = String::from_utf8(before.0).unwrap();
    let name = &head.origin["retentiond/".len()..];
    std::fs::write(&anchor, other.replace(name, &"f".repeat(32))).unwrap();
    let problem = ledger.rollback().await.unwrap().unwrap();
    assert!(problem.contains("another ledger"), "{problem}");
}
