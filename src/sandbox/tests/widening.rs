//! The hazard: what is missing is not refused, it reaches for more.

use super::*;

const DELETE_FILES: &str = "/documentClassification/deleteFiles";

fn falsy() -> [Value; 4] {
    [Value::Null, json!(""), json!(0), json!(false)]
}

/// Every file gone, and for this reason only.
fn all_widened(bench: &Bench) -> bool {
    let deleted = bench.handle.deleted();
    bench.left() == 0 && !deleted.is_empty() && deleted.iter().all(|gone| gone.cause == Cause::Widened)
}

#[tokio::test]
async fn delete_files_without_file_ids_takes_the_batch() {
    let mut lists = vec![json!([]), json!([""]), json!(["-Ox", null])];
    lists.extend(falsy());
    for list in lists {
        let bench = Bench::new(3).await;
        let body = json!({"classificationId": bench.classification, "batchId": bench.batch, "fileIds": list});
        let reply = bench.call("DELETE", DELETE_FILES, body).await;
        assert_eq!(reply.json()["deleteAll"], true, "{list}");
        assert!(all_widened(&bench), "{list}");
        assert!(
            bench
                .handle
                .parent_exists(Module::Classification, &bench.classification)
        );
    }
}

#[tokio::test]
async fn delete_files_without_a_batch_takes_the_classification() {
    for batch in falsy() {
        let bench = Bench::new(3).await;
        let body =
            json!({"classificationId": bench.classification, "batchId": batch, "fileIds": [bench.files[0]]});
        assert_eq!(bench.call("DELETE", DELETE_FILES, body).await.status, 200);
        assert!(all_widened(&bench), "{batch}");
        assert!(
            !bench
                .handle
                .parent_exists(Module::Classification, &bench.classification)
        );
    }
}

#[tokio::test]
async fn a_delete_whose_type_is_not_json_has_lost_its_ids() {
    let bench = Bench::new(2).await;
    let body = bench.delete_body(&bench.files).to_string();
    let request = format!(
        "DELETE /api/v1{DELETE_FILES} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer {DEFAULT_KEY}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let reply = Reply::parse(&bench.send(request.as_bytes()).await.unwrap()).unwrap();
    assert_eq!((reply.status, bench.left()), (400, 2));
}

async fn extraction_bench() -> (Bench, String, String, Vec<String>) {
    let bench = Bench::new(0).await;
    let id = bench.handle.seed_extraction("cv");
    let batch = bench.handle.seed_batch(Module::Extraction, &id).unwrap();
    let other = bench.handle.seed_batch(Module::Extraction, &id).unwrap();
    let mut files = bench
        .handle
        .seed_files_at(Module::Extraction, &id, &batch, 2, MOMENT_MS)
        .unwrap();
    files.extend(
        bench
            .handle
            .seed_files_at(Module::Extraction, &id, &other, 1, MOMENT_MS)
            .unwrap(),
    );
    (bench, id, batch, files)
}

#[tokio::test]
async fn delete_extraction_without_a_file_takes_the_batch() {
    for file in falsy() {
        let (bench, id, batch, files) = extraction_bench().await;
        let body = json!({"extractionId": id, "batchId": batch, "fileId": file});
        assert_eq!(
            bench.call("DELETE", "/deleteExtraction", body).await.json()["status"],
            "deleted"
        );
        let there: Vec<_> = files.iter().map(|id| bench.handle.exists(id)).collect();
        assert_eq!(there, [false, false, true], "{file}");
        assert!(
            bench
                .handle
                .deleted()
                .iter()
                .all(|gone| gone.cause == Cause::Widened)
        );
    }
}

#[tokio::test]
async fn delete_extraction_without_a_batch_takes_the_whole_template() {
    for batch in falsy() {
        let (bench, id, _, files) = extraction_bench().await;
        let body = json!({"extractionId": id, "batchId": batch, "fileId": files[0]});
        bench.call("DELETE", "/deleteExtraction", body).await;
        assert!(!bench.handle.parent_exists(Module::Extraction, &id), "{batch}");
        assert_eq!(bench.handle.deleted().len(), 3);
    }
    let (bench, id, ..) = extraction_bench().await;
    bench
        .call("DELETE", "/deleteExtraction", json!({"extractionId": id}))
        .await;
    assert!(!bench.handle.parent_exists(Module::Extraction, &id));
}

#[tokio::test]
async fn delete_batch_takes_its_batch_and_without_one_the_classification() {
    let bench = Bench::new(2).await;
    let path = "/documentClassification/deleteBatch";
    let other = bench
        .handle
        .seed_batch(Module::Classification, &bench.classification)
        .unwrap();
    let kept = bench.handle.seed_files(&bench.classification, &other, 1).unwrap();
    let body = json!({"classificationId": bench.classification, "batchId": bench.batch});
    assert_eq!(bench.call("DELETE", path, body).await.json()["status"], "success");
    assert!(bench.left() == 0 && bench.handle.exists(&kept[0]));
    assert!(
        bench
            .handle
            .deleted()
            .iter()
            .all(|gone| gone.cause == Cause::Parent)
    );
    bench
        .call("DELETE", path, json!({"classificationId": bench.classification}))
        .await;
    assert_eq!(
        bench.handle.deleted().last().map(|gone| gone.cause),
        Some(Cause::Widened)
    );
}
