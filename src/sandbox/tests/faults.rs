//! Each kind of fault, and whether the operation took place under it.

use super::*;

/// The bench's whole batch deleted under one fault.
async fn under(fault: Fault, files: usize) -> (Bench, Reply) {
    let bench = Bench::new(files).await;
    bench.handle.add_fault(fault).unwrap();
    let reply = bench.delete(&bench.files).await;
    (bench, reply)
}

fn at_delete() -> Fault {
    Fault::at(Endpoint::DeleteFiles)
}

#[tokio::test]
async fn a_500_is_the_documented_one_and_applies_as_told() {
    for (apply, left, applied) in [
        (None, 5, Applied::No),
        (Some(Apply::Never), 5, Applied::No),
        (Some(Apply::Before), 0, Applied::Yes),
        (Some(Apply::Half), 3, Applied::Half),
    ] {
        let (bench, reply) = under(
            Fault {
                apply,
                ..at_delete().status(500)
            },
            5,
        )
        .await;
        let documented = json!({"status": "error", "message": "Internal server error"});
        assert_eq!(
            (reply.status, reply.json(), bench.left()),
            (500, documented, left),
            "{apply:?}"
        );
        let record = bench.handle.requests().pop().unwrap();
        assert_eq!(
            (record.applied, record.removed, record.status),
            (applied, 5 - left, Some(500))
        );
    }
}

#[tokio::test]
async fn a_late_deletion_comes_after_its_answer() {
    let fault = Fault {
        late_ms: 3_600_000,
        ..at_delete().status(500).apply(Apply::After)
    };
    let (bench, reply) = under(fault, 2).await;
    assert_eq!((reply.status, bench.left()), (500, 2));
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(3_600)).await;
    bench.handle.await_gone(&bench.files[1]).await;
    let record = &bench.handle.requests()[0];
    assert_eq!((record.applied, record.removed), (Applied::Yes, 2));
}

#[tokio::test]
async fn a_poison_id_fails_every_list_that_holds_it() {
    let bench = Bench::new(4).await;
    bench
        .handle
        .add_fault(at_delete().always().poison(&bench.files[1]).status(500))
        .unwrap();
    assert_eq!(bench.delete(&bench.files[..2]).await.status, 500);
    assert_eq!(bench.delete(&bench.files[2..]).await.status, 200);
    assert_eq!(bench.delete(&bench.files[1..2]).await.status, 500);
    assert_eq!(bench.left(), 2);
}

#[tokio::test]
async fn a_lie_answers_success_and_still_lists() {
    let (bench, reply) = under(at_delete().lie(), 2).await;
    assert_eq!(
        (reply.status, reply.json()["status"].clone(), bench.left()),
        (200, json!("success"), 2)
    );
    assert_eq!(bench.results().await.json()["files"].as_array().unwrap().len(), 2);
    assert_eq!(bench.handle.requests()[0].applied, Applied::No);
}

#[tokio::test]
async fn a_neighbour_vanishes_with_the_call() {
    let bench = Bench::new(4).await;
    bench.handle.add_fault(at_delete().neighbours(2)).unwrap();
    let reply = bench.delete(&bench.files[..1]).await;
    assert_eq!((reply.status, bench.left()), (200, 1));
    let neighbours = bench
        .handle
        .deleted()
        .iter()
        .filter(|gone| gone.cause == Cause::Neighbour)
        .count();
    assert_eq!((neighbours, bench.handle.requests()[0].removed), (2, 3));
}

#[tokio::test]
async fn a_scripted_body_goes_out_as_told() {
    let success = json!({"status": "success", "message": "Files deleted"});
    let (_, reply) = under(at_delete().status(400).body(success.clone()), 1).await;
    assert_eq!((reply.status, reply.json()), (400, success));
    let (_, reply) = under(at_delete().body("<h1>Log in</h1>"), 1).await;
    assert_eq!((reply.status, reply.text()), (200, "<h1>Log in</h1>".to_owned()));
    assert!(reply.header("content-type")[0].starts_with("text/html"));
    let fault = Fault {
        content_type: Some("application/json".to_owned()),
        ..at_delete().body("{")
    };
    assert_eq!(
        under(fault, 1).await.1.header("content-type"),
        ["application/json"]
    );
}

#[tokio::test]
async fn headers_may_repeat_and_redirects_have_no_body() {
    let fault = at_delete()
        .status(429)
        .header("Retry-After", "1")
        .header("Retry-After", "soon");
    assert_eq!(under(fault, 1).await.1.header("retry-after"), ["1", "soon"]);
    let (_, reply) = under(
        at_delete()
            .status(307)
            .header("Location", "http://elsewhere.invalid/"),
        1,
    )
    .await;
    assert_eq!(
        (reply.status, reply.header("location")[0]),
        (307, "http://elsewhere.invalid/")
    );
    assert!(reply.body.is_empty());
    let (_, reply) = under(at_delete().status(204), 1).await;
    assert_eq!((reply.status, reply.body.len()), (204, 0));
}

#[tokio::test]
async fn the_date_of_one_answer_can_be_wrong_or_missing() {
    let fault = Fault {
        date_skew_ms: -60_000,
        ..at_delete()
    };
    assert_eq!(
        under(fault, 1).await.1.header("date"),
        ["Sat, 01 Mar 2025 21:19:32 GMT"]
    );
    assert!(
        under(
            Fault {
                omit_date: true,
                ..at_delete()
            },
            1
        )
        .await
        .1
        .header("date")
        .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_the_answer_but_not_the_deletion() {
    let bench = Bench::new(1).await;
    bench.handle.add_fault(at_delete().delay_ms(60_000)).unwrap();
    let begun = tokio::time::Instant::now();
    let (reply, left_when_decided) = tokio::join!(bench.delete(&bench.files), async {
        bench.handle.await_requests(Endpoint::DeleteFiles, 1).await;
        (bench.left(), begun.elapsed().as_secs())
    });
    assert_eq!((reply.status, left_when_decided), (200, (0, 0)));
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn other_endpoints_can_fail_too() {
    let bench = Bench::new(1).await;
    for endpoint in [Endpoint::Credits, Endpoint::GetResults, Endpoint::UploadFiles] {
        bench.handle.add_fault(Fault::at(endpoint).status(503)).unwrap();
    }
    assert_eq!(bench.call("GET", "/credits", Value::Null).await.status, 503);
    assert_eq!(bench.results().await.status, 503);
    let fields = [("classificationId", bench.classification.as_str())];
    let upload = async || {
        bench
            .upload("/documentClassification/uploadFiles", &fields, &[("a.pdf", b"a")])
            .await
    };
    assert_eq!((upload().await.status, bench.handle.files().len()), (503, 1));
    assert_eq!((upload().await.status, bench.handle.files().len()), (200, 2));
    let fired: Vec<_> = bench
        .handle
        .faults()
        .into_iter()
        .map(|planted| (planted.seen, planted.fired))
        .collect();
    assert_eq!(fired, [(1, 1), (1, 1), (2, 1)]);
}

#[tokio::test]
async fn a_lie_everywhere_concerns_deletes_alone() {
    let bench = Bench::new(1).await;
    bench.handle.add_fault(Fault::anywhere().always().lie()).unwrap();
    assert_eq!(
        bench.results().await.json()["files"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!((bench.delete(&bench.files).await.status, bench.left()), (200, 1));
    let applied: Vec<_> = bench
        .handle
        .requests()
        .into_iter()
        .map(|record| record.applied)
        .collect();
    assert_eq!(applied, [Applied::Yes, Applied::No]);
}
