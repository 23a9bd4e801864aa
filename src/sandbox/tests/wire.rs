//! Faults below HTTP: resets, closes, bodies that misbehave.

use std::io::ErrorKind;

use super::*;

async fn bench_with(fault: Fault) -> Bench {
    let bench = Bench::new(2).await;
    bench.handle.add_fault(fault).unwrap();
    bench
}

fn at_delete() -> Fault {
    Fault::at(Endpoint::DeleteFiles)
}

/// Sends the bench's delete and takes the bare bytes of the answer.
async fn send_delete(bench: &Bench) -> std::io::Result<Vec<u8>> {
    let body = bench.delete_body(&bench.files);
    bench
        .send(&bench.request("DELETE", "/api/v1/documentClassification/deleteFiles", &body))
        .await
}

#[tokio::test]
async fn a_reset_after_reading_can_hide_a_deletion_that_happened() {
    for (apply, left) in [(Apply::Before, 0), (Apply::Never, 2)] {
        let bench = bench_with(at_delete().reset(Reset::AfterRead).apply(apply)).await;
        assert_eq!(
            send_delete(&bench).await.unwrap_err().kind(),
            ErrorKind::ConnectionReset
        );
        let record = bench.handle.requests().pop().unwrap();
        assert_eq!(
            (bench.left(), record.status, record.file_ids),
            (left, None, bench.files.clone())
        );
    }
}

#[tokio::test]
async fn a_reset_before_reading_deletes_nothing() {
    let bench = bench_with(at_delete().reset(Reset::BeforeRead)).await;
    assert_eq!(
        send_delete(&bench).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    let record = bench.handle.requests().pop().unwrap();
    assert_eq!(
        (bench.left(), record.body_bytes, record.applied),
        (2, 0, Applied::No)
    );
}

/// Two calls on one connection that asks to be kept; what the client saw of each.
async fn two_on_one_connection(bench: &Bench) -> [std::io::Result<Vec<u8>>; 2] {
    let mut stream = TcpStream::connect(bench.sandbox.addr()).await.unwrap();
    let request =
        format!("GET /api/v1/credits HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {DEFAULT_KEY}\r\n\r\n");
    let mut answers = [Ok(Vec::new()), Ok(Vec::new())];
    for answer in &mut answers {
        let mut bytes = vec![0; 1024];
        *answer = match stream.write_all(request.as_bytes()).await {
            Ok(()) => stream
                .read(&mut bytes)
                .await
                .map(|length| bytes[..length].to_vec()),
            Err(error) => Err(error),
        };
    }
    answers
}

#[tokio::test]
async fn a_connection_is_kept_unless_a_fault_closes_it() {
    let bench = Bench::new(0).await;
    let [first, second] = two_on_one_connection(&bench)
        .await
        .map(|answer| Reply::parse(&answer.unwrap()).unwrap());
    assert_eq!((first.status, second.status), (200, 200));
    assert!(first.header("connection").is_empty());
}

#[tokio::test]
async fn an_announced_close_says_so() {
    let bench = bench_with(Fault::at(Endpoint::Credits).close(Close::Announced)).await;
    let [first, second] = two_on_one_connection(&bench).await;
    assert_eq!(
        Reply::parse(&first.unwrap()).unwrap().header("connection"),
        ["close"]
    );
    assert!(second.map_or(true, |bytes| bytes.is_empty()));
    assert_eq!(bench.handle.request_count(Endpoint::Credits), 1);
}

#[tokio::test]
async fn a_silent_close_keeps_its_secret() {
    let bench = bench_with(Fault::at(Endpoint::Credits).close(Close::Silent)).await;
    let [first, second] = two_on_one_connection(&bench).await;
    let first = Reply::parse(&first.unwrap()).unwrap();
    assert!(first.status == 200 && first.header("connection").is_empty());
    assert!(second.map_or(true, |bytes| bytes.is_empty()));
    assert_eq!(bench.handle.request_count(Endpoint::Credits), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_comes_byte_by_byte_and_whole() {
    let bench = bench_with(at_delete().shape(Shape::Slow { interval_ms: 1_000 })).await;
    let begun = tokio::time::Instant::now();
    let reply = Reply::parse(&send_delete(&bench).await.unwrap()).unwrap();
    assert_eq!(reply.json()["status"], "success");
    assert_eq!(begun.elapsed().as_secs(), reply.body.len() as u64);
    assert_eq!(reply.header("content-length"), [reply.body.len().to_string()]);
}

#[tokio::test]
async fn an_endless_body_does_not_end() {
    let bench = bench_with(at_delete().shape(Shape::Endless)).await;
    let mut stream = TcpStream::connect(bench.sandbox.addr()).await.unwrap();
    let body = bench.delete_body(&bench.files);
    let request = bench.request("DELETE", "/api/v1/documentClassification/deleteFiles", &body);
    stream.write_all(&request).await.unwrap();
    let mut much = vec![0; 4 * 1024 * 1024];
    stream.read_exact(&mut much).await.unwrap();
    assert!(String::from_utf8_lossy(&much).contains(r#"{"status":"success""#));
    drop(stream);
    // The server outlives it.
    assert_eq!(bench.call("GET", "/credits", Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_promised() {
    let bench = bench_with(at_delete().shape(Shape::Truncated { missing: 10 })).await;
    let reply = Reply::parse(&send_delete(&bench).await.unwrap()).unwrap();
    let promised: usize = reply.header("content-length")[0].parse().unwrap();
    assert_eq!((reply.status, reply.body.len()), (200, promised - 10));
    assert!(serde_json::from_slice::<Value>(&reply.body).is_err());
}

#[tokio::test]
async fn a_gzip_bomb_says_what_it_is_encoded_in() {
    let bench = bench_with(at_delete().shape(Shape::GzipBomb { bytes: 1 << 24 })).await;
    let reply = Reply::parse(&send_delete(&bench).await.unwrap()).unwrap();
    assert_eq!(reply.header("content-encoding"), ["gzip"]);
    assert!(reply.body.starts_with(&[0x1F, 0x8B]) && reply.body.len() < 110_000);
}

#[tokio::test]
async fn invalid_utf8_is_not_text() {
    let bench = bench_with(at_delete().shape(Shape::InvalidUtf8)).await;
    let reply = Reply::parse(&send_delete(&bench).await.unwrap()).unwrap();
    assert!(std::str::from_utf8(&reply.body).is_err() && reply.status == 200);
}
