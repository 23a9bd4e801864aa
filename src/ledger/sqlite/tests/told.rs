//! Every method that records a fact adds its leaf in the fact's own transaction: where the leaf cannot be written,
//! nothing is; where it can, it is there.

use super::*;
use crate::evidence::checkpoint::origin;
use crate::evidence::{Fact, Frontier, Hash, LostFact, LostLeaf, Seal};
use crate::ledger::{
    Batches, Changes, ClaimRequest, Claims, Controls, ErasureRequests, Evidence, LostLine, OpenSweep, Opened,
    Others, Recovery, Redaction, RedactionStep, Removed, Rules, Settlement, StoredCheckpoint, StoredPlan,
    Sweeps,
};
use crate::model::{
    AttemptKind, ClockMark, ErasureId, ErasureScope, Finding, HoldId, HoldScope, NewErasure, NewHold, Pause,
    PolicyName, SweepState, SweepSummary, Trigger,
};
use crate::outcome::FileEvent;
use crate::rules::impact::Impact;

fn at(minutes: i64) -> Timestamp {
    now().checked_add_millis(minutes * 60_000).unwrap()
}

async fn kinds(ledger: &SqliteLedger, from: u64) -> Vec<String> {
    let leaves = ledger.leaves(from, 1000).await.unwrap();
    leaves.into_iter().map(|leaf| leaf.kind).collect()
}

/// The whole of what is stored, apart from rows that a refused transaction never touches.
async fn transactions(ledger: &SqliteLedger) -> i64 {
    ledger
        .read(|tx| {
            Box::pin(async move {
                sqlx::query_scalar("SELECT sequence FROM lineage")
                    .fetch_one(tx)
                    .await
                    .map_err(fault::during("counting"))
            })
        })
        .await
        .unwrap()
}

/// The call twice: first while no leaf can be written, then for good. What it gave, and the kinds it added.
macro_rules! told {
    ($ledger:expr, [$($kind:literal),*], $call:expr) => {{
        let ledger: &SqliteLedger = &$ledger;
        let (before, size) = (transactions(ledger).await, ledger.tree().await.unwrap().size);
        limit_pages(
            ledger,
            "CREATE TEMP TRIGGER stop BEFORE INSERT ON main.leaves BEGIN SELECT raise(ABORT, 'no leaf'); END",
        )
        .await;
        let refused = $call.await;
        assert!(refused.is_err(), "{} without its leaf", stringify!($call));
        assert_eq!(transactions(ledger).await, before, "{}", stringify!($call));
        limit_pages(ledger, "DROP TRIGGER temp.stop").await;
        let given = $call.await.unwrap();
        let added = kinds(ledger, size).await;
        let expected: &[&str] = &[$($kind),*];
        assert_eq!(added, expected, "{}", stringify!($call));
        assert_eq!(transactions(ledger).await, before + 1);
        given
    }};
}

fn id(n: u32) -> FileId {
    FileId::new(format!("f{n:06}")).unwrap()
}

fn settlement(files: &[u32], event: FileEvent) -> Settlement {
    Settlement {
        at: at(11),
        outcome: "confirmed",
        http_status: Some(200),
        detail: None,
        files: files.iter().map(|n| (id(*n), event)).collect(),
    }
}

