//! A ledger in which things are planted, each at an instant of its own, through the ledger's own calls.

use std::sync::Arc;

use retentiond::config::{self, Checked};
use retentiond::ledger::{
    ClaimRequest, Hinted, Ledger, OpenMode, OpenSweep, Opened, ReportPeriod, Settlement, SqliteLedger,
};
use retentiond::model::{
    AttemptId, AttemptKind, BatchAddress, BatchId, BatchKey, ClassificationId, FileAddress, FileId, Finding,
    Labels, NewFile, Parent, PolicyName, SweepId, SweepState, SweepSummary, Timestamp, Trigger,
};
use retentiond::outcome::FileEvent;
use retentiond::report::{Ask, Report, gather};
use retentiond::rules::policy::Hint;

pub(crate) const FROM: &str = "2026-07-01T00:00:00+02:00";
pub(crate) const TO: &str = "2026-10-01T00:00:00+02:00";
pub(crate) const NOW: &str = "2026-10-05T08:00:00Z";

pub(crate) const POLICIES: &str = r#"
timezone = "Europe/Berlin"
labels   = ["tenant"]

[controller]
name    = "Acme GmbH, Berlin"
contact = "privacy@acme.example"

[erasure]
holidays = ["2026-10-03"]

[[policy]]
name          = "applications"
match         = { document_type = "resume" }
delete_after  = "6 months"
delete_by     = "6 months 14 days"
schedule      = "0 3 * * *"
mode          = "enforce"
title         = "Job applications"
purpose       = "filling vacancies"
basis         = "§ 26 BDSG"
data_subjects = "applicants"
owner         = "head of human resources"

[[policy]]
name         = "invoices"
match        = { document_type = "invoice" }
clock        = { start = "processed", round_up = "year", fallback = { start = "uploaded", add = "1 month" } }
delete_after = "8 years"
schedule     = "30 4 1 * *"
mode         = "enforce"
approval     = "always"

[[policy]]
name         = "drafts <b>&"
match        = { document_type = "draft" }
delete_after = "30 days"
schedule     = "0 5 * * 1"

[[keep]]
name     = "tax originals"
match    = { labels = { tenant = ["acme"] } }
keep_for = "8 years"
binding  = true
basis    = "§ 147 AO"
"#;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn hours(since: Timestamp, hours: i64) -> Timestamp {
    since.checked_add_millis(hours * 3_600_000).unwrap()
}

pub(crate) fn id(name: &str) -> FileId {
    FileId::new(name).unwrap()
}

pub(crate) fn policy(name: &str) -> PolicyName {
    PolicyName::new(name).unwrap()
}

pub(crate) fn address(batch: &str) -> BatchAddress {
    BatchAddress {
        parent: Parent::Classification(ClassificationId::new("-OKI_parent").unwrap()),
        batch: BatchId::new(batch).unwrap(),
        account: None,
    }
}

/// One file to be planted.
#[derive(Clone)]
pub(crate) struct Plant {
    pub(crate) name: String,
    pub(crate) batch: &'static str,
    pub(crate) owner: Option<&'static str>,
    pub(crate) due: Option<Timestamp>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) tenant: Option<&'static str>,
    pub(crate) subject: Option<&'static str>,
}

/// Owned by `applications`, due then, overdue two weeks later, in batch `b1`.
pub(crate) fn due(name: &str, due: Timestamp) -> Plant {
    Plant {
        name: name.to_owned(),
        batch: "b1",
        owner: Some("applications"),
        due: Some(due),
        deadline: Some(hours(due, 14 * 24)),
        tenant: None,
        subject: None,
    }
}

pub(crate) struct Planted {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) checked: Checked,
}

