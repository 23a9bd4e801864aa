//! A row as it stands in the input: borrowed text by key, nothing judged yet.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Mapping, Problem, Target};

/// The keys of a row that hold a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::intake) enum Field {
    ClassificationId,
    ExtractionId,
    BatchId,
    FileId,
    UploadedAt,
    ProcessedAt,
    DocumentType,
    Subject,
    Account,
}

impl Field {
    pub(in crate::intake) const ALL: [Self; 9] = [
        Self::ClassificationId,
        Self::ExtractionId,
        Self::BatchId,
        Self::FileId,
        Self::UploadedAt,
        Self::ProcessedAt,
        Self::DocumentType,
        Self::Subject,
        Self::Account,
    ];

    pub(in crate::intake) const fn name(self) -> &'static str {
        match self {
            Self::ClassificationId => "classification_id",
            Self::ExtractionId => "extraction_id",
            Self::BatchId => "batch_id",
            Self::FileId => "file_id",
            Self::UploadedAt => "uploaded_at",
            Self::ProcessedAt => "processed_at",
            Self::DocumentType => "document_type",
            Self::Subject => "subject",
            Self::Account => "account",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

/// The key of the labels: the only one that holds no text.
pub(super) const LABELS: &str = "labels";

/// ` — did you mean …` for a name that comes close to one of `known`, else a list of them all.
pub(in crate::intake) fn suggestion<'k>(name: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let plain = |text: &str| text.replace(['_', '-', ' ', '.'], "").to_lowercase();
    let wanted = plain(&shortened(name));
    let closest = known
        .clone()
        .map(|key| (strsim::normalized_levenshtein(&wanted, &plain(key)), key))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match closest {
        Some((likeness, key)) if likeness >= 0.6 => format!(": did you mean `{key}`?"),
        Some(_) => format!("; known are {}", known.collect::<Vec<_>>().join(", ")),
        None => "; none is known".to_owned(),
    }
}

/// A name from the input, fit for a message: short and without control characters.
pub(in crate::intake) fn shortened(name: &str) -> String {
    let kept: String = name
        .chars()
        .take(64)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if kept.len() < name.len() {
        format!("{kept}…")
    } else {
        kept
    }
}

pub(super) fn unknown_key(what: &str, name: &str) -> Problem {
    let known = Field::ALL.into_iter().map(Field::name).chain([LABELS]);
    let hint = suggestion(name, known);
    Problem::new(
        "unknown-key",
        format!("unknown {what} `{}`{hint}", shortened(name)),
    )
}

fn not_a_text(key: &str, kind: &str) -> Problem {
    Problem::new("wrong-type", format!("{key} must be a text, not {kind}"))
}

/// One row, nothing judged but its shape.
#[derive(Debug, Default)]
pub(in crate::intake) struct RawRow<'a> {
    text: [Option<Cow<'a, str>>; 9],
    /// In the order of the input; a key may stand twice.
    pub(in crate::intake) labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The first fault of shape: a row that has one is never looked at further.
    pub(in crate::intake) problem: Option<Problem>,
}

impl<'a> RawRow<'a> {
    pub(in crate::intake) fn get(&self, field: Field) -> Option<&str> {
        self.text[field as usize].as_deref()
    }

    pub(in crate::intake) fn take(&mut self, field: Field) -> Option<Cow<'a, str>> {
        self.text[field as usize].take()
    }

    pub(super) fn set(&mut self, field: Field, value: impl Into<Cow<'a, str>>) {
        self.text[field as usize] = Some(value.into());
    }

    pub(super) fn refuse(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }

    fn set_cell(&mut self, field: Field, cell: Cell<'a>) {
        match cell {
            Cell::Text(text) => self.set(field, text),
            Cell::Null => {}
            Cell::Other(kind) => self.refuse(not_a_text(field.name(), kind)),
        }
    }

