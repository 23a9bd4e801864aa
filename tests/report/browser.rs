//! The documents in a real browser: on screen in light, dark and on a phone, and printed on A4.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::story::told;

fn look_at(document: &str, name: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(format!("{name}.html"));
    std::fs::write(&file, document).unwrap();
    let pictures = std::env::var_os("SCREENSHOTS").map_or_else(|| dir.path().to_owned(), PathBuf::from);
    let looked = Command::new("node")
        .arg(directory.join("document.mjs"))
        .args([file.as_os_str(), name.as_ref(), pictures.as_os_str()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&looked.stdout) + String::from_utf8_lossy(&looked.stderr);
    assert!(looked.status.success(), "{said}");
    assert!(said.contains("4 views, 0 faults"), "{said}");
    assert!(pictures.join(format!("{name}.pdf")).exists());
}

#[tokio::test]
#[ignore = "needs chromium, and `npm ci` in tests/page"]
async fn the_report_is_right_on_screen_and_on_paper() {
    let report = told().await.report(true).await;
    look_at(&retentiond::report::html(&report), "report");
}

#[tokio::test]
#[ignore = "needs chromium, and `npm ci` in tests/page"]
async fn the_concept_is_right_on_screen_and_on_paper() {
    let concept = crate::concept::of(&told().await).await;
    look_at(&retentiond::report::concept_html(&concept), "concept");
}
