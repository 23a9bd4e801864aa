//! Rows from elsewhere: their names for our keys.

use super::*;
use crate::intake::Mapping;

fn mapped(format: Format, mapping: &str) -> Case {
    let mut case = Case::of(format).keeping_good();
    let mut named = Mapping::default();
    named.add(mapping).unwrap();
    case.options.mapping = Some(named);
    case
}

const NAMES: &str =
    "classification_id=project,batch_id=job,file_id=id,uploaded_at=created,label.tenant=customer";

#[tokio::test]
async fn a_table_and_lines_from_elsewhere_are_read_under_their_own_names() {
    let table = "id,size,project,job,created,customer,file_id\n\
                 f1,12,c1,b1,2026-11-01T10:00:00+01:00,acme,theirs\n\
                 f2,13,c1,b1,2026-11-01T10:00:00Z,,theirs\n";
    let lines = concat!(
        r#"{"id":"f1","size":12,"project":"c1","job":"b1","created":"2026-11-01T10:00:00+01:00","customer":"acme","file_id":7}"#,
        "\n",
        r#"{"id":"f2","project":"c1","job":"b1","created":"2026-11-01T10:00:00Z","customer":null,"x":{"y":[1]}}"#,
        "\n",
    );
    for (format, input) in [(Format::Csv, table), (Format::Jsonl, lines)] {
        let (summary, files) = mapped(format, NAMES).once(input).await;
        assert_eq!((summary.added, &summary.refused), (2, &Vec::new()), "{format:?}");
        assert_eq!(files[0].address.file.as_str(), "f1");
        assert_eq!(files[0].uploaded_at, at("2026-11-01T09:00:00Z"));
        assert_eq!(files[0].labels.get("tenant").map(String::as_str), Some("acme"));
        assert!(files[1].labels.is_empty());
    }
}

#[tokio::test]
async fn a_time_without_a_zone_is_refused_with_its_line_and_the_fix() {
    let table = "id,project,job,created\nf1,c1,b1,2026-11-01T10:00:00Z\nf2,c1,b1,2026-11-01 10:00:00\n\
                 f3,c1,b1,2026-11-01\nf4,c1,b1,\n";
    let names = "classification_id=project,batch_id=job,file_id=id,uploaded_at=created";
    let (summary, files) = mapped(Format::Csv, names).once(table).await;
    assert_eq!(files.len(), 1);
    let refused: Vec<(u64, &str)> = summary.refused.iter().map(|r| (r.line, r.code)).collect();
    assert_eq!(refused, [(3, "no-zone"), (4, "no-zone"), (5, "missing")]);
    assert!(
        summary.refused[0].message.contains("end it with Z"),
        "{:?}",
        summary.refused[0]
    );
    // "Now" is not made up where the mapping says that the input knows.
    assert!(
        summary.refused[2].message.contains("`created`"),
        "{:?}",
        summary.refused[2]
    );
}

#[tokio::test]
async fn a_mapped_column_that_is_not_there_stops_the_table_at_its_header() {
    let table = "id,project,job\nf1,c1,b1\n";
    let (summary, files) = mapped(Format::Csv, NAMES).once(table).await;
    assert!(files.is_empty());
    assert_eq!((summary.refused[0].line, summary.refused[0].code), (1, "missing"));
    assert!(
        summary.refused[0].message.contains("`created`"),
        "{:?}",
        summary.refused
    );
}

#[tokio::test]
async fn without_a_mapping_a_foreign_key_is_still_an_error() {
    let (summary, files) = Case::of(Format::Jsonl)
        .keeping_good()
        .once(row("f1", r#","created":"x""#))
        .await;
    assert!(files.is_empty());
    assert_eq!(summary.refused[0].code, "unknown-key");
}

#[tokio::test]
async fn a_label_key_that_nobody_declared_cannot_be_mapped() {
    let case = mapped(Format::Csv, "label.nobody=customer");
    let refused = case
        .try_run(&Memory::default(), b"file_id,batch_id,customer\n")
        .await;
    assert!(matches!(
        refused,
        Err(RecordError::Default {
            code: "undeclared-label",
            ..
        })
    ));
}