impl Planted {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("ledger.db").display());
        let ledger = SqliteLedger::open(&url, OpenMode::ReadWrite).await.unwrap();
        Self::with(Arc::new(ledger), dir)
    }

    /// In this ledger, which `dir` belongs to.
    pub(crate) fn with(ledger: Arc<dyn Ledger>, dir: tempfile::TempDir) -> Self {
        let checked =
            config::parse("policies.toml", POLICIES).unwrap_or_else(|p| panic!("{}", p.render(false)));
        Self { ledger, dir, checked }
    }

    pub(crate) async fn record(&self, files: &[Plant]) {
        let rows: Vec<Hinted> = files
            .iter()
            .map(|plant| Hinted {
                file: NewFile {
                    address: FileAddress {
                        batch: address(plant.batch),
                        file: id(&plant.name),
                    },
                    uploaded_at: at("2025-12-01T09:00:00Z"),
                    processed_at: None,
                    document_type: Some("resume".to_owned()),
                    labels: plant
                        .tenant
                        .map(|tenant| Labels::from([("tenant".to_owned(), tenant.to_owned())]))
                        .unwrap_or_default(),
                    subject: plant.subject.map(str::to_owned),
                    copy_of: None,
                },
                hint: Hint {
                    owner: plant.owner.map(policy),
                    due_at: plant.due,
                    deadline_at: plant.deadline,
                },
            })
            .collect();
        let digest = &self.checked.rules.digest;
        self.ledger
            .record(&rows, digest, at("2025-12-01T10:00:00Z"))
            .await
            .unwrap();
    }

    pub(crate) async fn batch(&self, batch: &str) -> BatchKey {
        self.ledger.batch_key(&address(batch)).await.unwrap().unwrap()
    }

    pub(crate) async fn open(
        &self,
        owner: &str,
        begun: Timestamp,
        occurrence: Option<Timestamp>,
        trigger: Trigger,
    ) -> SweepId {
        let open = OpenSweep {
            policy: policy(owner),
            occurrence,
            trigger,
            at: begun,
            digest: self.checked.rules.digest.clone(),
        };
        match self.ledger.open_sweep(&open).await.unwrap() {
            Opened::New(sweep) => sweep,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn close(
        &self,
        sweep: SweepId,
        state: SweepState,
        summary: &SweepSummary,
        end: Timestamp,
    ) {
        self.ledger.close_sweep(sweep, state, summary, end).await.unwrap();
    }

    /// An intent that nothing has settled yet.
    pub(crate) async fn claim(&self, sweep: SweepId, names: &[&str], when: Timestamp) -> AttemptId {
        let files: Vec<FileId> = names.iter().map(|name| id(name)).collect();
        let request = ClaimRequest {
            sweep,
            kind: AttemptKind::DeleteFiles,
            batch: self.batch("b1").await,
            files: &files,
            at: when,
            boottime_ms: 1,
            budget: 100_000,
        };
        let claim = self.ledger.claim(&request, &|_, _| Ok(())).await.unwrap();
        assert_eq!(claim.files.len(), files.len(), "{names:?}");
        claim.attempt.unwrap()
    }

    /// A manual sweep of `owner` that asks for these files of `b1` in one request and ends as told.
    pub(crate) async fn ask(
        &self,
        owner: &str,
        names: &[&str],
        event: FileEvent,
        outcome: &'static str,
        settled: Timestamp,
    ) {
        let sweep = self.open(owner, settled, None, Trigger::Manual).await;
        let attempt = self.claim(sweep, names, settled).await;
        let files = names.iter().map(|name| id(name));
        let settlement = Settlement {
            at: settled,
            outcome,
            http_status: Some(200),
            detail: None,
            files: files.map(|file| (file, event)).collect(),
        };
        self.ledger.settle(attempt, &settlement).await.unwrap();
        let summary = SweepSummary {
            due: names.len() as u64,
            sent: names.len() as u64,
            ..SweepSummary::default()
        };
        self.close(sweep, SweepState::Done, &summary, settled).await;
    }

    /// Deleted by a sweep of `applications`, confirmed then.
    pub(crate) async fn delete(&self, names: &[&str], settled: Timestamp) {
        self.ask("applications", names, FileEvent::Confirmed, "confirmed", settled)
            .await;
    }

    pub(crate) async fn looked(&self, names: &[&str], finding: Finding, when: Timestamp) {
        let batch = self.batch("b1").await;
        let found: Vec<_> = names.iter().map(|name| (id(name), finding)).collect();
        self.ledger.verified(batch, &found, when).await.unwrap();
    }

    pub(crate) async fn note(&self, name: &str, event: FileEvent, when: Timestamp) {
        let batch = self.batch("b1").await;
        let moved = self
            .ledger
            .note(batch, &[id(name)], event, "planted", when)
            .await
            .unwrap();
        assert_eq!(moved, 1, "{name}");
    }

    pub(crate) fn period(&self) -> ReportPeriod {
        ReportPeriod {
            from: at(FROM),
            to: at(TO),
            now: at(NOW),
        }
    }

    pub(crate) async fn report(&self, with_ids: bool) -> Report {
        self.report_over(self.period(), with_ids).await
    }

    pub(crate) async fn report_over(&self, period: ReportPeriod, with_ids: bool) -> Report {
        let ask = Ask {
            period,
            with_ids,
            rules: &self.checked.rules,
            compile: &|text| config::parse("then", text).ok().map(|checked| checked.rules),
            controller: self.checked.controller.name.clone(),
            contact: self.checked.controller.contact.clone(),
            processor_address: "https://api.extracta.ai/api/v1".to_owned(),
            verify: true,
        };
        gather(self.ledger.as_ref(), &ask).await.unwrap()
    }
}
