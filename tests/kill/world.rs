//! A small world: two batches of six files, of which ten are due, one is on hold and one is young.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use retentiond::engine::{Clock, SystemClock};
use retentiond::ledger::{HistoryFilter, Ledger, OpenMode, Place};
use retentiond::model::{FileId, FileState};
use retentiond::sandbox::{
    Cause, DocumentType, Endpoint, Module, RequestRecord, Sandbox, SandboxConfig, SandboxHandle,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::trace::{Traced, inject, strace};

pub const HOUR_MS: i64 = 3_600_000;

pub struct World {
    pub dir: TempDir,
    /// Where the ledger is; the directory of the world, unless a disk of its own is wanted.
    pub place: PathBuf,
    kept_in: Place,
    _sandbox: Sandbox,
    pub server: SandboxHandle,
    pub classification: String,
    pub due: Vec<String>,
    pub kept: Vec<String>,
}

impl World {
    pub async fn new() -> Self {
        Self::at(None).await
    }

    /// A world whose ledger lies in `place`.
    pub async fn at(place: Option<PathBuf>) -> Self {
        let world = Self::empty(place).await;
        world.fill().await;
        world
    }

    /// A world whose ledger is in this database.
    #[cfg(feature = "postgres")]
    pub async fn on_server(url: &str) -> Self {
        let mut world = Self::empty(None).await;
        let policies = world.dir.path().join("policies.toml");
        let text = std::fs::read_to_string(&policies).unwrap();
        let file = format!("url = \"sqlite:{}\"", world.ledger().display());
        let server = format!("url = \"{url}\"\nstate_dir = \"{}\"", world.place.display());
        assert!(text.contains(&file), "{text}");
        std::fs::write(policies, text.replace(&file, &server)).unwrap();
        world.kept_in = Place::Server(retentiond::ledger::PostgresOptions {
            url: url.to_owned(),
            password: None,
            beside: world.place.join("ledger"),
            lease: retentiond::ledger::Lease::over(std::time::Duration::from_secs(60)),
        });
        world.fill().await;
        world
    }

    async fn fill(&self) {
        self.record().await;
        let hold = ["hold", "add", "--file", &self.kept[0], "--reason", "litigation"];
        let output = self.run(&hold).await;
        assert!(output.status.success(), "{output:?}");
    }

    /// The same, before anything is in the ledger.
    pub async fn empty(place: Option<PathBuf>) -> Self {
        let sandbox = Sandbox::start(SandboxConfig::unpaced()).await.unwrap();
        let server = sandbox.handle();
        let types = [DocumentType::named("letter")];
        let classification = server.seed_classification("letters", &types);
        let dir = tempfile::tempdir().unwrap();
        let place = place.unwrap_or_else(|| dir.path().to_owned());
        let now = SystemClock.now();
        let (mut due, mut kept, mut rows) = (Vec::new(), Vec::new(), String::new());
        for batch in 0..2 {
            let id = server
                .seed_batch(Module::Classification, &classification)
                .unwrap();
            let files = server.seed_files(&classification, &id, 6).unwrap();
            for (nr, file) in files.into_iter().enumerate() {
                let young = batch == 1 && nr == 5;
                let stays = batch == 1 && nr >= 4;
                let uploaded = now
                    .checked_add_millis(if young { 0 } else { -10 * HOUR_MS })
                    .unwrap();
                let row = json!({"classification_id": classification, "batch_id": id, "file_id": file, "uploaded_at": uploaded});
                rows.push_str(&format!("{row}\n"));
                if stays { &mut kept } else { &mut due }.push(file);
            }
        }
        let text = format!(
            "timezone = \"UTC\"\n[extracta]\nbase_url = \"{}\"\nresults_interval = \"0s\"\nfiles_per_request = 3\n[ledger]\nurl = \"sqlite:{}\"\n[limits]\nfiles_per_sweep = 100000\nshare_per_sweep = \"100%\"\n[[policy]]\nname = \"letters\"\nmatch = {{ classification = \"{classification}\" }}\ndelete_after = \"5 hours\"\nschedule = \"0 3 * * *\"\nmode = \"enforce\"\n",
            sandbox.base_url(),
            place.join("ledger.db").display()
        );
        std::fs::write(dir.path().join("policies.toml"), text).unwrap();
        std::fs::write(dir.path().join("rows.jsonl"), rows).unwrap();
        Self {
            dir,
            kept_in: Place::File(place.join("ledger.db")),
            place,
            _sandbox: sandbox,
            server,
            classification,
            due,
            kept,
        }
    }

    /// Takes the uploads in.
    pub async fn record(&self) {
        let output = self.record_command().output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    pub fn record_command(&self) -> Command {
        let rows = self.dir.path().join("rows.jsonl");
        self.command(&["record", rows.to_str().unwrap()])
    }

    pub fn ledger(&self) -> PathBuf {
        self.place.join("ledger.db")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_retentiond"));
        command
            .arg("-c")
            .arg(self.dir.path().join("policies.toml"))
            .args(args)
            .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY)
            .kill_on_drop(true);
        command
    }

    pub async fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().await.unwrap()
    }

    pub async fn sweep(&self) -> Output {
        self.run(&["sweep"]).await
    }

    /// A sweep that is hit at one point.
    pub async fn sweep_hit(&self, call: &str, what: &str, when: &str) -> Traced {
        let options = inject(call, what, when);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        self.trace(&["sweep"], &options).await
    }

    pub async fn trace(&self, args: &[&str], options: &[&str]) -> Traced {
        strace(&self.command(args), options, &self.dir.path().join("strace")).await
    }

    /// The delete requests that the server has received.
    pub fn deletes(&self) -> Vec<RequestRecord> {
        self.server
            .requests()
            .into_iter()
            .filter(|r| matches!(r.endpoint, Endpoint::DeleteFiles))
            .collect()
    }

    pub async fn open(&self) -> Arc<dyn Ledger> {
        self.kept_in.open(OpenMode::ReadOnly).await.unwrap()
    }

    /// What has to hold at any instant: the ledger opens and is clean, every request at the server has
    /// its own attempt with exactly its ids, and nothing but due files is gone.
    pub async fn assert_sound(&self, after: &str) {
        let output = self.run(&["--json", "ledger", "check", "--deep"]).await;
        assert_eq!(output.status.code(), Some(0), "{after}: {output:?}");
        let ledger = self.open().await;
        let filter = HistoryFilter {
            limit: 1000,
            ..Default::default()
        };
        let mut attempts: HashMap<Vec<String>, usize> = HashMap::new();
        for attempt in ledger.history(&filter).await.unwrap() {
            let mut ids: Vec<String> = attempt.files.iter().map(|f| f.file_id.to_string()).collect();
            ids.sort();
            *attempts.entry(ids).or_default() += 1;
        }
        for request in self.deletes() {
            let mut ids = request.file_ids.clone();
            ids.sort();
            let left = attempts.get_mut(&ids).filter(|left| **left > 0);
            let left = left.unwrap_or_else(|| panic!("{after}: a request without an attempt: {request:?}"));
            *left -= 1;
        }
        for gone in self.server.deleted() {
            assert_eq!(gone.cause, Cause::Listed, "{after}: {gone:?}");
            assert!(self.due.contains(&gone.file_id), "{after}: {gone:?} was not due");
        }
    }

    /// The end: every due file gone, every other still there, and the ledger says the same of each.
    pub async fn assert_end(&self, after: &str) {
        self.assert_sound(after).await;
        let ledger = self.open().await;
        for (files, there) in [(&self.due, false), (&self.kept, true)] {
            for file in files {
                assert_eq!(self.server.exists(file), there, "{after}: {file} at the server");
                let rows = ledger.find(&FileId::new(file.as_str()).unwrap()).await.unwrap();
                assert_eq!(rows.len(), 1);
                let state = rows[0].state;
                let agrees = match state {
                    FileState::Live => there,
                    FileState::Deleted | FileState::Gone => !there,
                    FileState::Deleting | FileState::Unknown | FileState::Quarantined => false,
                };
                assert!(agrees, "{after}: {file} is {state:?}");
            }
        }
        assert!(ledger.unknown(1).await.unwrap().is_empty());
    }

    /// The sweep that follows, and the end state.
    pub async fn assert_recovers(&self, after: &str) {
        let output = self.sweep().await;
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{after}: {text}{}",
            String::from_utf8_lossy(&output.stdout)
        );
        self.assert_end(after).await;
    }
}
