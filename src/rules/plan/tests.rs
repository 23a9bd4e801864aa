use proptest::prelude::*;

use super::*;
use crate::model::{ErasureScope, FileRecord, HoldScope, Holds};
use crate::rules::fixtures::*;
use crate::rules::matching::Matcher;
use crate::rules::policy::{Policy, RuleSet};

const NOW: &str = "2026-11-23T20:00:00Z";

fn rules_with(policies: Vec<Policy>) -> RuleSet {
    rules(policies, vec![])
}

fn plan_of(rules: &RuleSet, holds: &Holds, files: &[FileRecord]) -> Plan {
    let mut builder = PlanBuilder::new(&rules.policies[0], rules, holds, files.len() as u64, at(NOW));
    for file in files {
        builder.consider(file);
    }
    builder.finish().unwrap()
}

fn old(batch: &'static str, id: &'static str, uploaded_at: &'static str) -> FileRecord {
    file(Classified {
        batch,
        file: id,
        uploaded_at,
        ..Classified::default()
    })
}

fn thirty_days() -> RuleSet {
    rules_with(vec![policy("p", of_classification("c1"), "30 days")])
}

#[test]
fn every_file_is_counted_once_under_what_became_of_it() {
    let mut rules = rules(
        vec![
            policy("p", kind("mine"), "30 days"),
            policy("q", kind("theirs"), "1 day"),
        ],
        vec![floor("f", of_classification("kept"), "forever")],
    );
    rules.policies[0].clock = PROCESSED;
    let of = |id, value: &'static str, classification, processed_at: Option<&'static str>| {
        let labels: &'static [(&str, &str)] = match value {
            "mine" => &[("kind", "mine")],
            "theirs" => &[("kind", "theirs")],
            _ => &[],
        };
        file(Classified {
            file: id,
            labels,
            classification,
            processed_at,
            ..Classified::default()
        })
    };
    let long_ago = Some("2026-01-20T00:00:00Z");
    let yesterday = Some("2026-11-22T00:00:00Z");
    let files = [
        of("due1", "mine", "c1", long_ago),
        of("due2", "mine", "c1", long_ago),
        of("held", "mine", "c1", long_ago),
        of("held-young", "mine", "c1", yesterday),
        of("young", "mine", "c1", yesterday),
        of("unknown", "mine", "c1", None),
        of("kept", "mine", "kept", long_ago),
        of("other", "theirs", "c1", long_ago),
        of("nobody", "", "c1", long_ago),
        of("asked", "mine", "c1", yesterday),
        of("bound", "mine", "bound", yesterday),
    ];
    let mut duty = floor("duty", of_classification("bound"), "8 years");
    duty.binding = true;
    rules.floors.push(duty);
    let holds = Holds::new([
        hold(1, HoldScope::File(FileId::new("held").unwrap())),
        hold(2, HoldScope::File(FileId::new("held-young").unwrap())),
    ])
    .with_erasures(
        ["asked", "bound", "held-young"].map(|id| erasure(1, ErasureScope::File(FileId::new(id).unwrap()))),
    );
    let plan = plan_of(&rules, &holds, &files);
    assert_eq!((plan.due(), plan.held, plan.live), (2, 2, 11));
    assert_eq!(
        plan.others,
        Others {
            not_yet: 1,
            by_request: 1,
            bound: 1,
            kept_forever: 1,
            not_eligible: 1,
            unowned: 1,
            owned_by_others: 1,
        }
    );
}

#[test]
fn the_plan_of_requests_takes_what_they_cover_whoever_owns_it() {
    let mut rules = rules(
        vec![policy("p", kind("mine"), "30 days")],
        vec![floor("duty", of_classification("bound"), "8 years")],
    );
    rules.floors[0].binding = true;
    let of = |id, labels: &'static [(&str, &str)], classification| {
        file(Classified {
            file: id,
            labels,
            classification,
            uploaded_at: "2026-11-22T00:00:00Z",
            ..Classified::default()
        })
    };
    let files = [
        of("young", &[("kind", "mine")], "c1"),
        of("nobody", &[], "c1"),
        of("bound", &[], "bound"),
        of("held", &[], "c1"),
        of("stranger", &[("kind", "mine")], "c1"),
    ];
    let asked = |id: &str, n| erasure(n, ErasureScope::File(FileId::new(id).unwrap()));
    let holds = Holds::new([hold(1, HoldScope::File(FileId::new("held").unwrap()))]).with_erasures([
        asked("young", 4),
        asked("nobody", 5),
        asked("bound", 6),
        asked("held", 7),
    ]);
    let mut builder = PlanBuilder::new(&rules.erasure.sweep, &rules, &holds, 5, at(NOW));
    for file in &files {
        builder.consider(file);
    }
    let plan = builder.finish().unwrap();
    let planned: Vec<(&str, &str)> = plan.files.iter().map(|file| (file.id(), file.reason())).collect();
    assert_eq!(
        planned,
        [("nobody", "erasure request 5"), ("young", "erasure request 4")]
    );
    assert_eq!(
        (plan.held, plan.others.bound, plan.others.owned_by_others),
        (1, 1, 1)
    );
    assert_eq!((plan.policy.as_str(), plan.mode), ("erasure", Mode::Enforce));
}

