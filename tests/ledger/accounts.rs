//! Two accounts in one ledger: the same ids are two files, and what stops one account stops no other.

use retentiond::ledger::{Hinted, Removed, UploadEnd};
use retentiond::model::{
    AccountName, BatchAddress, BreakerKind, FileAddress, FileState, NewFile, NewUpload, UploadState,
};
use retentiond::outcome::FileEvent;

use crate::uploads::intent;
use crate::world::*;

for_every_backend!(
    the_same_ids_in_two_accounts_are_two_files,
    unknown_files_are_told_apart_by_account,
    a_claim_in_one_account_leaves_the_other_alone,
    what_others_removed_is_removed_in_their_account,
    a_copy_lies_in_the_account_of_its_original,
    each_account_has_breakers_of_its_own,
    a_breaker_of_all_has_no_account,
    settings_of_accounts_are_not_among_what_stops_all,
    an_upload_keeps_its_account,
    commitments_name_the_account,
    a_plan_names_the_account,
);

fn acme() -> AccountName {
    AccountName::new("acme").unwrap()
}

fn in_acme(batch: &str) -> BatchAddress {
    BatchAddress {
        account: Some(acme()),
        ..batch_address(batch)
    }
}

fn file_in_acme(batch: &str, name: &str) -> NewFile {
    NewFile {
        address: FileAddress {
            batch: in_acme(batch),
            file: id(name),
        },
        ..file(batch, name)
    }
}

/// `f1` and `f2` of batch `b1`, in both accounts.
async fn in_both(world: &World) {
    let rows: Vec<Hinted> = ["f1", "f2"]
        .into_iter()
        .flat_map(|name| {
            [
                hinted(file("b1", name), "p", 0),
                hinted(file_in_acme("b1", name), "q", 0),
            ]
        })
        .collect();
    world.record(&rows).await;
}

async fn state_in(world: &World, batch: BatchAddress, name: &str) -> FileState {
    let address = FileAddress {
        batch,
        file: id(name),
    };
    world.ledger.locate(&address).await.unwrap().unwrap().state
}

async fn the_same_ids_in_two_accounts_are_two_files(world: World) {
    in_both(&world).await;
    let found = world.ledger.find(&id("f1")).await.unwrap();
    let mut accounts: Vec<_> = found.iter().map(|file| file.batch.account.clone()).collect();
    accounts.sort();
    assert_eq!(accounts, [None, Some(acme())]);
    let [own, theirs] = [batch_address("b1"), in_acme("b1")];
    let keys = [
        world.ledger.batch_key(&own).await.unwrap().unwrap(),
        world.ledger.batch_key(&theirs).await.unwrap().unwrap(),
    ];
    assert_ne!(keys[0], keys[1]);
    // Recorded again, neither is new.
    let again = world.record(&[hinted(file_in_acme("b1", "f1"), "q", 0)]).await;
    assert_eq!((again.added, again.known), (0, 1));
    let known = world.ledger.known_batches(None, 10).await.unwrap();
    let known: Vec<_> = known
        .into_iter()
        .map(|batch| (batch.address, batch.files_left))
        .collect();
    assert_eq!(known, [(own, 2), (theirs, 2)]);
    world.assert_clean().await;
}

async fn unknown_files_are_told_apart_by_account(world: World) {
    in_both(&world).await;
    let theirs = world.ledger.batch_key(&in_acme("b1")).await.unwrap().unwrap();
    let own = world.batch("b1").await;
    let sweep = world.sweep().await;
    world.attempt(sweep, theirs, &["f1"], FileEvent::Lost).await;
    world.attempt(sweep, own, &["f2"], FileEvent::Lost).await;
    let names = async |account: Option<&AccountName>| -> Vec<String> {
        let found = world.ledger.unknown_in(account, 10).await.unwrap();
        found
            .into_iter()
            .map(|file| file.key.file.as_str().to_owned())
            .collect()
    };
    assert_eq!(names(None).await, ["f2"]);
    assert_eq!(names(Some(&acme())).await, ["f1"]);
    let nobody = AccountName::new("nobody").unwrap();
    assert_eq!(names(Some(&nobody)).await, Vec::<String>::new());
    assert_eq!(world.ledger.unknown(10).await.unwrap().len(), 2);
}

