//! The deletion concept: what is stated, what is missing, and where practice differed.

use retentiond::ledger::ReportPeriod;
use retentiond::model::Timestamp;
use retentiond::report::{Concept, Stated, concept, concept_html, concept_markdown};

use crate::golden::{compare, settled};
use crate::planted::*;
use crate::story::told;

pub(crate) async fn of(world: &Planted) -> Concept {
    let period = ReportPeriod {
        from: Timestamp::from_millis(0).unwrap(),
        to: at(NOW),
        now: at(NOW),
    };
    let report = world.report_over(period, false).await;
    let states = world
        .checked
        .statements
        .iter()
        .map(|(name, statement)| {
            let stated = Stated {
                title: statement.title.clone(),
                purpose: statement.purpose.clone(),
                basis: statement.basis.clone(),
                data_subjects: statement.data_subjects.clone(),
                owner: statement.owner.clone(),
            };
            (name.clone(), stated)
        })
        .collect();
    concept(&world.checked.rules, &states, &report)
}

fn entry<'c>(concept: &'c Concept, policy: usize, name: &str) -> &'c [String] {
    let found = concept.policies[policy]
        .entries
        .iter()
        .find(|entry| entry.name == name);
    &found.unwrap_or_else(|| panic!("no entry {name}")).says
}

#[tokio::test]
async fn the_renderings_of_a_known_concept_are_as_they_were_golden() {
    let world = told().await;
    let cover = world.report(false).await.cover;
    let concept = of(&world).await;
    compare(
        "tests/report/golden/concept.html",
        &settled(&concept_html(&concept), &cover),
    );
    compare(
        "tests/report/golden/concept.md",
        &settled(&concept_markdown(&concept), &cover),
    );
}

#[tokio::test]
async fn what_nobody_stated_is_shown_as_missing_and_never_invented() {
    let concept = of(&told().await).await;
    assert_eq!(entry(&concept, 0, "Data type"), ["Job applications"]);
    assert_eq!(entry(&concept, 0, "Legal basis"), ["§ 26 BDSG"]);
    for name in [
        "Data type",
        "Data subjects",
        "Purpose",
        "Legal basis",
        "Owner of the rule",
    ] {
        assert_eq!(entry(&concept, 1, name), [""; 0], "{name} of invoices");
    }
    let page = concept_html(&concept);
    assert_eq!(
        page.matches(">not stated<").count(),
        10,
        "five entries of two policies"
    );
    let text = concept_markdown(&concept);
    assert_eq!(text.matches("*not stated*").count(), 10);
    assert!(text.contains("### drafts \\<b\\>\\&"), "a name is no markup");
    assert!(page.contains("drafts &lt;b&gt;&amp;"));
}

#[tokio::test]
async fn practice_tells_where_it_differed_from_the_rule() {
    let told = of(&told().await).await;
    let practice = entry(&told, 0, "Practice").join("\n");
    for difference in [
        "cause: a hold covered it",
        "deleted before they were due: 1 file",
        "found still there after their deletion: 2 files",
        "gone before they were due: 1 file; somebody else deleted it",
        "past the deadline and still there",
    ] {
        assert!(practice.contains(difference), "{difference}: {practice}");
    }
    let empty = of(&Planted::new().await).await;
    let practice = entry(&empty, 0, "Practice").join("\n");
    assert!(
        practice.contains("no difference from the rule is on record"),
        "{practice}"
    );
    let exceptions = entry(&told, 0, "Exceptions").join("\n");
    assert!(exceptions.contains("minimum period “tax originals”, where it fits: 8 years"));
    assert!(exceptions.contains("holds: 2 are in force"));
    assert_eq!(
        entry(&told, 1, "Start of the period"),
        [
            "the end of processing at Extracta.ai, counted from the end of its year; where that is not known, 1 month after the upload"
        ]
    );
}
