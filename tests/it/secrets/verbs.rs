//! Every verb at its most talkative, under answers that leak.

use retentiond::sandbox::Endpoint;

use super::{Key, Vault, clean, leaks};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_reaches_an_output_or_the_ledger_whatever_the_api_says() {
    let vault = Vault::new(Key::Environment, "").await;
    let leaks = leaks();
    let count = leaks.len();
    for fault in leaks {
        vault.upload(3);
        let at = fault.endpoint;
        vault.server.add_fault(fault).unwrap();
        vault.run(&["sweep"]);
        vault.run(&["--json", "status"]);
        let played = vault.server.faults().iter().all(|planted| planted.fired > 0);
        assert!(played, "the fault at {at:?} was not met");
        vault.server.clear_faults();
        vault.run(&["--json", "sweep"]);
    }
    assert!(
        vault.server.deleted().len() >= count,
        "the canaries ran through real deletions"
    );
    assert!(vault.search_files() >= 2);
    println!(
        "secrets: {count} leaking answers, {} deletions",
        vault.server.deleted().len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_says_a_secret() {
    for key in [Key::File, Key::Credentials, Key::Environment] {
        let vault = Vault::new(key, "").await;
        let ids = vault.upload(6);
        let copy = vault.path("copy.db").display().to_string();
        let plan = vault.path("plan.json").display().to_string();
        let first = ids[0].as_str();
        let verbs: Vec<Vec<&str>> = vec![
            vec!["check"],
            vec!["check", "--online"],
            vec!["--json", "check", "--online"],
            vec!["plan"],
            vec!["--json", "plan", "--out", &plan],
            vec!["explain", first],
            vec!["forecast"],
            vec!["schedule"],
            vec!["hold", "add", "--file", first, "--reason", "litigation"],
            vec!["hold", "list"],
            vec!["sweep", "--dry-run"],
            vec!["sweep"],
            vec!["--json", "sweep"],
            vec!["--json", "explain", first],
            vec!["--json", "history"],
            vec!["status"],
            vec!["--json", "status"],
            vec!["quarantine", "list"],
            vec!["quarantine", "retry", "--", first],
            vec!["breaker", "list"],
            vec!["breaker", "reset", "auth"],
            vec!["pause", "--until", "2099-01-01T00:00:00Z", "--reason", "test"],
            vec!["sweep"],
            vec!["resume"],
            vec!["approve", "0123456789ab"],
            vec!["ledger", "check", "--deep"],
            vec!["ledger", "stats"],
            vec!["concept"],
            vec![
                "report",
                "--from",
                "2020-01-01",
                "--to",
                "2099-01-01",
                "--with-ids",
            ],
            vec![
                "report",
                "--from",
                "2020-01-01",
                "--to",
                "2099-01-01",
                "--as",
                "csv",
                "--with-ids",
            ],
            vec![
                "--json",
                "report",
                "--from",
                "2020-01-01",
                "--to",
                "2099-01-01",
                "--with-ids",
            ],
            vec!["ledger", "backup", &copy],
            vec!["no-such-verb"],
            vec!["sweep", "--help"],
        ];
        let count = verbs.len();
        for verb in verbs {
            vault.run(&verb);
        }
        assert!(vault.server.request_count(Endpoint::DeleteFiles) > 0);
        let searched = vault.search_files();
        println!("secrets: {count} verbs, {searched} files searched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_used_is_not_repeated() {
    let vault = Vault::new(Key::Environment, "").await;
    for key in [
        format!("{}\nx", super::KEY),
        format!("{} x", super::KEY),
        format!("{}ü", super::KEY),
    ] {
        let output = vault
            .command(&["sweep"])
            .env("EXTRACTA_API_KEY", &key)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        clean("sweep with a broken key", &output);
    }
    std::fs::write(vault.input("api-key"), format!("{} x\n", super::KEY)).unwrap();
    let output = vault
        .command(&["sweep"])
        .env_remove("EXTRACTA_API_KEY")
        .env("CREDENTIALS_DIRECTORY", vault.inputs.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    clean("sweep with a broken key file", &output);
}
