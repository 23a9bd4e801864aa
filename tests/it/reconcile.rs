//! `reconcile` against the sandbox: it finds whatever was planted, says what it cannot find, and deletes nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use retentiond::extracta::extraction::ExtractionBatches;
use retentiond::extracta::{ExtractaClient, Listing};
use retentiond::intake::InForce;
use retentiond::intake::reconcile::{Looker, Reconciled, Wanted, reconcile};
use retentiond::ledger::{LedgerError, Place, UploadEnd};
use retentiond::model::{
    BatchAddress, ExtractionId, FileId, FileState, Labels, NewUpload, Parent, UploadSource, UploadState,
    push_id_time,
};
use retentiond::rules::decide::hint;
use retentiond::sandbox::{DocumentType, Endpoint, Fault, Module};
use serde_json::Value;

use crate::harness::{Batch, World};
use crate::uploads::{config, json, retentiond};

async fn run_with(world: &World, looker: &dyn Looker, wanted: &Wanted) -> Result<Reconciled, LedgerError> {
    let rules = &world.checked.rules;
    let in_force = InForce {
        label_keys: &rules.label_keys,
        accounts: &rules.accounts,
        digest: &rules.digest,
        hint: &|file| hint(file, rules),
        subjects: None,
    };
    let clock = || world.now();
    reconcile(
        looker,
        world.ledger.as_ref(),
        in_force,
        wanted,
        &clock,
        &|_, _| (),
    )
    .await
}

async fn run(world: &World, record: bool) -> Reconciled {
    let client = world.client(Duration::from_secs(5));
    let wanted = Wanted {
        record,
        ..Wanted::default()
    };
    run_with(world, &client, &wanted).await.unwrap()
}

fn plant(world: &World, batch: &Batch, count: usize) -> Vec<FileId> {
    let planted = world
        .server
        .seed_files(&world.classification, &batch.id, count)
        .unwrap();
    planted
        .iter()
        .map(|id| FileId::new(id.as_str()).unwrap())
        .collect()
}

