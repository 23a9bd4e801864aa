//! Every reason to refuse a row, with its line and its words.

use super::*;

struct Bad(&'static str, &'static str, String);

fn bad(code: &'static str, row: impl Into<String>, message: &'static str) -> Bad {
    Bad(code, message, row.into())
}

fn shapes() -> Vec<Bad> {
    let known = "known are classification_id, extraction_id, batch_id, file_id, uploaded_at, processed_at, \
                 document_type, subject, account, labels";
    vec![
        bad(
            "json",
            "{\"file_id\":",
            "the JSON object does not end on this line: a row must stand on one line",
        ),
        bad("json", "nonsense", "not valid JSON: expected ident (column 2)"),
        bad(
            "json",
            row("f", "") + " x",
            "not valid JSON: trailing characters (column 58)",
        ),
        bad(
            "json",
            row("f", ",\"subject\":\"\\ud800\""),
            "not valid JSON: unexpected end of hex escape (column 74)",
        ),
        bad(
            "not-an-object",
            "[1, \"secret\"]",
            "a row must be one JSON object on one line",
        ),
        bad(
            "not-an-object",
            "\"secret\"",
            "a row must be one JSON object on one line",
        ),
        bad(
            "unknown-key",
            row("f", ",\"batchId\":\"x\""),
            "unknown key `batchId`: did you mean `batch_id`?",
        ),
        bad(
            "unknown-key",
            row("f", ",\"fileName\":\"cv.pdf\""),
            Box::leak(format!("unknown key `fileName`; {known}").into_boxed_str()),
        ),
        bad(
            "duplicate-key",
            row("f", ",\"file_id\":\"g\""),
            "the key `file_id` stands twice",
        ),
        bad(
            "duplicate-key",
            row("f", ",\"subject\":null,\"subject\":null"),
            "the key `subject` stands twice",
        ),
        bad(
            "duplicate-key",
            row("f", ",\"file_\\u0069d\":\"g\""),
            "the key `file_id` stands twice",
        ),
        bad(
            "duplicate-key",
            row("f", ",\"labels\":{\"tenant\":\"a\",\"tenant\":\"b\"}"),
            "the label `tenant` stands twice",
        ),
        bad(
            "wrong-type",
            row("f", ",\"uploaded_at\":1732392300"),
            "uploaded_at must be a text, not a number",
        ),
        bad(
            "wrong-type",
            row("f", ",\"document_type\":[\"cv.pdf\"]"),
            "document_type must be a text, not a list",
        ),
        bad(
            "wrong-type",
            row("f", ",\"subject\":{\"name\":\"x\"}"),
            "subject must be a text, not an object",
        ),
        bad(
            "wrong-type",
            row("f", ",\"labels\":\"tenant=a\""),
            "labels must be an object of texts, not a text",
        ),
        bad(
            "wrong-type",
            row("f", ",\"labels\":{\"tenant\":true}"),
            "label `tenant` must be a text, not a truth value",
        ),
    ]
}

fn facts() -> Vec<Bad> {
    vec![
        bad(
            "no-parent",
            r#"{"batch_id":"b","file_id":"f"}"#,
            "neither classification_id nor extraction_id is given",
        ),
        bad(
            "two-parents",
            row("f", ",\"extraction_id\":\"e\""),
            "both classification_id and extraction_id are given: a file belongs to one of them",
        ),
        bad(
            "missing",
            r#"{"extraction_id":"e","file_id":"f"}"#,
            "batch_id is missing",
        ),
        bad(
            "missing",
            r#"{"extraction_id":"e","batch_id":"b","file_id":null}"#,
            "file_id is missing",
        ),
        bad("bad-id", row("", ""), "file id is empty"),
        bad(
            "bad-id",
            row(&"x".repeat(10_240), ""),
            "file id has 10240 bytes, at most 512 are allowed",
        ),
        bad(
            "bad-id",
            row("a\\nb", ""),
            "file id holds the control character U+000A",
        ),
        bad(
            "bad-id",
            r#"{"extraction_id":"","batch_id":"b","file_id":"f"}"#,
            "extraction id is empty",
        ),
        bad(
            "bad-text",
            row("f", ",\"document_type\":\"\""),
            "document_type is empty: leave it out",
        ),
        bad(
            "bad-text",
            row("f", ",\"subject\":\"a\\u001bb\""),
            "subject holds the control character U+001B",
        ),
        bad(
            "undeclared-label",
            row("f", ",\"labels\":{\"tennant\":\"a\"}"),
            "the label key `tennant` is not declared in `labels` of the policy file: did you mean `tenant`?",
        ),
        bad(
            "undeclared-label",
            row("f", ",\"labels\":{\"zone\":\"a\"}"),
            "the label key `zone` is not declared in `labels` of the policy file; known are tenant, department",
        ),
    ]
}

