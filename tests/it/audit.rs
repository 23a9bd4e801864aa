//! `audit`: a ledger, an export and a proof are checked, here and elsewhere, and whatever was changed is found.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use retentiond::engine::{Ending, Engine, Stop};
use retentiond::evidence::{Note, SecretKey, VerifierKey};
use retentiond::ledger::{OpenMode, SqliteLedger};
use retentiond::model::BreakerKind;

use crate::harness::{Batch, World, ten_days};

/// A world with an audit key, whose sweeps sign.
pub struct Audited {
    pub world: World,
    /// The key's public half.
    pub public: String,
}

impl Audited {
    pub async fn new() -> Self {
        let world = World::new().await;
        let text = World::policy_text(
            &world.dir,
            &world.sandbox.base_url(),
            &ten_days(&world.classification),
        );
        let table = format!(
            "\n[evidence]\nkey_file = \"{}\"\n\n[[policy]]",
            place(&world, "audit-key").display()
        );
        std::fs::write(place(&world, "unsigned.toml"), &text).unwrap();
        std::fs::write(
            place(&world, "policies.toml"),
            text.replacen("\n[[policy]]", &table, 1),
        )
        .unwrap();
        let made = cli(&world, &["audit", "init-key"]);
        assert_eq!(made.status.code(), Some(0), "{made:?}");
        let public = said(&made).lines().next().unwrap().to_owned();
        Self { world, public }
    }

    fn engine(&self) -> Engine {
        let key = std::fs::read_to_string(place(&self.world, "audit-key")).unwrap();
        self.world.engine().signing(Some(SecretKey::parse(&key).unwrap()))
    }

    /// Five files, deleted and verified.
    pub async fn swept(&self) -> Batch {
        let batch = self.world.upload(5).await;
        self.world.days_pass(11);
        let report = self.world.sweep_with(&self.engine()).await;
        assert_eq!(report.ending, Ending::Done);
        let note = Note::parse(&report.checkpoint.unwrap()).unwrap();
        note.verify(&VerifierKey::parse(&self.public).unwrap()).unwrap();
        batch
    }

    pub fn audit(&self, args: &[&str]) -> Output {
        cli(&self.world, &[&["audit"], args].concat())
    }

    /// On a machine that has nothing but the file and the public key.
    fn elsewhere(&self, file: &Path, key: &str) -> Output {
        let away = tempfile::tempdir().unwrap();
        let copy = away.path().join("given");
        std::fs::copy(file, &copy).unwrap();
        Command::new(env!("CARGO_BIN_EXE_retentiond"))
            .current_dir(away.path())
            .args([
                "-c",
                "/nowhere/policies.toml",
                "audit",
                "verify",
                "given",
                "--key",
                key,
            ])
            .output()
            .unwrap()
    }
}

pub fn place(world: &World, name: &str) -> PathBuf {
    world.dir.path().join(name)
}

fn cli(world: &World, args: &[&str]) -> Output {
    with_config(world, "policies.toml", args)
}

fn with_config(world: &World, config: &str, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .arg("-c")
        .arg(place(world, config))
        .args(args)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// One change to the database, as by somebody with root and a copy of SQLite.
async fn break_in(world: &World, statements: &'static [&'static str]) {
    use sqlx::{ConnectOptions, Connection};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&world.checked.ledger.path);
    let mut connection = options.connect().await.unwrap();
    for statement in statements {
        sqlx::query(*statement).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn the_key_is_made_once_for_its_owner_alone() {
    let audited = Audited::new().await;
    let path = place(&audited.world, "audit-key");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let secret = std::fs::read_to_string(&path).unwrap();
    assert!(
        VerifierKey::parse(&audited.public)
            .unwrap()
            .name()
            .starts_with("retentiond/")
    );
    let again = audited.audit(&["init-key"]);
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), secret);
    audited.swept().await;
    for args in [&["checkpoint"][..], &["verify"], &["export"]] {
        let shown = format!("{:?}", audited.audit(args));
        assert!(!shown.contains(secret.trim()), "{args:?}");
    }
}

