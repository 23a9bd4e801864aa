use super::*;
use crate::model::SweepState;
use crate::snapshot::{Check, fixture};

fn drawn(change: impl FnOnce(&mut Snapshot)) -> String {
    let mut snapshot = fixture::snapshot();
    change(&mut snapshot);
    draw(&snapshot).into_string()
}

#[test]
fn the_verdict_comes_first_with_the_command_that_resolves_it() {
    let page = drawn(|_| ());
    let main = page.find("<main>").unwrap();
    let rest = &page[main + "<main>".len()..];
    assert!(
        rest.starts_with("<section id=\"verdict\" class=\"verdict bad\""),
        "{}",
        &rest[..200]
    );
    assert!(page.contains("<strong>STOPPED</strong>"));
    assert!(page.contains("<code>retentiond breaker reset api</code>"));
    assert!(page.contains("<title>STOPPED – retentiond</title>"));
}

#[test]
fn every_verdict_has_its_sign() {
    for (verdict, sign) in [
        (Verdict::Stopped, "bad"),
        (Verdict::Overdue, "bad"),
        (Verdict::Paused, "warn"),
        (Verdict::Waiting, "warn"),
        (Verdict::Unsettled, "warn"),
        (Verdict::Idle, "warn"),
        (Verdict::Ok, "good"),
    ] {
        let page = drawn(|s| s.verdict = verdict);
        assert!(page.contains(&format!("verdict {sign}")), "{verdict:?}");
        assert!(page.contains(&format!("<strong>{}</strong>", verdict.word())));
    }
}

#[test]
fn what_stands_in_the_policy_file_cannot_become_markup() {
    let page = drawn(|_| ());
    assert!(page.contains("a &quot;quoted&quot; &lt;name&gt;"));
    assert!(!page.contains("<name>") && !page.contains("<503>"));
    for forbidden in ["<script", " style=", "http://", "https://", " on"] {
        let found = page.match_indices(forbidden).next();
        // " on" as the beginning of an attribute such as onclick=.
        let attribute = found.filter(|(at, _)| forbidden != " on" || page[*at..].contains(" onclick="));
        assert!(attribute.is_none(), "{forbidden}");
    }
}

#[test]
fn the_next_run_says_what_it_would_do_as_things_stand() {
    let page = drawn(|_| ());
    assert!(page.contains("would delete nothing as things stand (breakers: open: api)"));
    let passing = |s: &mut Snapshot| {
        s.checks = vec![Check {
            name: "breakers",
            ok: true,
            says: "none is open".to_owned(),
        }];
    };
    assert!(drawn(passing).contains("would delete 15 files, within the limits"));
    let observed = drawn(|s| {
        passing(s);
        s.policies[0].mode = "observe";
    });
    assert!(observed.contains("would only report 15 files: it observes"));
    assert!(
        drawn(|s| s.policies.iter_mut().for_each(|p| p.next_run = None))
            .contains("<p class=\"big\">none</p>")
    );
}

#[test]
fn thirty_sweeps_are_thirty_rows_and_the_chart_is_a_table_too() {
    let page = drawn(|s| {
        s.sweeps = (0..30)
            .map(|n| fixture::sweep(n, "p", SweepState::Done, 4321))
            .collect();
    });
    assert_eq!(
        page.matches("<td class=\"n\">4,321</td>").count(),
        90,
        "due, deleted, verified"
    );
    let bars = page.matches("<rect ").count();
    let days = fixture::snapshot().falling_due;
    assert_eq!(bars, days.iter().filter(|day| day.files > 0).count());
    for day in days {
        assert!(page.contains(&format!(
            "<th scope=\"row\">{}</th><td class=\"n\">{}</td>",
            day.date, day.files
        )));
    }
}

#[test]
fn an_empty_house_has_a_page_too() {
    let page = drawn(|s| {
        s.policies.clear();
        s.sweeps.clear();
        s.falling_due.iter_mut().for_each(|day| day.files = 0);
        s.files.clear();
    });
    assert!(page.contains("No sweep yet.") && page.contains("Nothing falls due."));
}

#[test]
fn the_content_policy_lets_in_this_style_alone() {
    let policy = style::content_policy();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert!(!style::STYLE.contains("</") && !style::STYLE.contains("url("));
}

#[test]
fn processes_have_a_table_where_there_may_be_several() {
    assert!(
        !drawn(|_| ()).contains("id=\"peers\""),
        "beside a file there is one"
    );
    let page = drawn(|s| s.peers = fixture::peers());
    for said in [
        "41 on left",
        "applications 2 parts",
        "renewed 95 s ago",
        "by other rules",
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert!(!page.contains("44 on ended"));
}
