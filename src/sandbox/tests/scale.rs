//! Big enough for the benchmarks: many files, and uploads that pass without being kept.

use super::*;

#[tokio::test]
async fn a_hundred_thousand_files_are_seeded_and_deleted_in_chunks() {
    let bench = Bench::new(0).await;
    let mut batches = Vec::new();
    for _ in 0..1_000 {
        let batch = bench
            .handle
            .seed_batch(Module::Classification, &bench.classification)
            .unwrap();
        let files = bench
            .handle
            .seed_files(&bench.classification, &batch, 100)
            .unwrap();
        batches.push((batch, files));
    }
    assert_eq!(bench.handle.files().len(), 100_000);
    for (batch, files) in batches.iter().take(20) {
        let body = json!({"classificationId": bench.classification, "batchId": batch, "fileIds": files});
        assert_eq!(
            bench
                .call("DELETE", "/documentClassification/deleteFiles", body)
                .await
                .status,
            200
        );
    }
    assert_eq!(
        (bench.handle.files().len(), bench.handle.deleted().len()),
        (98_000, 2_000)
    );
}

#[tokio::test]
async fn an_upload_of_many_megabytes_is_counted_and_hashed() {
    let bench = Bench::new(0).await;
    let content = vec![b'x'; 8 * 1024 * 1024];
    let fields = [("classificationId", bench.classification.as_str())];
    let reply = bench
        .upload(
            "/documentClassification/uploadFiles",
            &fields,
            &[("big.pdf", &content)],
        )
        .await;
    assert_eq!(reply.status, 200);
    let file = bench.handle.files().remove(0);
    assert_eq!(file.bytes, content.len() as u64);
    // sha256sum of 8 MiB of `x`
    assert_eq!(
        file.sha256.as_deref(),
        Some("0c77bc0a0795a93612d45256897456d0fcb24f151c44c150d07ecd03f4ef5168")
    );
}

#[tokio::test]
async fn files_of_a_list_are_held_under_their_own_ids() {
    let bench = Bench::new(0).await;
    let list = r#"{"classification_id": "-Oc", "batch_id": "b1", "file_id": "-Of1", "uploaded_at": "2026-01-01T00:00:00Z"}

{"extraction_id": "-Oe", "batch_id": "b2", "file_id": "-Of2"}
"#;
    assert_eq!(bench.handle.stock(list.as_bytes()).unwrap(), 2);
    let body = json!({"classificationId": "-Oc", "batchId": "b1", "fileIds": ["-Of1"]});
    let reply = bench
        .call("DELETE", "/documentClassification/deleteFiles", body)
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(bench.handle.deleted()[0].file_id, "-Of1");
    assert!(bench.handle.exists("-Of2"));
    let refused = bench
        .handle
        .stock(r#"{"batch_id": "b", "file_id": "f"}"#.as_bytes());
    assert!(refused.unwrap_err().to_string().starts_with("line 1: "));
}
