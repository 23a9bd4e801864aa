//! The real binary as a service, with its ledger on PostgreSQL.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use retentiond::sandbox::{Endpoint, Fault};
use serde_json::Value;

use crate::cluster::{cluster, newest_bin};
use crate::daemon::{Service, terminate, wait_until_settled};

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn json(service: &Service, args: &[&str]) -> Value {
    let output = service.run(&[&["--json"], args].concat()).await;
    assert!(output.status.success(), "{args:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn killed_in_the_middle_it_reaches_the_same_end_with_holds_requests_approvals_and_evidence() {
    let url = cluster().fresh().await;
    let service = Service::new().await.on_server(&url);
    let key = service.path("audit-key");
    let service = service.saying(&format!("[evidence]\nkey_file = \"{}\"\n", key.display()));
    let made = service.run(&["audit", "init-key"]).await;
    assert!(made.status.success(), "{made:?}");
    service.upload([4; 3], 25).await;
    let kept: Vec<_> = service.server.files();
    let kept: Vec<_> = kept
        .iter()
        .filter(|file| file.parent_id == service.classifications[2])
        .collect();
    let (held, free) = (&kept[0].file_id, &kept[1].file_id);
    json(
        &service,
        &["hold", "add", "--file", held, "--reason", "litigation"],
    )
    .await;
    for (file, case) in [(held, "case 1"), (free, "case 2")] {
        json(
            &service,
            &[
                "erase",
                "add",
                "--file",
                file,
                "--ref",
                case,
                "--received",
                "2026-11-02",
            ],
        )
        .await;
    }
    let slow = Fault::at(Endpoint::DeleteFiles).delay_ms(200).after(3).times(4);
    service.server.add_fault(slow).unwrap();
    for round in 1..=3_u64 {
        let mut daemon = service.daemon();
        service
            .wait("some requests", |s| {
                s.request_count(Endpoint::DeleteFiles) >= 3 * round
            })
            .await;
        daemon.kill().await.unwrap();
    }
    let mut daemon = service.daemon();
    service.wait_until_all_due_are_gone().await;
    let gone = free.clone();
    service
        .wait("the deletion of the file that was asked for", move |s| {
            s.files().iter().all(|file| file.file_id != gone)
        })
        .await;
    wait_until_settled(&service).await;
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success(), "{}", service.log());
    assert!(service.server.files().iter().any(|file| &file.file_id == held));
    service.assert_truth(99).await;

    // A shorter period waits for an approval, and for nothing else.
    let text = std::fs::read_to_string(service.path("policies.toml")).unwrap();
    std::fs::write(service.path("policies.toml"), text.replace("20 days", "19 days")).unwrap();
    let waits = service.run(&["sweep"]).await;
    assert_eq!(waits.status.code(), Some(3), "{waits:?}");
    let weighed = json(&service, &["check", "--against-ledger"]).await;
    assert_eq!(weighed["against_ledger"]["waits"], true, "{weighed:#}");
    let rules = weighed["against_ledger"]["rules"].as_str().unwrap();
    let approved = service.run(&["approve", &rules[..12]]).await;
    assert!(approved.status.success(), "{approved:?}");
    let swept = service.run(&["sweep"]).await;
    assert!(swept.status.success(), "{swept:?}");

    let report = json(
        &service,
        &[
            "report",
            "--from",
            "2020-01-01",
            "--to",
            "2100-01-01",
            "--as",
            "json",
        ],
    )
    .await;
    assert_eq!(report["total"]["on_request"], 1, "{report:#}");
    assert_eq!(report["holds"].as_array().map(Vec::len), Some(1), "{report:#}");
    let verified = service.run(&["audit", "verify"]).await;
    assert!(verified.status.success(), "{verified:?}");
    let checked = service.run(&["ledger", "check", "--deep"]).await;
    assert!(checked.status.success(), "{checked:?}");
    // By another program than ours.
    let psql = std::process::Command::new(newest_bin().join("psql"))
        .args([&url, "-Atc", "SELECT count(*) FROM retentiond.files"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&psql.stdout), "300\n", "{psql:?}");
    // What this host keeps of it.
    for name in ["ledger.anchor", "ledger.checkpoints"] {
        let mode = service.path(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn a_second_process_is_let_in_beside_the_daemon_and_what_has_to_be_alone_is_not() {
    let url = cluster().fresh().await;
    let service = Service::new().await.on_server(&url);
    service.upload([1; 3], 2).await;
    let mut daemon = service.daemon();
    service
        .wait("the first sweep", |s| s.request_count(Endpoint::Credits) >= 1)
        .await;
    let beside = service.run(&["sweep"]).await;
    assert!(
        matches!(beside.status.code(), Some(0 | 7)),
        "done, or the daemon is at that policy: {beside:?}"
    );
    let file = format!("sqlite:{}", service.path("elsewhere.db").display());
    let refused = service
        .run(&["ledger", "copy", "--from", &url, "--to", &file])
        .await;
    assert_eq!(refused.status.code(), Some(7), "{refused:?}");
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let named = format!("in use by process {} on {:.30}", daemon.id().unwrap(), host);
    assert!(told(&refused).contains(&named), "{}", told(&refused));
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
    // Given back with the process: the next one is let in.
    let next = service.run(&["sweep"]).await;
    assert!(next.status.success(), "{next:?}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn who_is_not_let_in_is_told_why_by_exit_code_and_words_and_no_password_is_shown() {
    const CANARY: &str = "CANARY-4711";
    let cluster = cluster();
    cluster
        .run(
            "postgres",
            "CREATE ROLE stranger LOGIN; CREATE ROLE nobody_lets_in NOLOGIN",
        )
        .await;
    let fresh = cluster.fresh().await;
    let service = Service::new().await;
    let password = service.path("ledger-password");
    std::fs::write(&password, CANARY).unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = std::fs::read_to_string(service.path("policies.toml")).unwrap();
    let plain = text
        .lines()
        .find(|line| line.starts_with("url = "))
        .unwrap()
        .to_owned();
    for (url, code, words) in [
        (fresh.replace("host=", "host=/nowhere"), 75, "is the server up"),
        (cluster.url("no_such_database"), 78, "createdb"),
        (fresh.replace("postgres@", "nobody_lets_in@"), 5, "password_file"),
        (fresh.replace("postgres@", "nobody_there@"), 5, "password_file"),
        (fresh.replace("postgres@", "stranger@"), 5, "GRANT"),
    ] {
        let lines = format!(
            "url = \"{url}\"\nstate_dir = \"{}\"\npassword_file = \"{}\"",
            service.dir.path().display(),
            password.display()
        );
        std::fs::write(service.path("policies.toml"), text.replace(&plain, &lines)).unwrap();
        let output = service.run(&["sweep"]).await;
        assert_eq!(output.status.code(), Some(code), "{url}: {output:?}");
        let said = told(&output);
        assert!(said.contains(words) && !said.contains(CANARY), "{url}: {said}");
    }
    // A password that everybody may read is not used.
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = service.run(&["status"]).await;
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(told(&output).contains("chmod 600"), "{}", told(&output));
}

/// The same verb on a machine whose wall clock is off by `shift`; CLOCK_BOOTTIME stays true.
async fn run_at(service: &Service, shift: &str, verb: &str) -> Output {
    let command = service.command(&[verb]);
    let plain = command.as_std();
    let mut moved = tokio::process::Command::new("faketime");
    moved
        .args(["-f", shift])
        .arg(plain.get_program())
        .args(plain.get_args())
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("EXTRACTA_API_KEY", retentiond::sandbox::DEFAULT_KEY)
        .kill_on_drop(true);
    moved.output().await.expect("faketime is installed")
}

#[tokio::test]
#[ignore = "needs PostgreSQL and faketime: .ci/run"]
async fn hosts_whose_clocks_are_ten_minutes_apart_delete_nothing_early_until_the_wrong_one_is_vouched_for() {
    let service = Service::new().await.on_server(&cluster().fresh().await);
    // What is due now, and what is due in five minutes: in ten, by the clock that is wrong.
    service.upload([1, 1, 0], 5).await;
    let policies = service.path("policies.toml");
    let text = std::fs::read_to_string(&policies).unwrap();
    let own = text.replace("\"4 seconds\"", "\"5 minutes\"");
    assert_ne!(own, text);
    let other = tempfile::tempdir().unwrap();
    let state = |directory: &std::path::Path| format!("state_dir = \"{}\"", directory.display());
    let others = own.replace(&state(service.dir.path()), &state(other.path()));
    assert_ne!(others, own);
    let sweep_of = async |policies_of: &str, shift: Option<&str>| {
        std::fs::write(&policies, policies_of).unwrap();
        match shift {
            Some(shift) => run_at(&service, shift, "sweep").await,
            None => service.run(&["sweep"]).await,
        }
    };
    // The healthy host has adopted the rules and knows its clock; nothing is due by its first look.
    let first = sweep_of(&own, None).await;
    assert!(first.status.success(), "{first:?}");
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    for shift in ["+10m", "-10m"] {
        let deleted = service.server.deleted().len();
        let wrong = sweep_of(&others, Some(shift)).await;
        assert_eq!(wrong.status.code(), Some(8), "{shift}: {wrong:?}");
        // It is for all, and the healthy one's word does not settle it.
        for _ in 0..2 {
            let healthy = sweep_of(&own, None).await;
            assert_eq!(healthy.status.code(), Some(8), "{shift}: {healthy:?}");
        }
        assert_eq!(service.server.deleted().len(), deleted, "{shift}");
        let open = service.run(&["breaker", "list"]).await;
        let said = String::from_utf8_lossy(&open.stdout).into_owned();
        assert!(said.contains("the database's disagree by"), "{said}");
        // The other host's clock is right again.
        let well = sweep_of(&others, None).await;
        assert!(well.status.success(), "{shift}: {well:?}");
        assert_eq!(
            service.left_of(&service.classifications[1]),
            5,
            "{shift}: not due yet"
        );
    }
    assert_eq!(
        service.left_of(&service.classifications[0]),
        0,
        "what was due is gone"
    );
    // An operator vouches where the clock is right, for a host that does not come back.
    let wrong = sweep_of(&others, Some("+10m")).await;
    assert_eq!(wrong.status.code(), Some(8), "{wrong:?}");
    std::fs::write(&policies, &own).unwrap();
    let reset = service.run(&["breaker", "reset", "clock"]).await;
    assert!(reset.status.success(), "{reset:?}");
    let healthy = service.run(&["sweep"]).await;
    assert!(healthy.status.success(), "{healthy:?}");
    assert_eq!(service.left_of(&service.classifications[1]), 5);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn two_processes_on_one_ledger_read_as_slowly_as_one() {
    let service = Service::new().await.on_server(&cluster().fresh().await);
    service.upload([0, 0, 6], 2).await;
    let policies = service.path("policies.toml");
    let text = std::fs::read_to_string(&policies).unwrap();
    let spaced = text.replace("results_interval = \"0s\"", "results_interval = \"2s\"");
    assert_ne!(spaced, text);
    std::fs::write(&policies, spaced).unwrap();
    let before = service.server.requests().len();
    // Of two that want everything the second would be told to wait.
    let of_one = ["reconcile", "--classification", &service.classifications[2]];
    let both = tokio::join!(service.run(&["reconcile"]), service.run(&of_one));
    for one in [&both.0, &both.1] {
        assert!(one.status.success(), "{one:?}");
    }
    let reads: Vec<i64> = service.server.requests()[before..]
        .iter()
        .filter(|request| request.endpoint == Endpoint::GetResults)
        .map(|request| request.at_ms)
        .collect();
    assert_eq!(reads.len(), 12, "both read: {both:?}");
    for pair in reads.windows(2) {
        // What a request takes on its way.
        assert!(pair[1] - pair[0] > 1_000, "{reads:?}");
    }
}
