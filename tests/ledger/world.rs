//! A ledger to test, and the few facts that most tests start from.

use std::sync::Arc;

use async_trait::async_trait;
use retentiond::ledger::{
    Claim, ClaimRequest, Hinted, Ledger, LedgerError, OpenMode, OpenSweep, Opened, Recorded, Settlement,
    SqliteLedger,
};
#[cfg(feature = "postgres")]
use retentiond::ledger::{PostgresLedger, PostgresOptions};
use retentiond::model::{
    AttemptId, AttemptKind, BatchAddress, BatchId, BatchKey, ClassificationId, ExtractionId, FileAddress,
    FileId, FileRecord, FileState, NewFile, Parent, PolicyName, SweepId, Timestamp, Trigger,
};
use retentiond::outcome::FileEvent;
use retentiond::rules::policy::{Hint, RuleDigest};

/// Runs each function for each backend. One that is left out is dead code, which CI refuses.
macro_rules! for_every_backend {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(crate::world::World::sqlite().await).await;
                }
            )*
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(
                #[tokio::test]
                #[ignore = "needs PostgreSQL: .ci/run"]
                async fn $test() {
                    super::$test(crate::world::World::postgres().await).await;
                }
            )*
        }
    };
}
pub(crate) use for_every_backend;

/// Opens the same ledger again and again.
#[async_trait]
pub(crate) trait Backend: Send + Sync {
    async fn open(&self) -> Arc<dyn Ledger>;

    /// From now on nothing tells that the ledger is the latest of its line.
    fn doubt(&self);
}

/// A ledger file in a directory of its own.
pub(crate) struct Sqlite(tempfile::TempDir);

#[async_trait]
impl Backend for Sqlite {
    async fn open(&self) -> Arc<dyn Ledger> {
        let path = self.0.path().join("ledger.db");
        let url = format!("sqlite:{}", path.display());
        Arc::new(SqliteLedger::open(&url, OpenMode::ReadWrite).await.unwrap())
    }

    fn doubt(&self) {
        std::fs::remove_file(self.0.path().join("ledger.db.anchor")).unwrap();
    }
}

/// A database of its own, and a directory for what the host keeps beside it.
#[cfg(feature = "postgres")]
pub(crate) struct Postgres {
    pub(crate) url: String,
    pub(crate) dir: tempfile::TempDir,
}

#[cfg(feature = "postgres")]
impl Postgres {
    pub(crate) async fn fresh() -> Self {
        Self {
            url: crate::cluster::cluster().fresh().await,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions {
            url: self.url.clone(),
            password: None,
            beside: self.dir.path().join("ledger"),
            lease: retentiond::ledger::Lease::over(std::time::Duration::from_secs(60)),
        }
    }
}

#[cfg(feature = "postgres")]
#[async_trait]
impl Backend for Postgres {
    async fn open(&self) -> Arc<dyn Ledger> {
        Arc::new(
            PostgresLedger::open(&self.options(), OpenMode::ReadWrite)
                .await
                .unwrap(),
        )
    }

    fn doubt(&self) {
        std::fs::write(self.dir.path().join("ledger.anchor"), "?").unwrap();
    }
}

/// One ledger under test.
pub(crate) struct World {
    pub(crate) ledger: Arc<dyn Ledger>,
    backend: Box<dyn Backend>,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let backend = Sqlite(tempfile::tempdir().unwrap());
        Self {
            ledger: backend.open().await,
            backend: Box::new(backend),
        }
    }

    #[cfg(feature = "postgres")]
    pub(crate) async fn postgres() -> Self {
        let backend = Postgres::fresh().await;
        Self {
            ledger: backend.open().await,
            backend: Box::new(backend),
        }
    }

    /// As after a crash: the old one is dropped without being closed.
    pub(crate) async fn reopen(self) -> Self {
        drop(self.ledger);
        Self {
            ledger: self.backend.open().await,
            backend: self.backend,
        }
    }

