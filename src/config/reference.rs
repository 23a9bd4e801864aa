//! The table of every key: `retentiond config keys` prints it, `docs/policies.md` holds it.

use serde::Serialize;

use super::keys;

/// The keys of one kind of table.
#[derive(Debug, Clone, Serialize)]
pub struct KeyTable {
    /// How messages call it, such as `[limits]`.
    pub title: &'static str,
    /// Its keys, in the order in which they are usually written.
    pub keys: Vec<KeyRow>,
}

/// One key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyRow {
    /// As it is typed.
    pub key: &'static str,
    /// What it takes, in words.
    pub takes: String,
    /// What counts without it, in words.
    pub default: String,
    /// A value that it takes, as it is typed.
    pub example: &'static str,
    /// What it says.
    pub means: &'static str,
}

/// Every key that a policy file may hold, outermost table first.
#[must_use]
pub fn key_tables() -> Vec<KeyTable> {
    let row = |key: &keys::Key| KeyRow {
        key: key.name,
        takes: key.takes.words(),
        default: key.default.words(),
        example: key.example,
        means: key.means,
    };
    keys::ALL
        .iter()
        .map(|schema| KeyTable {
            title: schema.title,
            keys: schema.keys.iter().map(row).collect(),
        })
        .collect()
}

impl KeyTable {
    /// As Markdown: a heading and a table.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "### {}\n\n| key | takes | default | example | meaning |\n|---|---|---|---|---|\n",
            self.title
        );
        for row in &self.keys {
            let cells = [
                format!("`{}`", row.key),
                row.takes.clone(),
                row.default.clone(),
                format!("`{}`", row.example),
                row.means.to_owned(),
            ];
            text.push_str(&format!(
                "| {} |\n",
                cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
            ));
        }
        text
    }
}
