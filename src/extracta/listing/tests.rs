use proptest::prelude::*;

use super::*;
use crate::model::ClassificationId;

const JSON: Option<&str> = Some("application/json; charset=utf-8");

fn classification() -> BatchAddress {
    BatchAddress {
        parent: Parent::Classification(ClassificationId::new("C1").expect("an id")),
        batch: BatchId::new("B1").expect("an id"),
        account: None,
    }
}

fn extraction() -> BatchAddress {
    BatchAddress {
        parent: Parent::Extraction(ExtractionId::new("E1").expect("an id")),
        batch: BatchId::new("B1").expect("an id"),
        account: None,
    }
}

fn label(listing: &Listing) -> String {
    match listing {
        Listing::Files(files) => format!("{} files", files.len()),
        Listing::NoBatch => "no batch".to_owned(),
        Listing::CannotTell { .. } => "cannot tell".to_owned(),
    }
}

#[test]
fn a_classification_batch_is_read_without_its_links_and_names() {
    let body = r#"{"status":"success","classificationId":"C1","batchId":"B1","files":[
        {"fileId":"F1","fileName":"canary-name.pdf","status":"processed",
         "result":{"confidence":0.9,"documentType":"resume"},
         "extraction":{"extractionId":"E9","batchId":"B9","fileId":"F9"},
         "url":"https://storage.test/canary-link?sig=1"},
        {"fileId":"F2","fileName":"b","status":"waiting","result":null,"extraction":null},
        {"fileId":"F3","status":"failed"},
        {"fileId":"F4","status":"processed","result":"odd"}]}"#;
    let listing = parse_listing(200, JSON, body.as_bytes(), &classification());
    let Listing::Files(files) = &listing else {
        panic!("{listing:?}");
    };
    assert_eq!(files.len(), 4);
    assert_eq!(files[0].document_type.as_deref(), Some("resume"));
    let copy = files[0].copy.as_ref().expect("a linked copy");
    assert_eq!(
        (copy.extraction.as_str(), copy.batch.as_str(), copy.file.as_str()),
        ("E9", "B9", "F9")
    );
    assert!(files[1].is_pending() && files[1].copy.is_none());
    assert!(!files[2].is_pending());
    assert_eq!(files[3].document_type, None);
    assert!(!format!("{listing:?}").contains("canary"));
}

#[test]
fn an_extraction_batch_is_read_without_a_top_level_status() {
    let body = r#"{"extractionId":"E1","batchId":"B1","files":[
        {"fileId":"F1","fileName":"x","status":"processed","result":{"documentType":{"a":1}},"url":"u"},
        {"fileId":"F2"}]}"#;
    assert_eq!(
        label(&parse_listing(200, JSON, body.as_bytes(), &extraction())),
        "2 files"
    );
}

