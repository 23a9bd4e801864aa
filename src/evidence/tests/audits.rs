//! Whatever is changed in a tree that checkpoints went out of is found, and where it was.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::evidence::audit::Summary;
use crate::evidence::checkpoint::origin;
use crate::evidence::leaf::States;
use crate::evidence::receipt::{FORMAT, Shown};
use crate::evidence::seal::opens;
use crate::evidence::{
    Audit, Checkpoint, Damage, Fact, FileSet, Fork, Frontier, Given, Hash, Leaf, Note, Receipt, Seal,
    SecretKey, Subset, canonical, proof,
};
use crate::model::Timestamp;

const LEDGER: &str = "0123456789abcdef0123456789abcdef";

/// One fact of each kind, every field of it filled.
fn facts() -> Vec<Fact> {
    let seal = Seal::new(&[5; 32]);
    let text = |field: &str| seal.text(field, "x");
    let set = |field: &str| -> FileSet { seal.files(field, &mut vec!["a".to_owned(), "b".to_owned()]) };
    let to = States::by(|state| Some(set(state.name())));
    let word = || "word".to_owned();
    vec![
        Fact::Genesis {
            ledger: LEDGER.to_owned(),
            transactions: 1,
            sweeps: 2,
            attempts: 3,
            attempt_files: 4,
            notes: 5,
            holds: 6,
            erasures: 7,
            approvals: 8,
            breakers: 9,
        },
        Fact::Intent {
            attempt: 1,
            sweep: 2,
            call: word(),
            files: set("files"),
        },
        Fact::Outcome {
            attempt: 1,
            outcome: word(),
            http_status: Some(200),
            to: to.clone(),
        },
        Fact::Interrupted {
            attempts: 3,
            unknown: set("unknown"),
        },
        Fact::Moved {
            event: word(),
            to,
            reason: text("reason"),
        },
        Fact::Verification {
            absent: Some(set("absent")),
            still_there: Some(set("still_there")),
        },
        Fact::Hold {
            hold: 1,
            scope: word(),
            covers: text("covers"),
            reason: text("reason"),
            reference: Some(text("reference")),
            owner: Some(text("owner")),
            review_by: Some(9),
        },
        Fact::Release {
            hold: 1,
            reason: text("reason"),
            ends_at: 5,
        },
        Fact::ErasureRequest {
            erasure: 1,
            scope: word(),
            covers: text("covers"),
            reference: text("reference"),
            received: word(),
        },
        Fact::ErasureClosed {
            erasure: 1,
            how: word(),
            reason: Some(text("reason")),
        },
        Fact::Plan {
            plan: word(),
            policy: word(),
            sweep: 1,
            files: 2,
        },
        Fact::Approval {
            plan: word(),
            policy: word(),
            valid_until: 3,
        },
        Fact::ApprovalUsed {
            plan: word(),
            sweep: 1,
        },
        Fact::Rules {
            digest: word(),
            description: text("d"),
            text: Some(text("t")),
        },
        Fact::RuleText {
            digest: word(),
            text: text("t"),
        },
        Fact::RuleChange {
            before: word(),
            after: word(),
        },
        Fact::RuleChangeApproval {
            after: word(),
            valid_until: 4,
        },
        Fact::RuleChangeWithdrawn { after: word() },
        Fact::SweepOpened {
            sweep: 1,
            policy: word(),
            occurrence: Some(2),
            trigger: word(),
            rules: word(),
            resumed: true,
        },
        Fact::SweepClosed {
            sweep: 1,
            state: word(),
            sent: 5,
            summary: text("s"),
        },
        Fact::BreakerOpened {
            breaker: word(),
            reason: text("reason"),
        },
        Fact::BreakerClosed {
            breaker: word(),
            by: text("by"),
        },
        Fact::Pause {
            until: 7,
            reason: text("reason"),
        },
        Fact::Resume {},
        Fact::Gap { from: 1, until: 2 },
        Fact::LineageAccepted {
            ledger: LEDGER.to_owned(),
            before: word(),
        },
        Fact::Redaction {
            before: 5,
            leaves: 0,
            last: None,
            files: 3,
            records: 1,
        },
    ]
}

