//! The policy file as JSON Schema (draft 7), for editors: completion, and a mark under a wrong key.
//!
//! Made of [`super::keys`], so that it cannot fall behind. It refuses no file that the parser accepts; what
//! only the parser can tell (zones, periods, what two policies mean together) is left to `check`.

use serde_json::{Map, Value, json};

use super::keys::{self, Schema};
use super::takes::Without;

/// Where the schema says that it comes from.
const ID: &str = "https://retentiond.example/policies.schema.json";

/// The whole schema, for `retentiond config schema`.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = table(&keys::TOP);
    let top = schema.as_object_mut().expect("a table's schema is an object");
    top.insert(
        "$schema".to_owned(),
        json!("http://json-schema.org/draft-07/schema#"),
    );
    top.insert("$id".to_owned(), json!(ID));
    top.insert("title".to_owned(), json!("retentiond policies"));
    schema
}

/// One kind of table.
pub(super) fn table(schema: &Schema) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in schema.keys {
        let mut value = key.takes.schema();
        let entry = value.as_object_mut().expect("each schema is an object");
        let description = match key.default {
            Without::Is(text) => format!("{} (default: {text})", key.means),
            Without::Required | Without::Unset => key.means.to_owned(),
        };
        entry.insert("description".to_owned(), json!(description));
        properties.insert(key.name.to_owned(), value);
        if matches!(key.default, Without::Required) {
            required.push(key.name);
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// What starts a period, written as a text.
pub(super) fn start() -> Value {
    keys::CLOCKS
        .key("start")
        .expect("the table of a clock names its start")
        .takes
        .schema()
}
