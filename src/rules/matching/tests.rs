use super::*;
use crate::rules::fixtures::{Classified, copy_of, extracted, file};

fn set(items: &[&str]) -> Option<BTreeSet<String>> {
    Some(items.iter().map(|item| (*item).to_owned()).collect())
}

fn globs(items: &[&str]) -> Option<Vec<BatchGlob>> {
    Some(items.iter().map(|item| BatchGlob::new(item).unwrap()).collect())
}

fn labels(pairs: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    pairs
        .iter()
        .map(|(key, values)| ((*key).to_owned(), set(values).unwrap()))
        .collect()
}

fn all_of(criteria: Criteria) -> Matcher {
    Matcher::Where {
        all_of: criteria,
        except: None,
    }
}

fn but(criteria: Criteria, except: Criteria) -> Matcher {
    Matcher::Where {
        all_of: criteria,
        except: Some(except),
    }
}

fn classification(ids: &[&str]) -> Criteria {
    Criteria {
        classification: set(ids),
        ..Criteria::default()
    }
}

fn extraction(ids: &[&str]) -> Criteria {
    Criteria {
        extraction: set(ids),
        ..Criteria::default()
    }
}

fn batch(patterns: &[&str]) -> Criteria {
    Criteria {
        batch: globs(patterns),
        ..Criteria::default()
    }
}

fn typed(types: &[&str]) -> Criteria {
    Criteria {
        document_type: set(types),
        ..Criteria::default()
    }
}

fn labelled(pairs: &[(&str, &[&str])]) -> Criteria {
    Criteria {
        labels: labels(pairs),
        ..Criteria::default()
    }
}

#[test]
fn keys_are_anded_items_are_ored_and_except_wins() {
    let resume = file(Classified {
        classification: "c1",
        batch: "b1",
        document_type: Some("resume"),
        labels: &[("tenant", "acme"), ("department", "hr")],
        ..Classified::default()
    });
    let yes = |matcher: Matcher| assert!(matcher.matches(&resume), "{matcher:?}");
    let no = |matcher: Matcher| assert!(!matcher.matches(&resume), "{matcher:?}");
    yes(Matcher::Everything);
    yes(all_of(classification(&["c0", "c1"])));
    no(all_of(classification(&["C1"])));
    yes(all_of(typed(&["invoice", "resume"])));
    no(all_of(typed(&["Resume"])));
    yes(all_of(labelled(&[("tenant", &["acme", "other"])])));
    yes(all_of(labelled(&[
        ("tenant", &["acme"]),
        ("department", &["hr"]),
    ])));
    no(all_of(labelled(&[
        ("tenant", &["acme"]),
        ("department", &["it"]),
    ])));
    no(all_of(labelled(&[("project", &["x"])])));
    no(all_of(Criteria {
        document_type: set(&["invoice"]),
        ..classification(&["c1"])
    }));
    no(but(classification(&["c1"]), typed(&["resume"])));
    yes(but(classification(&["c1"]), typed(&["invoice"])));
    yes(but(
        classification(&["c1"]),
        Criteria {
            document_type: set(&["resume"]),
            ..labelled(&[("tenant", &["other"])])
        },
    ));
}

#[test]
fn a_file_without_a_type_matches_no_type() {
    let untyped = file(Classified::default());
    assert!(!all_of(typed(&["resume"])).matches(&untyped));
    assert!(but(batch(&["*"]), typed(&["resume"])).matches(&untyped));
}

#[test]
fn batch_globs_are_case_sensitive_and_take_the_whole_id() {
    let upper = file(Classified {
        batch: "ABC123xyz0",
        ..Classified::default()
    });
    for (glob, expected) in [
        ("ABC*", true),
        ("abc*", false),
        ("ABC", false),
        ("*xyz0", true),
        ("ABC???xyz0", true),
        ("[A-C]*", true),
        ("[a-c]*", false),
        ("{ABC,DEF}*", true),
    ] {
        assert_eq!(all_of(batch(&[glob])).matches(&upper), expected, "{glob}");
    }
    assert!(BatchGlob::new("[a").is_err());
    assert!(BatchGlob::new("").is_err());
}

