//! `ledger copy` by the real binary: a service moves to PostgreSQL, and its old ledger deletes nothing more.

use std::time::Duration;

use retentiond::sandbox::Endpoint;
use serde_json::Value;

use crate::cluster::cluster;
use crate::daemon::{Service, terminate, wait_until_settled};

fn told(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn json(service: &Service, args: &[&str]) -> Value {
    let output = service.run(&[&["--json"], args].concat()).await;
    assert!(output.status.success(), "{args:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_service_moves_to_postgresql_killed_on_the_way_and_its_old_ledger_deletes_nothing() {
    let service = Service::new().await;
    service.upload([3; 3], 25).await;
    let mut daemon = service.daemon();
    service.wait_until_all_due_are_gone().await;
    wait_until_settled(&service).await;
    let url = cluster().fresh().await;
    let state = service.dir.path().to_str().unwrap().to_owned();
    let file = format!("sqlite:{}", service.path("ledger.db").display());
    let copy = [
        "ledger",
        "copy",
        "--from",
        &file,
        "--to",
        &url,
        "--state-dir",
        &state,
    ];
    let refused = service.run(&copy).await;
    assert_eq!(refused.status.code(), Some(7), "the daemon works: {refused:?}");
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
    // Due in two seconds, by whichever ledger is the ledger then.
    service.upload([1, 1, 0], 25).await;
    let before = json(&service, &["audit", "verify"]).await;

    for wait in [5, 40, 80, 120, 160] {
        let mut killed = service.command(&copy).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        // It may be done before; then the next ones say so.
        let _ = killed.start_kill();
        killed.wait().await.unwrap();
    }
    let done = json(&service, &copy).await;
    assert_eq!(done["tree"]["root"], before["root"], "{done:#}");

    let asked = service.server.request_count(Endpoint::DeleteFiles);
    for verb in [
        vec!["sweep"],
        vec!["daemon"],
        vec!["hold", "add", "--file", "f", "--reason", "litigation"],
        vec!["breaker", "reset", "rollback"],
    ] {
        let output = service.run(&verb).await;
        assert_eq!(output.status.code(), Some(4), "{verb:?}: {output:?}");
        let said = told(&output);
        assert!(
            said.contains("closed") && said.contains("url"),
            "{verb:?}: {said}"
        );
    }
    let looked = service.run(&["status"]).await;
    assert!(told(&looked).contains("this ledger is closed"), "{looked:?}");
    assert_eq!(service.server.request_count(Endpoint::DeleteFiles), asked);

    let service = service.on_server(&url);
    let after = json(&service, &["audit", "verify"]).await;
    assert_eq!(after, before);
    let mut daemon = service.daemon();
    service.wait_until_all_due_are_gone().await;
    wait_until_settled(&service).await;
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success(), "{}", service.log());
    service.assert_truth(75).await;
    json(&service, &["audit", "verify"]).await;

    // And home again.
    let home = format!("sqlite:{}", service.path("home.db").display());
    let back = json(&service, &["ledger", "copy", "--from", &url, "--to", &home]).await;
    assert!(back["tables"].as_array().unwrap().len() > 30, "{back:#}");
    let closed = service.run(&["sweep"]).await;
    assert_eq!(closed.status.code(), Some(4), "{closed:?}");
    let reopened = service.run(&["ledger", "reopen"]).await;
    assert!(reopened.status.success(), "{reopened:?}");
    let doubts = service.run(&["sweep"]).await;
    assert_eq!(doubts.status.code(), Some(4), "{doubts:?}");
    assert!(
        told(&doubts).contains("rollback") || String::from_utf8_lossy(&doubts.stdout).contains("rollback")
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_to_write_and_no_password_is_repeated() {
    let service = Service::new().await;
    service.upload([1; 3], 2).await;
    let file = format!("sqlite:{}", service.path("ledger.db").display());
    let other = format!("sqlite:{}", service.path("other.db").display());
    for (from, to, flag, words) in [
        (file.as_str(), "mysql://u@h/d", None, "--to: it names neither"),
        ("ledger.db", other.as_str(), None, "--from: it names neither"),
        (file.as_str(), "postgres://u:CANARY@h/d", None, "password_file"),
        (
            file.as_str(),
            other.as_str(),
            Some("--state-dir"),
            "both are files",
        ),
        ("postgres://u@h/d", "postgres://u@h/e", None, "pg_dump"),
    ] {
        let mut args = vec!["ledger", "copy", "--from", from, "--to", to];
        args.extend(flag.map(|flag| [flag, "/tmp"]).into_iter().flatten());
        let output = service.run(&args).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        let said = told(&output);
        assert!(said.contains(words) && !said.contains("CANARY"), "{said}");
    }
    // From file to file it is the same verb, and its words say what to do next.
    let done = service
        .run(&["ledger", "copy", "--from", &file, "--to", &other])
        .await;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{done:?}");
    assert!(
        said.contains("equal row by row") && said.contains(&format!("url = \"{other}\"")),
        "{said}"
    );
}
