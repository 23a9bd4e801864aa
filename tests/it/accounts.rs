//! Two accounts: two servers that use the same ids, each with its own key, over one ledger.

use std::sync::Arc;
use std::time::Duration;

use retentiond::config::{self, Checked};
use retentiond::engine::{
    Clock, Ending, Engine, ManualClock, Remotes, Settings, Stop, SweepReport, SweepRequest, Way,
};
use retentiond::extracta::{ClientConfig, ExtractaClient};
use retentiond::ledger::{DeleterLock, Hinted, Ledger, OpenMode, SqliteLedger};
use retentiond::model::{
    AccountName, BatchAddress, BatchId, BreakerKind, ClassificationId, ErasureScope, FileAddress, FileId,
    FileState, Labels, NewErasure, NewFile, Parent, Trigger,
};
use retentiond::rules::decide::hint;
use retentiond::sandbox::{Endpoint, Module, Sandbox, SandboxConfig, SandboxHandle};
use tokio_util::sync::CancellationToken;

use crate::harness::{BEGINNING, DAY_MS, name};

const KEYS: [&str; 2] = ["key-of-nobody", "key-of-acme"];

/// The account without a name, and `acme`.
struct Two {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    sandboxes: [Sandbox; 2],
    classification: String,
    batch: String,
    files: Vec<FileId>,
    checked: Checked,
    ledger: Arc<dyn Ledger>,
    lock: DeleterLock,
}

fn acme() -> AccountName {
    AccountName::new("acme").unwrap()
}

fn accounts() -> [Option<AccountName>; 2] {
    [None, Some(acme())]
}

const POLICIES: &str = r#"
[limits]
files_per_sweep = 1000
share_per_sweep = "100%"

[[policy]]
name         = "own"
match        = "everything"
delete_after = "10 days"
schedule     = "0 3 * * *"
mode         = "enforce"

[[policy]]
name         = "of acme"
account      = "acme"
match        = "everything"
delete_after = "20 days"
schedule     = "0 3 * * *"
mode         = "enforce"
"#;