#[test]
fn every_other_answer_has_its_conclusion() {
    let table: &[(u16, Option<&str>, &str, &str)] = &[
        (200, JSON, r#"{"status":"success","files":[]}"#, "0 files"),
        (
            200,
            None,
            r#"{"status":"success","batchId":"B1","files":[]}"#,
            "0 files",
        ),
        (
            200,
            JSON,
            r#"{"classificationId":"C1","batchId":"B1","files":[]}"#,
            "0 files",
        ),
        (200, JSON, r#"{"status":"not_found"}"#, "no batch"),
        (
            400,
            JSON,
            r#"{"status":"error","message":"Batch does not exist"}"#,
            "no batch",
        ),
        (
            400,
            JSON,
            r#"{"status":"error","message":"Classification does not exist"}"#,
            "no batch",
        ),
        (
            404,
            JSON,
            r#"{"status":"error","message":"Extraction not found."}"#,
            "no batch",
        ),
        (404, JSON, r#"{"message":"Batch not found"}"#, "no batch"),
        // A "not found" of something that was not asked for, or of nothing in particular.
        (
            404,
            JSON,
            r#"{"status":"error","message":"File not found"}"#,
            "cannot tell",
        ),
        (404, JSON, r#"{"message":"Not Found"}"#, "cannot tell"),
        (
            404,
            JSON,
            r#"{"status":"error","message":"File not found in batch"}"#,
            "cannot tell",
        ),
        (
            404,
            JSON,
            r#"{"status":"error","message":"Batch route not found"}"#,
            "cannot tell",
        ),
        (
            404,
            JSON,
            r#"{"status":"error","message":"Not found"}"#,
            "cannot tell",
        ),
        (
            404,
            JSON,
            r#"{"message":"/documentClassification/getResults not found"}"#,
            "cannot tell",
        ),
        (404, JSON, r#"{"status":"error"}"#, "cannot tell"),
        (404, Some("text/html"), "<pre>Cannot POST /x</pre>", "cannot tell"),
        (
            400,
            JSON,
            r#"{"status":"error","message":"Invalid batch"}"#,
            "cannot tell",
        ),
        (
            400,
            JSON,
            r#"{"status":"success","message":"Batch does not exist"}"#,
            "cannot tell",
        ),
        (
            422,
            JSON,
            r#"{"status":"error","message":"Batch does not exist"}"#,
            "cannot tell",
        ),
        (
            401,
            JSON,
            r#"{"status":"error","message":"Batch does not exist"}"#,
            "cannot tell",
        ),
        (403, JSON, r#"{"status":"error"}"#, "cannot tell"),
        (429, JSON, r#"{"status":"error"}"#, "cannot tell"),
        (
            500,
            JSON,
            r#"{"status":"error","message":"Batch not found"}"#,
            "cannot tell",
        ),
        (302, JSON, r#"{"status":"success","files":[]}"#, "cannot tell"),
        (202, JSON, r#"{"status":"success","files":[]}"#, "cannot tell"),
        (206, JSON, r#"{"status":"success","files":[]}"#, "cannot tell"),
        (204, None, "", "cannot tell"),
        // 200, but no listing of this batch.
        (200, JSON, r#"{"status":"waiting"}"#, "cannot tell"),
        (200, JSON, r#"{"status":"waiting","files":[]}"#, "cannot tell"),
        (
            200,
            JSON,
            r#"{"status":"error","message":"Batch does not exist"}"#,
            "cannot tell",
        ),
        (200, JSON, r#"{"status":200,"files":[]}"#, "cannot tell"),
        (200, JSON, r#"{"status":"success"}"#, "cannot tell"),
        (200, JSON, r#"{"status":"success","files":null}"#, "cannot tell"),
        (200, JSON, r#"{"status":"success","files":{}}"#, "cannot tell"),
        (200, JSON, r#"{"files":[]}"#, "cannot tell"),
        (200, JSON, r#"{"batchId":"B1","files":[]}"#, "cannot tell"),
        (
            200,
            JSON,
            r#"{"status":"success","batchId":"B2","files":[]}"#,
            "cannot tell",
        ),
        (
            200,
            JSON,
            r#"{"status":"success","classificationId":"C2","files":[]}"#,
            "cannot tell",
        ),
        (
            200,
            JSON,
            r#"{"status":"success","files":[],"files":[{"fileId":"F","status":"x"}]}"#,
            "cannot tell",
        ),
        (
            200,
            JSON,
            r#"{"status":"success","files":[{"status":"processed"}]}"#,
            "cannot tell",
        ),
        (
            200,
            JSON,
            r#"{"status":"success","files":[{"fileId":"","status":"processed"}]}"#,
            "cannot tell",
        ),
        (
            200,
            JSON,
            r#"{"status":"success","files":[{"fileId":7,"status":"processed"}]}"#,
            "cannot tell",
        ),
        (
            200,
            JSON,
            r#"{"status":"success","files":[{"fileId":"F"}]}"#,
            "cannot tell",
        ),
        (
            200,
            JSON,
            r#"{"status":"success","files":[{"fileId":"F","status":"processed","extraction":["E","B","X"]}]}"#,
            "cannot tell",
        ),
        (200, JSON, r#"{"status":"success","files":["F"]}"#, "cannot tell"),
        (
            200,
            JSON,
            r#"{"status":"success","files":[["F","processed",null,null]]}"#,
            "cannot tell",
        ),
        (
            200,
            JSON,
            r#"{"status":"success","files":[{"fileId":"F","status":"processed","extraction":{}}]}"#,
            "cannot tell",
        ),
        (
            200,
            JSON,
            r#"{"status":"success","files":[{"fileId":"F","status":"processed","extraction":{"extractionId":"E","batchId":"","fileId":"X"}}]}"#,
            "cannot tell",
        ),
        (200, JSON, r#"{"status":"success","files":[]"#, "cannot tell"),
        (
            200,
            Some("text/html"),
            r#"{"status":"success","files":[]}"#,
            "cannot tell",
        ),
        (200, JSON, "", "cannot tell"),
    ];
    for (status, content_type, body, expected) in table {
        let listing = parse_listing(*status, *content_type, body.as_bytes(), &classification());
        assert_eq!(label(&listing), *expected, "{status} {body} gave {listing:?}");
    }
}

#[test]
fn reasons_hold_no_ids_links_or_names() {
    let body =
        r#"{"status":"error","message":"bad file -OKI_FueqSWiExyfS310 canary.pdf https://canary.test"}"#;
    assert_eq!(
        parse_listing(400, JSON, body.as_bytes(), &classification()),
        Listing::CannotTell {
            reason: "HTTP 400: bad file <id> <name> <link>".to_owned()
        }
    );
    let waiting = parse_listing(200, JSON, br#"{"status":"waiting"}"#, &extraction());
    assert_eq!(
        waiting,
        Listing::CannotTell {
            reason: "HTTP 200, status waiting".to_owned()
        }
    );
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic_and_never_say_that_a_batch_is_empty(
        status in 100_u16..600,
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), "[\\[\\]{}:,\"a-zA-Z ]{0,80}".prop_map(String::into_bytes)],
    ) {
        let listing = parse_listing(status, JSON, &body, &classification());
        let concludes_nothing = matches!(listing, Listing::CannotTell { .. });
        prop_assert!(concludes_nothing, "{:?}", listing);
    }
}
