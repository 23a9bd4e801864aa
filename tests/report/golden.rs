//! The renderings of the planted quarter, word by word; rewrite with `UPDATE_GOLDEN=1 cargo test --test report golden`
//! and read the difference.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::story::told;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A ledger's own name and the salts of its tree are drawn, and the version moves on: none of it is a rendering's doing.
pub(crate) fn settled(text: &str, cover: &retentiond::report::Cover) -> String {
    let build = format!("retentiond {}", env!("CARGO_PKG_VERSION"));
    text.replace(&cover.ledger, "0123456789abcdef0123456789abcdef")
        .replace(&cover.chain_head.root, &"0".repeat(64))
        .replace(&build, "retentiond 0.0.0")
}

pub(crate) fn compare(name: &str, text: &str) {
    let path = path(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(
        golden == text,
        "{name} differs: `UPDATE_GOLDEN=1 cargo test --test report golden`, and read the difference"
    );
}

#[tokio::test]
async fn the_renderings_of_a_known_quarter_are_as_they_were() {
    let report = told().await.report(false).await;
    let cover = &report.cover;
    compare(
        "tests/report/golden/report.html",
        &settled(&retentiond::report::html(&report), cover),
    );
    compare(
        "tests/report/golden/report.csv",
        &settled(&retentiond::report::csv(&report), cover),
    );
    let json = serde_json::to_string_pretty(&report).unwrap() + "\n";
    compare("tests/report/golden/report.json", &settled(&json, cover));
}

#[tokio::test]
async fn the_published_schema_is_that_of_the_report_and_takes_it() {
    let schema = retentiond::report::schema();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    compare("docs/report.schema.json", &text);
    for with_ids in [false, true] {
        let report = told().await.report(with_ids).await;
        let document = serde_json::to_value(&report).unwrap();
        let mut complaints = Vec::new();
        judge("", &document, &schema, &schema, &mut complaints);
        assert_eq!(complaints, [""; 0]);
    }
    let mut wrong = Vec::new();
    let document = serde_json::json!({ "cover": { "from": 5 }, "surprise": 1 });
    judge("", &document, &schema, &schema, &mut wrong);
    assert!(
        wrong.iter().any(|line| line == ".surprise is not in the schema"),
        "{wrong:?}"
    );
    assert!(
        wrong.iter().any(|line| line == ".cover.from is of another type"),
        "{wrong:?}"
    );
    assert!(
        wrong.iter().any(|line| line == ".policies is missing"),
        "{wrong:?}"
    );
}

/// The part of JSON Schema that this schema uses.
fn judge(at: &str, value: &Value, schema: &Value, root: &Value, complaints: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root
            .pointer(reference.trim_start_matches('#'))
            .expect("a reference leads somewhere");
        return judge(at, value, target, root, complaints);
    }
    if let Some(either) = schema["anyOf"].as_array() {
        let fits = either.iter().any(|one| {
            let mut found = Vec::new();
            judge(at, value, one, root, &mut found);
            found.is_empty()
        });
        if !fits {
            complaints.push(format!("{at} fits none"));
        }
        return;
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        other => panic!("{at}: no type: {other}"),
    };
    let of = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&of) {
        complaints.push(format!("{at} is of another type"));
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match schema["properties"].get(name) {
                    Some(inner) => judge(&format!("{at}.{name}"), field, inner, root, complaints),
                    None => complaints.push(format!("{at}.{name} is not in the schema")),
                }
            }
            let required = schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            complaints.extend(
                required
                    .filter(|name| !fields.contains_key(*name))
                    .map(|name| format!("{at}.{name} is missing")),
            );
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| judge(&format!("{at}[]"), item, &schema["items"], root, complaints)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