#[test]
fn a_linked_copy_is_matched_by_its_original() {
    let original = file(Classified {
        classification: "c1",
        batch: "b1",
        ..Classified::default()
    });
    let copy = copy_of(&original, "e1", "eb1", "f2");
    let other = extracted("e1", "eb1", "f3");
    for (matcher, of_copy, of_other) in [
        (all_of(classification(&["c1"])), true, false),
        (all_of(extraction(&["e1"])), false, true),
        (all_of(batch(&["b1"])), true, false),
        (all_of(batch(&["eb1"])), false, true),
        (but(batch(&["*"]), classification(&["c1"])), false, true),
    ] {
        assert_eq!(matcher.matches(&copy), of_copy, "{matcher:?}");
        assert_eq!(matcher.matches(&other), of_other, "{matcher:?}");
        assert_eq!(
            matcher.matches(&original),
            of_copy,
            "copy and original alike: {matcher:?}"
        );
    }
}

#[test]
fn covering_is_claimed_only_where_it_is_proved() {
    let both = Criteria {
        document_type: set(&["resume"]),
        ..classification(&["c1"])
    };
    for (wide, narrow, expected) in [
        (Matcher::Everything, all_of(classification(&["c1"])), true),
        (all_of(classification(&["c1"])), Matcher::Everything, false),
        (
            all_of(classification(&["c1", "c2"])),
            all_of(classification(&["c1"])),
            true,
        ),
        (
            all_of(classification(&["c1"])),
            all_of(classification(&["c1", "c2"])),
            false,
        ),
        (all_of(classification(&["c1"])), all_of(both.clone()), true),
        (all_of(both.clone()), all_of(classification(&["c1"])), false),
        (
            all_of(classification(&["c1"])),
            all_of(extraction(&["c1"])),
            false,
        ),
        (all_of(batch(&["AB*"])), all_of(batch(&["ABC*", "ABD1"])), true),
        (all_of(batch(&["AB*"])), all_of(batch(&["AC*"])), false),
        (all_of(batch(&["*"])), all_of(classification(&["c1"])), true),
        (all_of(batch(&["a?"])), all_of(batch(&["ab"])), true),
        (
            all_of(labelled(&[("t", &["a", "b"])])),
            all_of(labelled(&[("t", &["a"]), ("u", &["x"])])),
            true,
        ),
        (
            all_of(labelled(&[("t", &["a"])])),
            all_of(labelled(&[("u", &["a"])])),
            false,
        ),
        (
            but(classification(&["c1"]), typed(&["resume"])),
            all_of(classification(&["c1"])),
            false,
        ),
        (
            but(classification(&["c1"]), typed(&["resume"])),
            all_of(Criteria {
                document_type: set(&["invoice"]),
                ..classification(&["c1"])
            }),
            true,
        ),
        (
            but(classification(&["c1"]), typed(&["resume"])),
            but(classification(&["c1"]), typed(&["resume", "invoice"])),
            true,
        ),
        (
            all_of(classification(&["c1"])),
            but(classification(&["c1"]), typed(&["resume"])),
            true,
        ),
    ] {
        assert_eq!(wide.covers(&narrow), expected, "{wide:?} over {narrow:?}");
    }
}

#[test]
fn overlap_is_denied_only_where_it_is_disproved() {
    for (a, b, expected) in [
        (Matcher::Everything, all_of(classification(&["c1"])), true),
        (
            all_of(classification(&["c1"])),
            all_of(classification(&["c2"])),
            false,
        ),
        (
            all_of(classification(&["c1"])),
            all_of(extraction(&["c1"])),
            false,
        ),
        (all_of(classification(&["c1"])), all_of(typed(&["resume"])), true),
        (all_of(typed(&["invoice"])), all_of(typed(&["resume"])), false),
        (
            all_of(labelled(&[("t", &["a"])])),
            all_of(labelled(&[("t", &["b"])])),
            false,
        ),
        (
            all_of(labelled(&[("t", &["a"])])),
            all_of(labelled(&[("u", &["b"])])),
            true,
        ),
        (all_of(batch(&["AB*"])), all_of(batch(&["ACD"])), false),
        (all_of(batch(&["AB*"])), all_of(batch(&["*Z"])), true),
        (
            but(batch(&["*"]), classification(&["c1"])),
            all_of(classification(&["c1"])),
            false,
        ),
    ] {
        assert_eq!(a.may_overlap(&b), expected, "{a:?} with {b:?}");
        assert_eq!(b.may_overlap(&a), expected, "{b:?} with {a:?}");
    }
}

