//! The API's envelope `{"status": …, "message": …}`, read without trust.

use std::borrow::Cow;

use serde::Deserialize;

/// Whether a declared media type is JSON (`application/json`, `…+json`), or none is declared.
///
/// A missing type is tolerated since the body is parsed strictly anyway; a type that says HTML is
/// believed, whatever the body looks like.
#[must_use]
pub fn may_be_json(content_type: Option<&str>) -> bool {
    let Some(declared) = content_type else {
        return true;
    };
    let media = declared
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// Reads a JSON object, and nothing but an object: derived readers would take an array for one, too.
///
/// The whole must be UTF-8: a reader of bytes passes over broken text in fields that it does not ask for.
#[must_use]
pub fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    let json = std::str::from_utf8(json).ok()?;
    if !json.trim_ascii_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(json).ok()
}

/// A field that may hold anything; only strings and booleans mean something here.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Field<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    Bool(bool),
    Other(serde::de::IgnoredAny),
}

/// The fields of an envelope that decide something. A field that stands twice, an array, a byte
/// order mark or text after the object make the whole no envelope: derived readers refuse doubles.
#[derive(Debug, Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    status: Option<Field<'a>>,
    #[serde(borrow)]
    message: Option<Field<'a>>,
    #[serde(borrow, rename = "deleteAll")]
    delete_all: Option<Field<'a>>,
}

/// What stands in the envelope's `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status<'a> {
    /// No such field, or null.
    Absent,
    /// A text.
    Text(&'a str),
    /// A number, an object, …
    NotText,
}

/// A JSON object with the API's common fields; all others are passed over.
#[derive(Debug)]
pub struct Envelope<'a>(Raw<'a>);

impl<'a> Envelope<'a> {
    /// Reads a body, or `None` if it is no JSON object or names one of the fields twice.
    #[must_use]
    pub fn read(content_type: Option<&str>, body: &'a [u8]) -> Option<Self> {
        if !may_be_json(content_type) {
            return None;
        }
        object(body).map(Self)
    }

    /// The `status` field.
    #[must_use]
    pub fn status(&self) -> Status<'_> {
        match &self.0.status {
            None => Status::Absent,
            Some(Field::Text(text)) => Status::Text(text),
            Some(Field::Bool(_) | Field::Other(_)) => Status::NotText,
        }
    }

    /// The `message` field, if it is text. Foreign text: clean it before it is shown.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match &self.0.message {
            Some(Field::Text(text)) => Some(text),
            None | Some(Field::Bool(_) | Field::Other(_)) => None,
        }
    }

    /// Whether `deleteAll` is exactly `true`.
    #[must_use]
    pub fn deletes_all(&self) -> bool {
        matches!(self.0.delete_all, Some(Field::Bool(true)))
    }

    /// Whether the status claims in any spelling that something was done.
    #[must_use]
    pub fn claims_success(&self) -> bool {
        match self.status() {
            Status::Text(text) => ["success", "ok", "deleted", "done", "true"]
                .iter()
                .any(|word| text.trim().eq_ignore_ascii_case(word)),
            Status::NotText => matches!(self.0.status, Some(Field::Bool(true))),
            Status::Absent => false,
        }
    }

    /// Whether the message speaks of one of these things, in whole words and lower case. A path is
    /// one word, so `/getResults` names nothing.
    #[must_use]
    pub fn speaks_of(&self, things: &[&str]) -> bool {
        let said = self.message().unwrap_or_default().to_lowercase();
        said.split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/'))
            .any(|word| things.contains(&word))
    }

    /// Whether this is the API's own word that something does not exist.
    ///
    /// Wants the API's envelope, or else a message that names one of `things`: a gateway's bare
    /// `{"message":"Not Found"}` tells of a wrong address. A key, user or route that is not found
    /// tells nothing of files either.
    #[must_use]
    pub fn says_missing(&self, things: &[&str]) -> bool {
        let said = self.message().unwrap_or_default().to_lowercase();
        let missing = ["does not exist", "do not exist", "doesn't exist", "not found"]
            .iter()
            .any(|phrase| said.contains(phrase));
        missing
            && !self.speaks_of(&FOREIGN)
            && match self.status() {
                Status::Text("error" | "not_found") => true,
                Status::Absent => self.speaks_of(things),
                Status::Text(_) | Status::NotText => false,
            }
    }
}

/// What may be missing without any file being gone.
const FOREIGN: [&str; 16] = [
    "key",
    "token",
    "user",
    "account",
    "organization",
    "organisation",
    "workspace",
    "team",
    "route",
    "endpoint",
    "path",
    "page",
    "url",
    "host",
    "method",
    "api",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_declared_json_or_no_declaration_is_read() {
        for (declared, read) in [
            (None, true),
            (Some("application/json"), true),
            (Some("Application/JSON; charset=utf-8"), true),
            (Some("application/problem+json"), true),
            (Some("text/html; charset=utf-8"), false),
            (Some("text/plain"), false),
            (Some("application/jsonp"), false),
            (Some(""), false),
        ] {
            assert_eq!(may_be_json(declared), read, "{declared:?}");
        }
    }

    #[test]
    fn a_doubled_field_an_array_and_a_byte_order_mark_are_no_envelope() {
        for body in [
            r#"{"status":"error","status":"success"}"#,
            r#"{"status":"success","status":"success"}"#,
            r#"{"status":"success","st\u0061tus":"error"}"#,
            r#"{"status":"success","deleteAll":false,"deleteAll":true}"#,
            r#"["success",null,null]"#,
            "\u{feff}{\"status\":\"success\"}",
            r#"{"status":"success"} x"#,
            r#"{"status":"success""#,
            "\"success\"",
            "null",
            "",
            "  ",
        ] {
            assert!(Envelope::read(None, body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn broken_text_anywhere_makes_it_no_envelope() {
        for body in [
            &b"{\"status\":\"success\",\"x\":\"\xff\"}"[..],
            b"{\"status\":\"success\",\"x\":{\"y\":[\"\xc3\"]}}",
            b"{\"status\":\"success\",\"\xff\":1}",
        ] {
            assert!(Envelope::read(None, body).is_none(), "{}", body.escape_ascii());
        }
    }

    #[test]
    fn fields_of_any_type_are_read_and_unknown_ones_passed_over() {
        let body = br#" {"status":7,"message":{"a":[1]},"deleteAll":"true","x":{"status":"success"}} "#;
        let envelope = Envelope::read(None, body).expect("an object");
        assert_eq!(envelope.status(), Status::NotText);
        assert_eq!(envelope.message(), None);
        assert!(!envelope.deletes_all());
        assert!(!envelope.claims_success());
        let escaped =
            Envelope::read(None, br#"{"status":"succ\u0065ss","message":"a\nb"}"#).expect("an object");
        assert_eq!(escaped.status(), Status::Text("success"));
        assert_eq!(escaped.message(), Some("a\nb"));
    }
}
