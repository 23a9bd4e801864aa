//! Walks the spanned TOML tree. Each step that fails leaves a problem and goes on, so that one run
//! names every unknown key and every wrong type. Knows nothing of what the keys mean.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::code::Code;
use super::diagnostics::Problem;
use super::keys::{self, Schema};
use super::source::is_secret_name;
use super::suggest::{listed, nearest};

/// What a walk has found wrong so far.
pub(super) type Findings = Vec<Problem>;

/// One table of the file, with the keys it may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section<'t> {
    schema: &'static Schema,
    table: &'t DeTable<'t>,
    start: usize,
    end: usize,
}

impl<'t> Section<'t> {
    /// Opens a table and reports every key that it may not hold. `at` is its header.
    pub(super) fn open(
        schema: &'static Schema,
        at: Range<usize>,
        table: &'t DeTable<'t>,
        findings: &mut Findings,
    ) -> Self {
        let known: Vec<&str> = schema.keys.iter().map(|key| key.name).collect();
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                findings.push(unknown_key(schema, &known, name, key.span()));
            }
        }
        Self {
            schema,
            table,
            start: at.start,
            end: at.end,
        }
    }

    /// The keys and values as they stand.
    pub(super) fn table(&self) -> &'t DeTable<'t> {
        self.table
    }

    /// The table's header.
    pub(super) fn at(&self) -> Range<usize> {
        self.start..self.end
    }

    /// A value that the key takes, as it is typed.
    pub(super) fn example(&self, key: &str) -> &'static str {
        self.schema.example(key)
    }

    /// The value of a key that the schema holds.
    pub(super) fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        debug_assert!(self.schema.key(key).is_some(), "{key} is not in the schema");
        self.table.get(key)
    }

    /// Whether an unknown key, already reported, was probably meant to be this one.
    pub(super) fn has_slip_for(&self, key: &str) -> bool {
        let known: Vec<&str> = self.schema.keys.iter().map(|key| key.name).collect();
        self.table
            .keys()
            .filter(|given| !known.contains(&given.get_ref().as_ref()))
            .any(|given| nearest(given.get_ref(), known.iter().copied()) == Some(key))
    }

    /// Reports a key without which the table means nothing.
    pub(super) fn require<T>(&self, key: &str, read: Option<T>, findings: &mut Findings) -> Option<T> {
        if self.value(key).is_none() && !self.has_slip_for(key) {
            let problem = Problem::at(
                Code::MissingKey,
                self.at(),
                format!("{} lacks `{key}`", self.schema.title),
            )
            .label(format!("`{key}` is required here"))
            .help(format!("add `{key} = {}`", self.schema.example(key)));
            findings.push(problem);
        }
        read
    }

    /// A text.
    pub(super) fn string(&self, key: &str, findings: &mut Findings) -> Option<Spanned<String>> {
        let value = self.value(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(Spanned::new(value.span(), text.to_owned())),
            None => self.mistyped(key, "a text in quotes", value, findings),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &str, findings: &mut Findings) -> Option<bool> {
        let value = self.value(key)?;
        match value.get_ref().as_bool() {
            Some(yes) => Some(yes),
            None => self.mistyped(key, "`true` or `false`", value, findings),
        }
    }

    /// A whole number. One beyond `i64` becomes its end, which every range must leave out.
    pub(super) fn integer(&self, key: &str, findings: &mut Findings) -> Option<Spanned<i64>> {
        let value = self.value(key)?;
        match value.get_ref().as_integer() {
            Some(number) => {
                let read = i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(i64::MAX);
                Some(Spanned::new(value.span(), read))
            }
            None => self.mistyped(key, "a whole number", value, findings),
        }
    }

    /// A text, or a list of texts. An empty list is reported.
    pub(super) fn strings(&self, key: &str, findings: &mut Findings) -> Option<Vec<Spanned<String>>> {
        let value = self.value(key)?;
        strings(&format!("`{key}`"), self.schema.example(key), value, findings)
    }

    /// A table inside this one.
    pub(super) fn section(
        &self,
        key: &str,
        schema: &'static Schema,
        findings: &mut Findings,
    ) -> Option<Section<'t>> {
        let value = self.value(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(Section::open(schema, value.span(), table, findings)),
            None => self.mistyped(key, "a single table", value, findings),
        }
    }

    /// Tables that may be repeated, in file order.
    pub(super) fn sections(
        &self,
        key: &str,
        schema: &'static Schema,
        findings: &mut Findings,
    ) -> Vec<Section<'t>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.mistyped::<()>(key, "a repeated table", value, findings);
            return Vec::new();
        };
        let mut found = Vec::new();
        for item in items.iter() {
            if let DeValue::Table(table) = item.get_ref() {
                found.push(Section::open(schema, item.span(), table, findings));
            } else {
                self.mistyped::<()>(key, "a repeated table", item, findings);
            }
        }
        found
    }

    /// Reports a value of the wrong type; always `None`.
    pub(super) fn mistyped<T>(
        &self,
        key: &str,
        expected: &str,
        found: &Spanned<DeValue<'_>>,
        findings: &mut Findings,
    ) -> Option<T> {
        findings.push(wrong_type(&format!("`{key}`"), expected, found).help(self.how_to_write(key)));
        None
    }

    fn how_to_write(&self, key: &str) -> String {
        let example = self.schema.example(key);
        if example.starts_with('[') && !example.contains('"') {
            return format!("write it as `{example}` on a line of its own, with its keys below");
        }
        format!("write `{key} = {example}`")
    }
}