#[test]
fn a_match_that_nothing_can_satisfy_is_known() {
    let two_modules = Criteria {
        extraction: set(&["e1"]),
        ..classification(&["c1"])
    };
    assert!(all_of(two_modules).is_impossible());
    assert!(but(typed(&["a"]), typed(&["a", "b"])).is_impossible());
    assert!(!but(typed(&["a", "b"]), typed(&["a"])).is_impossible());
    assert!(!Matcher::Everything.is_impossible());
}

mod proofs {
    use proptest::prelude::*;

    use super::*;

    fn some_of(items: &'static [&'static str]) -> impl Strategy<Value = Option<BTreeSet<String>>> {
        proptest::option::of(
            proptest::sample::subsequence(items, 1..=items.len()).prop_map(|s| set(&s).unwrap()),
        )
    }

    fn any_criteria() -> impl Strategy<Value = Criteria> {
        let globs = proptest::option::of(
            proptest::sample::subsequence(&["*", "b1", "b?", "x*", "b*"][..], 1..=2)
                .prop_map(|s| globs(&s).unwrap()),
        );
        (
            some_of(&["c1", "c2"]),
            proptest::option::weighted(0.1, Just(set(&["e1"]).unwrap())),
            globs,
            some_of(&["t1", "t2"]),
            some_of(&["v1", "v2"]),
        )
            .prop_map(
                |(classification, extraction, batch, document_type, value)| Criteria {
                    classification,
                    extraction,
                    batch,
                    document_type,
                    labels: value.map(|v| ("k".to_owned(), v)).into_iter().collect(),
                },
            )
    }

    fn any_matcher() -> impl Strategy<Value = Matcher> {
        (any_criteria(), proptest::option::of(any_criteria()))
            .prop_map(|(all_of, except)| Matcher::Where { all_of, except })
    }

    /// Every file that these criteria can tell apart.
    fn world() -> Vec<FileRecord> {
        let mut files = vec![extracted("e1", "b1", "f"), extracted("e2", "x1", "f")];
        for classification in ["c1", "c2", "c3"] {
            for batch in ["b1", "b2", "x1", "zz"] {
                for document_type in [None, Some("t1"), Some("t2")] {
                    for value in [&[][..], &[("k", "v1")], &[("k", "v2")], &[("k", "v3")]] {
                        files.push(file(Classified {
                            classification,
                            batch,
                            document_type,
                            labels: value,
                            ..Classified::default()
                        }));
                    }
                }
            }
        }
        files
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn no_file_contradicts_a_proof(a in any_matcher(), b in any_matcher()) {
            for file in world() {
                let (in_a, in_b) = (a.matches(&file), b.matches(&file));
                prop_assert!(!a.covers(&b) || in_a || !in_b, "covers: {file:?}");
                prop_assert!(a.may_overlap(&b) || !(in_a && in_b), "overlap: {file:?}");
                prop_assert!(!a.is_impossible() || !in_a, "impossible: {file:?}");
            }
        }

        /// It hangs on the type where one type gives another answer than another, and only there.
        #[test]
        fn the_answer_hangs_on_the_type_exactly_where_types_differ(matcher in any_matcher()) {
            for file in world() {
                let of_type = |kind: &str| {
                    let typed = FileRecord { document_type: Some(kind.into()), ..file.clone() };
                    matcher.matches(&typed)
                };
                let answers = ["t1", "t2", "named by no rule"].map(of_type);
                let differ = answers != [true; 3] && answers != [false; 3];
                prop_assert_eq!(matcher.hangs_on_type(&file), differ && file.document_type.is_none(), "{:?}", file);
            }
        }
    }
}
