//! What stopped, seen and settled on the command line: each with its reason and the command that settles it, which is
//! then typed as it stands.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use retentiond::model::{BreakerKind, FileId, FileState};
use retentiond::outcome::FileEvent;
use retentiond::sandbox::{Apply, Endpoint, Fault};
use serde_json::{Value, json};

use crate::harness::{Batch, World, ten_days};

fn write_rules(world: &World) -> PathBuf {
    let text = World::policy_text(
        &world.dir,
        &world.sandbox.base_url(),
        &ten_days(&world.classification),
    );
    let path = world.dir.path().join("policies.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn run(config: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .arg("-c")
        .arg(config)
        .args(args)
        .output()
        .unwrap()
}

fn text(config: &Path, args: &[&str], code: i32) -> String {
    let output = run(config, args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn json_of(config: &Path, args: &[&str]) -> Value {
    let output = run(config, &[&["--json"], args].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {output:?}"))
}

/// Types a line into a shell in which `retentiond` is the binary under test.
fn typed(config: &Path, line: &str) -> Output {
    let script = format!("retentiond() {{ \"$BINARY\" -c \"$CONFIG\" \"$@\"; }}\n{line}");
    Command::new("sh")
        .arg("-c")
        .arg(script)
        .env("BINARY", env!("CARGO_BIN_EXE_retentiond"))
        .env("CONFIG", config)
        .output()
        .unwrap()
}

/// The commands that a text shows, in order.
fn commands(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            line.split_once(": retentiond ")
                .map(|(_, rest)| format!("retentiond {rest}"))
        })
        .collect()
}

/// Two files of ten that the API refuses, quarantined by a real sweep.
async fn quarantined() -> (World, Batch, [FileId; 2]) {
    let world = World::new().await;
    let batch = world.upload(11).await;
    world.days_pass(11);
    let bad = [batch.files[4].clone(), batch.files[9].clone()];
    for file in &bad {
        let body = json!({"status": "error", "message": "The document is locked"});
        let fault = Fault::at(Endpoint::DeleteFiles)
            .poison(file.as_str())
            .status(400)
            .body(body);
        world
            .server
            .add_fault(fault.apply(Apply::Never).always())
            .unwrap();
    }
    assert_eq!(world.sweep().await.summary.quarantined, 2);
    (world, batch, bad)
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantine_list_shows_each_file_its_reason_and_the_commands_that_settle_it() {
    let (world, batch, bad) = quarantined().await;
    let config = write_rules(&world);
    let shown = text(&config, &["quarantine", "list"], 6);
    for file in &bad {
        let line = shown
            .lines()
            .find(|line| line.starts_with(file.as_str()))
            .unwrap_or_else(|| panic!("{shown}"));
        assert!(
            line.contains(&batch.id) && line.ends_with("HTTP 400: The document is locked"),
            "{line}"
        );
    }
    let rows = json_of(&config, &["quarantine", "list"]);
    let of = |file: &FileId, key: &str| -> String {
        let rows = rows["quarantined"].as_array().unwrap();
        let row = rows
            .iter()
            .find(|row| row["file"]["file_id"] == file.as_str())
            .unwrap();
        row[key].as_str().unwrap().to_owned()
    };
    let commands = commands(&shown);
    assert_eq!(commands.len(), 4, "{shown}");
    // The one is sent round again, the other turns out to be gone.
    let retry = of(&bad[0], "retry");
    let resolve = of(&bad[1], "resolve").replace("CODE", "seen-gone");
    assert!(
        commands.contains(&retry) && commands.contains(&of(&bad[1], "resolve")),
        "{shown}"
    );
    for line in [&retry, &resolve] {
        let output = typed(&config, line);
        assert!(output.status.success(), "{line}: {output:?}");
        let again = typed(&config, line);
        let says = String::from_utf8(again.stderr).unwrap();
        assert!(
            !again.status.success() && says.contains("retentiond explain"),
            "{line}: {says}"
        );
    }
    assert_eq!(world.state(&bad[0]).await, FileState::Live);
    assert_eq!(world.state(&bad[1]).await, FileState::Gone);
    assert_eq!(
        text(&config, &["quarantine", "list"], 0),
        "no file is quarantined\n"
    );
    world.server.remove_file(bad[1].as_str());
    world.server.clear_faults();
    world.sweep().await;
    assert_eq!(world.state(&bad[0]).await, FileState::Deleted);
    world.assert_truth(&[&batch]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_shown_for_odd_ids_are_safe_to_type() {
    let world = World::new().await;
    let odd = [
        "--help",
        "-c",
        "two words",
        "it's; touch x",
        "$(touch x)",
        "`touch x`",
        "\"",
        "a*",
        "ünï",
    ];
    let batch = Batch {
        id: "aB3dE5gH7j".to_owned(),
        files: odd.iter().map(|id| FileId::new(*id).unwrap()).collect(),
    };
    world.record(&batch, Default::default(), world.now()).await;
    let key = world.ledger.find(&batch.files[0]).await.unwrap()[0].key.batch;
    let now = world.now();
    world
        .ledger
        .note(key, &batch.files, FileEvent::GivenUp, "HTTP 400", now)
        .await
        .unwrap();
    let config = write_rules(&world);
    let rows = json_of(&config, &["quarantine", "list"]);
    let rows = rows["quarantined"].as_array().unwrap();
    assert_eq!(rows.len(), odd.len());
    for (at, row) in rows.iter().enumerate() {
        let key = if at % 2 == 0 { "retry" } else { "resolve" };
        let line = row[key].as_str().unwrap();
        let output = typed(&config, line);
        assert!(output.status.success(), "{line}: {output:?}");
    }
    let states = (
        world.count(&batch, FileState::Live).await,
        world.count(&batch, FileState::Gone).await,
    );
    assert_eq!(states, (5, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn breaker_list_shows_each_reason_and_the_command_that_resets_it() {
    let world = World::new().await;
    let config = write_rules(&world);
    assert_eq!(text(&config, &["breaker", "list"], 0), "no breaker is open\n");
    for kind in BreakerKind::ALL {
        let reason = format!("the reason of {}", kind.name());
        world
            .ledger
            .open_breaker(kind, &reason, world.now())
            .await
            .unwrap();
    }
    let shown = text(&config, &["breaker", "list"], 3);
    let rows = json_of(&config, &["breaker", "list"]);
    let found = commands(&shown);
    let (resets, first): (Vec<_>, Vec<_>) = found
        .iter()
        .partition(|line| line.starts_with("retentiond breaker reset "));
    assert_eq!(resets.len(), BreakerKind::ALL.len(), "{shown}");
    // What a restored backup lacks comes back before its breaker is reset.
    assert!(
        matches!(first[..], [line] if line.starts_with("retentiond reconcile --from")),
        "{shown}"
    );
    for kind in BreakerKind::ALL {
        let name = kind.name();
        assert!(
            shown.contains(&format!("{name}: the reason of {name}\n")),
            "{shown}"
        );
        let line = format!("retentiond breaker reset {name}");
        assert!(found.contains(&line), "{shown}");
        let row = rows["breakers"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["kind"] == name)
            .unwrap();
        assert_eq!(
            (&row["reset"], &row["heals"]),
            (&json!(line), &json!(kind.heals()))
        );
        let output = typed(&config, &line);
        assert!(output.status.success(), "{line}: {output:?}");
        let open = world.ledger.breakers().await.unwrap();
        assert!(
            open.iter().all(|breaker| breaker.kind != kind),
            "{name} is still open"
        );
    }
    assert_eq!(text(&config, &["breaker", "list"], 0), "no breaker is open\n");
    let unknown = run(&config, &["breaker", "reset", "count"]);
    let says = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        unknown.status.code() == Some(2) && says.contains("collateral"),
        "{says}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_a_stopped_sweep_name_the_command_that_resets_what_stands_open() {
    let world = World::new().await;
    world.upload(3).await;
    world.days_pass(11);
    let config = write_rules(&world);
    let now = world.now();
    world
        .ledger
        .open_breaker(BreakerKind::Collateral, "a file has vanished", now)
        .await
        .unwrap();
    let report = world.sweep().await;
    let note = report.summary.note.unwrap();
    assert!(
        note.contains("a file has vanished") && note.contains("`retentiond breaker reset collateral`"),
        "{note}"
    );
    let shown = String::from_utf8(run(&config, &["status"]).stdout).unwrap();
    assert!(
        shown.contains("a file has vanished") && shown.contains("`retentiond breaker reset collateral`"),
        "{shown}"
    );
    assert_eq!(world.server.request_count(Endpoint::DeleteFiles), 0);
}
