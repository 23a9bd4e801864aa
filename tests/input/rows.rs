//! Rows of `record`: whatever stands in them, all or nothing, and each bad one by its own line.

use proptest::prelude::*;
use retentiond::intake::Format;

use super::oracles::{self, recorded};

const ROW: &str = r#"{"classification_id":"c","batch_id":"b","file_id":"f","uploaded_at":"2026-11-01T00:00:00Z","labels":{"tenant":"a"}}"#;
const ANSWER: &str = r#"{"status":"success","classificationId":"c","batchId":"b","files":[{"fileId":"f","fileName":"cv.pdf","url":"https://x.test/?sig=1"}]}"#;
const TABLE: &str =
    "classification_id,batch_id,file_id,uploaded_at,label.tenant\nc,b,f,2026-11-01T00:00:00Z,a\n";

/// Bytes put in, taken out and turned, at a few places.
fn edits() -> impl Strategy<Value = Vec<(usize, usize, Vec<u8>)>> {
    let with = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..3),
        prop::sample::select(vec![
            &b"\""[..],
            b"\"\"",
            b",",
            b"\n",
            b"\r\n",
            b"\r",
            b"\0",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\\",
            b"\\ud83d",
            b"\\u0000",
            b"null",
            b"9007199254740993",
            b"1e999",
            b"{}",
            b"[]",
            b"\xe2\x80\xae",
            b";",
            b"\t",
            b"=",
            b" ",
            b"../",
            b"-",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec((any::<usize>(), 0_usize..4, with), 0..4)
}

fn edited(text: &str, edits: Vec<(usize, usize, Vec<u8>)>) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, len, with) in edits {
        let at = at % (bytes.len() + 1);
        let end = (at + len).min(bytes.len());
        bytes.splice(at..end, with);
    }
    bytes
}

/// A cell of a table, and whether a file id may look like that.
fn cell() -> impl Strategy<Value = (String, bool)> {
    prop_oneof![
        4 => "[a-zA-Z0-9_-]{1,12}".prop_map(|text| (text, true)),
        1 => prop::sample::select(vec![
            ("a,b", true), ("say \"x\"", true), ("../..", true), ("\u{202e}cod", true), ("-x", true), ("'=1+1", true),
            ("9007199254740993", true), ("%2e%2e", true), ("ä€😀", true), ("{\"a\":1}", true), ("null", true),
            ("", false), (" ", false), (" a", false), ("a\u{a0}", false), ("\u{feff}a", false), ("a\nb", false),
            ("a\n\nb", false), ("\0", false), ("a\u{85}", false), ("\u{1b}[2J", false),
        ]).prop_map(|(text, good)| (text.to_owned(), good)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn damaged_rows_are_all_kept_or_none_and_each_line_is_judged_alone(
        rows in prop::collection::vec(edits(), 1..6), answers in prop::collection::vec(edits(), 1..4), table in edits(),
    ) {
        let join = |text: &str, rows: Vec<Vec<(usize, usize, Vec<u8>)>>| {
            let rows: Vec<Vec<u8>> = rows.into_iter().map(|edits| edited(text, edits)).collect();
            rows.join(&b'\n')
        };
        oracles::rows(Format::Jsonl, &join(ROW, rows));
        oracles::rows(Format::Response, &join(ANSWER, answers));
        oracles::rows(Format::Csv, &edited(TABLE, table));
    }

    #[test]
    fn any_bytes_are_all_kept_or_refused_by_line(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in Format::ALL {
            oracles::rows(format, &bytes);
            oracles::rows(format, &[TABLE.as_bytes(), &bytes].concat());
        }
    }

    /// Cells with line breaks, blank lines between rows and both kinds of line end: the line that is
    /// named is the one where the bad row begins, counted here by hand.
    #[test]
    fn a_bad_row_of_a_table_is_named_by_the_line_where_it_begins(
        cells in prop::collection::vec((cell(), 0_usize..3, any::<bool>(), any::<bool>()), 1..12),
    ) {
        let mut text = "classification_id,batch_id,file_id\n".to_owned();
        let (mut line, mut bad, mut ids) = (2_u64, Vec::new(), Vec::new());
        for (number, ((cell, good), blank, crlf, quoted)) in cells.into_iter().enumerate() {
            for _ in 0..blank {
                text.push_str(if crlf { "\r\n" } else { "\n" });
                line += 1;
            }
            // Unlike any other row's, so that no two name the same file.
            let id = if good { format!("{cell}{number}") } else { cell };
            let must = id.contains([',', '"', '\n', '\r']);
            let shown = if must || quoted { format!("\"{}\"", id.replace('"', "\"\"")) } else { id.clone() };
            text.push_str(&format!("c,b,{shown}{}", if crlf { "\r\n" } else { "\n" }));
            if good { ids.push(id.clone()) } else { bad.push(line) }
            line += 1 + id.matches('\n').count() as u64;
        }
        oracles::rows(Format::Csv, text.as_bytes());
        let (summary, files) = recorded(Format::Csv, text.as_bytes(), true);
        let named: Vec<u64> = summary.refused.iter().map(|row| row.line).collect();
        prop_assert_eq!(named, bad, "{}", text);
        let mut kept: Vec<String> = files.iter().map(|file| file.address.file.to_string()).collect();
        ids.sort();
        kept.sort();
        prop_assert_eq!(kept, ids, "{}", text);
    }

    #[test]
    fn a_bad_line_among_good_ones_is_named_by_its_number(
        lines in prop::collection::vec((cell(), any::<bool>(), any::<bool>()), 1..12),
    ) {
        let mut text = String::new();
        let (mut line, mut bad, mut ids) = (1_u64, Vec::new(), Vec::new());
        for (number, ((cell, good), blank, crlf)) in lines.into_iter().enumerate() {
            let end = if crlf { "\r\n" } else { "\n" };
            if blank {
                text.push_str(end);
                line += 1;
            }
            let id = if good { format!("{cell}{number}") } else { cell };
            let row = serde_json::json!({"classification_id": "c", "batch_id": "b", "file_id": id});
            text.push_str(&format!("{row}{end}"));
            if good { ids.push(id) } else { bad.push(line) }
            line += 1;
        }
        let (summary, files) = recorded(Format::Jsonl, text.as_bytes(), true);
        prop_assert_eq!(summary.refused.iter().map(|row| row.line).collect::<Vec<_>>(), bad, "{}", text);
        let mut kept: Vec<String> = files.iter().map(|file| file.address.file.to_string()).collect();
        ids.sort();
        kept.sort();
        prop_assert_eq!(kept, ids);
    }
}
