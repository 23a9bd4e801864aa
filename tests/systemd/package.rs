//! Installed, upgraded, removed, purged.

use crate::machine::{FILES, Machine, UNIT};

#[test]
#[ignore = "needs systemd, cargo-deb, curl, root"]
fn an_upgrade_keeps_ledger_and_rules_and_only_a_purge_takes_the_key_and_never_the_ledger() {
    let machine = Machine::set_up();
    assert_eq!(
        machine.show("UnitFileState"),
        "disabled",
        "installing enables nothing"
    );
    assert_eq!(
        machine.show("ActiveState"),
        "inactive",
        "installing starts nothing"
    );
    let upgrade = |version: &str| {
        machine.run(&format!(
            "rm -rf next && dpkg-deb -R retentiond_*.deb next && sed -i 's/^Version:.*/Version: {version}/' next/DEBIAN/control && dpkg-deb -Znone -b next next.deb && dpkg -i next.deb"
        ));
    };
    upgrade("99.1-1");
    assert_eq!(
        machine.show("ActiveState"),
        "inactive",
        "what was not running is not started"
    );
    machine.run(&format!(
        "systemctl enable --now {UNIT} && retentiond record /root/uploads.jsonl"
    ));
    machine.assert_end();
    let (pid, rules) = (
        machine.show("MainPID"),
        machine.run("cat /etc/retentiond/policies.toml"),
    );
    upgrade("99.2-1");
    machine.wait("the new program", || {
        machine.show("ActiveState") == "active" && machine.show("MainPID") != pid
    });
    assert_eq!(machine.run("cat /etc/retentiond/policies.toml"), rules);
    assert_eq!(machine.status()["files"]["deleted"].as_u64(), Some(FILES as u64));
    machine.run("retentiond ledger check --deep && retentiond ledger backup /root/backup.db");
    machine.run("dpkg -r retentiond");
    machine.run("test -e /etc/retentiond/credentials/api-key && test -e /etc/retentiond/policies.toml");
    assert_ne!(machine.ask("pidof retentiond"), machine.show("MainPID"));
    assert_eq!(machine.show("MainPID"), "0", "a removed service does not run on");
    let said = machine.run("dpkg -P retentiond");
    assert!(
        said.contains("The ledger is left in /var/lib/retentiond"),
        "{said}"
    );
    machine.run("test ! -e /etc/retentiond && test ! -e /usr/bin/retentiond");
    machine.run("test ! -L /etc/systemd/system/multi-user.target.wants/retentiond.service");
    machine.run("test -s /var/lib/private/retentiond/ledger.db && test -s /var/lib/private/retentiond/ledger.db.anchor");
    // The same ledger under a new installation.
    machine.install();
    machine.write("/etc/retentiond/policies.toml", &rules);
    assert_eq!(machine.status()["files"]["deleted"].as_u64(), Some(FILES as u64));
}
