//! The real daemon with its gateway: killed in the middle of uploads, and measured under big ones.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use retentiond::model::UploadState;
use retentiond::sandbox::{Endpoint, Fault};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use super::plain::Api;
use super::*;

/// Longest wait for something that has to happen; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// A daemon with a gateway on a port of its own, over and over.
struct Daemon {
    dir: TempDir,
    addr: SocketAddr,
}

impl Daemon {
    fn new(base_url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = free.local_addr().unwrap();
        let text = format!(
            "timezone = \"Europe/Berlin\"\n[extracta]\nbase_url = \"{base_url}\"\nresults_interval = \"0s\"\n[ledger]\nurl = \"sqlite:{}\"\n[http]\nlisten = \"off\"\n[gateway]\nlisten = \"{addr}\"\n[[policy]]\nname = \"all\"\nmatch = \"everything\"\ndelete_after = \"30 days\"\nschedule = \"0 3 * * *\"\nmode = \"enforce\"\n",
            dir.path().join("ledger.db").display()
        );
        std::fs::write(dir.path().join("policies.toml"), text).unwrap();
        Self { dir, addr }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
        command.arg("-c").arg(self.path("policies.toml")).args(args);
        command
            .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY)
            .kill_on_drop(true);
        command
    }

    /// Returns when the gateway listens.
    async fn start(&self) -> Child {
        let mut child = self
            .command(&["daemon"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = tokio::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .await
            .unwrap();
        let (listens, heard) = tokio::sync::oneshot::channel();
        let address = self.addr.to_string();
        tokio::spawn(async move {
            let mut listens = Some(listens);
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("listening on") && line.contains(&address) {
                    listens.take().map(|listens| listens.send(()));
                }
                log.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            }
        });
        tokio::time::timeout(PATIENCE, heard)
            .await
            .unwrap()
            .expect("the daemon lives until it listens");
        child
    }

    async fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.path("ledger.db").to_str().unwrap(), OpenMode::ReadOnly)
            .await
            .unwrap()
    }
}

async fn end(mut child: Child) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().await.unwrap().success());
}

/// Of the files at the sandbox, those that no ledger holds; each of them must be covered by a doubt.
async fn assert_nothing_is_silent(daemon: &Daemon, server: &SandboxHandle) -> (usize, usize) {
    let ledger = daemon.ledger().await;
    let mut silent = std::collections::BTreeMap::<String, usize>::new();
    let files = server.files();
    for file in &files {
        let id = FileId::new(file.file_id.as_str()).unwrap();
        if ledger.find(&id).await.unwrap().is_empty() {
            *silent.entry(file.parent_id.clone()).or_default() += 1;
        }
    }
    let unsettled = ledger.unsettled_uploads(1000).await.unwrap();
    assert!(
        unsettled
            .iter()
            .all(|upload| upload.state == UploadState::Doubtful),
        "after a start nothing is open: {unsettled:?}"
    );
    for (parent, unrecorded) in &silent {
        let covered: u64 = unsettled
            .iter()
            .filter(|upload| upload.parent.as_ref().is_some_and(|p| p.as_str() == parent))
            .map(|upload| upload.files.unwrap_or(1))
            .sum();
        assert!(
            *unrecorded as u64 <= covered,
            "{unrecorded} files of {parent} are in no ledger, {covered} are in doubt"
        );
    }
    let output = daemon.command(&["status", "--json"]).output().await.unwrap();
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["uploads_in_doubt"], unsettled.len());
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
    (files.len(), unsettled.len())
}

#[tokio::test]
async fn killed_in_the_middle_of_uploads_no_file_is_lost_from_sight() {
    let sandbox = Sandbox::start(SandboxConfig::unpaced()).await.unwrap();
    let server = sandbox.handle();
    let parent = server.seed_classification("tests", &[DocumentType::named("letter")]);
    let parent = Parent::Classification(ClassificationId::new(parent).unwrap());
    // The files are there, and the answer takes a while: the daemon dies in between.
    let slow = Fault::at(Endpoint::UploadFiles).delay_ms(150).every(2);
    server.add_fault(slow).unwrap();
    let daemon = Daemon::new(&sandbox.base_url());
    let mut child = daemon.start().await;
    let (alive, mut lives) = watch::channel(0_u32);
    let addr = daemon.addr;
    let uploader = tokio::spawn(async move {
        let mut known = 0;
        for number in 0..40 {
            let name = format!("canary-name-{number}.pdf");
            let file = Document::from_bytes(name, bytes::Bytes::from_static(b"%PDF"));
            // As a plain script does: one try, and on with the next file.
            let sent = client(addr).upload_files(&parent, None, vec![file]).await;
            match sent {
                Ok(_) => known += 1,
                Err(UploadError::NotSent { .. } | UploadError::Unclear { .. }) => {
                    let _ = tokio::time::timeout(PATIENCE, lives.changed()).await;
                }
                Err(refused) => panic!("{refused}"),
            }
        }
        known
    });
    for life in 1..=6 {
        let count = server.request_count(Endpoint::UploadFiles) + 3;
        let killed = tokio::time::timeout(PATIENCE, server.await_requests(Endpoint::UploadFiles, count));
        killed.await.expect("uploads go on");
        child.kill().await.unwrap();
        child = daemon.start().await;
        alive.send_replace(life);
    }
    let known = uploader.await.unwrap();
    end(child).await;
    let (files, in_doubt) = assert_nothing_is_silent(&daemon, &server).await;
    assert!(in_doubt > 0, "no kill fell into an upload: nothing was tested");
    println!("{files} files at the API, {known} answers seen, {in_doubt} uploads in doubt");
    let log = std::fs::read_to_string(daemon.path("log")).unwrap();
    assert!(
        !log.contains("canary-name") && !log.contains("sandbox-key"),
        "{log}"
    );
}

/// Highest resident memory of a process so far, in KiB.
fn peak(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_upload_of_100_mb_costs_no_memory() {
    const MIB: usize = 1024 * 1024;
    let api = Api::start(|_| {
        super::plain::json(
            200,
            r#"{"status":"uploaded","extractionId":"E1","batchId":"B1","files":[{"fileId":"F1"}]}"#,
        )
    })
    .await;
    let daemon = Daemon::new(&api.base_url);
    let child = daemon.start().await;
    let upload = async |mib: usize| {
        let parent = Parent::Extraction(ExtractionId::new("E1").unwrap());
        let content = bytes::Bytes::from(vec![b'-'; mib * MIB]);
        let file = Document::from_bytes("big.pdf".to_owned(), content);
        client(daemon.addr)
            .upload_files(&parent, None, vec![file])
            .await
            .unwrap()
    };
    upload(1).await;
    let before = peak(&child);
    upload(100).await;
    let after = peak(&child);
    println!("peak memory: {before} KiB after 1 MiB, {after} KiB after 100 MiB");
    assert!(after < before + 16 * 1024, "{before} KiB, then {after} KiB");
    let biggest = api.asked().iter().map(|asked| asked.body.len()).max();
    assert_eq!(biggest.map(|bytes| bytes / MIB), Some(100));
    end(child).await;
    let ledger = daemon.ledger().await;
    let uploads = ledger.uploads(None, 10).await.unwrap();
    assert!(
        uploads.iter().all(
            |upload| upload.state == UploadState::Recorded && upload.files.is_none_or(|files| files == 1)
        ),
        "{uploads:?}"
    );
}
