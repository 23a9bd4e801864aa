//! Whose request it is, its key says: it goes to that account's address, and into its books alone.

use retentiond::model::{BatchId, FileState};

use super::plain::{Api, FORM, ask, form, json, request};
use super::*;

/// The same ids in both accounts.
const ANSWER: &str = r#"{"status":"uploaded","classificationId":"C1","batchId":"B1","files":[{"fileId":"F1","fileName":"a.pdf","url":"https://storage.example/a"}]}"#;

fn batch(account: Option<&str>) -> BatchAddress {
    BatchAddress {
        parent: Parent::Classification(ClassificationId::new("C1").unwrap()),
        batch: BatchId::new("B1").unwrap(),
        account: account.map(|name| AccountName::new(name).unwrap()),
    }
}

fn upload(key: &str) -> Vec<u8> {
    request(
        "POST /api/v1/documentClassification/uploadFiles",
        &[FORM, key],
        &form("classificationId", "C1", 1),
    )
}

fn delete(key: &str) -> Vec<u8> {
    request(
        "DELETE /api/v1/documentClassification/deleteFiles",
        &["content-type: application/json", key],
        br#"{"classificationId":"C1","batchId":"B1","fileIds":["F1"]}"#,
    )
}

async fn api() -> Api {
    Api::start(|asked| {
        if asked.head.starts_with("DELETE") {
            json(200, r#"{"status":"success","message":"Files deleted"}"#)
        } else {
            json(200, ANSWER)
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_says_whose_address_and_whose_books() {
    let (own, acme) = (api().await, api().await);
    let passed = Passed::to_accounts(&own.base_url, &[("acme", "key-of-acme", &acme.base_url)]).await;
    let file = FileId::new("F1").unwrap();

    assert_eq!(
        ask(passed.addr, &upload("authorization: Bearer key-of-acme"))
            .await
            .status(),
        200
    );
    assert_eq!((own.asked().len(), acme.asked().len()), (0, 1));
    assert_eq!(acme.asked()[0].header("authorization"), ["Bearer key-of-acme"]);
    assert!(passed.file(&batch(None), &file).await.is_none());
    let theirs = || async { passed.file(&batch(Some("acme")), &file).await.unwrap().state };
    assert_eq!(theirs().await, FileState::Live);
    let kept = passed.upload().await;
    assert_eq!(kept.account, batch(Some("acme")).account);

    for key in ["authorization: Bearer another", "x-other: key-of-acme"] {
        assert_eq!(ask(passed.addr, &upload(key)).await.status(), 200);
    }
    assert_eq!((own.asked().len(), acme.asked().len()), (2, 1));
    let ours = || async { passed.file(&batch(None), &file).await.unwrap().state };
    assert_eq!(ours().await, FileState::Live);

    assert_eq!(
        ask(passed.addr, &delete("authorization: bearer key-of-acme"))
            .await
            .status(),
        200
    );
    assert_eq!((theirs().await, ours().await), (FileState::Gone, FileState::Live));
}