async fn a_claim_in_one_account_leaves_the_other_alone(world: World) {
    in_both(&world).await;
    let theirs = world.ledger.batch_key(&in_acme("b1")).await.unwrap().unwrap();
    let sweep = world.sweep().await;
    world
        .attempt(sweep, theirs, &["f1", "f2"], FileEvent::Confirmed)
        .await;
    for name in ["f1", "f2"] {
        assert_eq!(state_in(&world, in_acme("b1"), name).await, FileState::Deleted);
        assert_eq!(state_in(&world, batch_address("b1"), name).await, FileState::Live);
    }
    assert_eq!(world.ledger.live(&policy("p")).await.unwrap(), 2);
    assert_eq!(world.ledger.live(&policy("q")).await.unwrap(), 0);
    world.assert_clean().await;
}

async fn what_others_removed_is_removed_in_their_account(world: World) {
    in_both(&world).await;
    let removed = Removed::Parent {
        parent: batch_address("b1").parent,
        account: Some(acme()),
    };
    let moved = world
        .ledger
        .gone_by_others(&removed, "others", at(5))
        .await
        .unwrap();
    assert_eq!(moved, 2);
    assert_eq!(state_in(&world, in_acme("b1"), "f1").await, FileState::Gone);
    assert_eq!(state_in(&world, batch_address("b1"), "f1").await, FileState::Live);
}

async fn a_copy_lies_in_the_account_of_its_original(world: World) {
    in_both(&world).await;
    let copy = NewFile {
        address: FileAddress {
            batch: BatchAddress {
                account: Some(acme()),
                ..extraction_address("x1")
            },
            file: id("c1"),
        },
        copy_of: Some(file_in_acme("b1", "f1").address),
        ..copy("c1", "f1")
    };
    world.record(&[hinted(copy.clone(), "q", 0)]).await;
    let theirs = world.ledger.batch_key(&in_acme("b1")).await.unwrap().unwrap();
    let own = world.batch("b1").await;
    let found = world.ledger.copies_of(theirs, &ids(&["f1"])).await.unwrap();
    assert_eq!(found[0].address(), copy.address);
    assert_eq!(found[0].copy_of, copy.copy_of);
    assert_eq!(world.ledger.copies_of(own, &ids(&["f1"])).await.unwrap(), []);
}

async fn each_account_has_breakers_of_its_own(world: World) {
    let ledger = &world.ledger;
    let (auth, theirs) = (BreakerKind::Auth, acme());
    ledger
        .open_breaker_of(auth, Some(&theirs), "401", at(1))
        .await
        .unwrap();
    ledger
        .open_breaker_of(auth, Some(&theirs), "again", at(2))
        .await
        .unwrap();
    assert!(
        !ledger.close_breaker(auth, "probe", at(3)).await.unwrap(),
        "it is acme's"
    );
    ledger.open_breaker(auth, "401 too", at(4)).await.unwrap();
    let open = ledger.breakers().await.unwrap();
    let seen: Vec<_> = open.iter().map(|b| (b.name(), b.reason.as_str())).collect();
    assert_eq!(
        seen,
        [("auth@acme".to_owned(), "401"), ("auth".to_owned(), "401 too")]
    );
    assert_eq!(ledger.barriers().await.unwrap().breakers, open);
    assert!(
        ledger
            .close_breaker_of(auth, Some(&theirs), "probe", at(5))
            .await
            .unwrap()
    );
    assert_eq!(ledger.breakers().await.unwrap()[0].account, None);
    world.assert_clean().await;
}

async fn a_breaker_of_all_has_no_account(world: World) {
    for kind in BreakerKind::ALL.into_iter().filter(|kind| !kind.is_of_account()) {
        let opened = world
            .ledger
            .open_breaker_of(kind, Some(&acme()), "x", at(1))
            .await;
        assert!(opened.is_err(), "{kind:?}");
    }
    assert_eq!(world.ledger.breakers().await.unwrap(), []);
}

