//! Start, schedule, reload, stop.

use serde_json::{Value, json};

use crate::machine::{FILES, Machine, UNIT, policies};

#[test]
#[ignore = "needs systemd, cargo-deb, curl, root"]
fn it_is_active_only_when_ready_and_deletes_on_schedule_and_tells_the_journal() {
    let machine = Machine::set_up();
    // Ready means: the key, the address and the clock have been tried.
    machine.plant(&json!({"endpoint": "credits", "hits": "once", "delay_ms": 2000}));
    machine.run(&format!("systemctl start {UNIT}"));
    let instant = |property: &str| -> u64 { machine.show(property).parse().unwrap() };
    let took = instant("ActiveEnterTimestampMonotonic") - instant("ExecMainStartTimestampMonotonic");
    assert!(
        took >= 2_000_000,
        "active after {took} µs, before the API had answered"
    );
    machine.run("retentiond record /root/uploads.jsonl");
    machine.assert_end();
    let beats = || {
        let lines = machine.run(&format!("journalctl -u {UNIT} -o json --no-pager"));
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<Value>>()
    };
    let entries = beats();
    let entry = |message: &str| {
        let found = entries.iter().find(|e| e["MESSAGE"] == message);
        found.unwrap_or_else(|| panic!("nobody says {message:?}\n{}", machine.log()))
    };
    let at_work = entry("retentiond is at work");
    assert_eq!(at_work["F_POLICIES"], "1", "{at_work}");
    assert_eq!(at_work["PRIORITY"], "5", "{at_work}");
    assert_eq!(at_work["SYSLOG_IDENTIFIER"], "retentiond", "{at_work}");
}

/// The status by the file that is in force, while a bad one lies in its place.
fn old_set(machine: &Machine) -> Value {
    serde_json::from_str(&machine.ask("retentiond -c /root/good.toml --json status")).unwrap()
}

#[test]
#[ignore = "needs systemd, cargo-deb, curl, root"]
fn a_reload_fails_when_the_file_is_refused_and_the_old_policies_stay() {
    let machine = Machine::set_up();
    machine.write("/etc/retentiond/policies.toml", &policies("20 years"));
    machine.write("/root/good.toml", &policies("20 years"));
    machine.run(&format!(
        "systemctl start {UNIT} && retentiond record /root/uploads.jsonl"
    ));
    machine.write("/etc/retentiond/policies.toml", &policies("1 huor"));
    let pid = machine.show("MainPID");
    let refused = machine.shell(&format!("systemctl reload {UNIT}"));
    assert!(!refused.status.success(), "a bad file was taken");
    assert_eq!(machine.show("ActiveState"), "active");
    assert!(machine.log().contains("1 huor"), "the reasons are in the journal");
    let status = old_set(&machine);
    assert!(
        status["last_reload"].as_str().unwrap().starts_with("refused"),
        "{status}"
    );
    // The old set decides: the next sweeps of it find nothing due.
    let swept = |status: &Value| status["policies"][0]["last_sweep"]["id"].as_i64().unwrap_or(0);
    let before = swept(&status);
    machine.wait("another sweep", || swept(&old_set(&machine)) > before);
    assert_eq!(machine.deleted(), 0);
    machine.write("/etc/retentiond/policies.toml", &policies("1 hour"));
    // A good file that would delete sooner waits for an operator, and systemd says so too.
    let waits = machine.shell(&format!("systemctl reload {UNIT}"));
    assert!(!waits.status.success(), "a shorter period took effect unasked");
    let status = machine.status();
    assert_eq!(machine.deleted(), 0);
    machine.run(
        status["waiting_rules"]["command"]
            .as_str()
            .expect("what lets them take effect"),
    );
    machine.assert_end();
    assert_eq!(machine.show("MainPID"), pid, "a reload is no restart");
}

#[test]
#[ignore = "needs systemd, cargo-deb, curl, root"]
fn without_its_credential_it_does_not_start() {
    let machine = Machine::set_up();
    machine.run("rm /etc/retentiond/credentials/api-key");
    let started = machine.shell(&format!("systemctl start {UNIT}"));
    assert!(!started.status.success());
    assert_eq!(machine.show("MainPID"), "0");
    machine.wait("its giving up", || {
        machine.show("ActiveState") == "failed" || machine.show("SubState") == "auto-restart"
    });
    let requests = machine.sandbox("requests");
    assert_eq!(requests, json!([]), "nobody was asked anything");
}

#[test]
#[ignore = "needs systemd, cargo-deb, curl, root"]
fn stopped_in_the_middle_of_a_sweep_it_finishes_its_request_and_ends_in_time() {
    let machine = Machine::set_up();
    machine.plant(&json!({"endpoint": "deleteFiles", "hits": "always", "delay_ms": 1500}));
    machine.run(&format!(
        "systemctl start {UNIT} && retentiond record /root/uploads.jsonl"
    ));
    machine.wait("the second delete request", || machine.delete_requests() >= 2);
    machine.run(&format!("systemctl stop {UNIT}"));
    assert_eq!(machine.show("Result"), "success");
    assert_eq!(machine.show("ExecMainStatus"), "0");
    let status = machine.status();
    assert_eq!(status["files"]["deleting"].as_u64().unwrap_or(0), 0, "{status}");
    assert_eq!(status["files"]["unknown"].as_u64().unwrap_or(0), 0, "{status}");
    let deleted = machine.deleted();
    assert!(deleted < FILES, "the sweep was over already");
    assert_eq!(
        status["files"]["deleted"].as_u64(),
        Some(deleted as u64),
        "{status}"
    );
    machine.run("curl -sf -X DELETE http://127.0.0.1:8700/_sandbox/faults");
    machine.run(&format!("systemctl start {UNIT}"));
    machine.assert_end();
}
