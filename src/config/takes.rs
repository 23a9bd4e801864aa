//! What a key takes, and what counts without it: in words for people, as JSON Schema for editors.

use serde_json::{Value, json};

use super::keys::{self, Schema};
use super::suggest::listed;

/// The kinds of values.
#[derive(Debug, Clone, Copy)]
pub(super) enum Takes {
    /// A text.
    Text,
    /// A text, or a list of texts.
    Texts,
    /// A whole number from … to ….
    Whole(i64, i64),
    /// `true` or `false`.
    Switch,
    /// `"30 days"`, `"P6M"`, `"72 hours"`.
    Period,
    /// A period, or `"forever"`.
    PeriodOrForever,
    /// An exact length: `"2s"`.
    Interval,
    /// `"25%"`.
    Percentage,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A cron expression.
    Schedule,
    /// `"uploaded"`, `"processed"`, `"event:NAME"`.
    Start,
    /// A start, or a table with one.
    Clock,
    /// `"everything"`, or a table.
    Matching,
    /// A table: a label, and one or several values.
    Labels,
    /// One table.
    Table(&'static Schema),
    /// A table that may be repeated.
    Tables(&'static Schema),
}

/// What counts where a key is left out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Without {
    /// The key must be there.
    Required,
    /// It says nothing then.
    Unset,
    /// This, in words.
    Is(&'static str),
}

impl Without {
    /// As the reference shows it.
    pub(super) fn words(self) -> String {
        match self {
            Self::Required => "required".to_owned(),
            Self::Unset => "–".to_owned(),
            Self::Is(text) => text.to_owned(),
        }
    }
}

impl Takes {
    /// As the reference shows it.
    pub(super) fn words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Texts => "text, or list of texts".to_owned(),
            Self::Whole(least, most) => format!("whole number, {least} to {most}"),
            Self::Switch => "`true` or `false`".to_owned(),
            Self::Period => "period".to_owned(),
            Self::PeriodOrForever => "period, or `forever`".to_owned(),
            Self::Interval => "interval".to_owned(),
            Self::Percentage => "percentage, 1% to 100%".to_owned(),
            Self::Word(words) => listed(words),
            Self::Schedule => "cron expression".to_owned(),
            Self::Start => "`uploaded`, `processed` or `event:NAME`".to_owned(),
            Self::Clock => "a start, or a table (`clock`)".to_owned(),
            Self::Matching => "`everything`, or a table (`match`)".to_owned(),
            Self::Labels => "table of labels and their values".to_owned(),
            Self::Table(inner) => format!("table ({})", inner.title),
            Self::Tables(inner) => format!("table, repeated ({})", inner.title),
        }
    }

    /// As JSON Schema. Looser than the parser where only the parser can tell (a period's text).
    pub(super) fn schema(self) -> Value {
        match self {
            Self::Text | Self::Schedule | Self::Interval => json!({ "type": "string", "minLength": 1 }),
            Self::Texts => json!({ "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1 },
            ] }),
            Self::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Self::Switch => json!({ "type": "boolean" }),
            // A number without a unit is what people get wrong.
            Self::Period => json!({ "type": "string", "pattern": "[A-Za-z]" }),
            Self::PeriodOrForever => json!({ "type": "string", "pattern": "[A-Za-z]" }),
            Self::Percentage => json!({ "type": "string", "pattern": "^\\s*(100|[1-9][0-9]?)\\s*%$" }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::Start => json!({
                "type": "string",
                "pattern": "^(uploaded|processed|event:[A-Za-z0-9._-]{1,64})$",
            }),
            Self::Clock => json!({ "anyOf": [
                super::schema::start(),
                super::schema::table(&keys::CLOCKS),
            ] }),
            Self::Matching => json!({ "anyOf": [
                { "type": "string", "enum": ["everything"] },
                super::schema::table(&keys::MATCHING),
            ] }),
            Self::Labels => json!({
                "type": "object",
                "minProperties": 1,
                "additionalProperties": Self::Texts.schema(),
            }),
            Self::Table(inner) => super::schema::table(inner),
            Self::Tables(inner) => json!({ "type": "array", "items": super::schema::table(inner) }),
        }
    }
}
