//! All or nothing, the good ones only, twice the same, and what must never be kept.

use std::io::{self, Read};
use std::sync::Mutex;

use super::*;

/// `count` good rows, in an order that is not the ledger's.
fn many(count: u32) -> String {
    (0..count)
        .map(|n| row(&format!("f{:04}", (n * 7919) % count), "") + "\n")
        .collect()
}

#[tokio::test]
async fn one_bad_row_on_the_last_line_keeps_everything_out() {
    for rows in [2, 4, 5, 1000] {
        let input = many(rows) + "{}";
        let (summary, files) = Case::default().once(&input).await;
        assert_eq!(summary.result, RecordResult::Refused);
        assert_eq!((summary.rows, summary.refused_total), (u64::from(rows) + 1, 1));
        assert_eq!((summary.added, summary.refused[0].line), (0, u64::from(rows) + 1));
        assert_eq!(files, []);
    }
}

#[tokio::test]
async fn keep_good_keeps_the_good_rows_and_lists_the_bad() {
    let input = format!("{{}}\n{}{{}}\n{}", many(9), many(3));
    let (summary, files) = Case::default().keeping_good().once(&input).await;
    assert_eq!(summary.result, RecordResult::KeptGood);
    assert_eq!(files.len(), 9);
    let lines: Vec<u64> = summary.refused.iter().map(|error| error.line).collect();
    assert_eq!(lines, [1, 11]);
    let RecordSummary {
        rows,
        added,
        known,
        updated,
        duplicates,
        refused_total,
        ..
    } = summary;
    assert_eq!((rows, added), (14, 9));
    assert_eq!(added + known + updated + duplicates + refused_total, rows);
}

#[tokio::test]
async fn hundred_refusals_are_listed_and_all_are_counted() {
    let (summary, _) = Case::of(Format::Jsonl).once("{}\n".repeat(250)).await;
    assert_eq!(
        (summary.refused.len(), summary.refused_total),
        (LISTED_REFUSALS, 250)
    );
}

#[tokio::test]
async fn big_stream_is_set_aside_and_written_in_sorted_pages() {
    let ledger = Memory::default();
    let case = Case {
        page_rows: 300,
        ..Case::default()
    };
    let summary = case.run(&ledger, many(1000)).await;
    assert_eq!((summary.added, summary.rows), (1000, 1000));
    assert_eq!(ledger.pages(), [300, 300, 300, 100]);
    assert_eq!(ledger.files().len(), 1000);
}

#[tokio::test]
async fn rows_set_aside_come_back_with_every_fact() {
    let more = r#","uploaded_at":"2026-11-01T00:00:00.123Z","processed_at":"2026-11-02T00:00:00Z","document_type":"a\"b","labels":{"tenant":"ü"},"subject":"jane""#;
    let input: String = (0..20).map(|n| row(&format!("f{n}"), more) + "\n").collect();
    let extraction = r#"{"extraction_id":"e\\1","batch_id":"b","file_id":"\"quoted\""}"#;
    let input = format!("{input}{extraction}");
    let (_, at_once) = Case {
        page_rows: 1000,
        ..Case::default()
    }
    .once(&input)
    .await;
    let (_, spooled) = Case {
        page_rows: 3,
        ..Case::default()
    }
    .once(&input)
    .await;
    assert_eq!(at_once.len(), 21);
    assert_eq!(spooled, at_once);
}

#[tokio::test]
async fn temporary_file_that_cannot_be_made_is_said_before_anything_is_kept() {
    let mut case = Case::default();
    case.options.spool_dir = Some("/nonexistent/for/sure".into());
    let ledger = Memory::default();
    let error = case.try_run(&ledger, many(100).as_bytes()).await.unwrap_err();
    assert!(matches!(error, RecordError::Spool { kept: 0, .. }), "{error}");
    assert_eq!(ledger.files(), []);
}

