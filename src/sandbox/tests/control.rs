//! `/_sandbox/…`, as `curl` uses it.

use super::*;

#[tokio::test]
async fn faults_are_planted_listed_and_removed() {
    let bench = Bench::new(1).await;
    let fault = json!({"endpoint": "credits", "hits": {"times": 2}, "status": 503, "headers": [["Retry-After", "9"]]});
    let planted = bench.raw("POST", "/_sandbox/faults", fault).await.json();
    assert_eq!(planted, json!({"status": "success", "id": 1}));
    assert_eq!(
        bench
            .call("GET", "/credits", Value::Null)
            .await
            .header("retry-after"),
        ["9"]
    );
    let listed = bench.raw("GET", "/_sandbox/faults", Value::Null).await.json();
    assert_eq!(
        (&listed[0]["fired"], &listed[0]["fault"]["status"]),
        (&json!(1), &json!(503))
    );
    assert_eq!(
        bench
            .raw("DELETE", "/_sandbox/faults?id=1", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        bench
            .raw("DELETE", "/_sandbox/faults?id=1", Value::Null)
            .await
            .status,
        404
    );
    assert_eq!(
        bench.raw("DELETE", "/_sandbox/faults", Value::Null).await.status,
        200
    );
    assert_eq!(bench.call("GET", "/credits", Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_fault_that_cannot_be_played_is_refused_with_a_reason() {
    let bench = Bench::new(0).await;
    for (fault, reason) in [
        (json!({"statsu": 500}), "statsu"),
        (json!({"status": 99}), "99"),
        (json!({"endpoint": "deleteFile"}), "deleteFile"),
        (json!({"lie": true, "apply": "before"}), "lie"),
    ] {
        let reply = bench.raw("POST", "/_sandbox/faults", fault.clone()).await;
        assert!(
            reply.status == 400 && reply.text().contains(reason),
            "{fault}: {}",
            reply.text()
        );
    }
}

#[tokio::test]
async fn state_requests_and_deletions_are_shown() {
    let bench = Bench::new(2).await;
    bench.delete(&bench.files[..1]).await;
    let state = bench.raw("GET", "/_sandbox/state", Value::Null).await.json();
    let batch = &state["classifications"][0]["batches"][0];
    assert_eq!(
        (&batch["batchId"], batch["files"].as_array().unwrap().len()),
        (&json!(bench.batch), 1)
    );
    assert_eq!(
        (&state["requests"], &state["deleted"]),
        (&json!({"deleteFiles": 1}), &json!(1))
    );
    let requests = bench.raw("GET", "/_sandbox/requests", Value::Null).await.json();
    let first = &requests[0];
    assert_eq!(
        (&first["sequence"], &first["endpoint"]),
        (&json!(1), &json!("deleteFiles"))
    );
    assert_eq!(
        (&first["file_ids"], &first["applied"]),
        (&json!([bench.files[0]]), &json!("yes"))
    );
    let deleted = bench.raw("GET", "/_sandbox/deleted", Value::Null).await.json();
    assert_eq!(
        (&deleted[0]["file_id"], &deleted[0]["cause"]),
        (&json!(bench.files[0]), &json!("listed"))
    );
}

#[tokio::test]
async fn the_clock_is_skewed_from_outside() {
    let bench = Bench::new(0).await;
    let setting = json!({"skew_ms": -1_000});
    assert_eq!(bench.raw("POST", "/_sandbox/clock", setting).await.status, 200);
    let date = bench.call("GET", "/credits", Value::Null).await;
    assert_eq!(date.header("date"), ["Sat, 01 Mar 2025 21:20:31 GMT"]);
    bench.raw("POST", "/_sandbox/clock", json!({"omit": true})).await;
    assert!(
        bench
            .call("GET", "/credits", Value::Null)
            .await
            .header("date")
            .is_empty()
    );
}

#[tokio::test]
async fn control_requests_are_not_in_the_journal() {
    let bench = Bench::new(0).await;
    assert_eq!(
        bench.raw("GET", "/_sandbox/nothing", Value::Null).await.status,
        404
    );
    assert!(bench.handle.requests().is_empty());
}
