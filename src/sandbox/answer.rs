//! An answer before it becomes HTTP: status, body, type. The documented envelopes are made here, once.
//!
//! Knows nothing of state or of the connection.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// What will be sent. An empty content type sends none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

impl Answer {
    /// A JSON body.
    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        let body =
            serde_json::to_vec(body).expect("answers hold only texts, numbers, lists and string-keyed maps");
        Self {
            status,
            content_type: JSON.to_owned(),
            body: Bytes::from(body),
        }
    }

    /// `{"status":"success","message":…}` (D).
    pub(super) fn success(message: &str) -> Self {
        Self::json(200, &json!({"status": "success", "message": message}))
    }

    /// `{"status":"error","message":…}` (D).
    pub(super) fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"status": "error", "message": message}))
    }

    /// The documented 500 of `deleteFiles` (D).
    pub(super) fn internal_error() -> Self {
        Self::error(500, "Internal server error")
    }

    /// 400 "… does not exist": what an unknown id is answered (C).
    pub(super) fn unknown(what: &str) -> Self {
        Self::error(400, &format!("{what} does not exist"))
    }

    /// An Express error page (C).
    pub(super) fn page(status: u16, text: &str) -> Self {
        let text = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        let body = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n\
             <body>\n<pre>{text}</pre>\n</body>\n</html>\n"
        );
        Self {
            status,
            content_type: HTML.to_owned(),
            body: Bytes::from(body),
        }
    }

    /// A scripted body: a text as it stands, anything else as JSON.
    pub(super) fn scripted(status: u16, body: &serde_json::Value) -> Self {
        match body.as_str() {
            Some(text) => {
                let body = Bytes::from(text.to_owned());
                Self {
                    status,
                    content_type: HTML.to_owned(),
                    body,
                }
            }
            None => Self::json(status, body),
        }
    }

    /// A status without a body.
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: String::new(),
            body: Bytes::new(),
        }
    }
}