#[tokio::test]
async fn every_fact_has_its_leaf_or_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = opened(&dir).await;
    let digest = RuleDigest("one".to_owned());
    ledger.record(&files(0..20), &digest, now()).await.unwrap();
    assert_eq!(
        ledger.tree().await.unwrap().size,
        0,
        "what is recorded is no act of ours"
    );
    told!(
        ledger,
        ["genesis", "rules"],
        ledger.adopt_rules(&digest, "text", at(0))
    );
    told!(
        ledger,
        ["rule-text"],
        ledger.keep_rule_text(&digest, "a policy file", at(0))
    );
    let batch = ledger.known_batches(None, 1).await.unwrap().remove(0);
    let key = batch.key;
    let policy = PolicyName::new("p").unwrap();
    let open = OpenSweep {
        policy: policy.clone(),
        occurrence: Some(at(1)),
        trigger: Trigger::Schedule,
        at: at(1),
        digest: digest.clone(),
    };
    let Opened::New(sweep) = told!(ledger, ["sweep-opened"], ledger.open_sweep(&open)) else {
        panic!("it is new");
    };
    let claim = |files: &[u32]| {
        let files: Vec<FileId> = files.iter().map(|n| id(*n)).collect();
        let ledger = &ledger;
        async move {
            let request = ClaimRequest {
                sweep,
                kind: AttemptKind::DeleteFiles,
                batch: key,
                files: &files,
                at: at(10),
                boottime_ms: 1,
                budget: 100,
            };
            ledger.claim(&request, &|_, _| Ok(())).await
        }
    };
    let first = told!(ledger, ["intent"], claim(&[0, 1, 2])).attempt.unwrap();
    let mut mixed = settlement(&[0, 1], FileEvent::Confirmed);
    mixed.files.push((id(2), FileEvent::Lost));
    told!(ledger, ["outcome"], ledger.settle(first, &mixed));
    let found = [(id(0), Finding::Absent)];
    told!(ledger, ["verification"], ledger.verified(key, &found, at(12)));
    let found = [(id(1), Finding::StillThere)];
    told!(
        ledger,
        ["verification", "moved"],
        ledger.verified(key, &found, at(12))
    );
    told!(
        ledger,
        ["moved"],
        ledger.note(key, &[id(2)], FileEvent::FoundGone, "probe", at(13))
    );
    told!(
        ledger,
        ["moved"],
        ledger.note_missing(key, &[id(3)], "gone", at(13))
    );
    let removed = Removed::Files {
        batch: batch.address.clone(),
        files: vec![id(4)],
    };
    told!(
        ledger,
        ["moved"],
        ledger.gone_by_others(&removed, "theirs", at(13))
    );
    claim(&[5, 6]).await.unwrap();
    told!(ledger, ["interrupted"], ledger.recover_orphans(at(14)));

    let plan = StoredPlan {
        hash: "0123456789".to_owned(),
        policy: policy.clone(),
        rules: digest.clone(),
        at: at(15),
        files: 3,
        waits_for: Some("approval".to_owned()),
    };
    told!(ledger, ["plan"], ledger.store_plan(&plan, &[], sweep));
    told!(ledger, ["approval"], ledger.approve("01234567", at(16), at(99)));
    told!(
        ledger,
        ["approval-used"],
        ledger.use_up("0123456789", sweep, at(17))
    );
    let cut = SweepState::Cut;
    told!(
        ledger,
        ["sweep-closed"],
        ledger.close_sweep(sweep, cut, &SweepSummary::default(), at(18))
    );
    told!(ledger, ["sweep-opened"], ledger.open_sweep(&open));

    let hold = NewHold {
        scope: HoldScope::File(id(7)),
        reason: "litigation".to_owned(),
        reference: Some("case 7".to_owned()),
        owner: None,
        review_by: Some(at(1000)),
    };
    let placed = told!(ledger, ["hold"], ledger.add_hold(&hold, at(20)));
    told!(
        ledger,
        ["release"],
        ledger.release_hold(placed.hold, "settled", at(21), at(22))
    );
    let request = |reference: &str, file: u32| NewErasure {
        scope: ErasureScope::File(id(file)),
        reference: reference.to_owned(),
        received: "2026-11-01".parse().unwrap(),
    };
    let one = told!(
        ledger,
        ["erasure-request"],
        ledger.add_erasure(&request("r1", 8), at(23))
    );
    told!(
        ledger,
        ["erasure-closed"],
        ledger.close_erasure(one.erasure, "taken-back", at(24))
    );
    let verified = ledger.add_erasure(&request("r2", 0), at(25)).await.unwrap();
    let closed = told!(ledger, ["erasure-closed"], ledger.close_erased(at(26)));
    assert_eq!(closed, [verified.erasure]);

    let other = RuleDigest("another-set".to_owned());
    let impact = Impact::default();
    told!(ledger, ["rule-change"], ledger.propose(&other, &impact, at(30)));
    told!(
        ledger,
        ["rule-change-approval"],
        ledger.approve_change("another-", at(31), at(99))
    );
    told!(ledger, ["rule-change-withdrawn"], ledger.withdraw_change(at(32)));
    let api = BreakerKind::Api;
    told!(
        ledger,
        ["breaker-opened"],
        ledger.open_breaker(api, "unreachable", at(33))
    );
    told!(
        ledger,
        ["breaker-closed"],
        ledger.close_breaker(api, "a probe", at(34))
    );
    let pause = Pause {
        until: at(99),
        reason: "audit".to_owned(),
        since: at(35),
    };
    told!(ledger, ["pause"], ledger.set_pause(Some(&pause), at(35)));
    told!(ledger, ["resume"], ledger.set_pause(None, at(36)));
    let mark = |minutes| ClockMark {
        wall: at(minutes),
        boottime_ms: 1,
        boot_id: "b".to_owned(),
    };
    ledger.set_clock_mark(&mark(40)).await.unwrap();
    told!(ledger, ["gap"], ledger.set_clock_mark(&mark(101)));
    told!(ledger, ["lineage-accepted"], ledger.accept_lineage(at(102)));

    // As an older copy, that a hold is brought back to.
    let line = LostLine {
        size: 6,
        root: Hash([1; 32]),
        common: 5,
        until: 6,
    };
    let refused = ledger.begin_recovery(&line, at(103)).await;
    assert!(refused.is_err(), "nothing says that it is an older copy");
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "anchor") {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(ledger.rollback().await.unwrap().is_some());
    told!(ledger, ["recovery"], ledger.begin_recovery(&line, at(103)));
    let lost = [LostLeaf {
        seq: 5,
        at: at(19),
        hash: Hash([2; 32]),
        kind: "hold".to_owned(),
        fact: LostFact::Hold { hold: 9, new: hold },
    }];
    told!(
        ledger,
        ["brought-back", "hold"],
        ledger.bring_back(&lost, at(104))
    );
    told!(ledger, ["recovered"], ledger.finish_recovery(at(105)));

    let size = ledger.tree().await.unwrap().size;
    ledger.set_clock_mark(&mark(161)).await.unwrap();
    ledger.adopt_rules(&digest, "text", at(110)).await.unwrap();
    ledger.open_breaker(api, "unreachable", at(33)).await.unwrap();
    ledger.open_breaker(api, "again", at(33)).await.unwrap();
    ledger.add_erasure(&request("r2", 0), at(25)).await.unwrap_err();
    ledger
        .release_hold(HoldId(99), "x", at(1), at(2))
        .await
        .unwrap_err();
    ledger.close_erasure(ErasureId(99), "x", at(1)).await.unwrap_err();
    ledger
        .note(key, &[id(0)], FileEvent::Retried, "x", at(1))
        .await
        .unwrap();
    assert_eq!(
        kinds(&ledger, size).await,
        ["breaker-opened"],
        "what changes nothing tells nothing"
    );

    told!(
        ledger,
        ["redaction"],
        ledger.redact(RedactionStep::Records, at(10_000), at(103))
    );

    let mut seen = kinds(&ledger, 0).await;
    seen.sort_unstable();
    seen.dedup();
    let mut all = Fact::KINDS.map(str::to_owned);
    all.sort_unstable();
    assert_eq!(seen, all, "a kind that no method writes, or an untested one");
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
    hashes_fit(&ledger).await;
    openings_fit(&ledger).await;
}

