//! The checker itself, on small sources: what must be found is found, what is allowed is not.

use crate::checker::{Finding, Site, check};

fn findings_in(module: &[&str], in_test: bool, source: &str) -> Vec<Finding> {
    let file = syn::parse_file(source).expect("the test's source is Rust");
    let module = module.iter().map(|name| (*name).to_owned()).collect();
    let site = Site {
        file: "src/x.rs".to_owned(),
        module,
        in_test,
    };
    let mut findings = Vec::new();
    check(&site, &file, &mut findings);
    findings
}

/// Exactly one finding, on this line and with these words.
fn assert_found(module: &[&str], source: &str, line: usize, words: &str) {
    let found = findings_in(module, false, source);
    assert_eq!(found.len(), 1, "{source}: {found:?}");
    assert_eq!(found[0].line, line, "{source}: {found:?}");
    assert!(found[0].to_string().contains(words), "{source}: {found:?}");
}

fn assert_clean(module: &[&str], source: &str) {
    assert_eq!(findings_in(module, false, source), [], "{source}");
}

#[test]
fn an_import_that_climbs_is_found_with_its_line() {
    assert_found(&["rules", "plan"], "\n\nuse crate::engine::Sweep;", 3, "climbs");
    assert_found(&["model"], "use crate::rules::plan;", 1, "climbs");
    assert_found(
        &["engine"],
        "use crate::{model::Timestamp,\n daemon::{trigger}};",
        2,
        "climbs",
    );
    assert_found(&["rules", "plan"], "use super::super::ledger as l;", 1, "climbs");
    assert_found(&["rules"], "use super::ledger::Ledger;", 1, "climbs");
    assert_found(
        &["cli"],
        "mod a { mod b { fn f() { use crate::nowhere::X; } } }",
        1,
        "no room",
    );
}

#[test]
fn an_import_that_goes_sideways_or_is_not_in_the_row_is_found() {
    assert_found(&["outcome", "state"], "use crate::rules::decide;", 1, "sideways");
    assert_found(&["extracta"], "use crate::ledger::Ledger;", 1, "sideways");
    assert_found(
        &["report"],
        "use crate::outcome::Outcome;",
        1,
        "not in the room's row",
    );
}

#[test]
fn a_path_written_inline_is_found_wherever_it_stands() {
    for source in [
        "fn f() -> crate::engine::Sweep { todo }",
        "fn f() { crate::engine::run(); }",
        "fn f() { super::super::engine::run(); }",
        "fn f() { let crate::engine::Sweep { .. } = x; }",
        "impl crate::engine::Step for X {}",
        "struct S<T: crate::engine::Step>(T);",
        "mod inner { fn f() { super::super::super::engine::run() } }",
        "fn f() { assert!(matches!(x, crate::engine::Sweep)); }",
        "macro_rules! m { () => { $crate::engine::run() } }",
        "#[crate::engine::attribute] fn f() {}",
    ] {
        assert_found(&["rules", "plan"], source, 1, "rules uses crate::engine");
    }
}

#[test]
fn the_whole_crate_is_never_imported() {
    assert_found(&["rules"], "use super::*;", 1, "no room");
    assert_found(&["rules"], "use crate as house;", 1, "whole crate");
    assert_found(&[], "pub use engine::Sweep;", 1, "imports nothing");
}

#[test]
fn a_room_without_a_row_is_found() {
    assert_found(&[], "pub mod model;\npub mod attic;", 2, "attic has no row");
    assert_found(&["attic"], "use crate::model::Timestamp;", 1, "no row");
    assert_found(&["rules"], "#[path = \"../engine.rs\"] mod engine;", 1, "#[path]");
}

#[test]
fn async_in_the_pure_storey_is_found() {
    for source in [
        "async fn f() {}",
        "trait T { async fn f(); }",
        "impl S { async fn f() {} }",
        "fn f() { let x = async {}; }",
        "fn f() { let x = async || (); }",
        "fn f() { vec![x.await]; }",
    ] {
        assert_found(&["rules", "decide"], source, 1, "async");
    }
    assert_eq!(
        findings_in(&["outcome"], false, "async fn f() { g().await }").len(),
        2
    );
    assert_clean(&["engine"], "async fn f() { g().await }");
}