    fn set_label(&mut self, key: &str, cell: Cell<'a>) {
        match cell {
            Cell::Text(value) => self.labels.push((key.to_owned().into(), value)),
            Cell::Null => {}
            Cell::Other(kind) => self.refuse(not_a_text(&format!("label `{}`", shortened(key)), kind)),
        }
    }

    fn set_labels(&mut self, cell: LabelsCell<'a>) {
        let labels = match cell {
            LabelsCell::Map(labels) => labels,
            LabelsCell::Null => return,
            LabelsCell::Other(kind) => {
                let message = format!("labels must be an object of texts, not {kind}");
                return self.refuse(Problem::new("wrong-type", message));
            }
        };
        for (key, cell) in labels {
            match cell {
                Cell::Text(value) => self.labels.push((key, value)),
                Cell::Null => {}
                Cell::Other(kind) => {
                    let what = format!("label `{}`", shortened(&key));
                    self.refuse(not_a_text(&what, kind));
                }
            }
        }
    }
}

/// A JSON value where a text is wanted. `null` stands for "not given".
#[derive(Debug)]
pub(super) enum Cell<'a> {
    Text(Cow<'a, str>),
    Null,
    Other(&'static str),
}

enum LabelsCell<'a> {
    Map(Vec<(Cow<'a, str>, Cell<'a>)>),
    Null,
    Other(&'static str),
}

/// The parts of a visitor that cells share: everything that is neither a text nor an object.
macro_rules! other_values {
    ($cell:ident) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($cell::Other("a truth value"))
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($cell::Other("a number"))
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($cell::Other("a number"))
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($cell::Other("a number"))
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($cell::Null)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok($cell::Other("a list"))
        }
    };
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Cell<'de>, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an object"))
    }
    other_values!(Cell);
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CellVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = LabelsCell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(LabelsCell::Other("a text"))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut labels = Vec::new();
        while let Some(entry) = entries.next_entry::<Name<'de>, Cell<'de>>()? {
            labels.push((entry.0.0, entry.1));
        }
        Ok(LabelsCell::Map(labels))
    }
    other_values!(LabelsCell);
}

impl<'de: 'a, 'a> Deserialize<'de> for LabelsCell<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LabelsVisitor)
    }
}

/// A key, borrowed where it holds no escape.
struct Name<'a>(Cow<'a, str>);

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(text.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(NameVisitor)
    }
}

/// Reads one row; with a mapping, under the names of the input.
pub(super) struct RowSeed<'m>(pub(super) Option<&'m Mapping>);

impl RowSeed<'_> {
    fn target(&self, name: &str) -> Target<'_> {
        match self.0 {
            Some(mapping) => mapping.target(name),
            None if name == LABELS => Target::Labels,
            None => Field::named(name).map_or(Target::Foreign, Target::Text),
        }
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = RawRow<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawRow<'de>, A::Error> {
        let mut row = RawRow::default();
        let mut seen = 0_u32;
        while let Some(Name(name)) = entries.next_key()? {
            let bit = match self.target(&name) {
                Target::Text(field) => {
                    row.set_cell(field, entries.next_value()?);
                    1 << field as usize
                }
                Target::Labels => {
                    row.set_labels(entries.next_value()?);
                    1 << Field::ALL.len()
                }
                // The checker finds one that stands twice.
                Target::Label(key) => {
                    row.set_label(key, entries.next_value()?);
                    0
                }
                Target::Foreign => {
                    if self.0.is_none() {
                        row.refuse(unknown_key("key", &name));
                    }
                    entries.next_value::<IgnoredAny>()?;
                    0
                }
            };
            if seen & bit != 0 {
                let message = format!("the key `{}` stands twice", shortened(&name));
                row.refuse(Problem::new("duplicate-key", message));
            }
            seen |= bit;
        }
        Ok(row)
    }
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = RawRow<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<RawRow<'de>, D::Error> {
        from.deserialize_map(self)
    }
}