impl Two {
    /// The same three files in the same batch on both sides, all recorded.
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(BEGINNING.parse().unwrap()));
        let start = |key: &str| {
            let sandbox_clock = Arc::clone(&clock);
            Sandbox::start(SandboxConfig {
                clock: Arc::new(move || sandbox_clock.now().as_millis()),
                api_keys: vec![key.to_owned()],
                ..SandboxConfig::unpaced()
            })
        };
        let sandboxes = [start(KEYS[0]).await.unwrap(), start(KEYS[1]).await.unwrap()];
        // The same seed, clock and calls: the same ids.
        let made = sandboxes.each_ref().map(|sandbox| {
            let server = sandbox.handle();
            let classification = server.seed_classification("both", &[]);
            let batch = server
                .seed_batch(Module::Classification, &classification)
                .unwrap();
            let files = server.seed_files(&classification, &batch, 3).unwrap();
            (classification, batch, files)
        });
        assert_eq!(made[0], made[1]);
        let [(classification, batch, files), _] = made;
        let dir = tempfile::tempdir().unwrap();
        let checked = policies(&dir, &sandboxes, POLICIES);
        let lock = DeleterLock::acquire(&checked.ledger.path).unwrap();
        let ledger = SqliteLedger::open(&checked.ledger.url, OpenMode::ReadWrite)
            .await
            .unwrap();
        let two = Self {
            dir,
            clock,
            sandboxes,
            classification,
            batch,
            files: files.iter().map(|id| FileId::new(id.as_str()).unwrap()).collect(),
            checked,
            ledger: Arc::new(ledger),
            lock,
        };
        for account in accounts() {
            two.record(account).await;
        }
        two
    }

    fn address(&self, account: Option<AccountName>, file: &FileId) -> FileAddress {
        let batch = BatchAddress {
            parent: Parent::Classification(ClassificationId::new(self.classification.as_str()).unwrap()),
            batch: BatchId::new(self.batch.as_str()).unwrap(),
            account,
        };
        FileAddress {
            batch,
            file: file.clone(),
        }
    }

    async fn record(&self, account: Option<AccountName>) {
        let rows = self.files.iter().map(|file| {
            let file = NewFile {
                address: self.address(account.clone(), file),
                uploaded_at: self.clock.now(),
                processed_at: None,
                document_type: None,
                labels: Labels::new(),
                subject: None,
                copy_of: None,
            };
            let record = retentiond::intake::provisional(&file);
            Hinted {
                hint: hint(&record, &self.checked.rules),
                file,
            }
        });
        let rows: Vec<Hinted> = rows.collect();
        let digest = &self.checked.rules.digest;
        self.ledger.record(&rows, digest, self.clock.now()).await.unwrap();
    }

    fn way(&self, side: usize) -> Way {
        let key = secrecy::SecretString::from(KEYS[side]);
        let config = ClientConfig {
            results_interval: Duration::ZERO,
            timeout: Duration::from_secs(5),
            ..ClientConfig::new(self.sandboxes[side].base_url(), key)
        };
        Way {
            remote: Arc::new(ExtractaClient::new(config).unwrap()),
            settings: settings(),
        }
    }

    fn engine(&self) -> Engine {
        let remotes = Remotes::new()
            .with(None, self.way(0))
            .with(Some(acme()), self.way(1));
        self.engine_over(remotes)
    }

    fn engine_over(&self, remotes: Remotes) -> Engine {
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&self.clock);
        Engine::over(Arc::clone(&self.ledger), remotes, clock, settings(), &self.lock)
    }

    async fn sweep(&self, engine: &Engine, policy: &str) -> SweepReport {
        let request = SweepRequest {
            policy: name(policy),
            occurrence: None,
            trigger: Trigger::Manual,
        };
        let cancel = CancellationToken::new();
        engine
            .sweep(&self.checked.rules, &request, &cancel)
            .await
            .unwrap()
    }

    fn server(&self, side: usize) -> SandboxHandle {
        self.sandboxes[side].handle()
    }

    /// Files that are still there, on both sides.
    fn there(&self) -> [usize; 2] {
        [0, 1].map(|side| {
            let server = self.server(side);
            self.files
                .iter()
                .filter(|file| server.exists(file.as_str()))
                .count()
        })
    }

    /// Their states in the ledger, in both accounts.
    async fn states(&self) -> [Vec<FileState>; 2] {
        let mut states = [Vec::new(), Vec::new()];
        for (side, account) in accounts().into_iter().enumerate() {
            for file in &self.files {
                let address = self.address(account.clone(), file);
                states[side].push(self.ledger.locate(&address).await.unwrap().unwrap().state);
            }
        }
        states
    }

    /// No server was ever asked with another account's key.
    fn assert_own_keys(&self) {
        for side in [0, 1] {
            let refused = self
                .server(side)
                .requests()
                .into_iter()
                .filter(|r| r.status == Some(401))
                .count();
            assert_eq!(refused, 0, "side {side}");
        }
    }
}

fn settings() -> Settings {
    Settings {
        backoff: Duration::from_millis(1),
        ..Settings::default()
    }
}

