//! Each knob, turned both ways.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_second_delete_answers_as_configured() {
    let bench = Bench::new(2).await;
    bench.delete(&bench.files[..1]).await;
    let again = bench.delete(&bench.files[..1]).await;
    assert_eq!(
        (again.status, again.json()["status"].clone()),
        (200, json!("success"))
    );
    bench
        .handle
        .configure(|config| config.second_delete = SecondDelete::DoesNotExist);
    let again = bench.delete(&bench.files[..1]).await;
    assert_eq!(
        (again.status, again.json()["message"].clone()),
        (400, json!("File does not exist"))
    );
    assert_eq!(bench.delete(&bench.files).await.status, 400);
    assert_eq!(bench.left(), 1);
}

#[tokio::test]
async fn a_list_with_an_unknown_id_answers_as_configured() {
    for (unknown_ids, status, left) in [
        (UnknownIds::Refuse, 400, 2),
        (UnknownIds::Ignore, 200, 0),
        (UnknownIds::Partial, 500, 0),
    ] {
        let bench = Bench::with(2, |config| config.unknown_ids = unknown_ids).await;
        let mut ids = bench.files.clone();
        ids.insert(1, "-OneverExisted000000".to_owned());
        assert_eq!(
            (bench.delete(&ids).await.status, bench.left()),
            (status, left),
            "{unknown_ids:?}"
        );
    }
}

