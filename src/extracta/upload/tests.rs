use super::*;
use crate::extracta::client::tests::server::{Act, Server, canned, json};
use crate::extracta::client::tests::{KEY, client};
use crate::model::{ClassificationId, ExtractionId};

fn classification() -> Parent {
    Parent::Classification(ClassificationId::new("C1").expect("an id"))
}

fn documents() -> Vec<Document> {
    vec![
        Document::from_bytes("Müller \"x\".pdf".to_owned(), Bytes::from_static(b"%PDF-1")),
        Document::from_bytes("b.bin".to_owned(), Bytes::from_static(b"\x00\xff")),
    ]
}

const ANSWER: &str = r#"{"status":"success","classificationId":"C1","batchId":"B1","files":[
    {"fileId":"F1","fileName":"canary-name.pdf","url":"https://canary.test"},{"fileId":"F2"}]}"#;

#[tokio::test]
async fn files_go_up_in_one_form_and_their_ids_come_back() {
    let server = Server::start(|_| Act::Answer(json(200, ANSWER))).await;
    let batch = BatchId::new("B1").expect("an id");
    let answer = client(&server)
        .upload_files(&classification(), Some(&batch), documents())
        .await
        .expect("uploaded");
    assert_eq!(answer.batch.batch, batch);
    assert_eq!(
        answer.files.iter().map(FileId::as_str).collect::<Vec<_>>(),
        ["F1", "F2"]
    );
    assert_eq!(answer.raw, ANSWER.as_bytes());
    assert!(!format!("{answer:?}").contains("canary"));

    let seen = server.seen();
    assert_eq!(
        seen[0].line,
        "POST /api/v1/documentClassification/uploadFiles HTTP/1.1"
    );
    assert_eq!(
        seen[0].header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    let body = String::from_utf8_lossy(&seen[0].body).into_owned();
    for part in [
        "name=\"classificationId\"\r\n\r\nC1\r\n",
        "name=\"batchId\"\r\n\r\nB1\r\n",
        "name=\"files\"; filename=\"Müller \\\"x\\\".pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF-1\r\n",
        "name=\"files\"; filename=\"b.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n\0",
    ] {
        assert!(body.contains(part), "{part:?} is missing in {body:?}");
    }
}

#[tokio::test]
async fn an_extraction_upload_takes_its_own_call_and_key() {
    let body = r#"{"status":"success","extractionId":"E1","batchId":"B7","files":[{"fileId":"F1"}]}"#;
    let server = Server::start(move |_| Act::Answer(json(200, body))).await;
    let parent = Parent::Extraction(ExtractionId::new("E1").expect("an id"));
    let answer = client(&server)
        .upload_files(&parent, None, documents())
        .await
        .expect("uploaded");
    assert_eq!(answer.batch.batch.as_str(), "B7");
    assert_eq!(server.seen()[0].line, "POST /api/v1/uploadFiles HTTP/1.1");
    let body = String::from_utf8_lossy(&server.seen()[0].body).into_owned();
    assert!(body.contains("name=\"extractionId\"") && !body.contains("batchId"));
}

#[tokio::test]
async fn every_other_answer_says_whether_trying_again_is_safe() {
    let table: Vec<(Vec<u8>, &str)> = vec![
        (
            json(400, r#"{"status":"error","message":"bad file canary.pdf"}"#),
            "refused",
        ),
        (json(401, "{}"), "refused"),
        (json(429, "{}"), "refused"),
        (
            json(200, r#"{"status":"error","message":"no credits"}"#),
            "refused",
        ),
        (json(400, ANSWER), "unclear"),
        (json(408, "{}"), "unclear"),
        (json(500, r#"{"status":"error"}"#), "unclear"),
        (json(202, ANSWER), "unclear"),
        (canned(200, "Content-Type: text/html\r\n", "", "<h1>"), "unclear"),
        (canned(302, "Location: /x\r\n", "", ""), "unclear"),
        (json(200, r#"{"status":"success"}"#), "unclear"),
        (
            json(200, r#"{"status":"success","batchId":"B1","files":[]}"#),
            "unclear",
        ),
        (
            json(
                200,
                r#"{"status":"success","batchId":"","files":[{"fileId":"F"}]}"#,
            ),
            "unclear",
        ),
        (
            json(
                200,
                r#"{"status":"success","batchId":"B1","files":[{"fileId":""}]}"#,
            ),
            "unclear",
        ),
        (
            json(
                200,
                r#"{"classificationId":"C2","batchId":"B1","files":[{"fileId":"F"}]}"#,
            ),
            "unclear",
        ),
        (
            json(200, r#"{"batchId":"B2","files":[{"fileId":"F"}]}"#),
            "unclear",
        ),
    ];
    let batch = BatchId::new("B1").expect("an id");
    for (answer, expected) in table {
        let text = String::from_utf8_lossy(&answer).into_owned();
        let server = Server::start(move |_| Act::Answer(answer.clone())).await;
        let error = client(&server)
            .upload_files(&classification(), Some(&batch), documents())
            .await
            .expect_err("no upload");
        let label = match &error {
            UploadError::NotSent { .. } => "not sent",
            UploadError::Refused { .. } => "refused",
            UploadError::Unclear { .. } => "unclear",
        };
        assert_eq!(label, expected, "{text} gave {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_upload_without_files_is_not_sent_and_a_broken_one_is_unclear() {
    let server = Server::start(|_| Act::Reset).await;
    let client = client(&server);
    let none = client.upload_files(&classification(), None, Vec::new()).await;
    assert!(matches!(none, Err(UploadError::NotSent { .. })), "{none:?}");
    assert!(server.seen().is_empty());
    let broken = client.upload_files(&classification(), None, documents()).await;
    assert!(matches!(broken, Err(UploadError::Unclear { .. })), "{broken:?}");
}

#[tokio::test]
async fn a_rehearsal_can_set_up_a_classification_and_its_template() {
    let server = Server::start(|seen| {
        Act::Answer(if seen.line.contains("createExtraction") {
            json(200, r#"{"status":"created","createdAt":1,"extractionId":"E1"}"#)
        } else {
            json(
                200,
                r#"{"status":"created","createdAt":1,"classificationId":"C1"}"#,
            )
        })
    })
    .await;
    let client = client(&server);
    let template = client
        .create_extraction("cv", "English", serde_json::json!([{"key": "name"}]))
        .await
        .expect("created");
    let types = serde_json::json!([{"name": "resume", "description": "", "uniqueWords": [], "extractionId": template}]);
    let created = client
        .create_classification("applications", types)
        .await
        .expect("created");
    assert_eq!((template.as_str(), created.as_str()), ("E1", "C1"));
    let sent: serde_json::Value = serde_json::from_slice(&server.seen()[1].body).expect("JSON");
    assert_eq!(
        sent["classificationDetails"]["documentTypes"][0]["extractionId"],
        "E1"
    );
    assert_eq!(sent["classificationDetails"]["name"], "applications");
}
