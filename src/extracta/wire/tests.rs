use proptest::prelude::*;

use super::*;
use crate::model::{BatchId, ClassificationId, ExtractionId, FileId};

fn delete(files: &[&str]) -> DeleteFiles {
    let files = files.iter().map(|f| FileId::new(*f).expect("an id")).collect();
    DeleteFiles::new(
        ClassificationId::new("-OKI_FueqSWiExyfS310").expect("an id"),
        BatchId::new("aB3dE5fG7h").expect("an id"),
        files,
    )
    .expect("a list")
}

#[test]
fn the_bodies_are_byte_for_byte_those_of_the_contract() {
    let body = body_of_delete_files(&delete(&["-OKI_a", "q\"u\\o", "ü", "../x", "%2e", "\u{202e}"]));
    let expected = "{\"classificationId\":\"-OKI_FueqSWiExyfS310\",\"batchId\":\"aB3dE5fG7h\",\
                    \"fileIds\":[\"-OKI_a\",\"q\\\"u\\\\o\",\"ü\",\"../x\",\"%2e\",\"\u{202e}\"]}";
    assert_eq!(String::from_utf8(body.clone()).expect("text"), expected);
    assert_eq!(guard_delete_files(&body), Ok(()));

    let copy = DeleteExtractionFile {
        extraction: ExtractionId::new("E").expect("an id"),
        batch: BatchId::new("B").expect("an id"),
        file: FileId::new("F").expect("an id"),
    };
    let body = body_of_delete_extraction_file(&copy);
    assert_eq!(body, br#"{"extractionId":"E","batchId":"B","fileId":"F"}"#);
    assert_eq!(guard_delete_extraction_file(&body), Ok(()));

    let batch = BatchAddress {
        parent: Parent::Extraction(ExtractionId::new("E").expect("an id")),
        batch: BatchId::new("B").expect("an id"),
        account: None,
    };
    assert_eq!(body_of_listing(&batch), br#"{"extractionId":"E","batchId":"B"}"#);
}

#[test]
fn every_widening_body_is_refused_before_it_is_sent() {
    let table = [
        r#"{"classificationId":"C","batchId":"B"}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":[]}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":null}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":"F"}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":[""]}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":[" "]}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":["F",null]}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":["F",7]}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":["F","F"]}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":[["F"]]}"#,
        r#"{"classificationId":"C","batchId":"","fileIds":["F"]}"#,
        r#"{"classificationId":"C","batchId":null,"fileIds":["F"]}"#,
        r#"{"classificationId":"","batchId":"B","fileIds":["F"]}"#,
        r#"{"batchId":"B","fileIds":["F"]}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":["F"],"deleteAll":true}"#,
        r#"{"classificationId":"C","batchId":"B","batchid":"x","fileIds":["F"]}"#,
        r#"{"classificationId":"C","batchId":"","batchId":"B","fileIds":["F"]}"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":[],"fileIds":["F"]}"#,
        r#"["C","B",["F"]]"#,
        r#"{"classificationId":"C","batchId":"B","fileIds":["F"]"#,
        "null",
        "",
    ];
    for body in table {
        let verdict = guard_delete_files(body.as_bytes());
        assert!(
            matches!(verdict, Err(BodyRefused::Shape { .. })),
            "{body}: {verdict:?}"
        );
    }
    for body in [
        r#"{"extractionId":"E","batchId":"B"}"#,
        r#"{"extractionId":"E"}"#,
        r#"{"extractionId":"E","batchId":"B","fileId":""}"#,
        r#"{"extractionId":"E","batchId":"B","fileId":null}"#,
        r#"{"extractionId":"E","batchId":"","fileId":"F"}"#,
        r#"{"extractionId":"","batchId":"B","fileId":"F"}"#,
        r#"{"extractionId":"E","batchId":"B","fileId":["F"]}"#,
        r#"{"extractionId":"E","batchId":"B","fileId":"F","x":1}"#,
        r#"{"extractionId":"E","batchId":"B","fileId":"","fileId":"F"}"#,
        "{}",
    ] {
        let verdict = guard_delete_extraction_file(body.as_bytes());
        assert!(
            matches!(verdict, Err(BodyRefused::Shape { .. })),
            "{body}: {verdict:?}"
        );
    }
}

#[test]
fn a_body_beyond_64_kib_is_too_long_and_not_malformed() {
    let long: Vec<String> = (0..200).map(|n| format!("{n:0>400}")).collect();
    let body = body_of_delete_files(&delete(&long.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(
        guard_delete_files(&body),
        Err(BodyRefused::TooLong { bytes: body.len() })
    );
}

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => proptest::sample::select(vec!["", " ", "\u{a0}", "null", "../", "%2e", "\"", "\\", "\u{202e}", "ü", "\0", "\n"])
            .prop_map(str::to_owned),
        9 => "[-A-Za-z0-9_ \"'/äß€]{1,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_delete_body_holds_an_empty_missing_or_doubled_id(
        classification in odd_text(),
        batch in odd_text(),
        files in proptest::collection::vec(odd_text(), 0..8),
    ) {
        let ids: Result<Vec<FileId>, _> = files.iter().map(|f| FileId::new(f.as_str())).collect();
        let (Ok(c), Ok(b), Ok(ids)) =
            (ClassificationId::new(classification.as_str()), BatchId::new(batch.as_str()), ids) else {
            return Ok(());
        };
        let Ok(request) = DeleteFiles::new(c, b, ids) else {
            return Ok(());
        };
        let body = body_of_delete_files(&request);
        let back: Value = serde_json::from_slice(&body).expect("JSON");
        prop_assert_eq!(&back["classificationId"], &classification);
        prop_assert_eq!(&back["batchId"], &batch);
        prop_assert_eq!(&back["fileIds"], &serde_json::json!(files));
        prop_assert!(!files.is_empty() && files.iter().all(|f| !f.is_empty()));
        let blank = files.iter().chain([&classification, &batch]).any(|id| id.trim().is_empty());
        prop_assert_eq!(guard_delete_files(&body).is_err(), blank);
    }

    #[test]
    fn the_guard_never_panics_on_foreign_bytes(body in proptest::collection::vec(any::<u8>(), 0..120)) {
        prop_assert!(guard_delete_files(&body).is_err());
        prop_assert!(guard_delete_extraction_file(&body).is_err());
    }
}