#[tokio::test]
async fn reads_and_deletes_that_come_too_soon_answer_429() {
    let bench = Bench::with(3, |config| {
        config.read_spacing = Duration::from_secs(3600);
        config.delete_spacing = Duration::from_secs(3600);
    })
    .await;
    assert_eq!(bench.results().await.status, 200);
    assert_eq!(bench.results().await.status, 429);
    assert_eq!(bench.delete(&bench.files[..1]).await.status, 200);
    assert_eq!(bench.delete(&bench.files[1..]).await.status, 429);
    assert_eq!(bench.left(), 2);
    // Each endpoint waits for itself alone.
    let extraction = bench.handle.seed_extraction("cv");
    let ask = json!({"extractionId": extraction, "batchId": "none"});
    assert_eq!(
        bench.call("POST", "/getBatchResults", ask.clone()).await.status,
        400
    );
    assert_eq!(bench.call("POST", "/getBatchResults", ask).await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn spacing_ends_after_its_time_and_refusals_do_not_prolong_it() {
    let bench = Bench::with(1, |config| config.read_spacing = Duration::from_secs(2)).await;
    assert_eq!(bench.results().await.status, 200);
    tokio::time::advance(Duration::from_millis(1_999)).await;
    assert_eq!(bench.results().await.status, 429);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(bench.results().await.status, 200);
}

#[tokio::test]
async fn too_many_ids_answer_413() {
    let bench = Bench::with(3, |config| config.max_file_ids = Some(2)).await;
    assert_eq!((bench.delete(&bench.files).await.status, bench.left()), (413, 3));
    assert_eq!(
        (bench.delete(&bench.files[..2]).await.status, bench.left()),
        (200, 1)
    );
}

#[tokio::test]
async fn an_absent_file_is_read_as_configured() {
    let bench = Bench::new(2).await;
    bench.delete(&bench.files[..1]).await;
    let ask =
        json!({"classificationId": bench.classification, "batchId": bench.batch, "fileId": bench.files[0]});
    let path = "/documentClassification/getResults";
    for (absent, status, key, value) in [
        (
            AbsentFile::DoesNotExist,
            400,
            "message",
            json!("File does not exist"),
        ),
        (AbsentFile::NotFound, 404, "message", json!("File not found")),
        (AbsentFile::EmptyList, 200, "files", json!([])),
        (AbsentFile::StatusNotFound, 200, "status", json!("not_found")),
    ] {
        bench.handle.configure(|config| config.absent_file = absent);
        let reply = bench.call("POST", path, ask.clone()).await;
        assert_eq!((reply.status, &reply.json()[key]), (status, &value), "{absent:?}");
    }
    let ask =
        json!({"classificationId": bench.classification, "batchId": bench.batch, "fileId": bench.files[1]});
    let present = bench.call("POST", path, ask).await.json();
    assert_eq!(present["files"].as_array().unwrap().len(), 1);
}

async fn linked(turn: impl FnOnce(&mut SandboxConfig)) -> (Bench, String, String) {
    let bench = Bench::with(0, turn).await;
    let extraction = bench.handle.seed_extraction("cv");
    let types = [
        DocumentType::linked("resume", &extraction),
        DocumentType::named("other"),
    ];
    let classification = bench.handle.seed_classification("linked", &types);
    let batch = bench
        .handle
        .seed_batch(Module::Classification, &classification)
        .unwrap();
    let ids = bench.handle.seed_files(&classification, &batch, 2).unwrap();
    let bench = Bench {
        classification,
        batch,
        files: ids,
        ..bench
    };
    let copy = extraction.clone();
    (bench, extraction, copy)
}

#[tokio::test]
async fn a_linked_type_makes_a_copy_that_survives_its_original() {
    let (bench, extraction, _) = linked(|_| {}).await;
    let results = bench.results().await.json();
    let triple = &results["files"][0]["extraction"];
    assert_eq!(triple["extractionId"], extraction);
    assert_ne!(triple["fileId"], results["files"][0]["fileId"]);
    assert_ne!(triple["batchId"], bench.batch);
    assert!(results["files"][1].get("extraction").is_none());
    let copy = triple["fileId"].as_str().unwrap();
    let ask = json!({"extractionId": extraction, "batchId": triple["batchId"]});
    assert_eq!(
        bench.call("POST", "/getBatchResults", ask).await.json()["files"][0]["fileId"],
        copy
    );
    bench.delete(&bench.files).await;
    assert!(bench.left() == 0 && bench.handle.exists(copy));
}

#[tokio::test]
async fn a_linked_copy_goes_with_its_original_when_so_configured() {
    let (bench, ..) = linked(|config| config.linked_copies_survive = false).await;
    let copy = bench.handle.files()[0].copy_id.clone().unwrap();
    bench.delete(&bench.files).await;
    assert!(!bench.handle.exists(&copy));
    let causes: Vec<_> = bench
        .handle
        .deleted()
        .into_iter()
        .map(|gone| gone.cause)
        .collect();
    assert_eq!(causes, [Cause::Listed, Cause::LinkedCopy, Cause::Listed]);
}

#[tokio::test]
async fn processing_takes_reads_and_the_copy_comes_last() {
    let (bench, ..) = linked(|config| config.processing = Processing::AfterReads(2)).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let first = bench.results().await.json()["files"][0].clone();
        seen.push((
            first["status"].as_str().unwrap().to_owned(),
            first.get("extraction").is_some(),
        ));
    }
    let expected = [("waiting", false), ("processing", false), ("processed", true)];
    assert_eq!(seen, expected.map(|(status, copy)| (status.to_owned(), copy)));
}

#[tokio::test]
async fn an_emptied_batch_stays_or_vanishes() {
    let bench = Bench::new(1).await;
    bench.delete(&bench.files).await;
    assert_eq!(bench.results().await.json()["files"], json!([]));
    let bench = Bench::with(1, |config| config.emptied_batch_vanishes = true).await;
    bench.delete(&bench.files).await;
    assert_eq!(bench.results().await.json()["message"], "Batch does not exist");
}

#[tokio::test]
async fn the_date_header_follows_the_clock_and_its_skew() {
    let bench = Bench::new(0).await;
    let date = async || {
        bench
            .call("GET", "/credits", Value::Null)
            .await
            .header("date")
            .join("|")
    };
    assert_eq!(date().await, "Sat, 01 Mar 2025 21:20:32 GMT");
    bench.handle.set_clock_skew(3_600_000);
    assert_eq!(date().await, "Sat, 01 Mar 2025 22:20:32 GMT");
    bench.clock.fetch_add(1_000, Ordering::SeqCst);
    assert_eq!(date().await, "Sat, 01 Mar 2025 22:20:33 GMT");
    bench.handle.omit_date(true);
    assert_eq!(date().await, "");
}

#[tokio::test]
async fn a_status_outside_the_known_set_is_shown() {
    let bench = Bench::new(1).await;
    assert!(
        bench
            .handle
            .set_file_status(&bench.files[0], FileStatus::Other("archived".to_owned()))
    );
    let file = bench.results().await.json()["files"][0].clone();
    assert_eq!((&file["status"], file.get("result")), (&json!("archived"), None));
}
