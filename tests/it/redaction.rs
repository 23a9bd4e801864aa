//! The log's own retention: what is over goes and cannot be found again; what is not stays; the tree passes.

use std::process::{Command, Output};

use retentiond::engine::redaction::{Redacting, cut};
use retentiond::engine::{Ending, Stop};
use retentiond::evidence::seal::{FileTexts, commitment};
use retentiond::evidence::{Fact, Hash, Leaf, Seal};
use retentiond::ledger::{EventNoted, Gone, RedactionStep};
use retentiond::model::{
    BreakerKind, ErasureScope, EventScope, FileId, FileState, HoldScope, Labels, NewErasure, NewEvent,
    NewHold, Timestamp,
};
use retentiond::outcome::FileEvent;
use retentiond::sandbox::{DocumentType, Endpoint, Fault};
use sha2::{Digest, Sha256};

use crate::harness::{Batch, World, ten_days};

/// Ten days, and a record of three months.
fn kept_three_months(classification: &str) -> String {
    format!("\n[evidence]\nkeep = \"3 months\"\n{}", ten_days(classification))
}

async fn world() -> World {
    let world = World::with(kept_three_months, &[DocumentType::named("letter")]).await;
    let text = World::policy_text(
        &world.dir,
        &world.sandbox.base_url(),
        &kept_three_months(&world.classification),
    );
    std::fs::write(world.dir.path().join("policies.toml"), text).unwrap();
    world
}

fn cli(world: &World, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .arg("-c")
        .arg(world.dir.path().join("policies.toml"))
        .args(args)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + std::str::from_utf8(&output.stderr).unwrap()
}

fn hold(scope: HoldScope, reason: &str) -> NewHold {
    NewHold {
        scope,
        reason: reason.to_owned(),
        reference: Some("case-4711".to_owned()),
        owner: Some("Jane Doe".to_owned()),
        review_by: None,
    }
}

impl World {
    async fn redact(&self) -> Gone {
        let engine = self.engine();
        match engine
            .redact(&self.checked.rules, u32::MAX, &|_| {})
            .await
            .unwrap()
        {
            Redacting::Done(gone) => gone,
            other => panic!("{other:?}"),
        }
    }

    /// The tree, its checkpoints, what opens it, and the ledger against itself. How many leaves have no bytes.
    async fn whole(&self) -> u64 {
        assert_eq!(self.ledger.check(true).await.unwrap(), Vec::<String>::new());
        let found = cli(self, &["--json", "audit", "verify"]);
        assert_eq!(found.status.code(), Some(0), "{found:?}");
        let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
        assert_eq!(found["verdict"], "whole");
        found["redacted"].as_u64().unwrap()
    }

    /// Five deleted and verified files, with all that can name one beside them.
    async fn deleted(&self) -> Batch {
        let batch = self.upload_labelled(5, Labels::new()).await;
        let now = self.now();
        let file = batch.files[0].clone();
        let placed = self
            .ledger
            .add_hold(&hold(HoldScope::File(file.clone()), "litigation-x"), now)
            .await
            .unwrap();
        self.ledger
            .release_hold(placed.hold, "settled-x", now, now)
            .await
            .unwrap();
        let erasure = NewErasure {
            scope: ErasureScope::File(batch.files[1].clone()),
            reference: "request-77".to_owned(),
            received: "2026-05-04".parse().unwrap(),
        };
        let entered = self.ledger.add_erasure(&erasure, now).await.unwrap();
        let event = NewEvent {
            name: retentiond::model::EventName::new("contract-end").unwrap(),
            scope: EventScope::File(batch.files[2].clone()),
            at: now,
            reason: None,
        };
        let noted = self.ledger.add_event(&event, now).await.unwrap();
        assert!(matches!(noted, EventNoted::New { .. }));
        self.days_pass(11);
        assert_eq!(self.sweep().await.ending, Ending::Done);
        self.ledger
            .close_erasure(entered.erasure, "done-x", self.now())
            .await
            .unwrap();
        assert_eq!(self.count(&batch, FileState::Deleted).await, 5);
        batch
    }