async fn hashes_fit(ledger: &SqliteLedger) {
    let mut tree = Frontier::new();
    for (place, leaf) in ledger.leaves(0, 1000).await.unwrap().into_iter().enumerate() {
        assert_eq!(leaf.seq, place as u64);
        let content = leaf.content.unwrap();
        assert_eq!(Hash::of_leaf(content.as_bytes()), leaf.hash);
        tree.append(leaf.hash);
    }
    let head = ledger.tree().await.unwrap();
    assert_eq!((head.size, head.root), (tree.size(), tree.root()));
}

/// Each commitment of each leaf opens to what the ledger holds, and no leaf holds it in clear.
async fn openings_fit(ledger: &SqliteLedger) {
    let (mut texts, mut sets) = (0, 0);
    for leaf in ledger.leaves(0, 1000).await.unwrap() {
        let content = leaf.content.unwrap();
        let read: serde_json::Value = serde_json::from_str(&content).unwrap();
        for clear in [
            "f0000",
            "litigation",
            "case 7",
            "settled",
            "taken-back",
            "audit",
            "unreachable",
        ] {
            assert!(!content.contains(clear), "{content}");
        }
        let Some(opening) = ledger.openings(&[leaf.seq]).await.unwrap().remove(&leaf.seq) else {
            let of_a_line = matches!(leaf.kind.as_str(), "recovery" | "recovered");
            assert!(of_a_line || !content.contains("root"), "{content}");
            continue;
        };
        let seal = Seal::new(&opening.salt);
        for (field, text) in &opening.texts {
            let said = read["fact"][field].as_str().unwrap();
            assert_eq!(said, seal.text(field, text).to_string(), "{content}");
            texts += 1;
        }
        let opened = opening.files.len();
        for (field, mut files) in opening.files {
            let set = seal.files(&field, &mut files);
            let said = &read["fact"][&field];
            assert_eq!(*said, serde_json::to_value(set).unwrap(), "{content}");
            sets += 1;
        }
        assert_eq!(content.matches("\"root\"").count(), opened, "{content}");
    }
    assert!(texts >= 15 && sets >= 11, "{texts} texts, {sets} sets");
}

