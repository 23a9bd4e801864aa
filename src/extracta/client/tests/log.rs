//! What the log shows at its fullest.

use super::*;

/// What a subscriber writes, kept.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("no panic while writing")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Set in the child process that runs the test proper.
const ALONE: &str = "RETENTIOND_TEST_ALONE";

/// Tests beside this one would switch log statements off and on, so it runs itself again, alone in
/// a process.
#[tokio::test]
async fn not_even_the_fullest_log_shows_key_ids_links_or_the_address() {
    if std::env::var_os(ALONE).is_some() {
        return log_everything().await;
    }
    let name = "extracta::client::tests::log::not_even_the_fullest_log_shows_key_ids_links_or_the_address";
    let child = tokio::process::Command::new(std::env::current_exe().expect("this test binary"))
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .await
        .expect("the test binary starts");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&child.stderr)
    );
}

async fn log_everything() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let answer = r#"{"status":"success","files":[{"fileId":"canary-id","fileName":"canary","status":"x","url":"https://canary"}]}"#;
    let server = Server::start(move |_| Act::Answer(json(200, answer))).await;
    let client = client(&server);
    assert_eq!(
        client.delete_files(&request(&["canary-id"])).await.status(),
        Some(200)
    );
    assert!(matches!(client.list(&batch()).await, Listing::Files(_)));
    drop(guard);
    let text = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text");
    assert!(
        text.contains("extracta call call=\"deleteFiles\" ids=1 http.status=200 latency_ms="),
        "{text}"
    );
    for secret in ["canary", "-OKI_FueqSWiExyfS310", "/api/v1", "Bearer"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
