//! The report as CSV (RFC 4180): one table of figures for spreadsheets, one fact a line.
//!
//! A cell that a spreadsheet would take for a formula is preceded by an apostrophe (OWASP, CSV injection).

use serde_json::Value;

use super::document::Report;

/// Characters that make a spreadsheet compute.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// `section,item,field,value`: each field of the JSON report on a line of its own, with its place. What is null
/// is an empty cell.
#[must_use]
pub fn csv(report: &Report) -> String {
    let mut out = ::csv::WriterBuilder::new()
        .terminator(::csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let mut put = |cells: [&str; 4]| {
        let safe = cells.map(harmless);
        out.write_record(&safe).expect("a vector takes every record");
    };
    put(["section", "item", "field", "value"]);
    let document = serde_json::to_value(report).expect("a report is plain data");
    let sections = document.as_object().expect("a report is an object");
    for name in SECTIONS {
        let section = &sections[name];
        match section {
            Value::Array(items) if items.is_empty() => put([name, "", "", "none"]),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let item_name = called(item, at);
                    fields(item, &mut |field, value| put([name, &item_name, field, value]));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                fields(section, &mut |field, value| put([name, "", field, value]));
            }
        }
    }
    let bytes = out.into_inner().expect("a vector is flushed");
    String::from_utf8(bytes).expect("text was written")
}

/// In the order in which they are printed.
const SECTIONS: [&str; 16] = [
    "cover",
    "total",
    "policies",
    "timeline",
    "exceptions",
    "sweeps",
    "unfinished",
    "gaps",
    "rules",
    "changes",
    "plans",
    "holds",
    "erasures",
    "stops",
    "unowned",
    "limits",
];

/// What tells an item from its neighbours: its number, and its policy where it has one.
fn called(item: &Value, at: usize) -> String {
    let number = at + 1;
    match item.get("policy").and_then(Value::as_str) {
        Some(policy) => format!("{number} {policy}"),
        None => number.to_string(),
    }
}

/// Each field of a value by its path.
fn fields(value: &Value, put: &mut impl FnMut(&str, &str)) {
    walk(String::new(), value, put);
}

fn walk(path: String, value: &Value, put: &mut impl FnMut(&str, &str)) {
    let below = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| walk(below(name), value, put)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, value)| walk(below(&(at + 1).to_string()), value, put)),
        Value::Null => put(&path, ""),
        Value::Bool(yes) => put(&path, if *yes { "true" } else { "false" }),
        Value::Number(number) => put(&path, &number.to_string()),
        Value::String(text) => put(&path, text),
    }
}

/// No formula, whatever is in it. A negative number is one, too: nothing here is computed with.
fn harmless(cell: &str) -> String {
    if cell.starts_with(FORMULA) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_would_be_a_formula_is_made_a_text() {
        for (cell, safe) in [
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("+1", "'+1"),
            ("-OKI_FueqSWiExyfS310", "'-OKI_FueqSWiExyfS310"),
            ("@sum", "'@sum"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("plain", "plain"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell), safe);
        }
    }
}
