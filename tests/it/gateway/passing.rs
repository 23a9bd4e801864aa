//! What passes, passes unchanged.

use std::time::Duration;

use super::plain::{Api, FORM, ask, form, json, request};
use super::*;

#[tokio::test]
async fn a_request_and_its_answer_pass_byte_for_byte() {
    let odd: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let answer = [
        b"HTTP/1.1 418 Teapot\r\nX-Twice: a\r\nX-Twice: b\r\nContent-Encoding: gzip\r\nSet-Cookie: c=1\r\nDate: Tue, 24 Nov 2026 21:00:00 GMT\r\nContent-Length: 70000\r\n\r\n".as_slice(),
        &odd,
    ]
    .concat();
    let api = Api::start(move |_| answer.clone()).await;
    let passed = Passed::to(&api.base_url).await;
    let body: Vec<u8> = (0..=255).rev().cycle().take(90_001).collect();
    let sent = request(
        "PATCH /api/v1/some/%7Eodd/path?a=%2F&b=+&c",
        &[
            "Authorization: Bearer somebody's-own-key",
            "Content-Type: application/octet-stream",
            "X-Custom: \u{e9}",
            "X-Retentiond-Label-Tenant: acme",
            "Accept-Encoding: gzip, br",
            "User-Agent: odd/1",
        ],
        &body,
    );
    let got = ask(passed.addr, &sent).await;
    assert_eq!(got.status(), 418);
    assert_eq!(got.header("x-twice"), ["a", "b"]);
    assert_eq!(got.header("content-encoding"), ["gzip"]);
    assert_eq!(got.header("set-cookie"), ["c=1"]);
    assert_eq!(got.header("date"), ["Tue, 24 Nov 2026 21:00:00 GMT"]);
    assert_eq!(got.header("content-length"), ["70000"]);
    assert!(got.body == odd, "the body of the answer differs");

    let [asked] = api.asked().try_into().unwrap();
    assert!(
        asked
            .head
            .starts_with("PATCH /api/v1/some/%7Eodd/path?a=%2F&b=+&c HTTP/1.1\r\n"),
        "{}",
        asked.head
    );
    assert_eq!(asked.header("authorization"), ["Bearer somebody's-own-key"]);
    assert_eq!(asked.header("x-custom"), ["\u{e9}"]);
    assert_eq!(asked.header("accept-encoding"), ["gzip, br"]);
    assert_eq!(asked.header("user-agent"), ["odd/1"]);
    assert_eq!(asked.header("content-length"), ["90001"]);
    assert_eq!(
        asked.header("x-retentiond-label-tenant"),
        Vec::<&str>::new(),
        "for us alone"
    );
    assert_ne!(asked.header("host"), ["gateway"]);
    assert!(asked.body == body, "the body of the request differs");
}

#[tokio::test]
async fn a_body_in_chunks_passes_in_chunks() {
    let api = Api::start(|_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n".to_vec()
    })
    .await;
    let passed = Passed::to(&api.base_url).await;
    let sent = b"POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    let got = ask(passed.addr, sent).await;
    let [asked] = api.asked().try_into().unwrap();
    let said: Vec<u8> = asked
        .body
        .split(|byte| *byte == b'\n')
        .flat_map(<[u8]>::to_vec)
        .collect();
    let said = String::from_utf8(said).unwrap();
    assert!(
        asked.head.starts_with("POST /api/v1/x ") && said.contains("hello") && said.contains(" world"),
        "{asked:?}"
    );
    let got = String::from_utf8(got.body).unwrap();
    assert!(got.contains("abc") && got.contains("defg"), "{got}");
}

#[tokio::test]
async fn a_redirect_is_passed_on_and_never_followed_and_nothing_is_tried_twice() {
    for answer in [
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    ] {
        let api = Api::start(move |_| answer.as_bytes().to_vec()).await;
        let passed = Passed::to(&api.base_url).await;
        let got = ask(
            passed.addr,
            &request("DELETE /documentClassification/deleteFiles", &[], b"{}"),
        )
        .await;
        assert!(answer.contains(&format!(" {} ", got.status())), "{got:?}");
        assert_eq!(api.asked().len(), 1);
    }
}

#[tokio::test]
async fn an_api_that_is_not_there_is_a_502_and_an_upload_to_it_brought_nothing() {
    let passed = Passed::to("http://127.0.0.1:1/api/v1").await;
    let sent = request("POST /uploadFiles", &[FORM], &form("extractionId", "E1", 1));
    let got = ask(passed.addr, &sent).await;
    assert_eq!(got.status(), 502);
    let body: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(body["status"], "error");
    assert_eq!(
        passed.upload().await.state,
        retentiond::model::UploadState::Nothing
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_client_too() {
    let api = Api::start(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"status\":"
            .to_vec()
    })
    .await;
    let passed = Passed::to(&api.base_url).await;
    for line in ["POST /uploadFiles", "POST /getBatchResults", "GET /credits"] {
        let sent = request(line, &[FORM], &form("extractionId", "E1", 1));
        let got = ask(passed.addr, &sent).await;
        assert!(got.body.len() < 500, "{line}: {got:?}");
    }
    assert_eq!(
        passed.upload().await.state,
        retentiond::model::UploadState::Doubtful
    );
}

#[tokio::test]
async fn a_path_out_of_the_base_address_is_not_sent() {
    let api = Api::start(|_| json(200, "{}")).await;
    let passed = Passed::to(&api.base_url).await;
    let got = ask(passed.addr, &request("POST /../../other", &[], b"")).await;
    assert_eq!((got.status(), api.asked().len()), (400, 0));
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_waits_does_not_lose_its_upload() {
    let gone = Arc::new(tokio::sync::Notify::new());
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let reached = Arc::clone(&gone);
    let api = Api::start(move |_| {
        reached.notify_one();
        wait.lock()
            .unwrap()
            .recv_timeout(Duration::from_secs(60))
            .unwrap();
        json(
            200,
            r#"{"status":"uploaded","extractionId":"E1","batchId":"B1","files":[{"fileId":"F1"}]}"#,
        )
    })
    .await;
    let passed = Passed::to(&api.base_url).await;
    let sent = request("POST /uploadFiles", &[FORM], &form("extractionId", "E1", 1));
    {
        let asking = ask(passed.addr, &sent);
        tokio::select! {
            got = asking => panic!("nothing is answered yet: {got:?}"),
            () = gone.notified() => {}
        }
    }
    release.send(()).unwrap();
    passed.gateway.settled().await;
    assert_eq!(
        passed.upload().await.state,
        retentiond::model::UploadState::Recorded
    );
}