/// A leaf beside the tree.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    seq: u64,
    at: i64,
    kind: String,
    hash: Hash,
    content: Option<String>,
}

impl Row {
    fn given(&self) -> Given<'_> {
        Given {
            seq: self.seq,
            at: self.at,
            kind: &self.kind,
            hash: self.hash,
            content: self.content.as_deref(),
        }
    }

    fn set(&mut self, content: String, hash_too: bool) {
        if hash_too {
            self.hash = Hash::of_leaf(content.as_bytes());
        }
        self.content = Some(content);
    }
}

fn row(place: usize, fact: Fact) -> Row {
    let at = Timestamp::from_millis(1_000 + place as i64).unwrap();
    let kind = fact.kind().to_owned();
    let content = Leaf::new(place as u64, at, fact).content();
    Row {
        seq: place as u64,
        at: at.as_millis(),
        kind,
        hash: Hash::of_leaf(content.as_bytes()),
        content: Some(content),
    }
}

/// Goes on from the first `common` leaves of `rows`, which lost `lost`, and brings those back.
fn brought_back(rows: &mut Vec<Row>, common: usize, lost: &[Hash], until: u64) {
    let mut line = tree(&rows[..common]);
    lost.iter().for_each(|hash| line.append(*hash));
    let (size, root, common) = (line.size(), line.root(), common as u64);
    let mut add = |fact| rows.push(row(rows.len(), fact));
    add(Fact::Recovery { size, root, common });
    for (place, hash) in (common..).zip(lost) {
        add(Fact::BroughtBack {
            lost: place,
            hash: *hash,
            told: "hold".to_owned(),
        });
    }
    add(Fact::Recovered {
        ledger: "new".to_owned(),
        before: LEDGER.to_owned(),
        size,
        root,
        common,
        until,
    });
}

/// One leaf of each kind.
fn rows() -> Vec<Row> {
    let facts = facts().into_iter().enumerate();
    let mut rows: Vec<Row> = facts.map(|(place, fact)| row(place, fact)).collect();
    brought_back(&mut rows, 10, &[Hash([8; 32])], 11);
    rows
}

/// The forks that these rows name.
fn forks(rows: &[Row]) -> Vec<Fork> {
    let named = rows.iter().filter(|row| row.kind == "recovered");
    let named = named.filter_map(|row| Fork::named_by(row.seq, row.content.as_deref()?));
    named.collect()
}

fn key() -> SecretKey {
    SecretKey::new("retentiond/key", &[3; 32]).unwrap()
}

fn tree(rows: &[Row]) -> Frontier {
    let mut tree = Frontier::new();
    rows.iter().for_each(|row| tree.append(row.hash));
    tree
}

fn note(rows: &[Row], size: usize) -> String {
    let checkpoint = Checkpoint::of(&origin(LEDGER), &tree(&rows[..size]));
    Note::sign(&checkpoint.text(), &[&key()]).to_string()
}

/// Checkpoints after 10 leaves and after all.
fn notes(rows: &[Row]) -> Vec<String> {
    vec![note(rows, 10), note(rows, rows.len())]
}

/// With the head that the ledger itself would keep of these rows: a careful forger keeps that in step.
fn audit(rows: &[Row], notes: &[String], subset: Subset) -> Result<Summary, Damage> {
    let key = key().verifier();
    let audit = Audit::new(notes.iter().map(String::as_str), Some(&key), subset)?;
    let mut audit = audit.knowing(forks(rows));
    for row in rows {
        audit.leaf(&row.given())?;
    }
    let tree = tree(rows);
    audit.finish(Some((tree.size(), tree.root())))
}