    /// As after a restored backup.
    pub(crate) async fn doubt(&self) {
        assert_eq!(self.ledger.rollback().await.unwrap(), None);
        self.backend.doubt();
        assert!(self.ledger.rollback().await.unwrap().is_some());
    }

    pub(crate) async fn record(&self, files: &[Hinted]) -> Recorded {
        self.ledger.record(files, &digest("one"), at(0)).await.unwrap()
    }

    /// Records files of batch `b1` for `policy`, each due an hour after the one before.
    pub(crate) async fn record_due(&self, names: &[&str]) -> BatchKey {
        let rows: Vec<Hinted> = names
            .iter()
            .enumerate()
            .map(|(hour, name)| hinted(file("b1", name), "p", hour as i64))
            .collect();
        self.record(&rows).await;
        self.batch("b1").await
    }

    pub(crate) async fn batch(&self, batch: &str) -> BatchKey {
        self.ledger
            .batch_key(&batch_address(batch))
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn sweep(&self) -> SweepId {
        self.sweep_of("p").await
    }

    pub(crate) async fn sweep_of(&self, policy: &str) -> SweepId {
        match self.ledger.open_sweep(&open(policy, None)).await.unwrap() {
            Opened::New(sweep) => sweep,
            other => panic!("a sweep without an occurrence is always new: {other:?}"),
        }
    }

    pub(crate) async fn claim(&self, sweep: SweepId, batch: BatchKey, names: &[&str]) -> Claim {
        self.try_claim(sweep, batch, names, 1000).await.unwrap()
    }

    pub(crate) async fn try_claim(
        &self,
        sweep: SweepId,
        batch: BatchKey,
        names: &[&str],
        budget: u64,
    ) -> Result<Claim, LedgerError> {
        let files = ids(names);
        let request = request(sweep, batch, &files, budget);
        self.ledger.claim(&request, &|_, _| Ok(())).await
    }

    /// Claims and settles all with one event.
    pub(crate) async fn attempt(
        &self,
        sweep: SweepId,
        batch: BatchKey,
        names: &[&str],
        event: FileEvent,
    ) -> AttemptId {
        let attempt = self.claim(sweep, batch, names).await.attempt.unwrap();
        self.ledger
            .settle(attempt, &settlement(names, event))
            .await
            .unwrap();
        attempt
    }

    pub(crate) async fn get(&self, name: &str) -> FileRecord {
        let mut found = self.ledger.find(&id(name)).await.unwrap();
        assert_eq!(found.len(), 1, "{name}");
        found.remove(0)
    }

    pub(crate) async fn state(&self, name: &str) -> FileState {
        self.get(name).await.state
    }

    pub(crate) async fn states(&self, names: &[&str]) -> Vec<FileState> {
        let mut states = Vec::new();
        for name in names {
            states.push(self.state(name).await);
        }
        states
    }

    /// Every test may end with this: whatever was done, the ledger does not contradict itself.
    pub(crate) async fn assert_clean(&self) {
        assert_eq!(self.ledger.check(true).await.unwrap(), Vec::<String>::new());
    }
}

/// Hours after 2026-11-23T00:00:00Z.
pub(crate) fn at(hours: i64) -> Timestamp {
    Timestamp::from_millis(1_795_392_000_000 + hours * 3_600_000).unwrap()
}

pub(crate) fn id(name: &str) -> FileId {
    FileId::new(name).unwrap()
}

pub(crate) fn ids(names: &[&str]) -> Vec<FileId> {
    names.iter().map(|name| id(name)).collect()
}

pub(crate) fn policy(name: &str) -> PolicyName {
    PolicyName::new(name).unwrap()
}

pub(crate) fn digest(name: &str) -> RuleDigest {
    RuleDigest(name.to_owned())
}

pub(crate) fn batch_address(batch: &str) -> BatchAddress {
    BatchAddress {
        parent: Parent::Classification(ClassificationId::new("c1").unwrap()),
        batch: BatchId::new(batch).unwrap(),
        account: None,
    }
}

pub(crate) fn extraction_address(batch: &str) -> BatchAddress {
    BatchAddress {
        parent: Parent::Extraction(ExtractionId::new("e1").unwrap()),
        batch: BatchId::new(batch).unwrap(),
        account: None,
    }
}

pub(crate) fn address(batch: &str, name: &str) -> FileAddress {
    FileAddress {
        batch: batch_address(batch),
        file: id(name),
    }
}

/// A file with nothing but what it must have, uploaded ten days before `at(0)`.
pub(crate) fn file(batch: &str, name: &str) -> NewFile {
    NewFile {
        address: address(batch, name),
        uploaded_at: at(-240),
        processed_at: None,
        document_type: None,
        labels: retentiond::model::Labels::new(),
        subject: None,
        copy_of: None,
    }
}

/// A linked copy, in the extraction module, of a file of batch `b1`.
pub(crate) fn copy(name: &str, original: &str) -> NewFile {
    NewFile {
        address: FileAddress {
            batch: extraction_address("x1"),
            file: id(name),
        },
        copy_of: Some(address("b1", original)),
        ..file("b1", name)
    }
}

/// Owned by `owner`, due at `at(due)`, overdue a day later.
pub(crate) fn hinted(file: NewFile, owner: &str, due: i64) -> Hinted {
    Hinted {
        file,
        hint: hint(owner, due),
    }
}

pub(crate) fn hint(owner: &str, due: i64) -> Hint {
    Hint {
        owner: Some(policy(owner)),
        due_at: Some(at(due)),
        deadline_at: Some(at(due + 24)),
    }
}

/// No policy owns it.
pub(crate) fn unowned(file: NewFile) -> Hinted {
    Hinted {
        file,
        hint: Hint {
            owner: None,
            due_at: None,
            deadline_at: None,
        },
    }
}

pub(crate) fn open(owner: &str, occurrence: Option<Timestamp>) -> OpenSweep {
    OpenSweep {
        policy: policy(owner),
        occurrence,
        trigger: if occurrence.is_some() {
            Trigger::Schedule
        } else {
            Trigger::Manual
        },
        at: at(100),
        digest: digest("one"),
    }
}

pub(crate) fn request<'a>(
    sweep: SweepId,
    batch: BatchKey,
    files: &'a [FileId],
    budget: u64,
) -> ClaimRequest<'a> {
    ClaimRequest {
        sweep,
        kind: AttemptKind::DeleteFiles,
        batch,
        files,
        at: at(100),
        boottime_ms: 12_345,
        budget,
    }
}

