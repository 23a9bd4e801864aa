//! One spelling for each value: RFC 8785 (JSON Canonicalization Scheme), for what leaves are made of:
//! objects with ASCII keys, arrays, texts, booleans, `null`, and integers that every JSON reader keeps
//! (up to 2⁵³ − 1 either way).

use serde::Serialize;
use serde_json::Value;

/// The largest integer that RFC 8785 writes as it is.
const EXACT: i64 = (1 << 53) - 1;

/// Writes `value`.
///
/// # Panics
/// On what a leaf never holds: a fraction, an integer beyond 2⁵³ − 1, a key that is not ASCII.
#[must_use]
pub fn canonical<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).expect("leaves are made of plain data");
    spell(&value).expect("leaves hold exact integers and ASCII keys only")
}

/// The canonical spelling of parsed JSON; `None` for what a leaf never holds.
#[must_use]
pub fn spell(value: &Value) -> Option<String> {
    let mut text = String::new();
    write(value, &mut text)?;
    Some(text)
}

fn write(value: &Value, out: &mut String) -> Option<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => {
            let number = number.as_i64().filter(|n| (-EXACT..=EXACT).contains(n))?;
            out.push_str(&number.to_string());
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // Bytes sort as UTF-16 does, which the RFC asks for, as long as keys are ASCII.
            members.sort_unstable_by_key(|(key, _)| key.as_bytes());
            out.push('{');
            for (place, (key, member)) in members.into_iter().enumerate() {
                if !key.is_ascii() {
                    return None;
                }
                if place > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write(member, out)?;
            }
            out.push('}');
        }
    }
    Some(())
}

/// `serde_json` escapes what the RFC escapes, and as it does.
fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("a text is JSON"));
}
