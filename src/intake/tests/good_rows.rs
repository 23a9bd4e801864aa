//! What a good row becomes.

use super::*;
use crate::model::{BatchId, ClassificationId, ExtractionId, Labels, Parent};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn ids(files: &[NewFile]) -> Vec<&str> {
    files.iter().map(|file| file.address.file.as_str()).collect()
}

#[tokio::test]
async fn every_key_of_a_row_arrives() {
    let input = row(
        PUSH_ID,
        r#","uploaded_at":"2025-03-02T00:00:00+02:00","processed_at":"2025-03-01T22:00:00.5Z",
           "document_type":"resume","labels":{"tenant":"acme"},"subject":"jane@example.org""#,
    )
    .replace('\n', " ");
    let (summary, files) = Case::of(Format::Jsonl).once(&input).await;
    assert_eq!((summary.result, summary.added), (RecordResult::Recorded, 1));
    let expected = NewFile {
        address: FileAddress {
            batch: BatchAddress {
                parent: Parent::Classification(ClassificationId::new("c1").unwrap()),
                batch: BatchId::new("b1").unwrap(),
                account: None,
            },
            file: FileId::new(PUSH_ID).unwrap(),
        },
        uploaded_at: at("2025-03-01T22:00:00Z"),
        processed_at: Some(at("2025-03-01T22:00:00.5Z")),
        document_type: Some("resume".to_owned()),
        labels: labels(&[("tenant", "acme")]),
        subject: Some(
            SubjectHasher::new(b"sixteen bytes ok")
                .unwrap()
                .hash("jane@example.org"),
        ),
        copy_of: None,
    };
    assert_eq!(files, [expected]);
}

#[tokio::test]
async fn csv_gives_the_same_files_as_jsonl() {
    let jsonl = [
        row("f1", r#","uploaded_at":"2026-11-01T00:00:00Z","labels":{"tenant":"a;b, c","department":"x"},"subject":"O \"Brien""#),
        r#"{"extraction_id":"e1","batch_id":"b2","file_id":"-f2"}"#.to_owned(),
    ]
    .join("\n");
    let csv = "file_id,uploaded_at,\"subject\", batch_id ,classification_id,extraction_id,label.tenant,labels\r\n\
               f1,2026-11-01T00:00:00Z,\"O \"\"Brien\",b1,c1,,\"a;b, c\",department = x;\r\n\
               -f2,,,b2,,e1,,\r\n";
    let (_, expected) = Case::of(Format::Jsonl).once(&jsonl).await;
    let (summary, files) = Case::of(Format::Csv).once(csv).await;
    assert_eq!(summary.refused, []);
    assert_eq!(files, expected);
    assert_eq!(
        files.last().map(|file| file.address.batch.parent.clone()),
        Some(Parent::Extraction(ExtractionId::new("e1").unwrap()))
    );
}

#[tokio::test]
async fn odd_but_legal_ids_are_kept_byte_for_byte() {
    let odd = [
        "-O_k",
        "../x",
        "'; DROP TABLE files;--",
        "\u{202e}fdp.vc",
        "ü e\u{301}",
        "a\"b\\c",
        "%00",
    ];
    let rows: Vec<String> = odd
        .iter()
        .map(|id| serde_json::json!({"extraction_id": "e", "batch_id": "b", "file_id": id}).to_string())
        .collect();
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["extraction_id", "batch_id", "file_id"])
        .unwrap();
    for id in odd {
        csv.write_record(["e", "b", id]).unwrap();
    }
    let mut sorted = odd;
    sorted.sort_unstable();
    let (_, files) = Case::of(Format::Jsonl).once(rows.join("\n")).await;
    assert_eq!(ids(&files), sorted);
    let (_, files) = Case::of(Format::Csv).once(csv.into_inner().unwrap()).await;
    assert_eq!(ids(&files), sorted);
}

#[tokio::test]
async fn byte_order_mark_crlf_and_a_missing_last_newline_change_nothing() {
    let jsonl = format!("\u{feff}{}\r\n\r\n{}", row("f1", ""), row("f2", ""));
    let csv = "\u{feff}classification_id,batch_id,file_id\r\nc1,b1,f1\r\nc1,b1,f2";
    let answer = "\u{feff}{\"classificationId\":\"c1\",\r\n\"batchId\":\"b1\",\"files\":[{\"fileId\":\"f1\"},{\"fileId\":\"f2\"}]}\r\n";
    for (format, input) in [
        (Format::Jsonl, jsonl.as_str()),
        (Format::Csv, csv),
        (Format::Response, answer),
    ] {
        let (summary, files) = Case::default().once(input).await;
        assert_eq!((summary.format, summary.rows, summary.added), (format, 2, 2));
        assert_eq!(ids(&files), ["f1", "f2"]);
    }
}

