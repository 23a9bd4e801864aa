//! The documented (and seen) answer of each endpoint.

use super::*;

#[tokio::test]
async fn credits_answer_ok() {
    let reply = Bench::new(0).await.call("GET", "/credits", Value::Null).await;
    assert_eq!(
        (reply.status, reply.json()),
        (200, json!({"status": "ok", "credits": 50}))
    );
}

#[tokio::test]
async fn delete_files_answers_as_documented_and_removes_only_what_it_lists() {
    let bench = Bench::new(3).await;
    let reply = bench.delete(&bench.files[..2]).await;
    assert_eq!(
        (reply.status, reply.json()),
        (200, json!({"status": "success", "message": "Files deleted"}))
    );
    let causes: Vec<_> = bench
        .handle
        .deleted()
        .into_iter()
        .map(|gone| (gone.file_id, gone.cause))
        .collect();
    assert_eq!(
        causes,
        [
            (bench.files[0].clone(), Cause::Listed),
            (bench.files[1].clone(), Cause::Listed)
        ]
    );
    assert!(bench.handle.exists(&bench.files[2]));
}

#[tokio::test]
async fn delete_of_all_files_is_marked_unless_switched_off() {
    let bench = Bench::new(2).await;
    let reply = bench.delete(&bench.files).await;
    assert_eq!(
        reply.json(),
        json!({"status": "success", "message": "Files deleted", "deleteAll": true})
    );
    let bench = Bench::with(2, |config| config.include_delete_all = false).await;
    assert_eq!(
        bench.delete(&bench.files).await.json(),
        json!({"status": "success", "message": "Files deleted"})
    );
}

#[tokio::test]
async fn a_classification_is_created_viewed_updated_and_deleted() {
    let bench = Bench::new(0).await;
    let details =
        json!({"name": "mail", "documentTypes": [{"name": "bill", "description": "", "uniqueWords": []}]});
    let call = async |method: &str, verb: &str, body| {
        bench
            .call(
                method,
                &format!("/documentClassification/{verb}Classification"),
                body,
            )
            .await
            .json()
    };
    let created = call("POST", "create", json!({"classificationDetails": details})).await;
    let id = created["classificationId"].as_str().unwrap().to_owned();
    assert_eq!(
        created,
        json!({"status": "created", "createdAt": MOMENT_MS, "classificationId": id})
    );
    assert!(id.starts_with("-OKI_Fue") && id.len() == 20);
    let updated = call(
        "PATCH",
        "update",
        json!({"classificationId": id, "classificationDetails": {"name": "post"}}),
    );
    assert_eq!(
        updated.await,
        json!({"status": "updated", "updatedAt": MOMENT_MS, "classificationId": id})
    );
    let viewed = call("POST", "view", json!({"classificationId": id})).await;
    assert_eq!(viewed["status"], "success");
    let shown = &viewed["classificationDetails"];
    assert_eq!(
        (&shown["name"], &shown["createdAt"]),
        (&json!("post"), &json!(MOMENT_MS))
    );
    assert_eq!(shown["documentTypes"][0]["name"], "bill");
    let deleted = call("DELETE", "delete", json!({"classificationId": id})).await;
    assert_eq!(
        deleted,
        json!({"status": "success", "message": "Classification deleted"})
    );
    assert!(!bench.handle.parent_exists(Module::Classification, &id));
}

