//! The page in a real browser, after a known sweep.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use super::daemon::{Service, terminate};
use super::faces::{get, until};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/page")
}

#[tokio::test]
async fn the_page_shows_what_a_sweep_has_done_and_no_file_id() {
    let service = Service::new().await;
    service.upload([2, 1, 1], 25).await;
    let mut daemon = service.daemon();
    let at = service.listening().await;
    service.wait_until_all_due_are_gone().await;
    let page = until(at, "/", |_, page| {
        page.contains("<p class=\"big\">75</p>") && page.contains("<strong>OK</strong>")
    })
    .await;
    assert!(page.contains("<th scope=\"row\">never</th><td>enforce</td>"));
    let files = service.server.files().into_iter().map(|file| file.file_id);
    let gone = service.server.deleted().into_iter().map(|file| file.file_id);
    for id in files.chain(gone) {
        assert!(!page.contains(&id), "an id on the page");
    }
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}

#[tokio::test]
#[ignore = "needs chromium, and `npm ci` in tests/page"]
async fn the_page_is_right_in_a_browser_in_light_and_dark_and_on_a_phone() {
    let service = Service::new().await;
    service.upload([2, 1, 1], 25).await;
    let mut daemon = service.daemon();
    let at = service.listening().await;
    service.wait_until_all_due_are_gone().await;
    until(at, "/metrics", |_, text| {
        text.contains("retentiond_files{state=\"deleted\"} 75")
            && text.contains("retentiond_verdict{verdict=\"ok\"} 1")
    })
    .await;
    let expected = json!({
        "head title": "OK – retentiond",
        "#verdict strong": "OK",
        "#verdict p": "nothing to do",
        "#overdue .big": "none",
        "#due .big": "0",
        "#live .big": "25",
        "#live .soft": "0 without a policy",
        "#deleted .big": "75",
        "#deleted .soft": "0 more found gone",
        "section[aria-labelledby=policies] tbody th": "soon | later | never | No policy",
        "section[aria-labelledby=policies] tbody tr:nth-child(3) .n": "25 | 0 | 0 | 0",
        "section[aria-labelledby=breakers] tbody td:nth-child(2)": "closed | closed | closed | closed | closed | closed",
        "section[aria-labelledby=checks] tbody td:nth-child(2)": "yes | yes | yes | yes | yes | yes",
        "#holds": "0",
        "#days tr:first-child td": "0",
        ".chart + p": "25 files in all; the first day also holds what is due already.",
        ".chart .scale": "250",
    });
    let pictures =
        std::env::var_os("SCREENSHOTS").map_or_else(|| service.dir.path().to_owned(), PathBuf::from);
    let looked = Command::new("node")
        .arg(directory().join("check.mjs"))
        .arg(format!("http://{at}/"))
        .arg(expected.to_string())
        .arg(pictures)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&looked.stdout) + String::from_utf8_lossy(&looked.stderr);
    assert!(looked.status.success(), "{said}");
    assert!(said.contains("4 views, 0 faults"), "{said}");
    assert_eq!(get(at, "/healthz").await.0, 200);
    terminate(&daemon);
    assert!(daemon.wait().await.unwrap().success());
}