#[tokio::test]
async fn a_sweep_leaves_a_signed_checkpoint_in_the_ledger_and_beside_it() {
    let audited = Audited::new().await;
    audited.swept().await;
    let sent = audited.world.ledger.sent_checkpoints().await.unwrap().notes;
    let kept = audited.world.ledger.checkpoints(0, 10).await.unwrap();
    assert_eq!(sent, [kept[0].1.note.clone()]);
    let found = audited.audit(&["verify"]);
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    assert!(said(&found).starts_with("WHOLE: "), "{found:?}");
    assert!(said(&found).contains("signed up to leaf"), "{found:?}");
    assert!(found.stderr.is_empty(), "{found:?}");
    for part in ["1/3", "2/3", "3/3"] {
        assert_eq!(
            audited.audit(&["verify", "--subset", part]).status.code(),
            Some(0)
        );
    }
    for wrong in ["0/3", "4/3", "x"] {
        assert_eq!(
            audited.audit(&["verify", "--subset", wrong]).status.code(),
            Some(2)
        );
    }
}

/// As a crash amid the append leaves it; each byte of it is `evidence::tests::series`.
#[tokio::test]
async fn a_checkpoint_cut_off_beside_the_ledger_is_named_and_the_next_one_ends_it() {
    let audited = Audited::new().await;
    audited.swept().await;
    audited.audit(&["checkpoint"]);
    let path = place(&audited.world, "ledger.db.checkpoints");
    // With its last line whole nothing is missing; what was cut off before stays named.
    for (cut, torn) in [(1, 0), (60, 1), (120, 2)] {
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let found = audited.audit(&["--json", "verify"]);
        assert_eq!(found.status.code(), Some(0), "{found:?}");
        let note = String::from_utf8(found.stderr.clone()).unwrap();
        assert_eq!(
            note.matches("was cut off while it was written").count(),
            torn,
            "{note}"
        );
        let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
        assert_eq!(
            (&found["verdict"], &found["torn"]),
            (&"whole".into(), &torn.into())
        );
        // A rollback is told by the last whole one.
        assert_eq!(audited.world.ledger.rollback().await.unwrap(), None);
        assert_eq!(audited.audit(&["checkpoint"]).status.code(), Some(0));
        let sent = audited.world.ledger.sent_checkpoints().await.unwrap();
        let kept = audited.world.ledger.checkpoints(0, 20).await.unwrap();
        assert_eq!(sent.torn.len(), torn);
        assert_eq!(sent.notes.last(), kept.last().map(|(_, kept)| &kept.note));
        assert_eq!(audited.audit(&["verify"]).status.code(), Some(0));
    }
}

#[tokio::test]
async fn an_export_is_checked_elsewhere_with_the_public_key_alone_and_names_nobody() {
    let audited = Audited::new().await;
    let batch = audited.swept().await;
    let (export, open) = (place(&audited.world, "export"), place(&audited.world, "open"));
    assert_eq!(
        audited
            .audit(&["export", "--out", export.to_str().unwrap()])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        audited
            .audit(&["export", "--with-ids", "--out", open.to_str().unwrap()])
            .status
            .code(),
        Some(0)
    );
    let (text, opened) = (
        std::fs::read_to_string(&export).unwrap(),
        std::fs::read_to_string(&open).unwrap(),
    );
    for file in &batch.files {
        assert!(!text.contains(file.as_str()) && opened.contains(file.as_str()));
    }
    for file in [&export, &open] {
        let found = audited.elsewhere(file, &audited.public);
        assert_eq!(found.status.code(), Some(0), "{found:?}");
    }
    let stranger = SecretKey::new("retentiond/x", &[1; 32])
        .unwrap()
        .verifier()
        .to_string();
    assert_eq!(audited.elsewhere(&export, &stranger).status.code(), Some(4));
    // Any checkpoint and any leaf, dropped or changed; any opening, changed.
    for (file, text) in [(&export, &text), (&open, &opened)] {
        let lines: Vec<&str> = text.lines().collect();
        for at in 1..lines.len() {
            let mut broken = changed(lines[at]);
            if !lines[at].starts_with("{\"opening\"") {
                broken.push(String::new());
            }
            for instead in broken {
                let mut lines = lines.clone();
                match instead.as_str() {
                    "" => drop(lines.remove(at)),
                    instead => lines[at] = instead,
                }
                std::fs::write(file, lines.join("\n")).unwrap();
                let found = audited.elsewhere(file, &audited.public);
                assert_eq!(found.status.code(), Some(4), "line {at}, `{instead}`\n{found:?}");
            }
        }
    }
    // With fewer openings it says less, and that it does.
    let lines: Vec<&str> = opened.lines().collect();
    let opens = |line: &&str| line.starts_with("{\"opening\"");
    let all = lines.iter().filter(|line| opens(line)).count();
    let one = lines.iter().position(opens).unwrap();
    for (left, kept) in [
        (all, lines.clone()),
        (all - 1, [&lines[..one], &lines[one + 1..]].concat()),
    ] {
        std::fs::write(&open, kept.join("\n")).unwrap();
        let found = audited.elsewhere(&open, &audited.public);
        assert_eq!(found.status.code(), Some(0), "{found:?}");
        assert!(
            said(&found).contains(&format!(" {left} with ids in clear,")),
            "{found:?}"
        );
    }
}

