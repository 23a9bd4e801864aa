//! The conformance suite has the same cases for every ledger. Asked of the test runner itself: what it would run.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Files outside of the suite: what only makes sense for one ledger, or takes two.
const OUTSIDE: [&str; 13] = [
    "copy",
    "fixtures",
    "flips",
    "hosts",
    "lock",
    "measure",
    "pacing",
    "parts",
    "peers",
    "postgres_server",
    "right",
    "sqlite_file",
    "suite",
];

#[test]
fn every_case_of_the_suite_is_run_on_every_ledger() {
    let listed = Command::new(std::env::current_exe().unwrap())
        .args(["--list", "--format", "terse"])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut cases: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for name in listed.lines().filter_map(|line| line.strip_suffix(": test")) {
        let parts: Vec<&str> = name.split("::").collect();
        if OUTSIDE.contains(&parts[0]) {
            continue;
        }
        let [file, ledger, case] = parts[..] else {
            panic!("{name} is a case of one ledger in a file of the suite")
        };
        assert!(cases.entry(ledger).or_default().insert((file, case)), "{name}");
    }
    let ledgers: Vec<&str> = cases.keys().copied().collect();
    let counts: Vec<usize> = cases.values().map(BTreeSet::len).collect();
    println!("cases of the suite: {ledgers:?} {counts:?}");
    let mut sets = cases.into_values();
    let first = sets.next().unwrap();
    assert!(first.len() > 150, "{}", first.len());
    for other in sets {
        assert_eq!(
            first.symmetric_difference(&other).collect::<Vec<_>>(),
            Vec::<&(&str, &str)>::new()
        );
    }
    let expected: &[&str] = if cfg!(feature = "postgres") {
        &["postgres", "sqlite"]
    } else {
        &["sqlite"]
    };
    assert_eq!(ledgers, expected);
}