pub(crate) fn settlement(names: &[&str], event: FileEvent) -> Settlement {
    Settlement {
        at: at(101),
        outcome: "confirmed",
        http_status: Some(200),
        detail: None,
        files: names.iter().map(|name| (id(name), event)).collect(),
    }
}

pub(crate) fn rows(names: std::ops::Range<usize>) -> Vec<Hinted> {
    names
        .map(|n| hinted(file("b1", &format!("f{n:06}")), "p", 0))
        .collect()
}

/// Records with callers that go away after ever more steps, and counts what came of it.
pub(crate) async fn a_write_without_its_caller_is_whole_or_nothing(ledger: &dyn Ledger) {
    let (mut kept, mut next) = (0, 0);
    for polls in 0..12 {
        let list = rows(next..next + 500);
        next += 500;
        let now = digest("one");
        let mut recording = Box::pin(ledger.record(&list, &now, at(0)));
        for _ in 0..polls {
            let ready =
                std::future::poll_fn(|cx| std::task::Poll::Ready(recording.as_mut().poll(cx).is_ready()));
            if ready.await {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(recording);
        // The next write has its turn when the last is over.
        ledger.set_setting("turn", Some("next")).await.unwrap();
        let live = ledger.live(&policy("p")).await.unwrap();
        assert!(live == kept || live == kept + 500, "{live} after {kept}");
        kept = live;
    }
    assert!(kept > 0);
    assert_eq!(ledger.check(true).await.unwrap(), Vec::<String>::new());
}
