//! `report` as a user types it.

use super::binary::Desk;

const ROW: &str = r#"{"classification_id":"-OKI_FueqSWiExyfS310","batch_id":"b","file_id":"-OKI_FueqSWiExyfS311","uploaded_at":"2026-01-02T10:00:00Z"}"#;

#[test]
fn a_report_is_written_in_each_format_and_never_over_a_file() {
    let desk = Desk::new();
    assert!(desk.record(ROW).status.success());
    let out = desk.path("report.html");
    let out = out.to_str().unwrap();
    let period = ["report", "--from", "2026-01-01", "--to", "2026-04-01"];
    let with = |more: &[&str]| {
        let all: Vec<&str> = period.iter().chain(more).copied().collect();
        desk.run(&all)
    };
    let page = String::from_utf8(with(&[]).stdout).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("1 Jan 2026 to 31 Mar 2026"));
    let csv = String::from_utf8(with(&["--as", "csv"]).stdout).unwrap();
    assert!(
        csv.starts_with("section,item,field,value\r\n")
            && csv.contains("cover,,from,2025-12-31T23:00:00Z\r\n")
    );
    assert!(with(&["--out", out]).status.success());
    assert!(
        std::fs::read_to_string(out)
            .unwrap()
            .starts_with("<!DOCTYPE html>")
    );
    let again = with(&["--out", out, "--as", "csv"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        std::fs::read_to_string(out)
            .unwrap()
            .starts_with("<!DOCTYPE html>")
    );
    let json = desk.json(&period);
    assert_eq!(json["policies"][0]["policy"], "letters");
    assert_eq!(json["total"]["due"], 1, "uploaded on 2 January, due in February");
    assert_eq!(json["exceptions"][0]["kind"], "not-deleted");
    assert_eq!(json["exceptions"][0]["file_ids"], serde_json::json!([]));
    let with_ids = desk.json(&[&period[..], &["--with-ids"]].concat());
    assert_eq!(
        with_ids["exceptions"][0]["file_ids"][0]["file_id"],
        "-OKI_FueqSWiExyfS311"
    );
}

#[test]
fn a_concept_is_written_as_a_page_or_as_markdown() {
    let desk = Desk::new();
    assert!(desk.record(ROW).status.success());
    let page = String::from_utf8(desk.run(&["concept"]).stdout).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("not stated"));
    let out = desk.path("concept.md");
    let written = desk.run(&["concept", "--as", "markdown", "--out", out.to_str().unwrap()]);
    assert!(written.status.success());
    let text = std::fs::read_to_string(out).unwrap();
    assert!(text.starts_with("# Deletion concept\n") && text.contains("### letters\n"));
    assert!(text.contains("- **Period:** 30 days\n") && text.contains("- **Legal basis:** *not stated*\n"));
    assert_eq!(desk.json(&["concept"])["policies"][0]["name"], "letters");
}

#[test]
fn a_period_that_cannot_be_is_refused_with_what_to_type() {
    let desk = Desk::new();
    assert!(desk.record(ROW).status.success());
    for (args, says) in [
        (
            vec!["--from", "2026-04-01", "--to", "2026-04-01"],
            "--to is not after --from",
        ),
        (
            vec!["--from", "2098-04-01", "--to", "2099-04-01"],
            "in the future",
        ),
        (
            vec!["--from", "yesterday", "--to", "2026-04-01"],
            "or write a day, such as 2026-07-01",
        ),
        (
            vec![
                "--from",
                "2026-01-01",
                "--to",
                "2026-04-01",
                "--as",
                "html",
                "--json",
            ],
            "leave one out",
        ),
        (vec!["--from", "2026-01-01"], "--to <TIME>"),
    ] {
        let all: Vec<&str> = std::iter::once("report").chain(args).collect();
        let output = desk.run(&all);
        assert_eq!(output.status.code(), Some(2), "{all:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(says), "{all:?}: {said}");
        assert!(output.stdout.is_empty());
    }
}
