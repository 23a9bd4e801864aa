//! The gateway over real sockets: what passes, what is written down, what comes of what goes wrong.

mod accounts;
mod killed;
mod passing;
mod plain;
mod recording;
mod removing;

use std::net::SocketAddr;
use std::sync::Arc;

use retentiond::config::{self, Checked};
use retentiond::engine::{Clock, SystemClock};
use retentiond::extracta::upload::Document;
use retentiond::extracta::{ClientConfig, ExtractaClient, Passage, UploadAnswer, UploadError};
use retentiond::http::{Door, DoorFigures, Gateway, Gateways, Hosts, listen};
use retentiond::intake::gateway::Gate;
use retentiond::ledger::{Figures, Ledger, OpenMode, SqliteLedger, Uploads};
use retentiond::model::{
    AccountName, BatchAddress, ClassificationId, ExtractionId, FileAddress, FileId, FileRecord, Parent,
    Upload,
};
use retentiond::sandbox::{DocumentType, Sandbox, SandboxConfig, SandboxHandle};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A gateway with a ledger, in front of some base address.
struct Passed {
    /// Kept for the ledger in it.
    _dir: TempDir,
    url: String,
    ledger: Arc<SqliteLedger>,
    gateway: Arc<Gateways>,
    addr: SocketAddr,
    _stop: DropGuard,
}

const POLICIES: &str = r#"
timezone = "Europe/Berlin"
labels = ["tenant", "Kostenstelle"]
[[policy]]
name = "acme"
match = { labels = { tenant = ["acme"] } }
delete_after = "10 days"
schedule = "0 3 * * *"
[[policy]]
name = "rest"
match = "everything"
delete_after = "30 days"
schedule = "0 3 * * *"
"#;

fn policies() -> Checked {
    config::parse("policies.toml", POLICIES).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

impl Passed {
    async fn to(base_url: &str) -> Self {
        Self::to_accounts(base_url, &[]).await
    }

    /// With named accounts beside: the name, the key and the base address of each.
    async fn to_accounts(base_url: &str, named: &[(&str, &str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("ledger.db").display());
        let ledger = Arc::new(SqliteLedger::open(&url, OpenMode::ReadWrite).await.unwrap());
        let (rules, in_force) = watch::channel(Arc::new(policies().rules));
        // The rules stay in force as long as their sender is there or not: the last value stands.
        drop(rules);
        let held: Arc<dyn Ledger> = Arc::<SqliteLedger>::clone(&ledger);
        let gate = || {
            let now = Arc::new(|| SystemClock.now());
            Gate::new(Arc::clone(&held), in_force.clone(), None, now)
        };
        let passage = |base_url| Passage::new(base_url, None).unwrap();
        let mut gateways = Gateways::new(Gateway::new(passage(base_url), gate()));
        for (name, key, base_url) in named {
            let gate = gate().of(AccountName::new(*name).unwrap());
            gateways = gateways.with(&(*key).into(), Gateway::new(passage(base_url), gate));
        }
        let gateway = Arc::new(gateways);
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let stop = CancellationToken::new();
        let door = Door {
            name: "gateway",
            limits: Gateway::LIMITS,
            hosts: Hosts::Any,
            figures: Arc::new(DoorFigures::default()),
        };
        let routes = Arc::clone(&gateway).routes();
        tokio::spawn(listen(socket, routes, door, stop.clone()));
        Self {
            _dir: dir,
            url,
            ledger,
            gateway,
            addr,
            _stop: stop.drop_guard(),
        }
    }

    fn client(&self) -> ExtractaClient {
        client(self.addr)
    }

    /// The one upload that the ledger knows.
    async fn upload(&self) -> Upload {
        let mut uploads = self.ledger.uploads(None, 10).await.unwrap();
        assert_eq!(uploads.len(), 1, "one upload: {uploads:?}");
        uploads.remove(0)
    }

    async fn file(&self, batch: &BatchAddress, file: &FileId) -> Option<FileRecord> {
        let address = FileAddress {
            batch: batch.clone(),
            file: file.clone(),
        };
        self.ledger.locate(&address).await.unwrap()
    }
}

/// A client as others would use it: only its base URL is changed.
fn client(addr: SocketAddr) -> ExtractaClient {
    let key = secrecy::SecretString::from(retentiond::sandbox::DEFAULT_KEY);
    let config = ClientConfig {
        results_interval: std::time::Duration::ZERO,
        ..ClientConfig::new(format!("http://{addr}/api/v1"), key)
    };
    ExtractaClient::new(config).unwrap()
}

/// A sandbox with a gateway before it.
struct Both {
    passed: Passed,
    server: SandboxHandle,
    classification: Parent,
    extraction: Parent,
    _sandbox: Sandbox,
}

impl Both {
    async fn new() -> Self {
        let sandbox = Sandbox::start(SandboxConfig::unpaced()).await.unwrap();
        let server = sandbox.handle();
        let extraction = server.seed_extraction("invoices");
        let linked = DocumentType {
            extraction_id: Some(extraction.clone()),
            ..DocumentType::named("invoice")
        };
        let types = [DocumentType::named("letter"), linked];
        let classification = server.seed_classification("tests", &types);
        Self {
            passed: Passed::to(&sandbox.base_url()).await,
            classification: Parent::Classification(ClassificationId::new(classification).unwrap()),
            extraction: Parent::Extraction(ExtractionId::new(extraction).unwrap()),
            server,
            _sandbox: sandbox,
        }
    }

    async fn upload(&self, parent: &Parent, names: &[&str]) -> Result<UploadAnswer, UploadError> {
        let files = names
            .iter()
            .map(|name| Document::from_bytes((*name).to_owned(), bytes::Bytes::from_static(b"%PDF-1.4")))
            .collect();
        self.passed.client().upload_files(parent, None, files).await
    }
}