#[tokio::test]
async fn second_run_of_the_same_input_adds_nothing_and_moves_nothing() {
    for input in [
        many(10),
        r#"{"classificationId":"c","batchId":"b","files":[{"fileId":"f1"},{"fileId":"f2"}]}"#.to_owned(),
    ] {
        let ledger = Memory::default();
        let mut case = Case::default();
        let first = case.run(&ledger, &input).await;
        let files = ledger.files();
        case.now = at("2026-12-24T00:00:00Z");
        let second = case.run(&ledger, &input).await;
        assert_eq!((second.added, second.updated, second.known), (0, 0, first.added));
        assert_eq!(ledger.files(), files);
    }
}

#[tokio::test]
async fn later_upload_time_that_is_given_still_wins() {
    let ledger = Memory::default();
    let case = Case::default();
    case.run(&ledger, row("f", r#","uploaded_at":"2026-11-01T00:00:00Z""#))
        .await;
    let summary = case
        .run(&ledger, row("f", r#","uploaded_at":"2026-11-02T00:00:00Z""#))
        .await;
    assert_eq!(summary.updated, 1);
    assert_eq!(ledger.files()[0].uploaded_at, at("2026-11-02T00:00:00Z"));
}

#[tokio::test]
async fn full_disk_midway_says_what_was_kept_and_the_second_run_ends_it() {
    let mut ledger = Memory {
        fails_after: Some(2),
        ..Memory::default()
    };
    let case = Case::default();
    let error = case.try_run(&ledger, many(10).as_bytes()).await.unwrap_err();
    assert!(matches!(error, RecordError::Ledger { kept: 8, .. }), "{error:?}");
    assert!(
        error.to_string().contains("run the same command again"),
        "{error}"
    );
    ledger.fails_after = None;
    let summary = case.run(&ledger, many(10)).await;
    assert_eq!((summary.known, summary.added), (8, 2));
}

#[tokio::test]
async fn rows_that_agree_are_one_file_and_gaps_are_filled() {
    let input = [
        row("f", ""),
        row(
            "f",
            r#","uploaded_at":"2026-11-01T00:00:00Z","document_type":"cv""#,
        ),
        row(
            "f",
            r#","uploaded_at":"2026-11-01T00:00:00Z","labels":{"tenant":"a"}"#,
        ),
        row("g", ""),
    ]
    .join("\n");
    let (summary, files) = Case::default().once(input).await;
    assert_eq!((summary.rows, summary.duplicates, summary.added), (4, 2, 2));
    assert_eq!(files[0].uploaded_at, at("2026-11-01T00:00:00Z"));
    assert_eq!(files[0].document_type.as_deref(), Some("cv"));
    assert_eq!(files[0].labels.len(), 1);
}

#[tokio::test]
async fn rows_that_contradict_each_other_are_refused_naming_both_lines() {
    for (what, mine, theirs) in [
        (
            "uploaded_at",
            r#","uploaded_at":"2026-11-01T00:00:00Z""#,
            r#","uploaded_at":"2026-11-02T00:00:00Z""#,
        ),
        (
            "document_type",
            r#","document_type":"cv""#,
            r#","document_type":"id""#,
        ),
        (
            "labels",
            r#","labels":{"tenant":"a"}"#,
            r#","labels":{"tenant":"b"}"#,
        ),
        ("subject", r#","subject":"jane""#, r#","subject":"joe""#),
    ] {
        let input = [row("f", mine), row("g", ""), row("f", theirs)].join("\n");
        let (summary, files) = Case::default().keeping_good().once(input).await;
        let message = format!("lines 1 and 3 name the same file with different {what}");
        let refused: Vec<(u64, &str)> = summary
            .refused
            .iter()
            .map(|e| (e.line, e.message.as_str()))
            .collect();
        assert_eq!(refused, [(1, message.as_str()), (3, message.as_str())]);
        assert_eq!(files.len(), 1, "neither of the two is believed");
    }
}

/// Gives some bytes, then fails.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            read => Ok(read),
        }
    }
}

#[tokio::test]
async fn input_that_breaks_off_keeps_nothing() {
    let rows = many(10_000);
    let ledger = Memory::default();
    let digest = RuleDigest(String::new());
    let rules = InForce {
        label_keys: &[],
        accounts: &[],
        digest: &digest,
        hint: &owner_by_label,
        subjects: None,
    };
    let input = Input::new(None, Broken(rows.as_bytes()));
    let options = RecordOptions::default();
    let error = record(input, &options, rules, &ledger, at(NOW), &|_| ())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            RecordError::Input {
                kept: 0,
                rows: 1..,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(ledger.files(), []);
}

#[tokio::test]
async fn progress_is_told_while_reading_and_while_writing() {
    let rows = many(20_000);
    let digest = RuleDigest(String::new());
    let rules = InForce {
        label_keys: &[],
        accounts: &[],
        digest: &digest,
        hint: &owner_by_label,
        subjects: None,
    };
    let seen = Mutex::new(Vec::new());
    let note = |progress: Progress| seen.lock().unwrap().push(progress);
    let (options, ledger) = (RecordOptions::default(), Memory::default());
    let input = Input::from_bytes(rows.as_bytes());
    record(input, &options, rules, &ledger, at(NOW), &note)
        .await
        .unwrap();
    let seen = seen.into_inner().unwrap();
    let last_read = seen.iter().rev().find(|p| p.stage == Stage::Reading).unwrap();
    assert_eq!((last_read.rows, last_read.bytes), (20_000, rows.len() as u64));
    let last = seen.last().unwrap();
    assert_eq!(
        (last.stage, last.rows, last.of_rows),
        (Stage::Writing, 20_000, Some(20_000))
    );
    assert!(seen.len() > 3, "{seen:?}");
}

/// Compiles only if an intake may run on any thread, and over a whole ledger as the house holds it.
#[tokio::test]
async fn intake_over_a_whole_ledger_can_be_spawned() {
    fn spawnable<'a>(
        ledger: &'a dyn crate::ledger::Ledger,
        rules: InForce<'a>,
        options: &'a RecordOptions,
    ) -> impl Future<Output = Result<RecordSummary, RecordError>> + Send + 'a {
        let now = Timestamp::from_millis(0).unwrap();
        record(Input::from_bytes(b""), options, rules, ledger, now, &|_| ())
    }
    fn sendable<T: Send>(_: &T) -> bool {
        true
    }
    let _ = spawnable;
    let (case, ledger) = (Case::default(), Memory::default());
    let future = case.try_run(&ledger, b"");
    assert!(sendable(&future));
    assert_eq!(future.await.unwrap().rows, 0);
}

#[tokio::test]
async fn names_links_and_subjects_reach_neither_ledger_nor_summary() {
    let canary = "CANARY-jane-doe-cv";
    let answer = format!(
        r#"{{"status":"success","classificationId":"c","batchId":"b","message":"{canary}","files":[
            {{"fileId":"f1","fileName":"{canary}.pdf","url":"https://storage/{canary}?sig"}},
            {{"fileId":"","fileName":"{canary}.pdf","url":"https://storage/{canary}?sig"}},
            {{"fileId":["{canary}"],"fileName":"{canary}.pdf"}}]}}
          {{"files":["{canary}"],"batchId":"b","classificationId":"c"}}
          {{"files":"{canary}"}} {{"batchId":{{"{canary}":1}},"files":[1]}} {{"files":[{{"fileId":"{canary}"#
    );
    let rows = [
        row("f2", &format!(r#","subject":"{canary}""#)),
        row("f3", &format!(r#","subject":["{canary}"]"#)),
        row("f4", &format!(r#","uploaded_at":"{canary}""#)),
        row("f5", &format!(r#","fileName":"{canary}""#)),
        row("f6", &format!(r#","labels":["{canary}"]"#)),
        format!("\"{canary}\""),
    ]
    .join("\n");
    let table = format!("extraction_id,batch_id,file_id,uploaded_at\ne,b,f7,{canary}\ne,b,{canary},,x\n");
    for (format, input) in [
        (Format::Response, answer),
        (Format::Jsonl, rows),
        (Format::Csv, table),
    ] {
        let (summary, files) = Case::of(format).keeping_good().once(&input).await;
        assert!(summary.refused_total >= 2, "{summary:?}");
        let everything = format!(
            "{summary:?} {files:?} {}",
            serde_json::to_string(&summary).unwrap()
        );
        assert!(!everything.contains("CANARY"), "{everything}");
    }
}