/// The leaf that is named as the first bad one.
fn first_bad(rows: &[Row], notes: &[String]) -> u64 {
    let damage = audit(rows, notes, Subset::WHOLE).unwrap_err();
    let leaf = damage.leaf.unwrap_or_else(|| panic!("{damage}"));
    assert!(damage.problem.contains(&leaf.to_string()), "{damage}");
    leaf
}

/// Every way to change one value, or to take away one member.
fn changed(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![json!(0)],
        Value::Bool(yes) => vec![json!(!yes)],
        Value::Number(number) => vec![json!(number.as_i64().unwrap() + 1)],
        Value::String(text) => {
            let last = if text.ends_with('0') { "1" } else { "0" };
            vec![
                json!(format!("{}{last}", &text[..text.len() - 1])),
                json!(format!("{text}x")),
            ]
        }
        Value::Array(_) => Vec::new(),
        Value::Object(members) => {
            let mut all = Vec::new();
            for (name, member) in members {
                for other in changed(member) {
                    let mut members = members.clone();
                    members.insert(name.clone(), other);
                    all.push(Value::Object(members));
                }
                let mut without = members.clone();
                without.remove(name);
                all.push(Value::Object(without));
            }
            all
        }
    }
}

#[test]
fn a_whole_tree_passes_and_says_what_it_rests_on() {
    let rows = rows();
    let kinds: BTreeSet<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, BTreeSet::from(Fact::KINDS), "one of each kind");
    let found = audit(&rows, &notes(&rows), Subset::WHOLE).unwrap();
    assert_eq!((found.leaves, found.looked_into, found.redacted), (30, 30, 0));
    assert_eq!((found.checkpoints, found.signed), (2, 30));
    // Leaves beyond the last checkpoint are whole, but nobody vouches for them.
    let found = audit(&rows, &notes(&rows)[..1], Subset::WHOLE).unwrap();
    assert_eq!((found.leaves, found.signed), (30, 10));
}

