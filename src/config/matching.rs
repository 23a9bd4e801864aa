//! `match` → [`Matcher`]. Refuses whatever would match nothing, or everything by omission.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::code::Code;
use super::diagnostics::Problem;
use super::keys;
use super::reader::{Findings, Section, strings};
use super::suggest::{listed, nearest};
use super::values::filled;
use crate::model::{ClassificationId, ExtractionId, InvalidId};
use crate::rules::matching::{BatchGlob, Criteria, Matcher};

/// The word that matches every file.
const EVERYTHING: &str = "everything";

/// Reads the `match` of a policy or floor; `labels` are the declared keys.
pub(super) fn matcher(
    section: &Section<'_>,
    labels: &[String],
    findings: &mut Findings,
) -> Option<Spanned<Matcher>> {
    let value = section.value("match")?;
    let before = findings.len();
    let matcher = match value.get_ref() {
        DeValue::String(text) if text == EVERYTHING => Matcher::Everything,
        DeValue::String(text) => {
            findings.push(not_everything(text, value.span()));
            return None;
        }
        DeValue::Table(table) => selection(value.span(), table, labels, findings),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => {
            return section.mistyped("match", "a table", value, findings);
        }
    };
    if findings.len() > before {
        return None;
    }
    if matcher.is_impossible() {
        findings.push(impossible(&matcher, value.span()));
        return None;
    }
    Some(Spanned::new(value.span(), matcher))
}

fn not_everything(text: &str, span: Range<usize>) -> Problem {
    let everything = ["everything", "all", "any", "*", "every", "**"];
    let near = nearest(text, everything).is_some();
    Problem::at(
        Code::UnknownValue,
        span,
        format!("`match` cannot be the text `{text}`"),
    )
    .label(if near { "did you mean `everything`?" } else { "not a table" })
    .help("write which files: `match = { document_type = [\"resume\"] }`; or, in the last policy, `match = \"everything\"`")
}

fn impossible(matcher: &Matcher, span: Range<usize>) -> Problem {
    let both = matches!(matcher, Matcher::Where { all_of, .. }
        if all_of.classification.is_some() && all_of.extraction.is_some());
    let problem = Problem::at(Code::ImpossibleMatch, span, "no file can ever match this");
    if both {
        return problem
            .label("a file belongs to a classification or to an extraction, never to both")
            .help("make two policies: one with `classification`, one with `extraction`");
    }
    problem
        .label("`except` takes away all that the rest of `match` gives")
        .help("give `except` more keys or fewer values, so that it is narrower than `match`")
}

fn selection(span: Range<usize>, table: &DeTable<'_>, labels: &[String], findings: &mut Findings) -> Matcher {
    let section = Section::open(&keys::MATCHING, span.clone(), table, findings);
    if table.keys().all(|key| key.get_ref() == "except") {
        findings.push(empty("`match`", span).help(
            "name at least one key, such as `document_type = [\"resume\"]`; for every file, write `match = \"everything\"` in the last policy",
        ));
    }
    let all_of = criteria(&section, labels, findings);
    let except = section.section("except", &keys::EXCEPT, findings).map(|inner| {
        if inner.table().is_empty() {
            findings.push(
                empty("`except`", inner.at())
                    .help("name what to leave out, such as `except = { document_type = [\"contract\"] }`, or remove `except`"),
            );
        }
        criteria(&inner, labels, findings)
    });
    Matcher::Where { all_of, except }
}

fn empty(name: &str, span: Range<usize>) -> Problem {
    Problem::at(
        Code::EmptyMatch,
        span,
        format!("{name} says nothing of which files"),
    )
    .label("nothing is required of a file here")
}

