//! What no rendering may hold, and what each has to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::story::told;

fn renderings(report: &retentiond::report::Report) -> [(&'static str, String); 3] {
    [
        ("html", retentiond::report::html(report)),
        ("csv", retentiond::report::csv(report)),
        ("json", serde_json::to_string(report).unwrap()),
    ]
}

#[tokio::test]
async fn without_ids_no_id_and_no_word_that_anybody_typed_is_in_any_rendering() {
    let world = told().await;
    let typed = [
        "Muster",
        "litigation",
        "AZ 7",
        "DSR",
        "never in a report",
        "unknown person",
        "feedface",
        "acme\"",
        "=acme",
    ];
    let ids = [
        "late-hold",
        "past-deadline",
        "vanished",
        "by-others",
        "-OKI_parent",
        "held-by-batch",
    ];
    for (name, text) in renderings(&world.report(false).await) {
        for word in typed.iter().chain(&ids) {
            assert!(!text.contains(word), "{word} in {name}");
        }
    }
    for (name, text) in renderings(&world.report(true).await) {
        for id in ids {
            assert!(text.contains(id), "{id} in {name}");
        }
        for word in ["litigation Muster", "AZ 7 C 12/26", "DSR-2 Muster"] {
            assert!(text.contains(word), "{word} in {name}");
        }
        for never in ["feedface", "never in a report", "unknown person", "Frau Muster"] {
            assert!(!text.contains(never), "{never} in {name}");
        }
    }
}

#[tokio::test]
async fn the_page_needs_nothing_and_lets_nothing_in() {
    let page = retentiond::report::html(&told().await.report(true).await);
    for banned in [
        "<script",
        "<iframe",
        "<img",
        "<form",
        " style=",
        " on",
        "javascript:",
        "@import",
        "url(",
    ] {
        // Words of the text may begin with "on"; attributes do not.
        let found = match banned {
            " on" => ["onclick", "onload", "onerror"]
                .iter()
                .any(|one| page.contains(one)),
            banned => page.contains(banned),
        };
        assert!(!found, "{banned}");
    }
    for (attribute, allowed) in [("href=\"", "data:,"), ("src=\"", "")] {
        for rest in page.split(attribute).skip(1) {
            assert!(
                rest.starts_with(allowed) && !allowed.is_empty(),
                "{attribute}{}",
                &rest[..20]
            );
        }
    }
    let style = page
        .split("<style>")
        .nth(1)
        .unwrap()
        .split("</style>")
        .next()
        .unwrap();
    let hash = STANDARD.encode(Sha256::digest(style));
    assert!(
        page.contains(&format!("style-src 'sha256-{hash}'")),
        "the policy names this style"
    );
    assert!(page.contains("drafts &lt;b&gt;&amp;"), "a policy's name is text");
    assert!(!page.contains("drafts <b>"));
}

#[tokio::test]
async fn the_csv_is_rfc_4180_and_no_cell_is_a_formula() {
    let mut report = told().await.report(true).await;
    report.cover.controller = Some("=cmd|' /C calc'!A0 \"Acme\",\nBerlin".to_owned());
    let text = retentiond::report::csv(&report);
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    assert_eq!(
        reader.headers().unwrap(),
        vec!["section", "item", "field", "value"]
    );
    let mut rows = 0;
    let mut controller = None;
    for row in reader.records() {
        let row = row.unwrap();
        assert_eq!(row.len(), 4);
        for cell in &row {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
        if row.get(2) == Some("controller") {
            controller = row.get(3).map(str::to_owned);
        }
        rows += 1;
    }
    assert!(rows > 500);
    assert_eq!(
        controller.as_deref(),
        Some("'=cmd|' /C calc'!A0 \"Acme\",\nBerlin")
    );
    assert!(
        text.contains("\"'=cmd|' /C calc'!A0 \"\"Acme\"\",\nBerlin\"\r\n"),
        "quoted as RFC 4180 has it"
    );
    let bare = text.replace("\r\n", "");
    assert!(!bare.contains('\r'), "each record ends with CRLF");
}
