//! The line of every key, by policy and floor: what decisions are told with.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::PolicyName;
use crate::rules::lines::Lines;

/// Walks the tree. Keys of a table without a usable name are left out: such a file is refused anyway.
pub(super) fn lines(text: &str, document: &DeTable<'_>) -> Lines {
    let mut walk = Walk {
        ends: text.match_indices('\n').map(|(at, _)| at).collect(),
        lines: Lines::default(),
    };
    for (key, value) in document {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("policy" | "keep", DeValue::Array(items)) => {
                let tables = items.iter().filter_map(|item| item.get_ref().as_table());
                for table in tables {
                    if let Some(name) = name(table) {
                        walk.table(Some(&name), "", table);
                    }
                }
            }
            _ => walk.key(None, "", key, value),
        }
    }
    walk.lines
}

fn name(table: &DeTable<'_>) -> Option<PolicyName> {
    PolicyName::new(table.get("name")?.get_ref().as_str()?).ok()
}

struct Walk {
    /// Where each line ends.
    ends: Vec<usize>,
    lines: Lines,
}

impl Walk {
    fn table(&mut self, rule: Option<&PolicyName>, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            self.key(rule, path, key, value);
        }
    }

    fn key(
        &mut self,
        rule: Option<&PolicyName>,
        path: &str,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let path = if path.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{path}.{}", key.get_ref())
        };
        if let DeValue::Table(inner) = value.get_ref() {
            self.table(rule, &path, inner);
        }
        let line = self.ends.partition_point(|end| *end < key.span().start) + 1;
        self.lines.put(rule, path, line);
    }
}