#[test]
fn every_changed_field_of_every_kind_is_found_at_its_leaf() {
    let whole = rows();
    let notes = notes(&whole);
    let mut tried = 0;
    for place in 0..whole.len() {
        let content = whole[place].content.clone().unwrap();
        let read: Value = serde_json::from_str(&content).unwrap();
        for other in changed(&read) {
            let other = canonical::spell(&other).unwrap();
            let mut rows = whole.clone();
            rows[place].set(other.clone(), false);
            assert_eq!(first_bad(&rows, &notes), place as u64, "{other}");
            // Changed with its hash: where the bytes still fit the row, only the checkpoint can tell.
            rows[place].set(other.clone(), true);
            let named = first_bad(&rows, &notes);
            let since = if place < 10 { 0 } else { 10 };
            assert!(
                named == place as u64 || named == since || whole[place].kind == "brought-back",
                "{named} for {place}: {other}"
            );
            tried += 2;
        }
        for column in 0..4 {
            let mut rows = whole.clone();
            match column {
                0 => rows[place].seq += 1,
                1 => rows[place].at += 1,
                2 => rows[place].kind.push('x'),
                _ => rows[place].hash.0[7] ^= 1,
            }
            assert_eq!(first_bad(&rows, &notes), place as u64, "column {column}");
        }
        let mut rows = whole.clone();
        rows[place].set(content.replace(':', ": "), true);
        assert_eq!(first_bad(&rows, &notes), place as u64, "another spelling");
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn leaves_that_are_dropped_swapped_added_or_cut_off_are_found() {
    let whole = rows();
    let notes = notes(&whole);
    for place in 0..whole.len() {
        let mut dropped = whole.clone();
        dropped.remove(place);
        assert_eq!(first_bad(&dropped, &notes), place as u64, "{place} dropped");
        let truncated = whole[..place].to_vec();
        assert_eq!(first_bad(&truncated, &notes), place as u64, "cut at {place}");
        let mut doubled = whole.clone();
        doubled.insert(place, whole[place].clone());
        assert_eq!(first_bad(&doubled, &notes), place as u64 + 1, "{place} doubled");
        if place > 0 {
            let mut swapped = whole.clone();
            swapped.swap(place - 1, place);
            assert_eq!(first_bad(&swapped, &notes), place as u64 - 1, "{place} swapped");
        }
    }
}

#[test]
fn a_tree_that_was_rebuilt_with_everything_in_step_is_found_by_its_checkpoints() {
    let whole = rows();
    let notes = notes(&whole);
    for place in 0..whole.len() {
        // The leaf is gone, and all behind it moved up with their own bytes and hashes.
        let mut rebuilt = whole.clone();
        rebuilt.remove(place);
        for (seq, row) in rebuilt.iter_mut().enumerate() {
            let mut read: Value = serde_json::from_str(row.content.as_ref().unwrap()).unwrap();
            read["seq"] = json!(seq);
            row.seq = seq as u64;
            row.set(canonical::spell(&read).unwrap(), true);
        }
        let named = first_bad(&rebuilt, &notes);
        assert!(named <= place as u64 || named == 29, "{named} for {place}");
        // Even if one was added at the end to make up for it.
        let mut last = rebuilt.last().unwrap().clone();
        let mut read: Value = serde_json::from_str(last.content.as_ref().unwrap()).unwrap();
        read["seq"] = json!(29);
        last.seq = 29;
        last.set(canonical::spell(&read).unwrap(), true);
        rebuilt.push(last);
        let since = if place < 10 { 0 } else { 10 };
        let named = first_bad(&rebuilt, &notes);
        assert!(
            named == since || whole[place].kind == "brought-back",
            "{named} for {place}"
        );
    }
    // And the forger's own checkpoints are signed by nobody who is asked for.
    let stranger = SecretKey::new("retentiond/key", &[4; 32]).unwrap();
    let own = Checkpoint::of(&origin(LEDGER), &tree(&whole)).text();
    for forged in [Note::sign(&own, &[&stranger]), Note::sign(&own, &[])] {
        audit(&whole, &[forged.to_string()], Subset::WHOLE).unwrap_err();
        audit(&whole, &[notes[0].clone(), forged.to_string()], Subset::WHOLE).unwrap_err();
    }
    let foreign = Checkpoint::of(&origin("another"), &tree(&whole)).text();
    let foreign = Note::sign(&foreign, &[&key()]).to_string();
    let said = audit(&whole, &[foreign], Subset::WHOLE).unwrap_err();
    assert!(said.problem.contains("another tree"), "{said}");
}

#[test]
fn the_parts_of_a_subset_look_into_every_leaf() {
    let whole = rows();
    let notes = notes(&whole);
    for place in 0..whole.len() {
        let mut rows = whole.clone();
        rows[place].content.as_mut().unwrap().push(' ');
        let found: Vec<bool> = (1..=4)
            .map(|part| audit(&rows, &notes, Subset { part, of: 4 }).is_err())
            .collect();
        // What speaks of others is looked into by every part.
        let speaks = matches!(
            whole[place].kind.as_str(),
            "brought-back" | "recovered" | "redaction"
        );
        let parts = if speaks { 4 } else { 1 };
        assert_eq!(found.iter().filter(|found| **found).count(), parts, "{place}");
    }
    let part = audit(&whole, &notes, Subset { part: 2, of: 4 }).unwrap();
    assert_eq!((part.leaves, part.looked_into, part.checkpoints), (30, 10, 2));
}

/// A leaf tells of a redaction.
fn telling_of(leaves: u64, last: Option<u64>) -> Vec<Row> {
    let mut rows = rows();
    let end = rows.iter_mut().find(|row| row.kind == "redaction").unwrap();
    let fact = Fact::Redaction {
        before: 5,
        leaves,
        last,
        files: 3,
        records: 1,
    };
    let at = Timestamp::from_millis(end.at).unwrap();
    end.set(Leaf::new(end.seq, at, fact).content(), true);
    rows
}

#[test]
fn a_redacted_leaf_keeps_its_place_in_the_tree() {
    let mut rows = telling_of(1, Some(6));
    let notes = notes(&rows);
    rows[6].content = None;
    let found = audit(&rows, &notes, Subset::WHOLE).unwrap();
    assert_eq!((found.leaves, found.redacted, found.looked_into), (30, 1, 29));
    rows[6].hash.0[0] ^= 1;
    audit(&rows, &notes, Subset::WHOLE).unwrap_err();
}

#[test]
fn bytes_that_no_redaction_tells_of_were_taken_away() {
    let gone = |told: (u64, Option<u64>), places: &[usize]| {
        let mut rows = telling_of(told.0, told.1);
        let notes = notes(&rows);
        for place in places {
            rows[*place].content = None;
        }
        audit(&rows, &notes, Subset::WHOLE).map_err(|damage| damage.leaf)
    };
    assert!(gone((2, Some(6)), &[5, 6]).is_ok());
    assert_eq!(gone((0, None), &[6]), Err(Some(6)));
    assert_eq!(gone((1, Some(5)), &[6]), Err(Some(6)), "beyond what went");
    assert_eq!(gone((1, Some(6)), &[5, 6]), Err(None), "one more");
    assert_eq!(gone((2, Some(6)), &[6]), Err(None), "one less");
    // What names the tree, and what says that something went, stays.
    for lasting in [0, 25, 26, 27, 28, 29] {
        assert_eq!(gone((1, Some(26)), &[lasting]), Err(Some(lasting as u64)));
    }
}

#[test]
fn what_stands_beside_a_leaf_in_clear_has_to_be_what_it_committed_to() {
    let salt = [5; 32];
    let seal = Seal::new(&salt);
    let fact = Fact::BreakerOpened {
        breaker: "api".to_owned(),
        reason: seal.text("reason", "x"),
    };
    let content = Leaf::new(0, Timestamp::from_millis(0).unwrap(), fact).content();
    let texts = |text: &str| [("reason".to_owned(), text.to_owned())].into();
    let none = Default::default();
    assert_eq!(opens(&content, &salt, &texts("x"), &none), Ok(()));
    assert_eq!(
        opens(&content, &salt, &texts("y"), &none),
        Err("reason".to_owned())
    );
    assert_eq!(
        opens(&content, &[6; 32], &texts("x"), &none),
        Err("reason".to_owned())
    );
    let files = [("gone".to_owned(), vec!["a".to_owned()])].into();
    assert_eq!(
        opens(&content, &salt, &Default::default(), &files),
        Err("gone".to_owned())
    );
}

fn receipt(rows: &[Row]) -> Receipt {
    let seal = Seal::new(&[5; 32]);
    let hashes: Vec<Hash> = rows.iter().map(|row| row.hash).collect();
    let shown = |place: usize, field: &str| Shown {
        leaf: rows[place].content.clone().unwrap(),
        path: proof::inclusion(&hashes, place).unwrap(),
        field: field.to_owned(),
        file: seal
            .prove(field, &mut vec!["a".to_owned(), "b".to_owned()], "b")
            .unwrap(),
    };
    Receipt {
        format: FORMAT.to_owned(),
        checkpoint: note(rows, rows.len()),
        leaves: vec![shown(1, "files"), shown(2, "deleted"), shown(5, "absent")],
    }
}

#[test]
fn a_proof_holds_by_itself_and_shows_no_other_file() {
    let receipt = receipt(&rows());
    let proven = receipt.verify(Some(&key().verifier())).unwrap();
    assert_eq!(
        (proven.file.as_str(), proven.size, proven.signed),
        ("b", 30, true)
    );
    let told: Vec<_> = proven
        .facts
        .iter()
        .map(|fact| (fact.seq, fact.field.as_str()))
        .collect();
    assert_eq!(told, [(1, "files"), (2, "deleted"), (5, "absent")]);
    assert!(!serde_json::to_string(&receipt).unwrap().contains("\"a\""));
    assert!(!receipt.verify(None).unwrap().signed);
    let stranger = SecretKey::new("retentiond/key", &[4; 32]).unwrap();
    receipt.verify(Some(&stranger.verifier())).unwrap_err();
}

#[test]
fn a_proof_with_one_bit_changed_does_not_hold() {
    let text = serde_json::to_string(&receipt(&rows())).unwrap();
    let key = key().verifier();
    let mut tried = 0;
    for at in (0..text.len()).step_by(3) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let holds =
            serde_json::from_slice::<Receipt>(&bytes).is_ok_and(|receipt| receipt.verify(Some(&key)).is_ok());
        assert!(!holds, "byte {at}: {}", String::from_utf8_lossy(&bytes));
        tried += 1;
    }
    assert!(tried > 1000, "{tried}");
}

/// A line of 20 leaves, checkpoints over it, and the tree that went on from the first 10 of them.
fn forked() -> (Vec<Row>, Vec<String>, Vec<Row>) {
    let mut line = rows();
    line.truncate(20);
    let notes = [5, 12, 15, 18].map(|size| note(&line, size)).to_vec();
    let mut rows = line[..10].to_vec();
    rows.push(row(10, Fact::Resume {}));
    let lost: Vec<Hash> = line[10..15].iter().map(|row| row.hash).collect();
    brought_back(&mut rows, 10, &lost, 18);
    (rows, notes, line)
}

#[test]
fn checkpoints_of_a_line_that_was_brought_back_agree_with_what_was() {
    let (rows, notes, _) = forked();
    let found = audit(&rows, &notes, Subset::WHOLE).unwrap();
    assert_eq!((found.leaves, found.checkpoints, found.signed), (18, 1, 5));
    let [fork] = &found.forks[..] else {
        panic!("{found:?}")
    };
    assert_eq!((fork.fork.leaf, fork.fork.common), (17, 10));
    assert_eq!((fork.checkpoints, fork.beyond), (3, 1), "over 12, 15, and 18");
}

#[test]
fn a_fork_hides_no_other_checkpoint() {
    let (rows, notes, line) = forked();
    let mut another = line.clone();
    another[12].hash.0[0] ^= 1;
    for (size, why) in [(13, "not of the line"), (15, "not of the line")] {
        let notes = [notes.clone(), vec![note(&another, size)]].concat();
        let said = audit(&rows, &notes, Subset::WHOLE).unwrap_err();
        assert!(said.problem.contains(why), "{size}: {said}");
    }
    let mut before = line.clone();
    before[3].hash.0[0] ^= 1;
    let said = audit(
        &rows,
        &[notes.clone(), vec![note(&before, 9)]].concat(),
        Subset::WHOLE,
    )
    .unwrap_err();
    assert!(
        said.problem.contains("another root"),
        "in what both have in common: {said}"
    );
    let said = audit(
        &rows,
        &[notes.clone(), vec![note(&line, 20)]].concat(),
        Subset::WHOLE,
    )
    .unwrap_err();
    assert!(
        said.problem.contains("missing at the end"),
        "beyond the last: {said}"
    );

    let by = |rows: &[Row], forks: Vec<Fork>| {
        let all = notes.iter().map(String::as_str);
        let mut audit = Audit::new(all, Some(&key().verifier()), Subset::WHOLE)
            .unwrap()
            .knowing(forks);
        rows.iter().try_for_each(|row| audit.leaf(&row.given()))?;
        audit.finish(None)
    };
    by(&rows, Vec::new()).unwrap_err();
    by(&rows[..17], forks(&rows)).unwrap_err();
    let mut wider = forks(&rows);
    wider[0].common = 4;
    by(&rows, wider).unwrap_err();
    // Brought back is only what the line held.
    let (mut changed, _, _) = forked();
    changed.truncate(11);
    let mut lost: Vec<Hash> = line[10..15].iter().map(|row| row.hash).collect();
    lost[2].0[0] ^= 1;
    brought_back(&mut changed, 10, &lost, 18);
    let said = audit(&changed, &notes, Subset::WHOLE).unwrap_err();
    assert!(said.problem.contains("not of the line"), "{said}");
}
