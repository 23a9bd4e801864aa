use crate::evidence::canonical::{canonical, spell};
use crate::evidence::leaf::States;
use crate::evidence::seal::{FileTexts, commitment};
use crate::evidence::{Fact, Hash, Leaf, Seal};
use crate::model::{BatchAddress, BatchId, ExtractionId, FileId, Parent, Timestamp};

fn texts(names: &[&str]) -> Vec<String> {
    let batch = BatchAddress {
        parent: Parent::Extraction(ExtractionId::new("e\"1").unwrap()),
        batch: BatchId::new("b1").unwrap(),
        account: None,
    };
    let spelled = FileTexts::of(&batch);
    names
        .iter()
        .map(|name| spelled.text(&FileId::new(*name).unwrap()))
        .collect()
}

#[test]
fn a_leaf_has_one_spelling() {
    let seal = Seal::new(&[9; 32]);
    let fact = Fact::Outcome {
        attempt: 7,
        outcome: "confirmed".to_owned(),
        http_status: Some(200),
        to: States {
            deleted: Some(seal.files("deleted", &mut texts(&["f2", "f1"]))),
            ..States::default()
        },
    };
    let leaf = Leaf::new(3, Timestamp::from_millis(1_795_392_000_000).unwrap(), fact);
    let content = leaf.content();
    let Fact::Outcome { to, .. } = &leaf.fact else {
        panic!()
    };
    let expected = format!(
        r#"{{"at":1795392000000,"fact":{{"attempt":7,"deleted":{{"files":2,"root":"{}"}},"http_status":200,"outcome":"confirmed"}},"kind":"outcome","seq":3,"v":1}}"#,
        to.deleted.unwrap().root
    );
    assert_eq!(content, expected);
    let read: serde_json::Value = serde_json::from_str(&content).unwrap();
    assert_eq!(
        spell(&read).unwrap(),
        content,
        "reading and writing changes nothing"
    );
    assert_eq!(read["kind"], leaf.fact.kind());
}

#[test]
fn escapes_are_those_of_rfc_8785() {
    // The example of its section 3.2.2.2.
    let text = "\u{20ac}$\u{f}\nA'B\"\\\\\"/";
    let expected = "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"";
    assert_eq!(canonical(&text), expected);
    assert_eq!(
        spell(&serde_json::json!({"b": 1, "a": [true, null], "B": -5})).unwrap(),
        r#"{"B":-5,"a":[true,null],"b":1}"#
    );
    for foreign in [
        serde_json::json!(1.5),
        serde_json::json!(1_u64 << 53),
        serde_json::json!({"ü": 1}),
    ] {
        assert_eq!(spell(&foreign), None, "{foreign}");
    }
}

#[test]
fn one_file_of_a_set_is_shown_without_the_others() {
    let seal = Seal::new(&[1; 32]);
    for size in [1, 2, 3, 100] {
        let names: Vec<String> = (0..size).map(|n| format!("f{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let set = seal.files("deleted", &mut texts(&names));
        assert_eq!(set.files, size);
        for text in texts(&names) {
            let proof = seal.prove("deleted", &mut texts(&names), &text).unwrap();
            proof.verify(&set).unwrap();
            let shown = serde_json::to_string(&proof).unwrap();
            let others = texts(&names).into_iter().filter(|other| *other != text);
            for other in others {
                assert!(!shown.contains(&other));
                let candidate = commitment(&proof.salt, other.as_bytes());
                let leaf = Hash::of_leaf(&candidate.0);
                assert!(!proof.path.contains(&leaf), "its salt opens no other");
            }
            let mut wrong = proof.clone();
            wrong.file.push(' ');
            assert!(wrong.verify(&set).is_err());
            assert!(
                seal.prove("gone", &mut texts(&names), &text)
                    .unwrap()
                    .verify(&set)
                    .is_err()
            );
        }
        assert_eq!(seal.prove("deleted", &mut texts(&names), "[]"), None);
    }
}

#[test]
fn the_same_file_under_two_salts_or_two_fields_shows_no_likeness() {
    let (one, two) = (Seal::new(&[1; 32]), Seal::new(&[2; 32]));
    let set = |seal: &Seal, name| seal.files(name, &mut texts(&["f1"])).root;
    assert_ne!(set(&one, "deleted"), set(&two, "deleted"));
    assert_ne!(set(&one, "deleted"), set(&one, "gone"));
    assert_ne!(one.text("reason", "x"), one.text("owner", "x"));
    assert_ne!(one.text("reason", "x"), two.text("reason", "x"));
    assert_eq!(one.text("reason", "x"), Seal::new(&[1; 32]).text("reason", "x"));
}