#[tokio::test]
async fn unknown_ids_answer_400_and_say_what_does_not_exist() {
    let bench = Bench::new(1).await;
    let (classification, batch) = (&bench.classification, &bench.batch);
    let table = [
        (
            "POST",
            "/documentClassification/viewClassification",
            json!({"classificationId": "-Ono"}),
            "Classification",
        ),
        (
            "POST",
            "/documentClassification/viewClassification",
            json!({"classificationId": 7}),
            "Classification",
        ),
        (
            "POST",
            "/viewExtraction",
            json!({"extractionId": "-Ono"}),
            "Extraction",
        ),
        ("DELETE", "/deleteExtraction", json!({}), "Extraction"),
        (
            "DELETE",
            "/documentClassification/deleteClassification",
            json!({}),
            "Classification",
        ),
        (
            "POST",
            "/documentClassification/getResults",
            json!({"classificationId": classification, "batchId": "none"}),
            "Batch",
        ),
        (
            "DELETE",
            "/documentClassification/deleteFiles",
            json!({"classificationId": classification, "batchId": "none", "fileIds": ["-Ox"]}),
            "Batch",
        ),
        (
            "DELETE",
            "/documentClassification/deleteFiles",
            json!({"classificationId": classification, "batchId": batch, "fileIds": ["-Ox"]}),
            "File",
        ),
    ];
    for (method, path, body, what) in table {
        let reply = bench.call(method, path, body.clone()).await;
        let expected = json!({"status": "error", "message": format!("{what} does not exist")});
        assert_eq!((reply.status, reply.json()), (400, expected), "{path} {body}");
    }
    assert!(bench.handle.deleted().is_empty());
}

#[tokio::test]
async fn a_wrong_path_answers_the_page_of_express() {
    let bench = Bench::new(0).await;
    let reply = bench
        .call("POST", "/documentClassification/deleteFiles", json!({}))
        .await;
    assert_eq!(reply.status, 404);
    assert!(reply.header("content-type")[0].starts_with("text/html"));
    assert!(
        reply
            .text()
            .contains("<pre>Cannot POST /api/v1/documentClassification/deleteFiles</pre>")
    );
    assert_eq!(bench.handle.request_count(Endpoint::Unrouted), 1);
}

#[tokio::test]
async fn keys_are_judged() {
    let bench = Bench::with(0, |config| config.forbidden_keys.push("suspended".to_owned())).await;
    for (authorization, status) in [
        ("Bearer wrong", 401),
        ("Basic sandbox-key", 401),
        ("Bearer suspended", 403),
        ("bearer sandbox-key", 200),
    ] {
        let request = format!(
            "GET /api/v1/credits HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {authorization}\r\n\r\n"
        );
        let reply = Reply::parse(&bench.send(request.as_bytes()).await.unwrap()).unwrap();
        assert_eq!(reply.status, status, "{authorization}");
    }
}