#[tokio::test]
async fn empty_input_is_no_rows_and_no_error() {
    for (name, input) in [
        (None, ""),
        (None, "\u{feff}"),
        (None, " \r\n\n"),
        (Some("x.csv"), ""),
        (Some("x.csv"), "extraction_id,batch_id,file_id\n"),
        (Some("answer.json"), "\n"),
    ] {
        let case = Case {
            name,
            ..Case::default()
        };
        let (summary, _) = case.once(input).await;
        assert_eq!(
            (summary.result, summary.rows),
            (RecordResult::Recorded, 0),
            "{input:?}"
        );
    }
}

#[tokio::test]
async fn input_of_no_known_format_asks_for_one() {
    let error = Case::default()
        .try_run(&Memory::default(), b"[1]")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot tell the input's format: say --as jsonl, --as csv or --as response"
    );
}

#[tokio::test]
async fn defaults_fill_gaps_and_a_rows_own_value_wins() {
    let mut case = Case::of(Format::Jsonl);
    case.options.labels = labels(&[("tenant", "acme"), ("department", "hr")]);
    case.options.document_type = Some("resume".to_owned());
    case.options.subject = Some("jane".to_owned());
    case.options.classification = Some(ClassificationId::new("default").unwrap());
    let input = [
        r#"{"batch_id":"b","file_id":"f1"}"#,
        r#"{"extraction_id":"e","batch_id":"b","file_id":"f2","labels":{"tenant":"other"},"document_type":"cv","subject":"joe"}"#,
    ]
    .join("\n");
    let (_, files) = case.once(&input).await;
    let hasher = case.subjects.unwrap();
    let [first, second] = files.as_slice() else {
        panic!("{files:?}")
    };
    assert_eq!(first.address.batch.parent.as_str(), "default");
    assert_eq!(first.labels, labels(&[("tenant", "acme"), ("department", "hr")]));
    assert_eq!(first.document_type.as_deref(), Some("resume"));
    assert_eq!(first.subject, Some(hasher.hash("jane")));
    assert_eq!(second.address.batch.parent.as_str(), "e");
    assert_eq!(
        second.labels,
        labels(&[("tenant", "other"), ("department", "hr")])
    );
    assert_eq!(second.document_type.as_deref(), Some("cv"));
    assert_eq!(second.subject, Some(hasher.hash("joe")));
}

#[tokio::test]
async fn upload_time_is_now_when_missing_and_as_given_within_five_minutes() {
    let input = [
        row("f1", ""),
        row("f2", r#","uploaded_at":"2026-11-23T20:05:00Z""#),
    ]
    .join("\n");
    let (_, files) = Case::of(Format::Jsonl).once(input).await;
    let times: Vec<Timestamp> = files.iter().map(|file| file.uploaded_at).collect();
    assert_eq!(times, [at(NOW), at("2026-11-23T20:05:00Z")]);
}

#[tokio::test]
async fn upload_time_before_the_ids_own_is_taken_within_a_day_only() {
    let within = row(PUSH_ID, r#","uploaded_at":"2025-02-28T21:20:32.426Z""#);
    let (summary, _) = Case::of(Format::Jsonl).once(&within).await;
    assert_eq!(summary.added, 1);

    let long_before = row(PUSH_ID, r#","uploaded_at":"2020-01-01T00:00:00Z""#);
    let (summary, files) = Case::of(Format::Jsonl).once(&long_before).await;
    assert_eq!((summary.result, files.len()), (RecordResult::Refused, 0));
}

#[tokio::test]
async fn concatenated_answers_are_read_as_one_input() {
    let input = r#"{"status":"success","classificationId":"c1","batchId":"b1","files":[{"fileId":"f1","new":{"a":["}"]}}],"added":"later"}{"extractionId":"e1","batchId":"b2",
      "files":[{"url":"https://x/{\"}","fileName":"}{","fileId":"f2"},
               {"fileId":"f3"}]}"#;
    let (summary, files) = Case::default().once(input).await;
    assert_eq!(
        (summary.format, summary.refused.as_slice()),
        (Format::Response, [].as_slice())
    );
    assert_eq!(ids(&files), ["f1", "f2", "f3"]);
    let parents: Vec<&str> = files.iter().map(|f| f.address.batch.parent.as_str()).collect();
    assert_eq!(parents, ["c1", "e1", "e1"]);
}

#[tokio::test]
async fn provisional_record_carries_every_fact_to_the_hint() {
    let input = row(
        "f1",
        r#","labels":{"tenant":"acme"},"uploaded_at":"2026-11-01T00:00:00Z""#,
    );
    let ledger = Memory::default();
    Case::default().run(&ledger, input).await;
    let files = ledger.files.lock().unwrap();
    let (file, hint) = files.values().next().unwrap();
    assert_eq!(hint, &owner_by_label(&provisional(file)));
    assert_eq!(hint.owner.as_ref().map(|owner| owner.as_str()), Some("acme"));
    assert_eq!(hint.due_at, Some(at("2026-11-01T00:00:00Z")));
}
