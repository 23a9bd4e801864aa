//! The list of keys, the reference in `docs/policies.md`, the JSON Schema and the parser say the same.

use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Table;

use crate::config::keys::{self, Schema};
use crate::config::takes::Takes;
use crate::config::{Code, json_schema, key_tables, parse, starter};

const BEGIN: &str = "<!-- keys: made by `retentiond config keys` -->\n";
const END: &str = "<!-- end of keys -->";

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/policies.md")
}

#[test]
fn the_reference_has_exactly_the_keys_that_the_parser_knows() {
    let text = std::fs::read_to_string(document()).unwrap();
    let tables: Vec<String> = key_tables()
        .iter()
        .map(super::super::KeyTable::markdown)
        .collect();
    let expected = format!("\n{}\n", tables.join("\n"));
    let begin = text.find(BEGIN).expect("the document marks where the keys begin") + BEGIN.len();
    let end = text.find(END).expect("the document marks where the keys end");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let updated = format!("{}{expected}{}", &text[..begin], &text[end..]);
        std::fs::write(document(), updated).unwrap();
        return;
    }
    assert_eq!(
        &text[begin..end],
        expected,
        "docs/policies.md: run `UPDATE_GOLDEN=1 cargo test --lib reference` and read the difference"
    );
}

/// A whole file in which the key has this value, and what it cannot be without.
fn file_with(schema: &Schema, name: &str, value: &str) -> String {
    let mut file: Table = toml::from_str(
        "timezone = \"Europe/Berlin\"\nlabels = [\"tenant\", \"department\"]\n[[account]]\nname = \"acme\"\n\
         [[policy]]\nname = \"a\"\nmatch = { document_type = \"x\" }\ndelete_after = \"30 days\"\nschedule = \"0 3 * * *\"\n\
         [[keep]]\nname = \"b\"\nmatch = { document_type = \"y\" }\nkeep_for = \"1 day\"\n",
    )
    .unwrap();
    let path: &[&str] = match schema.title {
        "the top of the file" => &[],
        "`match`" => &["policy", "match"],
        "`except`" => &["policy", "match", "except"],
        "`clock`" => &["policy", "clock"],
        "`window`" => &["policy", "window"],
        "`fallback`" => &["policy", "clock", "fallback"],
        title => &[title.trim_matches(['[', ']'])],
    };
    let mut at = &mut file;
    for step in path {
        let value = at
            .entry((*step).to_owned())
            .or_insert_with(|| toml::Value::Table(Table::new()));
        at = if value.is_array() {
            value[0].as_table_mut().unwrap()
        } else {
            value.as_table_mut().unwrap()
        };
    }
    if schema.title == "`clock`" {
        at.entry("start").or_insert_with(|| "processed".into());
    }
    if schema.title == "`fallback`" {
        at.entry("start").or_insert_with(|| "uploaded".into());
        at.entry("add").or_insert_with(|| "1 year".into());
        let clock = file["policy"][0]["clock"].as_table_mut().unwrap();
        clock.entry("start").or_insert_with(|| "event:hire".into());
        at = clock["fallback"].as_table_mut().unwrap();
    }
    if schema.title == "[ledger]" && cfg!(feature = "postgres") {
        at.insert("url".to_owned(), "postgres://u@db/l".into());
    }
    let given: Table = toml::from_str(&format!("value = {value}")).unwrap();
    at.insert(name.to_owned(), given["value"].clone());
    toml::to_string(&file).unwrap()
}

fn examples() -> impl Iterator<Item = (&'static Schema, &'static keys::Key)> {
    keys::ALL
        .into_iter()
        .flat_map(|schema| schema.keys.iter().map(move |key| (schema, key)))
        .filter(|(_, key)| !matches!(key.takes, Takes::Table(_) if key.example.starts_with('[')))
        .filter(|(_, key)| !matches!(key.takes, Takes::Tables(_)))
        // Without PostgreSQL the other keys of [ledger] are refused.
        .filter(|(schema, key)| cfg!(feature = "postgres") || schema.title != "[ledger]" || key.name == "url")
}

#[test]
fn the_example_of_each_key_is_accepted_by_parser_and_schema() {
    for (schema, key) in examples() {
        let text = file_with(schema, key.name, key.example);
        parse("x", &text).unwrap_or_else(|problems| panic!("{} {}:\n{problems}", schema.title, key.name));
        assert_eq!(complaints(&text), [""; 0], "{} {}", schema.title, key.name);
    }
}

#[test]
fn each_word_of_a_key_is_accepted_and_any_other_is_told_which_there_are() {
    for (schema, key) in examples() {
        let Takes::Word(words) = key.takes else { continue };
        for word in words {
            let text = file_with(schema, key.name, &format!("\"{word}\""));
            parse("x", &text).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
        }
        let text = file_with(schema, key.name, "\"zzzzzzzz\"");
        let problems = parse("x", &text).unwrap_err();
        let problem = problems.iter().next().unwrap();
        assert_eq!(problem.code(), Code::UnknownValue, "{}", key.name);
        for word in words {
            assert!(
                problem.help_text().unwrap().contains(&format!("`{word}`")),
                "{}",
                key.name
            );
        }
        assert!(!complaints(&text).is_empty(), "{}", key.name);
    }
}

