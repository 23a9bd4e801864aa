//! What the running service may do, and what others can learn from it.

use crate::machine::{KEY, Machine, UNIT};

#[test]
#[ignore = "needs systemd, cargo-deb, curl, root"]
fn it_has_no_capability_no_core_and_no_secret_that_others_can_read() {
    let machine = Machine::set_up();
    assert_eq!(machine.run("systemd-analyze verify retentiond.service 2>&1"), "");
    machine.run(&format!(
        "systemctl start {UNIT} && retentiond record /root/uploads.jsonl"
    ));
    machine.assert_end();
    let pid = machine.show("MainPID");
    let status = machine.run(&format!("cat /proc/{pid}/status"));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{set}:\t0000000000000000")), "{status}");
    }
    assert!(
        status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"),
        "{status}"
    );
    assert!(!status.contains("Uid:\t0"), "{status}");
    let limits = machine.run(&format!("grep 'Max core file size' /proc/{pid}/limits"));
    assert_eq!(
        limits.split_whitespace().filter(|word| *word == "0").count(),
        2,
        "{limits}"
    );
    for place in ["environ", "cmdline"] {
        let there = machine.run(&format!("tr '\\0' '\\n' </proc/{pid}/{place}"));
        assert!(!there.is_empty() && !there.contains(KEY), "{there}");
    }
    // Everybody else on the machine.
    for place in [
        &format!("/proc/{pid}/environ") as &str,
        &format!("/proc/{pid}/mem"),
        "/etc/retentiond/credentials/api-key",
        "/run/credentials/retentiond.service/api-key",
        "/var/lib/retentiond/ledger.db",
        "/run/retentiond/control.sock",
    ] {
        assert!(
            machine.shell(&format!("test -e {place}")).status.success(),
            "{place}"
        );
        let read = machine.shell(&format!(
            "setpriv --reuid=65534 --regid=65534 --clear-groups cat {place}"
        ));
        assert!(
            !read.status.success() && read.stdout.is_empty(),
            "{place} is open to others"
        );
    }
    // A crash leaves nothing behind: not in the state directory, not where the kernel would put it.
    machine.run(&format!("systemctl kill -s ABRT --kill-who=main {UNIT}"));
    machine.wait("its return", || {
        machine.show("NRestarts") == "1" && machine.show("ActiveState") == "active"
    });
    let cores = machine.ask("find / -xdev -name 'core*' -newer /root/uploads.jsonl -type f -size +64k 2>/dev/null; ls /var/lib/systemd/coredump 2>/dev/null");
    assert_eq!(cores, "");
    // Searched with the service at rest, so that nothing is only in its memory.
    machine.run(&format!("systemctl stop {UNIT}"));
    let places = "/var/lib/private/retentiond /run/log/journal /var/log/journal";
    assert_eq!(
        machine.ask(&format!("journalctl -u {UNIT} -o verbose | grep -c {KEY}")),
        "0"
    );
    assert_eq!(
        machine.ask(&format!(
            "grep -rl {KEY} {} 2>/dev/null",
            places.split(' ').next().unwrap()
        )),
        ""
    );
}