/// The line once for each of its values that means something, with another first character in it.
fn changed(line: &str) -> Vec<String> {
    let values = [
        "\"salt\":\"",
        "\"files\":[\"",
        "\"seq\":",
        "\"at\":",
        "\"kind\":\"",
        "\"hash\":\"",
        "\"content\":\"",
        "\"checkpoint\":\"",
        // The size in a checkpoint.
        "\\n",
    ];
    let found = values
        .iter()
        .filter_map(|value| Some(line.find(value)? + value.len()));
    let changed: Vec<String> = found
        .map(|at| {
            let other = if line[at..].starts_with('7') { "8" } else { "7" };
            [&line[..at], other, &line[at + 1..]].concat()
        })
        .collect();
    assert!(!changed.is_empty(), "{line}");
    changed
}

#[tokio::test]
async fn a_proof_of_one_file_holds_elsewhere_and_shows_no_other() {
    let audited = Audited::new().await;
    let early = audited.world.upload(1).await;
    let nothing = audited.audit(&["prove", early.files[0].as_str()]);
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    let batch = audited.swept().await;
    let proof = place(&audited.world, "proof.json");
    let file = batch.files[2].as_str();
    let made = audited.audit(&["prove", file, "--out", proof.to_str().unwrap()]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let text = std::fs::read_to_string(&proof).unwrap();
    for other in batch.files.iter().filter(|other| other.as_str() != file) {
        assert!(!text.contains(other.as_str()), "{other}");
    }
    let found = audited.elsewhere(&proof, &audited.public);
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    for told in [
        "PROVEN",
        file,
        "intent (files)",
        "outcome (deleted)",
        "verification (absent)",
    ] {
        assert!(said(&found).contains(told), "{told}: {found:?}");
    }
    let bit = text.replacen("\"index\": ", "\"index\": 1", 1);
    assert_ne!(bit, text);
    std::fs::write(&proof, bit).unwrap();
    assert_eq!(audited.elsewhere(&proof, &audited.public).status.code(), Some(4));
}

#[tokio::test]
async fn a_ledger_that_somebody_edited_is_found_out() {
    let edits: [(&str, &'static [&'static str]); 8] = [
        (
            "no redaction tells of it",
            &["UPDATE leaves SET content = NULL WHERE seq = 2"],
        ),
        (
            "leaf 2",
            &[
                "DROP TRIGGER leaves_are_redacted_at_most",
                "UPDATE leaves SET content = replace(content, '1', '2') WHERE seq = 2",
            ],
        ),
        (
            "leaf 3",
            &[
                "DROP TRIGGER leaves_stay",
                "DELETE FROM leaf_salts WHERE seq = 3",
                "DELETE FROM leaves WHERE seq = 3",
            ],
        ),
        (
            "missing at the end",
            &[
                "DROP TRIGGER leaves_stay",
                "DELETE FROM leaf_salts WHERE seq > 5",
                "DELETE FROM leaves WHERE seq > 5",
            ],
        ),
        (
            "edge of the tree",
            &["UPDATE tree SET edge = zeroblob(length(edge))"],
        ),
        // Not the tree, but what it tells of.
        (
            "`files` beside it",
            &[
                "PRAGMA foreign_keys = OFF",
                "UPDATE attempt_files SET file_id = file_id || 'x'",
            ],
        ),
        (
            "what opens its `files` is gone",
            &["DELETE FROM leaf_salts WHERE seq = (SELECT min(seq) FROM leaves WHERE kind = 'intent')"],
        ),
        (
            "what opens its `deleted` is gone",
            &["UPDATE attempt_files SET result = NULL"],
        ),
    ];
    for (named, statements) in edits {
        let audited = Audited::new().await;
        audited.swept().await;
        break_in(&audited.world, statements).await;
        let found = audited.audit(&["verify"]);
        assert_eq!(found.status.code(), Some(4), "{statements:?}: {found:?}");
        assert!(said(&found).starts_with("DAMAGED: "), "{found:?}");
        assert!(said(&found).contains(named), "{named}: {found:?}");
    }
}

