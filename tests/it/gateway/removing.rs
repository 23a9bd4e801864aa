//! Deletes that others make.

use retentiond::extracta::{DeleteExtractionFile, DeleteFiles, Remote};
use retentiond::model::FileState;
use retentiond::sandbox::{Apply, Endpoint, Fault};

use super::plain::{ask, request};
use super::*;

async fn states(both: &Both, answer: &UploadAnswer) -> Vec<FileState> {
    let mut states = Vec::new();
    for file in &answer.files {
        states.push(both.passed.file(&answer.batch, file).await.unwrap().state);
    }
    states
}

fn ids(parent: &Parent) -> (ClassificationId, &str) {
    match parent {
        Parent::Classification(id) => (id.clone(), id.as_str()),
        Parent::Extraction(_) => panic!("a classification"),
    }
}

#[tokio::test]
async fn a_confirmed_delete_by_others_marks_what_it_took_and_nothing_else() {
    let both = Both::new().await;
    let first = both.upload(&both.classification, &["a", "b"]).await.unwrap();
    let second = both.upload(&both.classification, &["c"]).await.unwrap();
    let (classification, _) = ids(&both.classification);
    let delete = DeleteFiles::new(
        classification,
        first.batch.batch.clone(),
        vec![first.files[0].clone()],
    )
    .unwrap();
    let client = both.passed.client();
    client.delete_files(&delete).await;
    assert_eq!(states(&both, &first).await, [FileState::Gone, FileState::Live]);
    assert_eq!(states(&both, &second).await, [FileState::Live]);

    let extraction = both.upload(&both.extraction, &["d", "e"]).await.unwrap();
    let Parent::Extraction(id) = &both.extraction else {
        panic!("an extraction")
    };
    let delete = DeleteExtractionFile {
        extraction: id.clone(),
        batch: extraction.batch.batch.clone(),
        file: extraction.files[1].clone(),
    };
    client.delete_extraction_file(&delete).await;
    assert_eq!(
        states(&both, &extraction).await,
        [FileState::Live, FileState::Gone]
    );
}

#[tokio::test]
async fn a_delete_that_was_not_confirmed_marks_nothing() {
    let both = Both::new().await;
    let answer = both.upload(&both.classification, &["a"]).await.unwrap();
    let (classification, _) = ids(&both.classification);
    let delete = DeleteFiles::new(classification, answer.batch.batch.clone(), answer.files.clone()).unwrap();
    for fault in [
        Fault::at(Endpoint::DeleteFiles).status(500).apply(Apply::Never),
        Fault::at(Endpoint::DeleteFiles)
            .status(400)
            .body(serde_json::json!({"status": "success", "message": "Files deleted"}))
            .apply(Apply::Never),
    ] {
        both.server.add_fault(fault).unwrap();
        both.passed.client().delete_files(&delete).await;
        assert_eq!(states(&both, &answer).await, [FileState::Live]);
    }
}

#[tokio::test]
async fn wide_deletes_mark_a_batch_a_classification_and_a_template() {
    let both = Both::new().await;
    let json = "Content-Type: application/json";
    let key = "Authorization: Bearer sandbox-key";
    let (_, classification) = ids(&both.classification);
    let one = both.upload(&both.classification, &["a", "b"]).await.unwrap();
    let two = both.upload(&both.classification, &["c"]).await.unwrap();
    let three = both.upload(&both.extraction, &["d"]).await.unwrap();
    let four = both.upload(&both.extraction, &["e"]).await.unwrap();
    let send = async |line: &str, body: serde_json::Value| {
        let got = ask(
            both.passed.addr,
            &request(line, &[json, key], body.to_string().as_bytes()),
        )
        .await;
        assert_eq!(got.status(), 200, "{got:?}");
    };
    send(
        "DELETE /documentClassification/deleteBatch",
        serde_json::json!({"classificationId": classification, "batchId": one.batch.batch}),
    )
    .await;
    assert_eq!(states(&both, &one).await, [FileState::Gone, FileState::Gone]);
    assert_eq!(states(&both, &two).await, [FileState::Live]);
    send(
        "DELETE /documentClassification/deleteClassification",
        serde_json::json!({"classificationId": classification}),
    )
    .await;
    assert_eq!(states(&both, &two).await, [FileState::Gone]);
    let extraction = both.extraction.as_str();
    send(
        "DELETE /deleteExtraction",
        serde_json::json!({"extractionId": extraction, "batchId": three.batch.batch}),
    )
    .await;
    assert_eq!(states(&both, &three).await, [FileState::Gone]);
    assert_eq!(states(&both, &four).await, [FileState::Live]);
    send(
        "DELETE /deleteExtraction",
        serde_json::json!({"extractionId": extraction}),
    )
    .await;
    assert_eq!(states(&both, &four).await, [FileState::Gone]);
    assert_eq!(
        both.passed.ledger.check(true).await.unwrap(),
        Vec::<String>::new()
    );
}
