//! Whatever comes in: rows survive the trip, bytes never panic, nothing is kept of a bad input.

use proptest::prelude::*;

use super::*;
use crate::model::{BatchId, ClassificationId, ExtractionId, Labels, Parent};

fn id() -> impl Strategy<Value = String> {
    "[^\\p{Cc}\\s\u{feff}]([^\\p{Cc}]{0,38}[^\\p{Cc}\\s\u{feff}])?"
}

fn file() -> impl Strategy<Value = NewFile> {
    let parent = prop_oneof![
        id().prop_map(|id| Parent::Classification(ClassificationId::new(id).unwrap())),
        id().prop_map(|id| Parent::Extraction(ExtractionId::new(id).unwrap())),
    ];
    // 2001 to 2026-11: before NOW.
    let time = 1_000_000_000_000_i64..1_790_000_000_000;
    let labels = prop::collection::btree_map(prop_oneof![Just("tenant"), Just("department")], id(), 0..3);
    let facts = (
        time,
        prop::option::of(0_i64..1_000_000),
        prop::option::of(id()),
        labels,
    );
    (parent, id(), id(), facts).prop_map(
        |(parent, batch, file, (uploaded, processed, document_type, labels))| NewFile {
            address: FileAddress {
                batch: BatchAddress {
                    parent,
                    batch: BatchId::new(batch).unwrap(),
                    account: None,
                },
                file: FileId::new(file).unwrap(),
            },
            uploaded_at: Timestamp::from_millis(uploaded).unwrap(),
            processed_at: processed.map(|after| Timestamp::from_millis(uploaded + after).unwrap()),
            document_type,
            labels: labels
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<Labels>(),
            subject: None,
            copy_of: None,
        },
    )
}

fn as_json(file: &NewFile) -> String {
    let mut row = serde_json::json!({
        "batch_id": file.address.batch.batch,
        "file_id": file.address.file,
        "uploaded_at": file.uploaded_at,
        "processed_at": file.processed_at,
        "document_type": file.document_type,
        "labels": file.labels,
    });
    let parent = match &file.address.batch.parent {
        Parent::Classification(_) => "classification_id",
        Parent::Extraction(_) => "extraction_id",
    };
    row[parent] = file.address.batch.parent.as_str().into();
    row.to_string()
}

fn as_csv(file: &NewFile) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let head = [
        "classification_id",
        "extraction_id",
        "batch_id",
        "file_id",
        "uploaded_at",
        "processed_at",
    ];
    let tail = ["document_type", "label.tenant", "label.department"];
    csv.write_record(head.iter().chain(&tail)).unwrap();
    let (classification, extraction) = match &file.address.batch.parent {
        Parent::Classification(id) => (id.as_str(), ""),
        Parent::Extraction(id) => ("", id.as_str()),
    };
    let label = |key: &str| file.labels.get(key).map_or("", String::as_str);
    csv.write_record([
        classification,
        extraction,
        file.address.batch.batch.as_str(),
        file.address.file.as_str(),
        &file.uploaded_at.to_string(),
        &file.processed_at.map(|at| at.to_string()).unwrap_or_default(),
        file.document_type.as_deref().unwrap_or_default(),
        label("tenant"),
        label("department"),
    ])
    .unwrap();
    csv.into_inner().unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #[test]
    fn row_survives_json_and_csv_unchanged(file in file()) {
        let mut case = Case::of(Format::Jsonl);
        let (summary, files) = wait(case.once(as_json(&file)));
        prop_assert_eq!(summary.refused, []);
        prop_assert_eq!(files, std::slice::from_ref(&file));
        case.options.format = Some(Format::Csv);
        let (summary, files) = wait(case.once(as_csv(&file)));
        prop_assert_eq!(summary.refused, []);
        prop_assert_eq!(files, [file]);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_a_refused_input_leaves_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        for format in Format::ALL {
            let (summary, files) = wait(Case::of(format).once(&bytes));
            prop_assert_eq!(summary.result == RecordResult::Refused, summary.refused_total > 0);
            prop_assert!(summary.refused_total == 0 || files.is_empty());
        }
    }

    #[test]
    fn nearly_right_text_never_panics_and_the_sum_holds(
        text in "([{}\\[\\]\",:=;\r\n \\\\]|file_id|batch_id|extraction_id|batchId|files|fileId|labels|e1|2026-11-01){0,80}",
    ) {
        for format in Format::ALL {
            for head in ["", "extraction_id,batch_id,file_id\n", "{\"extractionId\":\"e\",\"batchId\":\"b\",\"files\":["] {
                let (summary, files) = wait(Case::of(format).keeping_good().once(format!("{head}{text}")));
                let kept = summary.added + summary.known + summary.updated;
                prop_assert_eq!(kept + summary.duplicates + summary.refused_total, summary.rows);
                prop_assert_eq!(summary.added, files.len() as u64);
                let lines = text.matches('\n').count() as u64 + 2;
                prop_assert!(summary.refused.iter().all(|e| (1..=lines).contains(&e.line)));
            }
        }
    }
}