/// What is wrong with a value: the part of JSON Schema that ours uses, and no more.
fn judge(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let known = [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "anyOf",
        "items",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "maximum",
        "enum",
        "pattern",
        "description",
        "$schema",
        "$id",
        "title",
    ];
    for word in schema.as_object().unwrap().keys() {
        assert!(known.contains(&word.as_str()), "the test does not know `{word}`");
    }
    if let Some(any) = schema.get("anyOf") {
        let fits = any.as_array().unwrap().iter().any(|one| {
            let mut inner = Vec::new();
            judge(one, value, place, &mut inner);
            inner.is_empty()
        });
        if !fits {
            found.push(format!("{place}: none of anyOf"));
        }
    }
    let right = match schema.get("type").and_then(Value::as_str) {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some(other) => panic!("the test does not know the type {other}"),
    };
    let listed = schema.get("enum").and_then(Value::as_array);
    if !right || listed.is_some_and(|words| !words.contains(value)) {
        found.push(format!("{place}: wrong value"));
        return;
    }
    let number = |word: &str| schema.get(word).and_then(Value::as_i64);
    if let Some(given) = value.as_i64()
        && (number("minimum").is_some_and(|least| given < least)
            || number("maximum").is_some_and(|most| given > most))
    {
        found.push(format!("{place}: out of range"));
    }
    for item in value.as_array().into_iter().flatten() {
        if let Some(items) = schema.get("items") {
            judge(items, item, &format!("{place}[]"), found);
        }
    }
    let Some(object) = value.as_object() else { return };
    for key in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if !object.contains_key(key.as_str().unwrap()) {
            found.push(format!("{place}: lacks {key}"));
        }
    }
    for (key, inner) in object {
        let place = format!("{place}.{key}");
        let of_key = schema.get("properties").and_then(|all| all.get(key));
        match (of_key, schema.get("additionalProperties")) {
            (Some(of_key), _) => judge(of_key, inner, &place, found),
            (None, Some(Value::Bool(false))) => found.push(format!("{place}: unknown")),
            (None, Some(other)) if other.is_object() => judge(other, inner, &place, found),
            (None, _) => {}
        }
    }
}

fn complaints(text: &str) -> Vec<String> {
    let file: Table = toml::from_str(text).unwrap();
    let mut found = Vec::new();
    judge(
        &json_schema(),
        &serde_json::to_value(file).unwrap(),
        "",
        &mut found,
    );
    found
}

#[test]
fn the_shipped_files_fit_the_schema_and_unknown_keys_anywhere_do_not() {
    assert_eq!(complaints(super::EXAMPLE), [""; 0]);
    assert_eq!(complaints(starter()), [""; 0]);
    for (schema, _) in examples() {
        let text = file_with(schema, "surely_unknown", "1");
        assert!(
            complaints(&text)
                .iter()
                .any(|text| text.contains("unknown") || text.contains("anyOf")),
            "{}",
            schema.title
        );
    }
}

/// The golden files of `tests/config`: what the parser accepts, the schema accepts; a key that is unknown to
/// the one is unknown to the other.
#[test]
fn the_schema_refuses_no_file_that_the_parser_accepts() {
    let mut unknown = 0;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        match parse("x", &text) {
            Ok(_) => assert_eq!(complaints(&text), [""; 0], "{}", path.display()),
            Err(problems) if toml::from_str::<Table>(&text).is_ok() => {
                if problems.iter().any(|problem| problem.code() == Code::UnknownKey) {
                    unknown += 1;
                    assert!(!complaints(&text).is_empty(), "{}", path.display());
                }
            }
            Err(_) => {}
        }
    }
    assert!(unknown > 3, "only {unknown} golden files with unknown keys");
}

#[test]
#[ignore = "needs python3-jsonschema"]
fn an_independent_validator_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path
    };
    let as_json = |text: &str| serde_json::to_value(toml::from_str::<Table>(text).unwrap()).unwrap();
    let schema = write("schema.json", &json_schema());
    let validates = |path: &Path| {
        std::process::Command::new("/usr/bin/python3")
            .args(["-c", "import json,sys,jsonschema as j\ns,d=[json.load(open(p)) for p in sys.argv[1:]]\nj.Draft7Validator.check_schema(s)\nsys.exit(0 if j.Draft7Validator(s).is_valid(d) else 9)"])
            .arg(&schema)
            .arg(path)
            .status()
            .unwrap()
            .code()
    };
    assert_eq!(
        validates(&write("example.json", &as_json(super::EXAMPLE))),
        Some(0)
    );
    assert_eq!(validates(&write("starter.json", &as_json(starter()))), Some(0));
    let wrong = super::EXAMPLE.replace("files_per_sweep", "files_per_swep");
    assert_eq!(validates(&write("wrong.json", &as_json(&wrong))), Some(9));
}