#[test]
fn an_observing_policy_has_a_plan_too() {
    let mut rules = thirty_days();
    rules.policies[0].mode = Mode::Observe;
    let plan = plan_of(&rules, &no_holds(), &[old("b1", "f1", "2026-01-01T00:00:00Z")]);
    assert_eq!((plan.mode, plan.due()), (Mode::Observe, 1));
}

#[test]
fn the_oldest_comes_first_then_batch_then_file() {
    let plan = plan_of(
        &thirty_days(),
        &no_holds(),
        &[
            old("b2", "f2", "2026-03-01T10:00:00Z"),
            old("b1", "f9", "2026-03-01T11:00:00Z"),
            old("b1", "f3", "2026-03-01T12:00:00Z"),
            old("b3", "f1", "2026-02-01T00:00:00Z"),
        ],
    );
    let order: Vec<&str> = plan.files.iter().map(PlannedFile::id).collect();
    assert_eq!(order, ["f1", "f3", "f9", "f2"]);
    assert_eq!(plan.clone().oldest(2).files, plan.files[..2]);
    assert_eq!(plan.clone().oldest(9).hash, plan.hash);
}

#[test]
fn a_file_is_found_by_batch_and_id() {
    let files = [
        old("b2", "f2", "2026-03-01T10:00:00Z"),
        old("b1", "f9", "2026-03-01T11:00:00Z"),
        old("b1", "f3", "2026-03-01T12:00:00Z"),
    ];
    let plan = plan_of(&thirty_days(), &no_holds(), &files);
    let places = plan.places_by_key();
    for (at, file) in plan.files.iter().enumerate() {
        assert_eq!(plan.place_of(&places, file.key(), file.id()), Some(at));
    }
    let first = plan.files[0].key();
    assert_eq!(plan.place_of(&places, first, "f8"), None);
    assert_eq!(
        plan.place_of(&places, BatchKey(first.0 + 1000), plan.files[0].id()),
        None
    );
}

#[test]
fn the_hash_changes_with_every_part_and_not_with_time_or_order() {
    let rules = thirty_days();
    let files = [
        old("b1", "f1", "2026-01-01T00:00:00Z"),
        old("b1", "f2", "2026-01-02T00:00:00Z"),
    ];
    let base = plan_of(&rules, &no_holds(), &files);
    assert_eq!(base.hash.len(), 64);
    let [first, second] = &files;
    assert_eq!(
        plan_of(&rules, &no_holds(), &[second.clone(), first.clone()]).hash,
        base.hash
    );
    let mut later = PlanBuilder::new(&rules.policies[0], &rules, &NONE, 77, at("2027-01-01T00:00:00Z"));
    files.iter().for_each(|file| later.consider(file));
    assert_eq!(later.finish().unwrap().hash, base.hash);

    let mut named = thirty_days();
    named.policies[0].name = crate::model::PolicyName::new("q").unwrap();
    let mut digested = thirty_days();
    digested.digest = RuleDigest("0".repeat(64));
    let moved = |batch, id, uploaded| vec![old(batch, id, uploaded), second.clone()];
    let mut extraction = extracted("c1", "b1", "f1");
    extraction.uploaded_at = first.uploaded_at;
    let all = rules_with(vec![policy("p", Matcher::Everything, "30 days")]);
    let mut same_rules = all.clone();
    same_rules.digest = rules.digest.clone();
    let hashes = [
        base.hash.clone(),
        plan_of(&named, &no_holds(), &files).hash,
        plan_of(&digested, &no_holds(), &files).hash,
        plan_of(&rules, &no_holds(), &files[..1]).hash,
        plan_of(&rules, &no_holds(), &[]).hash,
        plan_of(&rules, &no_holds(), &moved("b2", "f1", "2026-01-01T00:00:00Z")).hash,
        plan_of(&rules, &no_holds(), &moved("b1", "f3", "2026-01-01T00:00:00Z")).hash,
        plan_of(&rules, &no_holds(), &moved("b1", "f1", "2026-01-05T00:00:00Z")).hash,
        plan_of(&same_rules, &no_holds(), &[extraction, second.clone()]).hash,
        base.clone().only(&[false, true]).hash,
    ];
    let distinct: std::collections::BTreeSet<&String> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
    assert_eq!(base.clone().only(&[true, true]).hash, base.hash);
    let alone = |uploaded| plan_of(&rules, &no_holds(), &[old("b1", "f1", uploaded)]).hash;
    assert_ne!(
        alone("2026-01-01T00:00:00Z"),
        alone("2026-01-05T00:00:00Z"),
        "the due time is part"
    );
}