#[test]
fn io_and_clocks_in_the_pure_storey_are_found() {
    for source in [
        "use std::fs;",
        "use std::{fmt, net::TcpStream};",
        "use std::time::*;",
        "fn f() { std::env::var(x); }",
        "fn f() { assert!(std::process::id() > 0); }",
        "use std::time; fn f(at: time::SystemTime) {}",
        "use jiff::Timestamp; fn f() { Timestamp::now(); }",
        "extern crate tokio;",
        "#[tokio::main] fn f() {}",
        "fn f(client: reqwest::Client) {}",
    ] {
        assert_found(&["snapshot"], source, 1, "no I/O, clock or async");
    }
    assert_clean(
        &["rules"],
        "use std::time::Duration; use std::fmt; use jiff::Timestamp;",
    );
    assert_clean(&["config"], "use std::fs;");
}

#[test]
fn sql_is_found_outside_the_ledger_and_in_tests_too() {
    assert_found(&["engine"], "use sqlx::Row;", 1, "SQL lives in src/ledger");
    assert_found(
        &["rules"],
        "#[cfg(test)] mod tests { fn f() { sqlx::query(x); } }",
        1,
        "SQL",
    );
    assert_clean(&["ledger", "sqlite"], "use sqlx::Row;");
}

#[test]
fn the_sandbox_uses_nothing_but_itself_even_in_tests() {
    assert_found(
        &["sandbox", "wire"],
        "use crate::model::FileId;",
        1,
        "nothing but itself",
    );
    assert_found(
        &["sandbox"],
        "#[cfg(test)] mod tests { use crate::extracta::wire; }",
        1,
        "nothing but itself",
    );
    assert_clean(
        &["sandbox", "wire"],
        "use crate::sandbox::state::Store; use super::ids; use std::net::TcpListener;",
    );
}

#[test]
fn only_the_cli_and_tests_of_the_upper_storeys_meet_the_sandbox() {
    assert_found(&["extracta"], "use crate::sandbox::Server;", 1, "stands apart");
    assert_found(
        &["rules"],
        "#[cfg(test)] mod tests { use crate::sandbox::Server; }",
        1,
        "stands apart",
    );
    assert_clean(
        &["extracta"],
        "#[cfg(test)] mod tests { use crate::sandbox::Server; }",
    );
    assert_clean(&["cli"], "use crate::sandbox::Server;");
}

#[test]
fn prints_outside_the_cli_are_found() {
    assert_found(&["daemon"], "fn f() { println!(\"x\"); }", 1, "prints");
    assert_found(&["engine"], "fn f() { m! { eprintln!(\"x\") } }", 1, "prints");
    assert_clean(&["cli"], "fn f() { println!(\"x\"); }");
    assert_clean(
        &["engine"],
        "#[cfg(test)] mod tests { fn f() { println!(\"x\"); } }",
    );
}

#[test]
fn test_modules_are_free_of_the_io_ban_but_not_of_the_table() {
    let tests = "use std::fs; async fn f() { tokio::spawn(x).await }";
    assert_eq!(findings_in(&["rules", "tests"], true, tests), []);
    assert_clean(&["rules"], "#[cfg(all(test, unix))] mod tests { use std::fs; }");
    assert_clean(&["rules"], "struct S; impl S { #[cfg(test)] async fn f() {} }");
    assert_found(
        &["rules"],
        "#[cfg(not(test))] mod real { use std::fs; }",
        1,
        "no I/O",
    );
    assert_eq!(
        findings_in(&["rules", "tests"], true, "use crate::engine::Sweep;").len(),
        1
    );
}

#[test]
fn what_stands_below_may_be_used() {
    assert_clean(
        &["rules", "plan"],
        "use crate::model::Timestamp; use super::decide; pub(crate) struct S;",
    );
    assert_clean(
        &["ledger", "sqlite"],
        "use crate::rules::policy::Policy; use super::super::outcome::State;",
    );
    assert_clean(
        &["cli", "run"],
        "use crate::daemon::Daemon; use retentiond::engine::Sweep;",
    );
    assert_clean(
        &["daemon", "trigger", "board"],
        "use super::Entry; use super::super::super::model::FileId;",
    );
}
