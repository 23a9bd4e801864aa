//! A plan file is read back as it was written, or not at all.

use super::*;
use crate::model::Holds;
use crate::rules::fixtures::{Classified, at, file, of_classification, policy, rules};
use crate::rules::plan::PlanBuilder;

fn plans() -> Vec<Plan> {
    let rules = rules(
        vec![
            policy("p", of_classification("c1"), "30 days"),
            policy("q", of_classification("c2"), "30 days"),
        ],
        vec![],
    );
    let holds = Holds::default();
    let of = |index: usize, classification: &'static str, ids: &[&'static str]| {
        let policy = &rules.policies[index];
        let mut builder = PlanBuilder::new(policy, &rules, &holds, 9, at("2026-11-23T20:00:00Z"));
        for id in ids {
            builder.consider(&file(Classified {
                file: id,
                classification,
                uploaded_at: "2026-01-01T00:00:00Z",
                ..Classified::default()
            }));
        }
        builder.finish().unwrap()
    };
    vec![of(0, "c1", &["f1", "f2", "f3"]), of(1, "c2", &["g1"])]
}

fn written() -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plan.jsonl");
    write(&path, &plans()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (dir, path, bytes)
}

#[test]
fn what_was_written_is_read_back_with_the_plans_own_hashes() {
    let (_dir, path, _) = written();
    let heads = Reader::verify(&path).unwrap();
    let plans = plans();
    assert_eq!(heads.len(), 2);
    for (head, plan) in heads.iter().zip(&plans) {
        assert_eq!((&head.policy, &head.hash), (&plan.policy, &plan.hash));
        assert_eq!((head.files, head.at), (plan.due(), plan.at));
    }
    let mut reader = Reader::open(&path).unwrap();
    let mut ids = Vec::new();
    while let Some(item) = reader.item().unwrap() {
        if let Item::File(line) = item {
            ids.push(line.file.file.to_string());
        }
    }
    assert_eq!(ids, ["f1", "f2", "f3", "g1"]);
    assert!(write(&path, &plans).is_err(), "never over a file that is there");
}

#[test]
fn the_hash_of_the_files_text_is_the_plans_hash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plan.jsonl");
    let plan = plans().remove(0);
    write(&path, std::slice::from_ref(&plan)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    // As docs/operations.md tells it: sed '1s/,"at":.*$/}/' FILE | sha256sum
    let (head, files) = text.split_once('\n').unwrap();
    let (head, _) = head.split_once(",\"at\":").unwrap();
    let hash = Sha256::digest(format!("{head}}}\n{files}"));
    assert_eq!(hex::encode(hash), plan.hash);
}

#[test]
fn a_file_with_any_byte_changed_is_refused() {
    let (dir, _, bytes) = written();
    let path = dir.path().join("changed.jsonl");
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= [1, 0x20, 0x80][place % 3];
        std::fs::write(&path, &changed).unwrap();
        let refused = Reader::verify(&path);
        assert!(refused.is_err(), "byte {place}");
        assert_eq!(refused.unwrap_err().exit, Exit::Integrity);
    }
}

#[test]
fn a_file_with_lines_missing_doubled_or_moved_is_refused() {
    let (dir, _, bytes) = written();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let path = dir.path().join("changed.jsonl");
    let refused = |changed: Vec<&str>| {
        std::fs::write(&path, changed.concat()).unwrap();
        let failure = Reader::verify(&path).unwrap_err();
        assert_eq!(failure.exit, Exit::Integrity);
        failure.text
    };
    for at in 0..lines.len() {
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at]);
        // A second head with nothing between is a plan of no file, which the head denies.
        refused(doubled);
        if at + 1 < lines.len() {
            let mut moved = lines.clone();
            moved.swap(at, at + 1);
            refused(moved);
        }
        // The last plan is one head and one file: without both, the first is whole.
        if at != 4 {
            let mut missing = lines.clone();
            missing.remove(at);
            refused(missing);
        }
    }
    assert!(refused(lines[..4].iter().copied().chain(["\n"]).collect()).contains(":5: "));
    assert!(refused(vec![]).contains("it is empty"));
    assert!(refused(vec!["{}"]).contains("plan --out FILE"));
    let long = format!("{{\"retentiond_plan\":1,\"policy\":\"{}", "x".repeat(1_000_000));
    refused(vec![&long]);
}