async fn settings_of_accounts_are_not_among_what_stops_all(world: World) {
    world
        .ledger
        .set_setting("api.not_before", Some("a"))
        .await
        .unwrap();
    world
        .ledger
        .set_setting("@acme api.not_before", Some("b"))
        .await
        .unwrap();
    let settings = world.ledger.barriers().await.unwrap().settings;
    assert_eq!(settings.get("api.not_before").map(String::as_str), Some("a"));
    assert!(!settings.keys().any(|name| name.starts_with('@')), "{settings:?}");
    let kept = world.ledger.setting("@acme api.not_before").await.unwrap();
    assert_eq!(kept.as_deref(), Some("b"));
}

async fn an_upload_keeps_its_account(world: World) {
    let upload = NewUpload {
        account: Some(acme()),
        ..intent()
    };
    let theirs = world.ledger.begin_upload(&upload).await.unwrap();
    let own = world.ledger.begin_upload(&intent()).await.unwrap();
    let batch = in_acme("b9");
    let end = UploadEnd {
        state: UploadState::Doubtful,
        batch: Some(&batch),
        files: None,
        reason: Some("no answer"),
        at: at(1),
    };
    world.ledger.end_upload(theirs, &end).await.unwrap();
    let uploads = world.ledger.uploads(None, 10).await.unwrap();
    let accounts: Vec<_> = uploads.iter().map(|u| (u.id, u.account.clone())).collect();
    assert_eq!(accounts, [(own, None), (theirs, Some(acme()))]);
}

async fn commitments_name_the_account(world: World) {
    in_both(&world).await;
    let theirs = world.ledger.batch_key(&in_acme("b1")).await.unwrap().unwrap();
    let own = world.batch("b1").await;
    let sweep = world.sweep().await;
    world.attempt(sweep, theirs, &["f1"], FileEvent::Confirmed).await;
    world.attempt(sweep, own, &["f1"], FileEvent::Confirmed).await;
    let size = world.ledger.tree().await.unwrap().size;
    let leaves: Vec<u64> = (0..size).collect();
    let openings = world.ledger.openings(&leaves).await.unwrap();
    let texts: std::collections::BTreeSet<&str> = openings
        .values()
        .flat_map(|opening| opening.files.values().flatten())
        .map(String::as_str)
        .collect();
    assert_eq!(
        texts.into_iter().collect::<Vec<_>>(),
        [
            r#"["classification","c1","b1","acme","f1"]"#,
            r#"["classification","c1","b1","f1"]"#
        ]
    );
}

async fn a_plan_names_the_account(world: World) {
    in_both(&world).await;
    let theirs = world.ledger.batch_key(&in_acme("b1")).await.unwrap().unwrap();
    let sweep = world.sweep().await;
    let files = [retentiond::ledger::StoredFile {
        place: 0,
        key: retentiond::model::FileKey {
            batch: theirs,
            file: id("f1"),
        },
        batch: std::sync::Arc::new(in_acme("b1")),
        starts_at: at(-240),
        due_at: at(0),
    }];
    let mut hasher = retentiond::rules::plan::PlanHasher::new(&policy("q"), &digest("one"), 1);
    hasher.add(&in_acme("b1"), "f1", at(-240), at(0));
    let hash = hasher.finish();
    let plan = retentiond::ledger::StoredPlan {
        hash: hash.clone(),
        policy: policy("q"),
        rules: digest("one"),
        at: at(1),
        files: 1,
        waits_for: Some("an approval".to_owned()),
    };
    world.ledger.store_plan(&plan, &files, sweep).await.unwrap();
    assert_eq!(
        world.ledger.recomputed_hash(&hash).await.unwrap(),
        Some(hash.clone())
    );
    assert_eq!(world.ledger.plan_files(&hash, 0, 10).await.unwrap(), files);
    // In the other account it would be another plan.
    let mut other = retentiond::rules::plan::PlanHasher::new(&policy("q"), &digest("one"), 1);
    other.add(&batch_address("b1"), "f1", at(-240), at(0));
    assert_ne!(other.finish(), hash);
}
