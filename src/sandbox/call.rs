//! One request, read to its end: JSON in memory up to 1 MiB, uploads only counted and hashed as they pass.
//!
//! The second step of an exchange. Knows the wire's habits (Express, multer), not the state.

use std::collections::BTreeMap;

use axum::extract::{DefaultBodyLimit, FromRequest, Multipart};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{HeaderMap, Request};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::route::{Endpoint, Route};
use super::state::Arrival;

/// The most bytes of a JSON body.
const JSON_LIMIT: usize = 1024 * 1024;
/// The most bytes of a text field in an upload; ids are far shorter.
const FIELD_LIMIT: usize = 4096;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The client went away in the middle of its request.
#[derive(Debug, thiserror::Error)]
#[error("the request broke off")]
pub(super) struct BrokenOff;

/// What an id field held, as JavaScript would see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference<'c> {
    /// Missing, null, "", 0 or false: what widens a delete.
    Falsy,
    /// A text.
    Id(&'c str),
    /// Anything else: no id, but not falsy either.
    Odd,
}

/// What `fileIds` held.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileList<'c> {
    /// Missing, falsy or empty, or with a falsy id in it.
    Widens,
    /// Nothing that could be a list of ids.
    Odd,
    /// Ids, in order.
    Ids(Vec<&'c str>),
}

#[derive(Debug)]
pub(super) enum Payload {
    Json(Value),
    Upload {
        fields: BTreeMap<String, String>,
        files: Vec<Arrival>,
    },
    /// Refused before any endpoint saw it.
    Refused(Answer),
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) route: Route,
    /// Method and path.
    pub(super) line: String,
    /// The bearer key.
    pub(super) key: Option<String>,
    pub(super) payload: Payload,
    pub(super) body_bytes: u64,
}

impl Call {
    /// Reads the whole request.
    pub(super) async fn read<B>(route: Route, line: String, request: Request<B>) -> Result<Self, BrokenOff>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let key = bearer(request.headers());
        let (payload, body_bytes) = if route.endpoint == Endpoint::UploadFiles {
            read_upload(request).await
        } else if is_json(request.headers()) {
            read_json(request.into_body()).await?
        } else {
            // express.json() leaves the body empty when the type is not JSON: every id is then missing (I).
            (Payload::Json(Value::Object(Map::new())), 0)
        };
        Ok(Self {
            route,
            line,
            key,
            payload,
            body_bytes,
        })
    }

    /// The id under `key`.
    pub(super) fn reference(&self, key: &str) -> Reference<'_> {
        match &self.payload {
            Payload::Json(body) => reference(body.get(key)),
            Payload::Upload { fields, .. } => match fields.get(key).map(String::as_str) {
                None | Some("") => Reference::Falsy,
                Some(id) => Reference::Id(id),
            },
            Payload::Refused(_) => Reference::Falsy,
        }
    }

    /// The id of the parent: a classification or a template.
    pub(super) fn parent(&self) -> Reference<'_> {
        self.reference(self.route.module.parent_key())
    }

    /// A field that is not an id.
    pub(super) fn field(&self, key: &str) -> Option<&Value> {
        match &self.payload {
            Payload::Json(body) => body.get(key),
            Payload::Upload { .. } | Payload::Refused(_) => None,
        }
    }

    /// `fileIds`.
    pub(super) fn file_list(&self) -> FileList<'_> {
        let Some(list) = self.field("fileIds") else {
            return FileList::Widens;
        };
        match list {
            Value::Array(items) if items.is_empty() => FileList::Widens,
            Value::Array(items) => {
                let mut ids = Vec::with_capacity(items.len());
                for item in items {
                    match reference(Some(item)) {
                        Reference::Falsy => return FileList::Widens,
                        Reference::Id(id) => ids.push(id),
                        Reference::Odd => return FileList::Odd,
                    }
                }
                FileList::Ids(ids)
            }
            falsy if is_falsy(falsy) => FileList::Widens,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                FileList::Odd
            }
        }
    }

    /// Every file id that is a text, for the journal and for poison faults.
    pub(super) fn file_ids(&self) -> Vec<String> {
        let listed = self
            .field("fileIds")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let one = self.field("fileId");
        listed
            .iter()
            .chain(one)
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }
}

impl Reference<'_> {
    /// The text, for the journal.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Id(id) => Some(id.to_owned()),
            Self::Falsy | Self::Odd => None,
        }
    }
}

fn reference(value: Option<&Value>) -> Reference<'_> {
    match value {
        None => Reference::Falsy,
        Some(value) if is_falsy(value) => Reference::Falsy,
        Some(Value::String(id)) => Reference::Id(id),
        Some(_) => Reference::Odd,
    }
}

/// Falsy as in JavaScript.
fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| key.trim().to_owned())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or("");
    kind.split(';')
        .next()
        .unwrap_or("")
        .trim()
        .eq_ignore_ascii_case("application/json")
}

async fn read_json<B>(body: B) -> Result<(Payload, u64), BrokenOff>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let bytes = match Limited::new(body, JSON_LIMIT).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let page = Answer::page(413, "PayloadTooLargeError: request entity too large");
            return Ok((Payload::Refused(page), 0));
        }
        Err(_) => return Err(BrokenOff),
    };
    let length = bytes.len() as u64;
    if bytes.is_empty() {
        return Ok((Payload::Json(Value::Object(Map::new())), 0));
    }
    let payload = match serde_json::from_slice::<Value>(&bytes) {
        Ok(value) if value.is_object() || value.is_array() => Payload::Json(value),
        Ok(_) | Err(_) => Payload::Refused(Answer::page(400, "SyntaxError: the body is not strict JSON")),
    };
    Ok((payload, length))
}

async fn read_upload<B>(request: Request<B>) -> (Payload, u64)
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut request = request.map(axum::body::Body::new);
    DefaultBodyLimit::disable().apply(&mut request);
    let mut bytes = 0;
    let read = match Multipart::from_request(request, &()).await {
        Ok(form) => read_fields(form, &mut bytes).await,
        Err(_) => Err("MulterError: not a multipart form".to_owned()),
    };
    (
        read.unwrap_or_else(|why| Payload::Refused(Answer::page(400, &why))),
        bytes,
    )
}

async fn read_fields(mut form: Multipart, bytes: &mut u64) -> Result<Payload, String> {
    let broken = |error: axum::extract::multipart::MultipartError| format!("MulterError: {error}");
    let (mut fields, mut files) = (BTreeMap::new(), Vec::new());
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or("").to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let (mut digest, mut length, mut text) = (Sha256::new(), 0_u64, Vec::new());
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            length += chunk.len() as u64;
            if file_name.is_some() {
                digest.update(&chunk);
            } else if text.len() + chunk.len() <= FIELD_LIMIT {
                text.extend_from_slice(&chunk);
            } else {
                return Err("MulterError: Field value too long".to_owned());
            }
        }
        *bytes += length;
        match file_name {
            Some(file) if name == "files" => {
                files.push(Arrival {
                    name: file,
                    bytes: length,
                    sha256: Some(hex::encode(digest.finalize())),
                });
            }
            Some(_) => return Err("MulterError: Unexpected field".to_owned()),
            None => {
                fields.insert(name, String::from_utf8_lossy(&text).into_owned());
            }
        }
    }
    Ok(Payload::Upload { fields, files })
}

#[cfg(test)]
mod tests;
