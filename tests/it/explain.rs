//! `explain`: what it says of a file is what a sweep then does, and what it says afterwards is what was done.
//!
//! `explain/NAME.txt` is what is told of one file; `UPDATE_GOLDEN=1 cargo test --test it explain` rewrites it.

mod kept;
mod pages;
mod stops;

use std::collections::BTreeMap;
use std::path::Path;

use retentiond::config;
use retentiond::engine::account::{Account, Books, account};
use retentiond::model::{
    BatchId, ErasureScope, EventScope, FileId, FileState, HoldScope, Labels, NewErasure, NewEvent, NewHold,
    Timestamp,
};
use retentiond::rules::policy::RuleSet;
use retentiond::sandbox::{Apply, DocumentType, Endpoint, Fault};
use serde_json::json;

use crate::harness::{Batch, World};

/// A policy or floor for each word that stands in a label.
fn precedence(classification: &str) -> String {
    format!(
        r#"
[limits]
files_per_sweep = 100000
share_per_sweep = "100%"

[[policy]]
name         = "documents"
match        = {{ classification = "{classification}", labels = {{ tenant = ["due", "held", "floored", "forever", "bound", "bound forever", "asked floored", "asked forever", "refused"] }} }}
delete_after = "10 days"
delete_by    = "14 days"
schedule     = "0 3 * * *"
mode         = "enforce"

[[policy]]
name         = "long"
match        = {{ labels = {{ tenant = ["young", "held young", "asked young", "held asked"] }} }}
clock        = {{ start = "uploaded", round_up = "month" }}
delete_after = "1 year"
schedule     = "0 3 * * *"
mode         = "enforce"

[[policy]]
name         = "watched"
match        = {{ labels = {{ tenant = ["observed", "asked observed"] }} }}
delete_after = "10 days"
schedule     = "0 3 * * *"

[[policy]]
name         = "ended"
match        = {{ labels = {{ tenant = ["eventless", "event", "asked eventless"] }} }}
clock        = "event:ended"
delete_after = "72 hours"
schedule     = "0 3 * * *"
mode         = "enforce"

[[keep]]
name     = "one year"
match    = {{ labels = {{ tenant = ["floored", "asked floored"] }} }}
keep_for = "1 year"

[[keep]]
name     = "for ever"
match    = {{ labels = {{ tenant = ["forever", "asked forever"] }} }}
keep_for = "forever"

[[keep]]
name     = "by law"
match    = {{ labels = {{ tenant = ["bound"] }} }}
clock    = {{ start = "uploaded", round_up = "year" }}
keep_for = "8 years"
binding  = true
basis    = "§ 147 AO"

[[keep]]
name     = "by law for ever"
match    = {{ labels = {{ tenant = ["bound forever"] }} }}
keep_for = "forever"
binding  = true
"#
    )
}

/// Each situation, and what the rules say of it after eleven days.
const SITUATIONS: [(&str, &str); 20] = [
    ("due", "due"),
    ("young", "not-yet"),
    ("observed", "due-observed"),
    ("unowned", "unowned"),
    ("eventless", "not-eligible"),
    ("event", "due"),
    ("floored", "not-yet"),
    ("forever", "kept-forever"),
    ("held", "held"),
    ("held young", "held"),
    ("held asked", "held"),
    ("asked young", "erasure"),
    ("asked observed", "erasure"),
    ("asked unowned", "erasure"),
    ("asked eventless", "erasure"),
    ("asked floored", "erasure"),
    ("asked forever", "erasure"),
    ("bound", "bound"),
    ("bound forever", "bound"),
    ("refused", "due"),
];

type Files = BTreeMap<&'static str, FileId>;

impl World {
    pub async fn tenant(&self, tenant: &str) -> Batch {
        let labels = Labels::from([("tenant".to_owned(), tenant.to_owned())]);
        self.upload_labelled(1, labels).await
    }

    /// The account of one file, with the policy file at hand or without.
    pub async fn account(&self, file: &FileId, policy_file: bool) -> Account {
        let compile = |text: &str| -> Option<RuleSet> { Some(config::parse("kept", text).ok()?.rules) };
        let books = Books {
            ledger: self.ledger.as_ref(),
            compile: &compile,
            policy_file: policy_file.then_some(&self.checked.rules),
            now: self.now(),
        };
        let found = self.ledger.find(file).await.unwrap();
        account(&books, &found[0]).await.unwrap()
    }

    async fn hold_file(&self, file: &FileId) {
        let hold = NewHold {
            scope: HoldScope::File(file.clone()),
            reason: "litigation".to_owned(),
            reference: None,
            owner: None,
            review_by: None,
        };
        self.ledger.add_hold(&hold, self.now()).await.unwrap();
    }

    async fn ask_for(&self, file: &FileId) {
        let new = NewErasure {
            scope: ErasureScope::File(file.clone()),
            reference: format!("case {file}"),
            received: "2026-05-04".parse().unwrap(),
        };
        self.ledger.add_erasure(&new, self.now()).await.unwrap();
    }

    async fn ended_at(&self, batch: &str, at: &str, reason: Option<&str>) {
        let event = NewEvent {
            name: "ended".parse().unwrap(),
            scope: EventScope::Batch(BatchId::new(batch).unwrap()),
            at: at.parse::<Timestamp>().unwrap(),
            reason: reason.map(str::to_owned),
        };
        self.ledger.add_event(&event, self.now()).await.unwrap();
    }
}

