//! A world of its own for each test: a directory, a sandbox on port 0, a ledger, a manual clock.

use std::sync::Arc;
use std::time::Duration;

use retentiond::config::{self, Checked};
use retentiond::engine::{Clock, Engine, ManualClock, Settings, SweepReport, SweepRequest};
use retentiond::extracta::{ClientConfig, ExtractaClient};
use retentiond::ledger::{DeleterLock, Hinted, Ledger, OpenMode, SqliteLedger};
use retentiond::model::{
    BatchAddress, BatchId, ClassificationId, FileAddress, FileId, FileState, Labels, NewFile, Parent,
    PolicyName, Timestamp, Trigger,
};
use retentiond::rules::decide::hint;
use retentiond::sandbox::{DocumentType, Sandbox, SandboxConfig, SandboxHandle};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub const DAY_MS: i64 = 86_400_000;

/// The instant at which every world begins.
pub const BEGINNING: &str = "2026-05-04T10:00:00Z";

pub struct World {
    pub dir: TempDir,
    pub sandbox: Sandbox,
    pub server: SandboxHandle,
    pub clock: Arc<ManualClock>,
    pub checked: Checked,
    pub ledger: Arc<dyn Ledger>,
    /// The same, to be closed.
    pub sqlite: Arc<SqliteLedger>,
    pub settings: Settings,
    pub lock: DeleterLock,
    /// The classification that the policies of the tests speak of.
    pub classification: String,
}

/// Files of one batch at the sandbox.
#[derive(Debug, Clone)]
pub struct Batch {
    pub id: String,
    pub files: Vec<FileId>,
}

/// One policy over the classification: enforced, ten days, limits out of the way.
pub fn ten_days(classification: &str) -> String {
    format!(
        r#"
[limits]
files_per_sweep = 100000
share_per_sweep = "100%"

[[policy]]
name         = "documents"
match        = {{ classification = "{classification}" }}
delete_after = "10 days"
schedule     = "0 3 * * *"
mode         = "enforce"
"#
    )
}

impl World {
    /// The usual world: one enforced policy of ten days.
    pub async fn new() -> Self {
        Self::with(ten_days, &[DocumentType::named("letter")]).await
    }

    pub async fn with(policies: impl FnOnce(&str) -> String, types: &[DocumentType]) -> Self {
        let clock = Arc::new(ManualClock::new(BEGINNING.parse().unwrap()));
        let sandbox_clock = Arc::clone(&clock);
        let config = SandboxConfig {
            clock: Arc::new(move || sandbox_clock.now().as_millis()),
            ..SandboxConfig::unpaced()
        };
        let sandbox = Sandbox::start(config).await.unwrap();
        let server = sandbox.handle();
        let classification = server.seed_classification("tests", types);
        let dir = tempfile::tempdir().unwrap();
        let text = Self::policy_text(&dir, &sandbox.base_url(), &policies(&classification));
        let checked = config::parse("policies.toml", &text).unwrap_or_else(|p| panic!("{}", p.render(false)));
        let lock = DeleterLock::acquire(&checked.ledger.path).unwrap();
        let sqlite = Arc::new(
            SqliteLedger::open(&checked.ledger.url, OpenMode::ReadWrite)
                .await
                .unwrap(),
        );
        let ledger: Arc<dyn Ledger> = Arc::<SqliteLedger>::clone(&sqlite);
        let settings = Settings {
            backoff: Duration::from_millis(1),
            ..Settings::default()
        };
        Self {
            dir,
            sandbox,
            server,
            clock,
            checked,
            ledger,
            sqlite,
            settings,
            lock,
            classification,
        }
    }

    pub fn policy_text(dir: &TempDir, base_url: &str, policies: &str) -> String {
        let (head, rest) = ("timezone = \"Europe/Berlin\"\nlabels = [\"tenant\"]\n", policies);
        format!(
            "{head}\n[extracta]\nbase_url = \"{base_url}\"\nresults_interval = \"0s\"\n\n[ledger]\nurl = \"sqlite:{}\"\n{rest}",
            dir.path().join("ledger.db").display()
        )
    }

    /// Other rules over the same ledger and server.
    pub fn change_rules(&mut self, policies: &str) {
        let text = Self::policy_text(&self.dir, &self.sandbox.base_url(), policies);
        self.checked =
            config::parse("policies.toml", &text).unwrap_or_else(|p| panic!("{}", p.render(false)));
    }

    pub fn client(&self, timeout: Duration) -> ExtractaClient {
        let key = secrecy::SecretString::from(retentiond::sandbox::DEFAULT_KEY);
        let config = ClientConfig {
            results_interval: Duration::ZERO,
            timeout,
            ..ClientConfig::new(self.sandbox.base_url(), key)
        };
        ExtractaClient::new(config).unwrap()
    }

