//! Killed, and hanging.

use serde_json::json;

use crate::machine::{Machine, UNIT};

/// Holds SQLite's write lock (byte 120 of the `-shm` file) without touching a byte: every write of the daemon
/// waits, and its loop with it.
const LOCK: &str = "import fcntl, sys; f = open('/var/lib/retentiond/ledger.db-shm', 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX, 1, 120); print('locked', flush=True); sys.stdin.read()";

#[test]
#[ignore = "needs systemd, cargo-deb, curl, root"]
fn killed_in_the_middle_of_a_request_it_comes_back_and_finishes() {
    let machine = Machine::set_up();
    machine.plant(&json!({"endpoint": "deleteFiles", "hits": {"times": 3}, "delay_ms": 1000}));
    machine.run(&format!(
        "systemctl start {UNIT} && retentiond record /root/uploads.jsonl"
    ));
    for killed in 1..=2 {
        machine.wait("a delete request", || machine.delete_requests() >= killed);
        machine.run(&format!("systemctl kill -s KILL --kill-who=main {UNIT}"));
        machine.wait("its return", || {
            machine.show("NRestarts") == killed.to_string() && machine.show("ActiveState") == "active"
        });
    }
    machine.assert_end();
}

#[test]
#[ignore = "needs systemd, cargo-deb, curl, root"]
fn the_watchdog_kills_it_when_its_loop_hangs_although_all_else_of_it_is_well() {
    let machine = Machine::set_up();
    // Less than SQLite waits for a lock, so that the loop hangs for longer than systemd is patient.
    machine.drop_in("watchdog", "WatchdogSec=3s");
    machine.run(&format!("systemctl start {UNIT}"));
    let pid = machine.show("MainPID");
    machine.write("/root/lock.py", LOCK);
    machine.run("mkfifo /root/hold && systemd-run --unit=lock --property=StandardInput=file:/root/hold /usr/bin/python3 /root/lock.py");
    // The fifo's other end, in hand as long as the loop is to hang.
    machine.run("systemd-run --unit=hand bash -c 'exec sleep infinity >/root/hold'");
    machine.wait("the lock", || {
        machine.ask("journalctl -u lock -o cat").contains("locked")
    });
    machine.wait("the watchdog", || machine.log().contains("Watchdog timeout"));
    machine.run("systemctl stop hand");
    machine.wait("its return", || {
        machine.show("ActiveState") == "active"
            && machine.show("MainPID") != pid
            && machine.show("MainPID") != "0"
    });
    machine.run("retentiond record /root/uploads.jsonl");
    machine.assert_end();
}