    /// Everything that the ledger holds, cell by cell.
    async fn cells(&self) -> Vec<Vec<u8>> {
        use sqlx::{ConnectOptions, Connection, Row};
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&self.checked.ledger.path)
            .read_only(true);
        let mut connection = options.connect().await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let mut cells = Vec::new();
        for table in tables {
            let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?1)")
                .bind(&table)
                .fetch_all(&mut connection)
                .await
                .unwrap();
            for column in columns {
                let statement = format!(
                    "SELECT CAST(\"{column}\" AS BLOB) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL"
                );
                let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
                cells.extend(rows.iter().map(|row| row.get::<Vec<u8>, _>(0)));
            }
        }
        connection.close().await.unwrap();
        cells
    }

    /// Who of `candidates` can be found by somebody who holds the whole ledger, its files and its backups beside it,
    /// knows how it is made, and tries every candidate in every way that it offers.
    async fn found(&self, batch: &Batch) -> [Vec<FileId>; 3] {
        let cells = self.cells().await;
        let has = |wanted: &[u8]| {
            cells
                .iter()
                .any(|cell| cell.windows(wanted.len().max(1)).any(|part| part == wanted))
        };
        let address = self.address(batch, &batch.files[0]).batch;
        let spelled = FileTexts::of(&address);
        let texts: Vec<String> = batch.files.iter().map(|file| spelled.text(file)).collect();
        // In clear.
        let clear = batch.files.iter().filter(|file| has(file.as_str().as_bytes()));
        // By hash: unsalted, or under any 32 bytes that the ledger holds, alone or with its whole batch.
        let salts: Vec<[u8; 32]> = cells
            .iter()
            .filter_map(|cell| cell.as_slice().try_into().ok())
            .collect();
        let fields = [
            "files",
            "live",
            "deleting",
            "deleted",
            "gone",
            "unknown",
            "quarantined",
            "absent",
            "still_there",
        ];
        let leaves = self.ledger.leaves(0, 1000).await.unwrap();
        let rebuilt = |salt: &[u8; 32], texts: &[String]| {
            let seal = Seal::new(salt);
            let set = |field: &str| seal.files(field, &mut texts.to_vec());
            let mut ways = Vec::new();
            for leaf in &leaves {
                let at = Timestamp::from_millis(leaf.at).unwrap();
                let mut facts = Vec::new();
                if leaf.kind == "verification" {
                    let (absent, still_there) = (Some(set("absent")), None);
                    facts.push(Fact::Verification { absent, still_there });
                }
                if leaf.kind == "intent" {
                    facts.extend(
                        (1..=4)
                            .flat_map(|attempt| (1..=4).map(move |sweep| (attempt, sweep)))
                            .map(|(attempt, sweep)| Fact::Intent {
                                attempt,
                                sweep,
                                call: "deleteFiles".to_owned(),
                                files: set("files"),
                            }),
                    );
                }
                let contents = facts
                    .into_iter()
                    .map(|fact| Leaf::new(leaf.seq, at, fact).content());
                ways.extend(contents.map(|content| Hash::of_leaf(content.as_bytes())));
            }
            ways
        };
        // A leaf without its bytes, written again: its numbers are few, its files are the candidates.
        let again: Vec<Hash> = salts
            .iter()
            .flat_map(|salt| {
                [
                    rebuilt(salt, &texts[..1]),
                    rebuilt(salt, &texts[1..]),
                    rebuilt(salt, &texts),
                ]
            })
            .flatten()
            .collect();
        let again = again
            .iter()
            .any(|hash| leaves.iter().any(|leaf| leaf.hash == *hash));
        let mut by_hash = Vec::new();
        for (file, text) in batch.files.iter().zip(&texts) {
            let mut ways: Vec<Hash> = Vec::new();
            for plain in [file.as_str().as_bytes(), text.as_bytes()] {
                ways.push(Hash(Sha256::digest(plain).into()));
                ways.push(Hash::of_leaf(plain));
                ways.extend(salts.iter().map(|salt| commitment(&Hash(*salt), plain)));
            }
            for salt in &salts {
                let seal = Seal::new(salt);
                for field in fields {
                    ways.push(seal.files(field, &mut vec![text.clone()]).root);
                    ways.push(seal.files(field, &mut texts.clone()).root);
                    // All but the first file, which went alone as the canary.
                    ways.push(seal.files(field, &mut texts[1..].to_vec()).root);
                }
                for field in ["covers", "reason", "reference"] {
                    ways.push(seal.text(field, file.as_str()));
                }
            }
            if again
                || ways
                    .iter()
                    .any(|hash| has(&hash.0) || has(hash.to_string().as_bytes()))
            {
                by_hash.push(file.clone());
            }
        }
        // In bytes that no table shows any more.
        let mut bytes = Vec::new();
        for entry in std::fs::read_dir(self.dir.path()).unwrap() {
            bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        let raw = batch.files.iter().filter(|file| {
            let wanted = file.as_str().as_bytes();
            bytes.windows(wanted.len()).any(|part| part == wanted)
        });
        [clear.cloned().collect(), by_hash, raw.cloned().collect()]
    }
}