    pub fn engine(&self) -> Engine {
        self.engine_with(Duration::from_secs(5))
    }

    pub fn engine_with(&self, timeout: Duration) -> Engine {
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        let remote = Arc::new(self.client(timeout));
        Engine::new(
            Arc::clone(&self.ledger),
            remote,
            clock,
            self.settings.clone(),
            &self.lock,
        )
    }

    /// `count` files in a new batch at the sandbox, recorded in the ledger as uploaded now.
    pub async fn upload(&self, count: usize) -> Batch {
        self.upload_labelled(count, Labels::new()).await
    }

    pub async fn upload_labelled(&self, count: usize, labels: Labels) -> Batch {
        let batch = self.upload_unrecorded(count);
        self.record(&batch, labels, self.clock.now()).await;
        batch
    }

    /// Files at the sandbox that the ledger does not know yet.
    pub fn upload_unrecorded(&self, count: usize) -> Batch {
        let module = retentiond::sandbox::Module::Classification;
        let id = self.server.seed_batch(module, &self.classification).unwrap();
        let files = self.server.seed_files(&self.classification, &id, count).unwrap();
        Batch {
            id,
            files: files.iter().map(|id| FileId::new(id.as_str()).unwrap()).collect(),
        }
    }

    pub async fn record(&self, batch: &Batch, labels: Labels, uploaded_at: Timestamp) {
        let rows: Vec<Hinted> = batch
            .files
            .iter()
            .map(|file| {
                let file = NewFile {
                    address: self.address(batch, file),
                    uploaded_at,
                    processed_at: None,
                    document_type: None,
                    labels: labels.clone(),
                    subject: None,
                    copy_of: None,
                };
                let record = retentiond::intake::provisional(&file);
                Hinted {
                    hint: hint(&record, &self.checked.rules),
                    file,
                }
            })
            .collect();
        self.ledger
            .record(&rows, &self.checked.rules.digest, self.clock.now())
            .await
            .unwrap();
    }

    pub fn address(&self, batch: &Batch, file: &FileId) -> FileAddress {
        FileAddress {
            batch: BatchAddress {
                parent: Parent::Classification(ClassificationId::new(self.classification.as_str()).unwrap()),
                batch: BatchId::new(batch.id.as_str()).unwrap(),
                account: None,
            },
            file: file.clone(),
        }
    }

    pub fn days_pass(&self, days: i64) {
        self.clock.advance(days * DAY_MS);
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub async fn sweep(&self) -> SweepReport {
        self.sweep_with(&self.engine()).await
    }

    pub async fn sweep_with(&self, engine: &Engine) -> SweepReport {
        self.sweep_policy(engine, "documents").await
    }

    pub async fn sweep_policy(&self, engine: &Engine, policy: &str) -> SweepReport {
        let request = SweepRequest {
            policy: name(policy),
            occurrence: None,
            trigger: Trigger::Manual,
        };
        engine
            .sweep(&self.checked.rules, &request, &CancellationToken::new())
            .await
            .unwrap()
    }

    pub async fn state(&self, file: &FileId) -> FileState {
        let found = self.ledger.find(file).await.unwrap();
        assert_eq!(found.len(), 1, "one row for {file}");
        found[0].state
    }

    pub async fn count(&self, batch: &Batch, state: FileState) -> usize {
        let mut count = 0;
        for file in &batch.files {
            count += usize::from(self.state(file).await == state);
        }
        count
    }

    /// The files of a batch that are still at the sandbox.
    pub fn left(&self, batch: &Batch) -> usize {
        batch
            .files
            .iter()
            .filter(|file| self.server.exists(file.as_str()))
            .count()
    }

    /// Every row of the ledger against the sandbox, and the ledger against itself.
    pub async fn assert_truth(&self, batches: &[&Batch]) {
        for file in batches.iter().flat_map(|batch| &batch.files) {
            let state = self.state(file).await;
            let there = self.server.exists(file.as_str());
            match state {
                FileState::Live | FileState::Quarantined => {
                    assert!(there, "{file} is {state:?} and not there")
                }
                FileState::Deleted | FileState::Gone => {
                    assert!(!there, "{file} is {state:?} and still there")
                }
                FileState::Deleting | FileState::Unknown => {}
            }
        }
        assert_eq!(self.ledger.check(true).await.unwrap(), Vec::<String>::new());
    }

    /// Nothing at the sandbox went that was not listed in a request for it.
    pub fn assert_nothing_wider(&self) {
        for gone in self.server.deleted() {
            let cause = format!("{:?}", gone.cause);
            assert!(
                matches!(cause.as_str(), "Listed" | "LinkedCopy"),
                "{} went by {cause}",
                gone.file_id
            );
        }
    }
}

pub fn name(policy: &str) -> PolicyName {
    PolicyName::new(policy).unwrap()
}