/// A text or a non-empty list of texts, under a name for messages.
pub(super) fn strings(
    name: &str,
    example: &str,
    value: &Spanned<DeValue<'_>>,
    findings: &mut Findings,
) -> Option<Vec<Spanned<String>>> {
    let mistyped = |found: &Spanned<DeValue<'_>>| {
        wrong_type(name, "a text or a list of texts", found).help(format!("for example {example}"))
    };
    let own = |text: &Spanned<DeValue<'_>>| {
        let read = text.get_ref().as_str()?;
        Some(Spanned::new(text.span(), read.to_owned()))
    };
    if let Some(text) = own(value) {
        return Some(vec![text]);
    }
    let Some(items) = value.get_ref().as_array() else {
        findings.push(mistyped(value));
        return None;
    };
    if items.is_empty() {
        let problem = Problem::at(Code::EmptyValue, value.span(), format!("{name} is an empty list"));
        findings.push(problem.help(format!(
            "name at least one, for example {example}, or remove the key"
        )));
    }
    findings.extend(items.iter().filter(|item| !item.get_ref().is_str()).map(mistyped));
    Some(items.iter().filter_map(own).collect())
}

fn wrong_type(name: &str, expected: &str, found: &Spanned<DeValue<'_>>) -> Problem {
    let span = found.span();
    let found = described(found.get_ref());
    Problem::at(
        Code::WrongType,
        span,
        format!("{name} takes {expected}, not {found}"),
    )
    .label(format!("this is {found}"))
}

fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fractional number",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => "a repeated table",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn unknown_key(schema: &Schema, known: &[&str], name: &str, span: Range<usize>) -> Problem {
    if is_secret_name(name)
        || ([keys::EXTRACTA.title, keys::ACCOUNT.title].contains(&schema.title)
            && matches!(name, "key" | "api"))
    {
        return Problem::at(Code::SecretInFile, span, format!("`{name}` must never be in this file"))
            .label("a secret does not belong into a policy file")
            .help("put the key into a file of its own that only the service can read, and name that file: `api_key_file = \"/etc/retentiond/credentials/api-key\"` in [extracta]");
    }
    let problem = Problem::at(
        Code::UnknownKey,
        span,
        format!("unknown key `{name}` {}", schema.inside()),
    );
    if let Some(near) = nearest(name, known.iter().copied()) {
        return problem.label(format!("did you mean `{near}`?")).help(format!(
            "write `{near}`; {} takes {}",
            schema.title,
            listed(known)
        ));
    }
    let elsewhere = keys::ALL.iter().find(|other| other.key(name).is_some());
    match elsewhere {
        Some(other) => problem.label("not here").help(format!(
            "`{name}` belongs {}; {} takes {}",
            other.place,
            schema.title,
            listed(known)
        )),
        None => problem
            .label("no such key")
            .help(format!("{} takes {}", schema.title, listed(known))),
    }
}
