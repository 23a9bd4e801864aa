//! `forecast` over the real binary: what falls due on which day, and which deadline will be missed.

use jiff::ToSpan;
use jiff::tz::TimeZone;
use retentiond::engine::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::binary::Desk;

const FILES: usize = 60;

/// So many files of one batch, uploaded twenty days ago; the date on which they fall due.
fn desk() -> (Desk, String) {
    let desk = Desk::new();
    let uploaded_at = SystemClock.now().checked_add_millis(-20 * 86_400_000).unwrap();
    let rows: String = (0..FILES)
        .map(|n| {
            let row = json!({"classification_id": "-OKI_FueqSWiExyfS310", "batch_id": "b1", "file_id": format!("f{n:03}"), "uploaded_at": uploaded_at});
            format!("{row}\n")
        })
        .collect();
    let output = desk.record(&rows);
    assert!(output.status.success(), "{output:?}");
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let uploaded = zone.to_datetime(uploaded_at.to_jiff()).date();
    // Thirty days after the day of the upload, when the last of them is over.
    let due = uploaded.checked_add(31.days()).unwrap();
    (desk, due.to_string())
}

fn on<'v>(document: &'v Value, days: &str, date: &str) -> &'v Value {
    let days = document[days].as_array().unwrap();
    days.iter().find(|day| day["date"] == date).unwrap()
}

#[test]
fn the_first_deadline_that_will_be_missed_is_named_with_its_budget() {
    let (desk, due) = desk();
    let shown = desk.json(&["forecast"]);
    let day = on(&shown, "days", &due);
    assert_eq!(
        (&day["total"], &day["policies"]["letters"]),
        (&60.into(), &60.into())
    );
    assert_eq!(
        day["left"]["letters"], 60,
        "a quarter of 60 live files may go, so none does"
    );
    let missed = &shown["first_missed"];
    assert_eq!(
        (&missed["policy"], &missed["files"], &missed["cause"]),
        (&"letters".into(), &60.into(), &"limits".into())
    );
    let next: jiff::civil::Date = due.parse().unwrap();
    assert_eq!(missed["date"], next.tomorrow().unwrap().to_string());
    assert_eq!(shown["overdue"], 0);
    // Every face counts them on the same day.
    assert_eq!(on(&desk.json(&["status"]), "falling_due", &due)["files"], 60);

    let text = |args: &[&str]| String::from_utf8(desk.run(args).stdout).unwrap();
    let plain = text(&["forecast"]);
    assert!(
        plain.starts_with("WILL BE LATE  60 files of `letters` on "),
        "{plain}"
    );
    assert!(
        plain.contains("the limits of a sweep") && plain.contains("share_per_sweep"),
        "{plain}"
    );
    assert!(!plain.contains("#  falls due"), "no chart in a pipe: {plain}");
    assert!(text(&["forecast", "--chart"]).contains("#  falls due"));
}

#[test]
fn what_the_budgets_let_through_goes_on_its_day() {
    let (desk, due) = desk();
    let path = desk.path("policies.toml");
    let limits = "[limits]\nshare_per_sweep = \"100%\"\n\n[[policy]]";
    let file = std::fs::read_to_string(&path)
        .unwrap()
        .replace("[[policy]]", limits);
    std::fs::write(&path, &file).unwrap();
    let shown = desk.json(&["forecast"]);
    assert_eq!(shown["first_missed"], Value::Null);
    let day = on(&shown, "days", &due);
    assert_eq!(
        (&day["deleted"]["letters"], &day["left"]),
        (&60.into(), &json!({}))
    );
    assert_eq!(shown["pace"]["files_per_batch"], 60);
    assert_eq!(shown["pace"]["governed_by"], "results-interval");
    // A minute a night, and ten for a batch.
    let window = "[[policy]]\nwindow = { from = \"03:00\", until = \"03:01\" }";
    let file = file.replace("[[policy]]", window);
    let file = file.replace("[extracta]\n", "[extracta]\nrequest_interval = \"10 minutes\"\n");
    std::fs::write(&path, &file).unwrap();
    let shown = desk.json(&["forecast"]);
    let missed = &shown["first_missed"];
    assert_eq!(missed["policy"], "letters", "{missed}");
    assert_eq!(missed["cause"], "window");
    assert_eq!(missed["files"], 54, "ten seconds a file: six of them");
}