#[tokio::test]
async fn redacted_ids_cannot_be_found_by_trying_candidates_and_the_tree_passes() {
    let world = world().await;
    let old = world.deleted().await;
    world.days_pass(100);
    let young = world.upload(3).await;
    world.days_pass(11);
    assert_eq!(world.sweep_only().await, Ending::Done);
    for way in world.found(&old).await {
        assert_eq!(way, old.files, "before, every one is found in every way");
    }
    let head = world.ledger.tree().await.unwrap();
    assert_eq!(world.whole().await, 0);
    let dry = cli(&world, &["--json", "audit", "redact", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{dry:?}");

    let gone = world.redact().await;
    assert_eq!(gone.files, 5);
    assert!(gone.leaves > 10 && gone.records >= 2, "{gone:?}");
    world.ledger.tidy().await.unwrap();
    for way in world.found(&old).await {
        assert_eq!(way, Vec::<FileId>::new(), "after, none in any");
    }
    for way in world.found(&young).await {
        assert_eq!(way, young.files, "the others are as they were");
    }
    let cells = world.cells().await;
    for words in [
        "litigation-x",
        "settled-x",
        "case-4711",
        "Jane Doe",
        "request-77",
        "done-x",
    ] {
        let words = words.as_bytes();
        assert!(
            !cells
                .iter()
                .any(|cell| cell.windows(words.len()).any(|part| part == words))
        );
    }
    assert_eq!(world.whole().await, gone.leaves);
    let leaves = world.ledger.leaves(0, 1000).await.unwrap();
    assert!(leaves.len() as u64 > head.size);
    let told: Vec<&str> = leaves
        .iter()
        .filter(|leaf| leaf.kind == "redaction")
        .filter_map(|leaf| leaf.content.as_deref())
        .collect();
    let sum = |field: &str| -> u64 {
        let of =
            |text: &&str| serde_json::from_str::<serde_json::Value>(text).unwrap()["fact"][field].as_u64();
        told.iter().filter_map(of).sum()
    };
    assert_eq!(
        (sum("leaves"), sum("files"), sum("records")),
        (gone.leaves, gone.files, gone.records)
    );
    assert_eq!(world.redact().await, Gone::default(), "once");

    // Whoever asks is told that it went, not that it never was.
    let file = old.files[0].as_str();
    for args in [
        &["audit", "prove", file][..],
        &["explain", file],
        &["history", file],
    ] {
        let shown = cli(&world, args);
        assert!(said(&shown).contains("was redacted, last on 2026-"), "{shown:?}");
        assert_eq!(
            shown.status.code(),
            Some(i32::from(args[0] != "history")),
            "{shown:?}"
        );
    }
    let report = |from: &str| {
        let shown = cli(
            &world,
            &["report", "--from", from, "--to", "2027-01-01", "--as", "json"],
        );
        serde_json::from_str::<serde_json::Value>(&said(&shown)).unwrap()["cover"]["redacted"].clone()
    };
    assert_eq!(
        report("2026-05-01")["before"],
        serde_json::to_value(cut(&world.checked.rules, world.now())).unwrap()
    );
    assert_eq!(report("2026-08-20"), serde_json::Value::Null);
    let file = young.files[0].as_str();
    assert_eq!(cli(&world, &["audit", "checkpoint"]).status.code(), Some(0));
    assert_eq!(cli(&world, &["audit", "prove", file]).status.code(), Some(0));
}

impl World {
    /// A sweep that finds its day's redaction done.
    async fn sweep_only(&self) -> Ending {
        let mut rules = self.checked.rules.clone();
        rules.keep_evidence = None;
        let request = retentiond::engine::SweepRequest {
            policy: crate::harness::name("documents"),
            occurrence: None,
            trigger: retentiond::model::Trigger::Manual,
        };
        let cancel = tokio_util::sync::CancellationToken::new();
        self.engine()
            .sweep(&rules, &request, &cancel)
            .await
            .unwrap()
            .ending
    }

    fn cut(&self) -> Timestamp {
        cut(&self.checked.rules, self.now()).unwrap()
    }
}

#[tokio::test]
async fn what_is_not_over_stays_with_all_that_proves_it() {
    let world = world().await;
    let batches = [
        world.deleted().await,
        world.upload(2).await,
        world.upload(2).await,
    ];
    let [held, stuck, live] = &batches;
    let hold_id = world
        .ledger
        .add_hold(
            &hold(HoldScope::File(held.files[3].clone()), "lawsuit"),
            world.now(),
        )
        .await
        .unwrap()
        .hold;
    // One is given up, one stays unknown: both open, and named in old leaves.
    let key = world.ledger.find(&stuck.files[0]).await.unwrap()[0].key.batch;
    world
        .ledger
        .note(
            key,
            &[stuck.files[0].clone()],
            FileEvent::GivenUp,
            "refused",
            world.now(),
        )
        .await
        .unwrap();
    let asked = NewErasure {
        scope: ErasureScope::File(live.files[0].clone()),
        reference: "open-request".to_owned(),
        received: "2026-05-04".parse().unwrap(),
    };
    world.ledger.add_erasure(&asked, world.now()).await.unwrap();
    world.days_pass(200);
    world.redact().await;
    let redacted = world.whole().await;
    assert!(redacted > 0);
    assert_eq!(world.state(&stuck.files[0]).await, FileState::Quarantined);
    assert_eq!(world.state(&live.files[0]).await, FileState::Live);
    // The one that is held, and those that went in the same requests: one salt opens them all.
    assert_eq!(world.state(&held.files[3]).await, FileState::Deleted);
    assert_eq!(cli(&world, &["audit", "checkpoint"]).status.code(), Some(0));
    let proof = cli(&world, &["audit", "prove", held.files[3].as_str()]);
    assert_eq!(proof.status.code(), Some(0), "{proof:?}");
    for told in ["\"intent", "outcome", "verification"] {
        assert!(said(&proof).contains(told.trim_matches('"')), "{proof:?}");
    }
    assert_eq!(world.ledger.holds(Some(world.now())).await.unwrap().len(), 1);
    assert_eq!(world.ledger.erasures(true).await.unwrap().len(), 1);
    let of_kind = |kind: &'static str| {
        let ledger = &world.ledger;
        async move {
            let leaves = ledger.leaves(0, 1000).await.unwrap();
            let whole = leaves.iter().filter(|leaf| leaf.kind == kind);
            whole.filter(|leaf| leaf.content.is_some()).count()
        }
    };
    assert_eq!(of_kind("hold").await, 1);
    assert_eq!(of_kind("erasure-request").await, 1);
    assert_eq!(of_kind("moved").await, 1);
    assert_eq!(of_kind("genesis").await, 1);
    assert_eq!(
        of_kind("rules").await,
        1,
        "by which the oldest that stays was decided"
    );

    // Released, the hold's cool-down over, and as long again: then they go too.
    let now = world.now();
    world
        .ledger
        .release_hold(hold_id, "over", now, now)
        .await
        .unwrap();
    world.days_pass(20);
    assert_eq!(world.redact().await.files, 5);
    assert_eq!(
        of_kind("hold").await,
        1,
        "the hold's own end is on record for three months"
    );
    world.days_pass(100);
    world.redact().await;
    assert_eq!(of_kind("hold").await, 0);
    assert!(world.whole().await > redacted);
    assert_eq!(world.state(&stuck.files[0]).await, FileState::Quarantined);
}

#[tokio::test]
async fn after_every_step_the_ledger_and_its_tree_are_whole() {
    let world = world().await;
    let first = world.deleted().await;
    let lost = Fault::at(Endpoint::DeleteFiles).status(502).times(1);
    world.server.add_fault(lost).unwrap();
    let second = world.upload(4).await;
    world.days_pass(11);
    world.sweep_only().await;
    world.days_pass(1);
    world.sweep_only().await;
    world.days_pass(120);
    let (mut step, mut steps, mut all) = (Some(RedactionStep::FIRST), 0, Gone::default());
    while let Some(next) = step {
        let (gone, after) = world.ledger.redact(next, world.cut(), world.now()).await.unwrap();
        all += gone;
        assert_eq!(world.whole().await, all.leaves, "{next:?}");
        (step, steps) = (after, steps + 1);
    }
    assert!(steps >= 6, "{steps}");
    assert_eq!(all.files, 9);
    for file in first.files.iter().chain(&second.files) {
        assert!(world.ledger.find(file).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_sweep_redacts_once_a_day_and_never_by_a_clock_that_jumped() {
    let world = world().await;
    let old = world.deleted().await;
    world.clock.jump(3_650 * crate::harness::DAY_MS);
    let engine = world.engine();
    let refused = engine
        .redact(&world.checked.rules, u32::MAX, &|_| {})
        .await
        .unwrap();
    let clock = BreakerKind::Clock;
    assert!(
        matches!(&refused, Redacting::Stopped(Stop::Breaker { kind, .. }) if *kind == clock),
        "{refused:?}"
    );
    world.clock.jump(-3_650 * crate::harness::DAY_MS);
    assert_eq!(world.sweep_only().await, Ending::Done);
    world.clock.jump(3_650 * crate::harness::DAY_MS);
    let stopped = world.sweep().await;
    assert!(matches!(stopped.ending, Ending::Stopped { .. }), "{stopped:?}");
    assert_eq!(world.ledger.redacted().await.unwrap(), None);
    assert_eq!(world.count(&old, FileState::Deleted).await, 5);
    world.clock.jump(-3_650 * crate::harness::DAY_MS);
    world.days_pass(120);
    assert_eq!(world.sweep().await.ending, Ending::Done);
    assert!(world.ledger.redacted().await.unwrap().is_some());
    assert!(world.ledger.find(&old.files[0]).await.unwrap().is_empty());
    // The checkpoint of that sweep covers what the redaction told.
    let head = world.ledger.tree().await.unwrap();
    assert_eq!(head.checkpoint.unwrap().size, head.size);
    let finished = world.ledger.redaction_finished().await.unwrap();
    world.clock.advance(3_600_000);
    world.sweep().await;
    assert_eq!(world.ledger.redaction_finished().await.unwrap(), finished);
    world.days_pass(1);
    world.sweep().await;
    assert!(world.ledger.redaction_finished().await.unwrap() > finished);
}