#[tokio::test]
async fn a_ledger_from_before_says_how_much_there_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let old = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ledger/fixtures/v5.db");
    std::fs::copy(old, &path).unwrap();
    let ledger = opened(&dir).await;
    assert_eq!(ledger.tree().await.unwrap().size, 0);
    let holds = ledger.holds(None).await.unwrap().len();
    ledger.release_hold(HoldId(1), "x", at(1), at(2)).await.unwrap();
    let first = ledger.leaves(0, 1).await.unwrap().remove(0);
    let said: serde_json::Value = serde_json::from_str(&first.content.unwrap()).unwrap();
    assert_eq!(first.kind, "genesis");
    assert_eq!(said["fact"]["holds"], holds);
    assert_eq!(said["fact"]["attempts"], 10);
    assert_eq!(said["fact"]["attempt_files"], 300);
    assert!(said["fact"]["transactions"].as_u64().unwrap() > 30);
    let name = said["fact"]["ledger"].as_str().unwrap();
    assert_eq!(ledger.tree().await.unwrap().origin, origin(name));
}

#[tokio::test]
async fn a_leaf_is_never_changed_or_removed_and_a_checkpoint_never_contradicts_the_tree() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = opened(&dir).await;
    ledger.open_breaker(BreakerKind::Api, "x", at(0)).await.unwrap();
    for statement in [
        "DELETE FROM leaves",
        "UPDATE leaves SET seq = 9 WHERE seq = 1",
        "UPDATE leaves SET at = 9",
        "UPDATE leaves SET kind = 'x'",
        "UPDATE leaves SET hash = zeroblob(32)",
        "UPDATE leaves SET content = 'x'",
    ] {
        let refused = ledger
            .write(move |tx| {
                Box::pin(async move {
                    let done = sqlx::query(statement).execute(tx).await;
                    done.map(drop).map_err(fault::during("breaking in"))
                })
            })
            .await;
        assert!(refused.is_err(), "{statement}");
    }
    let head = ledger.tree().await.unwrap();
    let good = StoredCheckpoint {
        at: at(1),
        size: head.size,
        root: head.root,
        note: "note".to_owned(),
    };
    let (mut ahead, mut other) = (good.clone(), good.clone());
    ahead.size += 1;
    other.root = Hash::of_nothing();
    for wrong in [ahead, other] {
        let refused = ledger.keep_checkpoint(&wrong).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Conflict { .. }), "{refused}");
    }
    ledger.keep_checkpoint(&good).await.unwrap();
    assert_eq!(ledger.tree().await.unwrap().checkpoint.as_ref(), Some(&good));
    assert_eq!(ledger.checkpoints(0, 10).await.unwrap(), [(1, good)]);
    assert_eq!(ledger.checkpoints(1, 10).await.unwrap(), []);
}