async fn state(world: &World, file: &FileId) -> Option<FileState> {
    world
        .ledger
        .find(file)
        .await
        .unwrap()
        .first()
        .map(|record| record.state)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_planted_orphan_and_linked_copy_is_found_and_nothing_is_deleted() {
    let world = World::new().await;
    let template = world.server.seed_extraction("letters");
    let classification = world
        .server
        .seed_classification("linked", &[DocumentType::linked("letter", template)]);
    let world = World {
        classification,
        ..world
    };
    let mut planted = Vec::new();
    for _ in 0..5 {
        let batch = world.upload(4).await;
        planted.extend(plant(&world, &batch, 3));
    }
    // Never recorded by anybody: the blind spot.
    let unseen = world.upload_unrecorded(2);
    let copies: Vec<FileId> = world
        .server
        .files()
        .iter()
        .filter(|file| matches!(file.module, Module::Extraction))
        .map(|file| FileId::new(file.file_id.as_str()).unwrap())
        .collect();
    assert!(!copies.is_empty(), "the sandbox makes linked copies");

    let found = run(&world, false).await;
    let mut listed: Vec<&FileId> = found.orphans.iter().map(|orphan| &orphan.address.file).collect();
    listed.retain(|file| planted.contains(file));
    assert_eq!(listed.len(), 15, "every planted one: {found:?}");
    assert!(
        found
            .orphans
            .iter()
            .all(|orphan| !orphan.recorded && orphan.id_time.is_some())
    );
    assert!(
        state(&world, &planted[0]).await.is_none(),
        "reporting records nothing"
    );
    assert_eq!(found.copies, 20, "one for each recorded file");

    let found = run(&world, true).await;
    assert_eq!(found.orphans_recorded, found.orphans_total);
    assert_eq!(found.copies, 15);
    for file in &planted {
        let record = world.ledger.find(file).await.unwrap().remove(0);
        assert_eq!(Some(record.uploaded_at), push_id_time(file.as_str()));
    }
    let again = run(&world, true).await;
    // The copies of the batch that nobody recorded stand in the extraction's own batches.
    assert_eq!((again.orphans_total, again.copies, again.gone), (0, 0, 0));
    for file in &unseen.files {
        assert!(state(&world, file).await.is_none(), "nothing can lead to it");
    }
    assert!(world.server.deleted().is_empty());
    assert_eq!(world.ledger.check(true).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blind_spot_is_said_and_the_exit_code_tells_what_is_left() {
    let world = World::new().await;
    let batch = world.upload(2).await;
    plant(&world, &batch, 1);
    let output = retentiond(&world, &["--json", "reconcile"]).await;
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let report = json(&output);
    assert!(
        report["blind_spot"].as_str().unwrap().contains("nobody recorded"),
        "{report}"
    );
    assert_eq!(
        [&report["orphans_total"], &report["batches"]],
        [&Value::from(1), &1.into()]
    );
    let text = String::from_utf8(retentiond(&world, &["reconcile", "--record"]).await.stdout).unwrap();
    assert!(
        text.contains("recorded: 1 file") && text.contains("nobody recorded"),
        "{text}"
    );
    let done = retentiond(&world, &["reconcile"]).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(
        String::from_utf8(done.stdout)
            .unwrap()
            .contains("cannot list a classification's batches")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_file_can_ask_for_orphans_to_be_recorded() {
    let world = World::new().await;
    let batch = world.upload(2).await;
    let planted = plant(&world, &batch, 1);
    let path = config(&world);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + "\n[intake]\norphans = \"record\"\n").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_retentiond"));
    command
        .args(["-c", path.to_str().unwrap(), "reconcile"])
        .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let record = world.ledger.find(&planted[0]).await.unwrap().remove(0);
    assert_eq!(Some(record.uploaded_at), push_id_time(planted[0].as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_others_deleted_are_gone_only_when_two_whole_listings_say_so() {
    let world = World::new().await;
    let (batch, lost) = (world.upload(3).await, world.upload(2).await);
    assert!(world.server.remove_file(batch.files[0].as_str()));
    // The first look is well, the second is not: nothing is concluded.
    let fault = Fault::at(Endpoint::GetResults).after(1).status(500);
    world.server.add_fault(fault).unwrap();
    let found = run(&world, false).await;
    assert_eq!((found.gone, found.unclear.len()), (0, 1), "{found:?}");
    assert_eq!(state(&world, &batch.files[0]).await, Some(FileState::Live));

    let found = run(&world, false).await;
    assert_eq!((found.gone, found.unclear.len()), (1, 0), "{found:?}");
    assert_eq!(state(&world, &batch.files[0]).await, Some(FileState::Gone));
    assert_eq!(state(&world, &lost.files[0]).await, Some(FileState::Live));
    assert_eq!(world.ledger.check(true).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_the_api_does_not_know_takes_no_file_with_it() {
    let world = World::new().await;
    let batch = world.upload(2).await;
    let missing = serde_json::json!({"status": "error", "message": "Batch does not exist"});
    let fault = Fault::at(Endpoint::GetResults).status(400).body(missing).always();
    world.server.add_fault(fault).unwrap();
    let found = run(&world, true).await;
    assert_eq!((found.missing_batches.len(), found.gone), (1, 0), "{found:?}");
    assert_eq!(state(&world, &batch.files[0]).await, Some(FileState::Live));
}

/// Loses its connection to the ledger's world after so many looks.
struct Interrupted {
    client: ExtractaClient,
    looks: AtomicUsize,
    ends_after: usize,
}

#[async_trait]
impl Looker for Interrupted {
    async fn files_of(&self, batch: &BatchAddress) -> Listing {
        if self.looks.fetch_add(1, Ordering::SeqCst) >= self.ends_after {
            // As a process that is killed here: nothing after it takes place.
            std::future::pending::<()>().await;
        }
        Looker::files_of(&self.client, batch).await
    }

    async fn batches_of(&self, extraction: &ExtractionId) -> ExtractionBatches {
        self.client.extraction_batches(extraction).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_goes_on_where_it_was() {
    let world = World::new().await;
    for _ in 0..6 {
        world.upload(1).await;
    }
    let interrupted = Interrupted {
        client: world.client(Duration::from_secs(5)),
        looks: AtomicUsize::new(0),
        ends_after: 4,
    };
    let wanted = Wanted::default();
    // The fifth look is asked for only once the fourth batch is done with.
    let four_are_done = async {
        while interrupted.looks.load(Ordering::SeqCst) < 5 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = run_with(&world, &interrupted, &wanted) => panic!("it cannot end"),
        () = four_are_done => {}
    }
    let rest = run(&world, false).await;
    assert!(rest.resumed);
    assert_eq!(rest.batches, 2, "four were done before");
    let whole = run(&world, false).await;
    assert_eq!((whole.resumed, whole.batches), (false, 6));
}

async fn doubt(world: &World, parent: Parent, batch: Option<&Batch>) {
    let upload = NewUpload {
        source: UploadSource::Upload,
        parent: Some(parent),
        account: None,
        batch: batch.map(|batch| batch.id.parse().unwrap()),
        files: Some(2),
        documents: Vec::new(),
        labels: Labels::from([("tenant".to_owned(), "acme".to_owned())]),
        document_type: None,
        subject: None,
        begun_at: world.now(),
        patient_until: world.now(),
    };
    let id = world.ledger.begin_upload(&upload).await.unwrap();
    let end = UploadEnd {
        state: UploadState::Doubtful,
        batch: None,
        files: None,
        reason: None,
        at: world.now(),
    };
    world.ledger.end_upload(id, &end).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_doubt_is_settled_by_its_batch_and_its_files_get_its_labels() {
    let world = World::new().await;
    let classification = Parent::Classification(world.classification.parse().unwrap());
    let sent = world.upload_unrecorded(2);
    doubt(&world, classification.clone(), Some(&sent)).await;
    doubt(&world, classification, None).await;

    let young = run(&world, true).await;
    assert!(
        young.settled_uploads.is_empty(),
        "the server may still be at work on it"
    );
    world.clock.advance(1000);
    let found = run(&world, false).await;
    assert_eq!(
        (found.settled_uploads.len(), found.uploads_in_doubt.len()),
        (1, 1),
        "{found:?}"
    );
    assert_eq!(found.without_batch, 1, "no listing leads to it");
    let record = world.ledger.find(&sent.files[0]).await.unwrap().remove(0);
    assert_eq!(record.labels.get("tenant").map(String::as_str), Some("acme"));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_a_known_extraction_are_found_although_nobody_recorded_them() {
    let world = World::new().await;
    let extraction = world.server.seed_extraction("letters");
    let batch = world.server.seed_batch(Module::Extraction, &extraction).unwrap();
    let at = world.now().as_millis();
    world
        .server
        .seed_files_at(Module::Extraction, &extraction, &batch, 3, at)
        .unwrap();
    doubt(&world, Parent::Extraction(extraction.parse().unwrap()), None).await;
    world.clock.advance(1000);
    let found = run(&world, false).await;
    assert_eq!(
        (found.orphans_total, found.settled_uploads.len()),
        (3, 0),
        "{found:?}"
    );
    let found = run(&world, true).await;
    assert_eq!(
        (found.orphans_recorded, found.settled_uploads.len()),
        (3, 1),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_reconcile_of_everything_is_refused_and_one_of_named_batches_is_not() {
    let world = World::new().await;
    let batch = world.upload(2).await;
    let place = Place::File(world.checked.ledger.path.clone());
    let turn = place.lock_reconcile().await.unwrap();
    let refused = retentiond(&world, &["reconcile"]).await;
    assert_eq!(refused.status.code(), Some(7), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains(&format!("process {}", std::process::id())),
        "{said}"
    );
    let named = retentiond(&world, &["reconcile", "--batch", &batch.id]).await;
    assert!(named.status.success(), "{named:?}");
    drop(turn);
    let whole = retentiond(&world, &["reconcile"]).await;
    assert!(whole.status.success(), "{whole:?}");
}