fn times() -> Vec<Bad> {
    let uploaded = |text: &str| row("f", &format!(",\"uploaded_at\":\"{text}\""));
    vec![
        bad(
            "no-zone",
            uploaded("2026-11-23T19:00:00"),
            "uploaded_at `2026-11-23T19:00:00` has no zone: end it with Z (UTC) or an offset such as +01:00",
        ),
        bad(
            "no-zone",
            uploaded("2026-11-23"),
            "uploaded_at `2026-11-23` is a date without time and zone",
        ),
        bad(
            "bad-time",
            uploaded("1732392300"),
            "uploaded_at `1732392300` is not an RFC 3339 time with a zone, such as 2026-11-23T20:05:00Z",
        ),
        bad(
            "bad-time",
            uploaded("2026-02-30T00:00:00Z"),
            "uploaded_at `2026-02-30T00:00:00Z` is not an RFC 3339 time with a zone, such as 2026-11-23T20:05:00Z",
        ),
        bad(
            "bad-time",
            uploaded("cv-of-jane.pdf"),
            "uploaded_at is not an RFC 3339 time with a zone, such as 2026-11-23T20:05:00Z",
        ),
        bad(
            "future-upload",
            uploaded("2026-11-23T20:05:00.001Z"),
            "uploaded_at 2026-11-23T20:05:00.001Z lies in the future: by this machine's clock it is 2026-11-23T20:00:00Z",
        ),
        bad(
            "future-processing",
            row("f", ",\"processed_at\":\"2027-01-01T00:00:00Z\""),
            "processed_at 2027-01-01T00:00:00Z lies in the future: by this machine's clock it is 2026-11-23T20:00:00Z",
        ),
        bad(
            "before-id",
            row(PUSH_ID, ",\"uploaded_at\":\"2025-02-28T21:20:32.425Z\""),
            "uploaded_at 2025-02-28T21:20:32.425Z lies more than a day before 2025-03-01T21:20:32.426Z, the time inside the file id: correct it",
        ),
        bad(
            "processed-before-upload",
            row(
                "f",
                ",\"uploaded_at\":\"2026-11-02T00:00:00Z\",\"processed_at\":\"2026-11-01T23:59:59Z\"",
            ),
            "processed_at 2026-11-01T23:59:59Z is earlier than uploaded_at 2026-11-02T00:00:00Z",
        ),
        bad(
            "processed-before-upload",
            row("f", ",\"processed_at\":\"2026-11-01T00:00:00Z\""),
            "processed_at 2026-11-01T00:00:00Z is given without uploaded_at, and lies before now, which would stand for it",
        ),
    ]
}

#[tokio::test]
async fn each_bad_row_is_refused_with_its_line_code_and_reason() {
    for Bad(code, message, line) in shapes().into_iter().chain(facts()).chain(times()) {
        let input = format!("{}\r\n\r\n{line}\n{}", row("good-1", ""), row("good-2", ""));
        let (summary, files) = Case::of(Format::Jsonl).keeping_good().once(&input).await;
        let expected = RowError {
            line: 3,
            code,
            message: message.to_owned(),
        };
        assert_eq!(summary.refused, [expected], "{line:.200}");
        assert_eq!(files.len(), 2, "{line:.200}");
    }
}