fn criteria(section: &Section<'_>, labels: &[String], findings: &mut Findings) -> Criteria {
    let classification = |text: &str| ClassificationId::new(text).map(drop);
    let extraction = |text: &str| ExtractionId::new(text).map(drop);
    let anything = |_: &str| Ok(());
    Criteria {
        classification: exact(section, "classification", &classification, findings),
        extraction: exact(section, "extraction", &extraction, findings),
        batch: globs(section, findings),
        document_type: exact(section, "document_type", &anything, findings),
        labels: label_criteria(section, labels, findings),
    }
}

fn exact(
    section: &Section<'_>,
    key: &str,
    valid: &dyn Fn(&str) -> Result<(), InvalidId>,
    findings: &mut Findings,
) -> Option<BTreeSet<String>> {
    let mut accepted = BTreeSet::new();
    for text in section.strings(key, findings)? {
        let Some(filled) = filled(&format!("`{key}`"), &text, "\"resume\"", findings) else {
            continue;
        };
        match valid(&filled) {
            Ok(()) => drop(accepted.insert(filled)),
            Err(error) => findings.push(
                Problem::at(Code::BadName, text.span(), error.to_string())
                    .help("copy the id as Extracta shows it"),
            ),
        }
    }
    Some(accepted)
}

fn globs(section: &Section<'_>, findings: &mut Findings) -> Option<Vec<BatchGlob>> {
    let mut accepted = Vec::new();
    for text in section.strings("batch", findings)? {
        let Some(filled) = filled("`batch`", &text, "\"invoices-*\"", findings) else {
            continue;
        };
        match BatchGlob::new(&filled) {
            Ok(glob) => accepted.push(glob),
            Err(why) => findings.push(
                Problem::at(Code::BadGlob, text.span(), format!("`{filled}` is no glob: {why}"))
                    .label("this pattern does not compile")
                    .help("`*` stands for any text, `?` for one character, `[a-z]` for one of a range, `{a,b}` for either; write `\\\\` before one that means itself"),
            ),
        }
    }
    Some(accepted)
}

fn label_criteria(
    section: &Section<'_>,
    declared: &[String],
    findings: &mut Findings,
) -> BTreeMap<String, BTreeSet<String>> {
    let Some(value) = section.value("labels") else {
        return BTreeMap::new();
    };
    let DeValue::Table(table) = value.get_ref() else {
        section.mistyped::<()>("labels", "a table", value, findings);
        return BTreeMap::new();
    };
    if table.is_empty() {
        findings.push(
            Problem::at(Code::EmptyValue, value.span(), "`labels` is an empty table")
                .help("name a label and its values, for example `labels = { tenant = [\"acme\"] }`, or remove the key"),
        );
    }
    let mut accepted = BTreeMap::new();
    for (key, value) in table {
        let name: &str = key.get_ref();
        if !declared.iter().any(|label| label == name) {
            findings.push(undeclared(name, key.span(), declared));
        }
        accepted.insert(name.to_owned(), label_values(name, value, findings));
    }
    accepted
}

fn label_values(name: &str, value: &Spanned<DeValue<'_>>, findings: &mut Findings) -> BTreeSet<String> {
    let title = format!("the label `{name}`");
    strings(&title, "[\"acme\"]", value, findings)
        .unwrap_or_default()
        .iter()
        .filter_map(|text| filled(&title, text, "\"acme\"", findings))
        .collect()
}

fn undeclared(name: &str, span: Range<usize>, declared: &[String]) -> Problem {
    let problem = Problem::at(
        Code::UndeclaredLabel,
        span,
        format!("the label `{name}` is not declared"),
    );
    let known: Vec<&str> = declared.iter().map(String::as_str).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => problem.label(format!("did you mean `{near}`?")).help(format!(
            "write `{near}`, or add \"{name}\" to `labels` at the top of the file, which holds {}",
            listed(&known)
        )),
        None if known.is_empty() => problem
            .label("no label is declared")
            .help(format!("add `labels = [\"{name}\"]` at the top of the file")),
        None => problem.label("not in `labels`").help(format!(
            "add \"{name}\" to `labels` at the top of the file, which holds {}",
            listed(&known)
        )),
    }
}