#[tokio::test]
async fn an_upload_makes_a_batch_or_joins_one() {
    let bench = Bench::new(0).await;
    let path = "/documentClassification/uploadFiles";
    let id = bench.classification.as_str();
    let files: [(&str, &[u8]); 2] = [("My Resume 1.pdf", b"%PDF"), ("other.pdf", b"")];
    let first = bench
        .upload(path, &[("classificationId", id)], &files)
        .await
        .json();
    let batch = first["batchId"].as_str().unwrap();
    assert!(batch.len() == 10 && batch.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(first["files"].as_array().unwrap().len(), 2);
    assert!(
        first["files"][0]["url"]
            .as_str()
            .unwrap()
            .contains("My%20Resume%201.pdf")
    );
    let second = bench
        .upload(path, &[("batchId", batch), ("classificationId", id)], &files[..1])
        .await
        .json();
    assert_eq!(second["batchId"], batch);
    let held: Vec<_> = bench
        .handle
        .files()
        .into_iter()
        .map(|file| (file.name, file.bytes))
        .collect();
    let expected = [("My Resume 1.pdf", 4), ("other.pdf", 0), ("My Resume 1.pdf", 4)];
    assert_eq!(held, expected.map(|(name, bytes)| (name.to_owned(), bytes)));
    // sha256sum of `%PDF`
    let digest = "315d429b7714cedb6ad04ac31240145257692630457f3c88253c5beceac76027";
    assert_eq!(bench.handle.files()[0].sha256.as_deref(), Some(digest));
    let refused = bench
        .upload(
            path,
            &[("classificationId", id), ("batchId", "none")],
            &files[..1],
        )
        .await;
    assert_eq!(
        (refused.status, &refused.json()["message"]),
        (400, &json!("Batch does not exist"))
    );
}

#[tokio::test]
async fn results_hold_type_and_signed_link() {
    let bench = Bench::with(1, |config| config.canary = "c4n4ry".to_owned()).await;
    let named = bench.handle.seed_file(
        Module::Classification,
        &bench.classification,
        &bench.batch,
        "an INVOICE.pdf",
        MOMENT_MS + 1,
    );
    let results = bench.results().await.json();
    assert_eq!(
        (&results["status"], &results["batchId"]),
        (&json!("success"), &json!(bench.batch))
    );
    let files = results["files"].as_array().unwrap();
    assert_eq!(files[0]["result"]["documentType"], "resume");
    assert_eq!(files[1]["result"]["documentType"], "invoice");
    assert_eq!(files[1]["fileId"], named.unwrap());
    assert_eq!(files[0]["status"], "processed");
    assert!(files[0]["result"]["confidence"].as_f64().unwrap() > 0.8);
    assert!(
        files
            .iter()
            .all(|file| file["url"].as_str().unwrap().contains("c4n4ry"))
    );
}

#[tokio::test]
async fn an_extraction_is_pending_then_done_and_its_batches_are_listed() {
    let bench = Bench::with(0, |config| config.processing = Processing::AfterReads(1)).await;
    let created = bench
        .call(
            "POST",
            "/createExtraction",
            json!({"extractionDetails": {"name": "cv"}}),
        )
        .await
        .json();
    let id = created["extractionId"].as_str().unwrap();
    assert_eq!(
        (&created["status"], &created["createdAt"]),
        (&json!("created"), &json!(MOMENT_MS))
    );
    let uploaded = bench
        .upload("/uploadFiles", &[("extractionId", id)], &[("cv.pdf", b"x")])
        .await
        .json();
    let (batch, file) = (&uploaded["batchId"], &uploaded["files"][0]["fileId"]);
    let ask = json!({"extractionId": id, "batchId": batch});
    assert_eq!(
        bench.call("POST", "/getBatchResults", ask.clone()).await.json(),
        json!({"status": "waiting"})
    );
    let done = bench.call("POST", "/getBatchResults", ask).await.json();
    assert_eq!((done.get("status"), &done["files"][0]["fileId"]), (None, file));
    let viewed = bench
        .call("POST", "/viewExtraction", json!({"extractionId": id}))
        .await
        .json();
    let listed = &viewed["extractionDetails"]["batches"][batch.as_str().unwrap()];
    let expected = json!({"filesNo": 1, "origin": "api", "startTime": MOMENT_MS, "status": "processed"});
    assert_eq!(listed, &expected);
    let deleted = bench.call(
        "DELETE",
        "/deleteExtraction",
        json!({"extractionId": id, "batchId": batch, "fileId": file}),
    );
    assert_eq!(
        deleted.await.json(),
        json!({"status": "deleted", "deletedAt": MOMENT_MS})
    );
    assert!(bench.handle.parent_exists(Module::Extraction, id));
    assert!(!bench.handle.exists(file.as_str().unwrap()));
}

#[tokio::test]
async fn a_body_that_is_not_strict_json_or_too_large_answers_a_page() {
    let bench = Bench::new(0).await;
    let post = |body: String| {
        format!(
            "POST /api/v1/viewExtraction HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             authorization: Bearer {DEFAULT_KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (body, status) in [
        ("{".to_owned(), 400),
        ("7".to_owned(), 400),
        (" ".repeat(1_100_000), 413),
    ] {
        let mut stream = TcpStream::connect(bench.sandbox.addr()).await.unwrap();
        // The server may answer and close before it has all of an oversized body.
        let _ = stream.write_all(post(body).as_bytes()).await;
        let mut answer = vec![0; 512];
        let length = stream.read(&mut answer).await.unwrap();
        assert_eq!(Reply::parse(&answer[..length]).unwrap().status, status);
    }
}