#[tokio::test]
async fn without_a_key_everything_works_and_says_that_nothing_is_signed() {
    let audited = Audited::new().await;
    let world = &audited.world;
    world.upload(2).await;
    world.days_pass(11);
    let report = world.sweep().await;
    assert!(!Note::parse(&report.checkpoint.unwrap()).unwrap().is_signed());
    let unsigned = |args: &[&str]| with_config(world, "unsigned.toml", args);
    for args in [
        &["audit", "verify"][..],
        &["audit", "checkpoint"],
        &["status"],
        &["check"],
    ] {
        let shown = unsigned(args);
        assert_ne!(shown.status.code(), Some(4), "{args:?}: {shown:?}");
        let note = String::from_utf8(shown.stderr).unwrap();
        assert!(note.contains("checkpoints are not signed"), "{args:?}: {note}");
    }
    // One that asks for a signature finds none.
    let found = audited.audit(&["verify"]);
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    assert!(
        String::from_utf8(found.stderr)
            .unwrap()
            .contains("no checkpoint has been signed yet")
    );
    assert_eq!(
        audited.audit(&["verify", "--key", &audited.public]).status.code(),
        Some(4)
    );
}

#[tokio::test]
async fn an_older_copy_restored_with_its_anchor_is_noticed_by_the_checkpoints_beside_it() {
    let mut audited = Audited::new().await;
    audited.swept().await;
    let anchor = place(&audited.world, "ledger.db.anchor");
    let (copy, copied) = (
        place(&audited.world, "copy.db"),
        place(&audited.world, "copied-anchor"),
    );
    audited.world.ledger.backup(&copy).await.unwrap();
    std::fs::copy(&anchor, &copied).unwrap();
    audited.swept().await;

    let world = &mut audited.world;
    world.sqlite.close().await;
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(place(world, &format!("ledger.db{suffix}")));
    }
    std::fs::copy(&copy, place(world, "ledger.db")).unwrap();
    std::fs::copy(&copied, &anchor).unwrap();
    let opened = SqliteLedger::open(&world.checked.ledger.url, OpenMode::ReadWrite).await;
    world.sqlite = Arc::new(opened.unwrap());
    world.ledger = Arc::<SqliteLedger>::clone(&world.sqlite);

    let report = audited.world.sweep_with(&audited.engine()).await;
    let Ending::Stopped {
        by:
            Stop::Breaker {
                kind: BreakerKind::Rollback,
                reason,
                ..
            },
    } = report.ending
    else {
        panic!("{:?}", report.ending);
    };
    assert!(reason.contains("are missing, from number"), "{reason}");
    let found = audited.audit(&["verify"]);
    assert_eq!(found.status.code(), Some(4), "{found:?}");
    // Taken as it is, it begins a line of checkpoints of its own.
    let reset = cli(&audited.world, &["breaker", "reset", "rollback"]);
    assert_eq!(reset.status.code(), Some(0), "{reset:?}");
    assert_eq!(audited.audit(&["checkpoint"]).status.code(), Some(0));
    let found = audited.audit(&["verify"]);
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    assert_eq!(
        audited.world.sweep_with(&audited.engine()).await.ending,
        Ending::Done
    );
}