/// Every situation, eleven days old.
async fn world() -> (World, Files) {
    let mut world = World::with(precedence, &[DocumentType::named("letter")]).await;
    // So that requests have the same numbers each time.
    world.settings.concurrency = 1;
    // The clock's last reading, and the rules in force.
    world.sweep().await;
    let mut files = Files::new();
    for (tenant, _) in SITUATIONS {
        let batch = world.tenant(tenant).await;
        let file = batch.files[0].clone();
        if tenant.starts_with("held") {
            world.hold_file(&file).await;
        }
        if tenant.contains("asked") || tenant.starts_with("bound") {
            world.ask_for(&file).await;
        }
        if tenant == "event" {
            world.ended_at(&batch.id, "2026-05-01T00:00:00Z", None).await;
            world.days_pass(1);
            world
                .ended_at(&batch.id, "2026-05-02T00:00:00Z", Some("typing-error"))
                .await;
        }
        if tenant == "refused" {
            let fault = Fault::at(Endpoint::DeleteFiles)
                .poison(file.as_str())
                .status(400)
                .body(json!({"status": "error", "message": "Bad request"}))
                .apply(Apply::Never);
            world.server.add_fault(fault.always()).unwrap();
        }
        files.insert(tenant, file);
    }
    world.days_pass(11);
    // Decides again what the events changed.
    world.sweep_policy(&world.engine(), "watched").await;
    (world, files)
}

async fn sweep_all(world: &World) {
    // A file that is refused is asked for three times.
    for _ in 0..3 {
        for policy in ["documents", "long", "watched", "ended", "erasure"] {
            world.sweep_policy(&world.engine(), policy).await;
        }
    }
}

#[tokio::test]
async fn what_explain_says_of_every_precedence_is_what_the_sweep_then_does() {
    let (world, files) = world().await;
    let mut before = BTreeMap::new();
    for (tenant, says) in SITUATIONS {
        let account = world.account(&files[tenant], true).await;
        let verdict = account.decision.as_ref().unwrap().verdict.name();
        assert_eq!(verdict, says, "{tenant}: {}", account.verdict);
        before.insert(tenant, account);
    }
    sweep_all(&world).await;
    for (tenant, _) in SITUATIONS {
        let state = world.state(&files[tenant]).await;
        let asked_for = state != FileState::Live;
        let told = &before[tenant];
        assert_eq!(told.goes, asked_for, "{tenant} is {state:?}: {}", told.verdict);
        // The same decision, once more, and from the ledger alone.
        let after = world.account(&files[tenant], false).await;
        let (then, now) = (told.decision.as_ref().unwrap(), after.decision.as_ref().unwrap());
        assert_eq!(
            (
                &then.verdict,
                &then.owner,
                then.starts_at,
                then.due_at,
                then.deadline_at
            ),
            (
                &now.verdict,
                &now.owner,
                now.starts_at,
                now.due_at,
                now.deadline_at
            ),
            "{tenant}"
        );
        assert_eq!(
            after.agrees,
            asked_for.then_some(true),
            "{tenant}: {}",
            after.verdict
        );
    }
    let left = |tenant: &str| world.server.exists(files[tenant].as_str());
    assert!(left("held asked") && left("bound") && !left("asked forever"));
}

#[tokio::test]
async fn every_step_names_the_line_that_decided() {
    let (world, files) = world().await;
    let mut wrong = Vec::new();
    for tenant in [
        "bound",
        "event",
        "floored",
        "held asked",
        "young",
        "asked observed",
    ] {
        golden(&world.account(&files[tenant], true).await, tenant, &mut wrong);
    }
    sweep_all(&world).await;
    for (tenant, name) in [
        ("due", "deleted"),
        ("refused", "quarantined"),
        ("asked forever", "erased"),
    ] {
        golden(&world.account(&files[tenant], false).await, name, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The lines are those of the text: each names its key.
    let text = &world.checked.rules.source;
    let mut seen = 0;
    for file in files.values() {
        for step in world.account(file, false).await.steps {
            if let retentiond::rules::decide::Source::Policies { key, line } = step.source {
                let word = key.rsplit('.').next().unwrap();
                let shown = text.lines().nth(line - 1).unwrap();
                assert!(shown.contains(word), "{key} is not in line {line}: {shown}");
                seen += 1;
            }
        }
    }
    assert!(seen > 60, "{seen} steps named a line");
}

/// Compares, or rewrites.
fn golden(account: &Account, name: &str, wrong: &mut Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/explain")
        .join(format!("{}.txt", name.replace(' ', "-")));
    let mut told = format!("{}\n\n", account.verdict);
    for step in &account.steps {
        let source = step.source.shown("policies.toml").to_string();
        // The hash of a plan is another matter's.
        let text = step.text.split(", plan ").next().unwrap();
        told.push_str(&format!("{:13} {source:18} {text}\n", step.step));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if kept != told {
        wrong.push(format!(
            "{}: run `UPDATE_GOLDEN=1 cargo test --test it explain` and read the difference; it is told\n{told}",
            path.display()
        ));
    }
}