#[tokio::test]
async fn subject_without_a_key_is_refused_and_never_repeated() {
    let mut case = Case::of(Format::Jsonl);
    case.subjects = None;
    let (summary, files) = case.once(row("f", ",\"subject\":\"jane@example.org\"")).await;
    assert_eq!(summary.refused[0].code, "no-subject-key");
    assert!(
        summary.refused[0]
            .message
            .contains("name its file as `subject_key_file` in [erasure], or leave `subject` out")
    );
    assert!(!summary.refused[0].message.contains("jane"));
    assert_eq!(files, []);
}

#[tokio::test]
async fn default_that_no_row_may_have_is_refused_before_the_first_row() {
    let mut case = Case::default();
    case.options.labels.insert("team".into(), "a".into());
    let error = case.try_run(&Memory::default(), b"").await.unwrap_err();
    assert!(
        matches!(
            &error,
            RecordError::Default {
                code: "undeclared-label",
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn csv_rows_and_headers_are_refused_by_line() {
    let head = "classification_id,batch_id,file_id,uploaded_at,labels";
    for (input, line, message) in [
        (
            "c,b,f\n".to_owned(),
            1,
            "unknown column `c`; known are classification_id, extraction_id, batch_id, file_id, uploaded_at, processed_at, document_type, subject, account, labels",
        ),
        (
            "classification,batch_id,file_id\n".to_owned(),
            1,
            "unknown column `classification`: did you mean `classification_id`?",
        ),
        (
            "batch_id,file_id,batch_id\n".to_owned(),
            1,
            "the column `batch_id` stands twice in the header",
        ),
        (
            "classification_id,file_id\n".to_owned(),
            1,
            "the header has no column `batch_id`",
        ),
        (
            "batch_id,file_id,label.team\n".to_owned(),
            1,
            "the label key `team` is not declared in `labels` of the policy file; known are tenant, department",
        ),
        (
            "batch_id;file_id\n".to_owned(),
            1,
            "the header has no comma: columns are separated by commas, not by `;` or tabs",
        ),
        (
            format!("{head}\r\nc,b,f,,\r\n\r\nc,b\r\n"),
            4,
            "the row has 2 cells, the header has 5 columns",
        ),
        (
            format!("\n\n{head}\nc,b,f,,\n\n\nc,b,,,"),
            7,
            "file_id is missing",
        ),
        (
            format!("{head}\nc,b,f,2026-11-23 10:00:00,"),
            2,
            "uploaded_at `2026-11-23 10:00:00` has no zone: end it with Z (UTC) or an offset such as +01:00",
        ),
        (
            format!("{head}\nc,b,f,,tenant"),
            2,
            "the column `labels` must hold `key=value`, several of them separated by `;`",
        ),
        (
            format!("{head}\r\nc,b,\"a\r\n\r\nb\",,\r\nc,b,f,,"),
            2,
            "file id holds the control character U+000A",
        ),
        (
            format!("{head}\r\nc,b,f,,\r\nc,b,\"f,,\r\nc,b,g,,"),
            3,
            "the row has 3 cells, the header has 5 columns",
        ),
    ] {
        let (summary, files) = Case::of(Format::Csv).once(&input).await;
        let first = &summary.refused[0];
        assert_eq!((first.line, first.message.as_str()), (line, message), "{input}");
        assert_eq!(files, [], "{input}");
    }
}

#[tokio::test]
async fn quote_that_never_closes_swallows_neither_rows_nor_memory() {
    let mut input = b"extraction_id,batch_id,file_id,subject\ne,b,f1,\ne,b,f2,\"jane\n".to_vec();
    for _ in 0..200_000 {
        input.extend_from_slice(b"e,b,f3,jane\n");
    }
    let (summary, files) = Case::of(Format::Csv).once(&input).await;
    assert_eq!((summary.refused_total, summary.refused[0].line), (1, 3));
    assert!(
        summary.refused[0].message.contains("is a quote never closed?"),
        "{:?}",
        summary.refused
    );
    assert_eq!(files, []);

    let short = b"extraction_id,batch_id,file_id,subject\ne,b,f1,\ne,b,f2,\"jane\ne,b,f3,joe\n";
    let (summary, _) = Case::of(Format::Csv).once(short).await;
    assert_eq!(
        summary.refused[0].message,
        "subject holds the control character U+000A"
    );
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_refused_and_reading_goes_on() {
    let csv = b"extraction_id,batch_id,file_id\ne,b,\xff\ne,b,f2\n";
    let (summary, files) = Case::of(Format::Csv).keeping_good().once(csv).await;
    assert_eq!((summary.refused[0].line, summary.refused[0].code), (2, "utf-8"));
    assert_eq!(files.len(), 1);

    let mut jsonl = br#"{"extraction_id":"e","batch_id":"b","file_id":""#.to_vec();
    jsonl.extend_from_slice(b"\xff\"}\n");
    jsonl.extend_from_slice(row("f2", "").as_bytes());
    let (summary, files) = Case::of(Format::Jsonl).keeping_good().once(&jsonl).await;
    assert_eq!((summary.refused[0].line, summary.refused[0].code), (1, "json"));
    assert_eq!(files.len(), 1);
}

#[tokio::test]
async fn overlong_line_is_refused_and_reading_goes_on() {
    let long = row(&"x".repeat(3 << 20), "");
    let (summary, files) = Case::of(Format::Jsonl)
        .keeping_good()
        .once(format!("{long}\n{}", row("f", "")))
        .await;
    assert_eq!(
        summary.refused[0].message,
        "the line is longer than 1048576 bytes"
    );
    assert_eq!((summary.refused[0].line, files.len()), (1, 1));
}

#[tokio::test]
async fn answers_that_are_none_are_refused_by_line() {
    let good = r#"{"status":"success","classificationId":"c","batchId":"b","files":[{"fileId":"f"}]}"#;
    for (second, line, message) in [
        (
            r#"{"status":"error","message":"Internal server error"}"#,
            3,
            "the answer says that the upload failed (status `error`)",
        ),
        (
            r#"{"status":"success","message":"Files deleted"}"#,
            3,
            "this is no upload answer: it has no `files`",
        ),
        (
            r#"{"classificationId":"c","batchId":"b","files":[]}"#,
            3,
            "the answer names no files",
        ),
        (
            r#"{"classificationId":"c","batchId":"b","files":"secret.pdf"}"#,
            3,
            "`files` is not a list",
        ),
        (
            r#"{"classificationId":"c","batchId":7,"files":[{"fileId":"f"}]}"#,
            3,
            "batchId must be a text, not a number",
        ),
        (
            r#"{"classificationId":"c","classificationId":"d","batchId":"b","files":[]}"#,
            3,
            "the key `classificationId` stands twice",
        ),
        (
            "{\"classificationId\":\"c\",\"batchId\":\"b\",\"files\":[{\"fileId\":\"g\"},\n\n{\"fileId\":\"\"}]}",
            5,
            "file id is empty",
        ),
        (
            "{\"classificationId\":\"c\",\"batchId\":\"b\",\"files\":[\n[\"g\"]]}",
            4,
            "an entry of `files` is not an object",
        ),
        (
            "{\"classificationId\":\"c\",\"files\":[\n{\"fileId\":\"g\"}]}",
            4,
            "batch_id is missing",
        ),
        (
            r#"{"classificationId":"c","extractionId":"e","batchId":"b","files":[{"fileId":"g"}]}"#,
            3,
            "both classification_id and extraction_id are given: a file belongs to one of them",
        ),
        (
            r#"{"classificationId":"c" "batchId":"b"}"#,
            3,
            "not valid JSON: expected `,` or `}` (column 25)",
        ),
        (
            r#"{"classificationId":"c","files":[{"fileId":"g"}"#,
            3,
            "the input ends before the answer that begins here does",
        ),
        (
            "secret.pdf",
            3,
            "an upload answer begins with `{`; nothing is read from here on",
        ),
    ] {
        let input = format!("{good}\n\n{second}");
        let (summary, files) = Case::of(Format::Response).once(&input).await;
        let first = &summary.refused[0];
        assert_eq!((first.line, first.message.as_str()), (line, message), "{input}");
        assert_eq!(files, [], "{input}");
    }
}