fn policies(dir: &tempfile::TempDir, sandboxes: &[Sandbox; 2], policies: &str) -> Checked {
    let text = format!(
        "timezone = \"Europe/Berlin\"\n\n[extracta]\nbase_url = \"{}\"\nresults_interval = \"0s\"\n\n\
         [[account]]\nname = \"acme\"\nbase_url = \"{}\"\n\n[ledger]\nurl = \"sqlite:{}\"\n{policies}",
        sandboxes[0].base_url(),
        sandboxes[1].base_url(),
        dir.path().join("ledger.db").display(),
    );
    config::parse("policies.toml", &text).unwrap_or_else(|p| panic!("{}", p.render(false)))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_policy_deletes_the_files_of_its_account_and_no_other_with_the_same_ids() {
    let two = Two::new().await;
    let engine = two.engine();
    two.clock.advance(12 * DAY_MS);
    let report = two.sweep(&engine, "of acme").await;
    assert_eq!((report.ending, report.summary.due), (Ending::Done, 0));
    let report = two.sweep(&engine, "own").await;
    assert_eq!((report.ending, report.summary.deleted), (Ending::Done, 3));
    assert_eq!(two.there(), [0, 3]);
    assert_eq!(
        two.states().await,
        [vec![FileState::Deleted; 3], vec![FileState::Live; 3]]
    );

    two.clock.advance(9 * DAY_MS);
    let report = two.sweep(&engine, "of acme").await;
    assert_eq!(
        (report.ending, report.summary.deleted, report.summary.verified),
        (Ending::Done, 3, 3)
    );
    assert_eq!(two.there(), [0, 0]);
    two.assert_own_keys();
    assert_eq!(two.ledger.check(true).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_stops_its_own_account_only_and_heals_by_itself() {
    let two = Two::new().await;
    let engine = two.engine();
    two.clock.advance(30 * DAY_MS);
    two.server(1)
        .configure(|config| config.api_keys = vec!["another".to_owned()]);
    let report = two.sweep(&engine, "of acme").await;
    assert!(
        matches!(
            &report.ending,
            Ending::Stopped { by: Stop::Breaker { kind: BreakerKind::Auth, account: Some(account), .. } } if *account == acme()
        ),
        "{:?}",
        report.ending
    );
    let Ending::Stopped { by } = &report.ending else {
        unreachable!()
    };
    assert!(
        by.sentence().contains("retentiond breaker reset auth@acme"),
        "{}",
        by.sentence()
    );
    let open = two.ledger.breakers().await.unwrap();
    assert_eq!(
        open.iter().map(|breaker| breaker.name()).collect::<Vec<_>>(),
        ["auth@acme"]
    );

    // The tick minds nothing of it, and the other account goes on.
    assert_eq!(engine.guard(false).await.unwrap(), None);
    assert_eq!(two.sweep(&engine, "own").await.summary.deleted, 3);
    assert_eq!(two.there(), [0, 3]);

    two.server(1)
        .configure(|config| config.api_keys = vec![KEYS[1].to_owned()]);
    assert_eq!(two.sweep(&engine, "of acme").await.ending, Ending::Done);
    assert_eq!(two.there(), [0, 0]);
    assert_eq!(two.ledger.breakers().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unnamed_accounts_refused_key_does_not_stop_a_named_one() {
    let two = Two::new().await;
    let engine = two.engine();
    two.clock.advance(30 * DAY_MS);
    two.server(0)
        .configure(|config| config.api_keys = vec!["another".to_owned()]);
    assert!(matches!(
        two.sweep(&engine, "own").await.ending,
        Ending::Stopped { .. }
    ));
    assert_eq!(two.sweep(&engine, "of acme").await.ending, Ending::Done);
    assert_eq!(two.there(), [3, 0]);
    assert_eq!(two.ledger.breakers().await.unwrap()[0].account, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_looked_at_with_its_own_accounts_key() {
    let two = Two::new().await;
    let engine = two.engine();
    two.clock.advance(30 * DAY_MS);
    let key = two
        .ledger
        .batch_key(&two.address(Some(acme()), &two.files[0]).batch)
        .await
        .unwrap()
        .unwrap();
    // As a crash leaves it: asked for, and nobody knows what became of it.
    let request = retentiond::ledger::OpenSweep {
        policy: name("of acme"),
        occurrence: None,
        trigger: Trigger::Manual,
        at: two.clock.now(),
        digest: two.checked.rules.digest.clone(),
    };
    let retentiond::ledger::Opened::New(sweep) = two.ledger.open_sweep(&request).await.unwrap() else {
        panic!("it is new")
    };
    let claim = retentiond::ledger::ClaimRequest {
        sweep,
        kind: retentiond::model::AttemptKind::DeleteFiles,
        batch: key,
        files: &two.files[..1],
        at: two.clock.now(),
        boottime_ms: 0,
        budget: 10,
    };
    two.ledger.claim(&claim, &|_, _| Ok(())).await.unwrap();
    engine.recover().await.unwrap();
    let report = two.sweep(&engine, "own").await;
    assert_eq!(
        (report.ending.clone(), report.summary.unknown),
        (Ending::Done, 0),
        "it is acme's"
    );
    assert_eq!(two.states().await[1][0], FileState::Unknown);
    assert_eq!(two.sweep(&engine, "of acme").await.ending, Ending::Done);
    assert_eq!(two.there(), [0, 0]);
    two.assert_own_keys();
}

async fn ask_for_all(two: &Two) {
    for (number, file) in two.files.iter().enumerate() {
        let request = NewErasure {
            scope: ErasureScope::File(file.clone()),
            reference: format!("r{number}"),
            received: jiff::civil::date(2026, 5, 4),
        };
        two.ledger.add_erasure(&request, two.clock.now()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_request_covers_every_account_and_is_closed_when_all_are_verified() {
    let two = Two::new().await;
    ask_for_all(&two).await;
    two.clock.advance(DAY_MS);
    let report = two.sweep(&two.engine(), "erasure").await;
    assert_eq!(
        (
            report.ending.clone(),
            report.summary.deleted,
            report.summary.verified
        ),
        (Ending::Done, 6, 6)
    );
    assert_eq!(two.there(), [0, 0]);
    two.assert_own_keys();
    assert_eq!(two.ledger.erasures(true).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_accounts_refused_key_leaves_a_request_open_and_stops_no_other_account() {
    let two = Two::new().await;
    let engine = two.engine();
    ask_for_all(&two).await;
    two.clock.advance(DAY_MS);
    two.server(0)
        .configure(|config| config.api_keys = vec!["another".to_owned()]);
    let report = two.sweep(&engine, "erasure").await;
    assert!(
        matches!(
            &report.ending,
            Ending::Stopped {
                by: Stop::Breaker {
                    kind: BreakerKind::Auth,
                    account: None,
                    ..
                }
            }
        ),
        "{:?}",
        report.ending
    );
    assert_eq!(report.summary.deleted, 3);
    assert_eq!(two.there(), [3, 0]);
    assert_eq!(two.ledger.erasures(true).await.unwrap().len(), 3);

    two.server(0)
        .configure(|config| config.api_keys = vec![KEYS[0].to_owned()]);
    assert_eq!(two.sweep(&engine, "erasure").await.ending, Ending::Done);
    assert_eq!(two.there(), [0, 0]);
    assert_eq!(two.ledger.erasures(true).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_an_account_that_left_stay_and_the_sweep_says_so() {
    let two = Two::new().await;
    two.clock.advance(30 * DAY_MS);
    let without = two.engine_over(Remotes::new().with(None, two.way(0)));
    let report = two.sweep(&without, "of acme").await;
    assert_eq!(
        report.ending,
        Ending::Stopped {
            by: Stop::NoAccount {
                account: Some(acme())
            }
        }
    );
    assert_eq!(report.exit_code(), 78);
    ask_for_all(&two).await;
    two.clock.advance(DAY_MS);
    let report = two.sweep(&without, "erasure").await;
    assert_eq!(
        report.ending,
        Ending::Stopped {
            by: Stop::NoAccount {
                account: Some(acme())
            }
        }
    );
    assert_eq!(two.there(), [0, 3]);
    assert_eq!(two.server(1).request_count(Endpoint::DeleteFiles), 0);
    assert_eq!(
        two.ledger.erasures(true).await.unwrap().len(),
        3,
        "they are not done"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbs_take_rows_of_an_account_and_sweep_with_its_key() {
    let two = Two::new().await;
    two.clock.advance(0);
    for (file, key) in [("own-key", KEYS[0]), ("acme-key", KEYS[1])] {
        let path = two.dir.path().join(file);
        std::fs::write(&path, key).unwrap();
        let mut rights = std::fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o600);
        std::fs::set_permissions(&path, rights).unwrap();
    }
    let dir = two.dir.path().display();
    let text = format!(
        "timezone = \"UTC\"\n\n[extracta]\nbase_url = \"{}\"\nresults_interval = \"0s\"\napi_key_file = \"{dir}/own-key\"\n\n\
         [[account]]\nname = \"acme\"\nbase_url = \"{}\"\napi_key_file = \"{dir}/acme-key\"\n\n\
         [ledger]\nurl = \"sqlite:{dir}/verbs.db\"\n{POLICIES}",
        two.sandboxes[0].base_url(),
        two.sandboxes[1].base_url(),
    );
    let file = two.dir.path().join("verbs.toml");
    std::fs::write(&file, text).unwrap();
    let run = |args: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_retentiond"))
            .env_clear()
            .arg("-c")
            .arg(&file)
            .args(args)
            .output()
            .unwrap()
    };
    let row = |account: &str| {
        format!(
            "{{\"classification_id\":\"{}\",\"batch_id\":\"{}\",\"file_id\":\"{}\"{account}}}\n",
            two.classification, two.batch, two.files[0]
        )
    };
    let rows = two.dir.path().join("rows.jsonl");
    std::fs::write(&rows, row(",\"account\":\"acme\"")).unwrap();
    let rows = rows.to_str().unwrap();
    let said = run(&["record", rows]);
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    let explained = run(&["--json", "explain", two.files[0].as_str()]);
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(
        explained.contains("\"account\": \"acme\"") || explained.contains("\"account\":\"acme\""),
        "{explained}"
    );

    std::fs::write(rows, row(",\"account\":\"acne\"")).unwrap();
    let said = run(&["record", rows]);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(text.contains("did you mean `acme`?"), "{text}");

    std::fs::write(rows, row("")).unwrap();
    assert_eq!(run(&["record", "--account", "acme", rows]).status.code(), Some(0));
    let said = run(&["record", "--account", "acne", rows]);
    assert_eq!(said.status.code(), Some(2), "{said:?}");

    let said = run(&["--json", "reconcile", "--account", "acme"]);
    let text = String::from_utf8(said.stdout).unwrap();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&found["batches"], &found["orphans_total"]),
        (&1.into(), &2.into()),
        "{text}"
    );
    let said = run(&["--json", "reconcile"]);
    let found: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(
        found["batches"], 0,
        "nothing of the account without a name is known"
    );
    two.assert_own_keys();

    let online = |code: i32| -> serde_json::Value {
        let said = run(&["--json", "check", "--online"]);
        assert_eq!(said.status.code(), Some(code), "{said:?}");
        serde_json::from_slice::<serde_json::Value>(&said.stdout).unwrap()["online"].clone()
    };
    // The sandboxes' clock is not this machine's.
    let found = online(8);
    assert_eq!(found["verdict"], "clock");
    let of = |found: &serde_json::Value, n: usize| {
        let account = &found["accounts"][n];
        (account["account"].clone(), account["verdict"].clone())
    };
    assert_eq!(of(&found, 0), (serde_json::Value::Null, "clock".into()));
    assert_eq!(of(&found, 1), ("acme".into(), "clock".into()));
    std::fs::write(two.dir.path().join("acme-key"), "another-key").unwrap();
    let found = online(5);
    assert_eq!(found["verdict"], "refused", "the worst of all accounts");
    assert_eq!(of(&found, 0), (serde_json::Value::Null, "clock".into()));
    assert_eq!(of(&found, 1), ("acme".into(), "refused".into()));
    let said = run(&["check", "--online"]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(
        text.contains("online, account acme: the API refuses the key (HTTP 401)"),
        "{text}"
    );
}