static NONE: std::sync::LazyLock<Holds> = std::sync::LazyLock::new(Holds::default);

#[test]
fn chunks_are_of_one_batch_oldest_batch_first_and_extraction_files_go_alone() {
    let rules = rules_with(vec![policy("p", Matcher::Everything, "30 days")]);
    let mut files = vec![
        old("b1", "f1", "2026-03-03T00:00:00Z"),
        old("b1", "f2", "2026-03-04T00:00:00Z"),
        old("b1", "f3", "2026-03-05T00:00:00Z"),
        old("b2", "f4", "2026-03-01T00:00:00Z"),
        old("b2", "f5", "2026-03-09T00:00:00Z"),
    ];
    for (id, uploaded) in [("e1", "2026-03-02T00:00:00Z"), ("e2", "2026-03-02T01:00:00Z")] {
        let mut record = extracted("x", "b3", id);
        record.uploaded_at = at(uploaded);
        files.push(record);
    }
    let plan = plan_of(&rules, &no_holds(), &files);
    let cut = |most| -> Vec<(String, String)> {
        plan.chunks(most)
            .iter()
            .map(|chunk| {
                let ids: Vec<String> = chunk.file_ids(&plan).into_iter().map(String::from).collect();
                assert!(
                    chunk
                        .files
                        .iter()
                        .all(|i| plan.files[*i as usize].key() == chunk.key)
                );
                (chunk.batch.batch.to_string(), ids.join(" "))
            })
            .collect()
    };
    let pairs = |of: &[(&str, &str)]| -> Vec<(String, String)> {
        of.iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    assert_eq!(
        cut(2),
        pairs(&[
            ("b2", "f4 f5"),
            ("b3", "e1"),
            ("b3", "e2"),
            ("b1", "f1 f2"),
            ("b1", "f3")
        ])
    );
    assert_eq!(cut(100).len(), 4);
    assert_eq!(cut(0), cut(1));
    assert_eq!(cut(1).len(), 7);
}

#[test]
fn a_planned_file_is_shown_with_its_whole_address() {
    let rules = rules(
        vec![policy("p", of_classification("c1"), "30 days")],
        vec![floor("f", Matcher::Everything, "40 days")],
    );
    let plan = plan_of(&rules, &no_holds(), &[old("b1", "f1", "2026-01-15T09:30:00Z")]);
    assert_eq!(
        serde_json::to_value(plan.view(&plan.files[0])).unwrap(),
        serde_json::json!({
            "file_id": "f1",
            "batch_id": "b1",
            "classification_id": "c1",
            "policy": "p",
            "starts_at": "2026-01-15T09:30:00Z",
            "due_at": "2026-02-24T23:00:00Z",
            "deadline_at": "2026-02-25T23:00:00Z",
            "reason": "policy `p`: 30 days after its upload; floor `f` kept it longer and has ended",
        })
    );
}

#[test]
fn an_id_of_any_length_survives_the_plan() {
    for id in [
        "f",
        &"x".repeat(22),
        &"x".repeat(23),
        &"ü".repeat(11),
        &"ü".repeat(12),
        &"x".repeat(512),
    ] {
        let record = file(Classified {
            file: id,
            ..Classified::default()
        });
        let plan = plan_of(&thirty_days(), &no_holds(), &[record]);
        assert_eq!(plan.files[0].file().as_str(), id);
    }
}

proptest! {
    #[test]
    fn the_hash_does_not_depend_on_the_order_of_the_input(
        order in Just((0_usize..40).collect::<Vec<_>>()).prop_shuffle(), days in proptest::collection::vec(0_i64..6, 40),
    ) {
        let rules = thirty_days();
        let base = at("2026-01-01T00:00:00Z");
        let files: Vec<FileRecord> = days.iter().enumerate().map(|(n, day)| {
            let (batch, id) = (format!("b{}", n % 3), format!("f{n}"));
            let mut record = file(Classified { batch: &batch, file: &id, ..Classified::default() });
            record.uploaded_at = base.checked_add_millis(day * 86_400_000).unwrap();
            record
        }).collect();
        let shuffled: Vec<FileRecord> = order.iter().map(|n| files[*n].clone()).collect();
        let (a, b) = (plan_of(&rules, &no_holds(), &files), plan_of(&rules, &no_holds(), &shuffled));
        prop_assert_eq!(&a.hash, &b.hash);
        prop_assert_eq!(&a.files, &b.files);
        let sent: usize = a.chunks(7).iter().map(|chunk| chunk.files.len()).sum();
        prop_assert_eq!(sent, 40);
    }
}
