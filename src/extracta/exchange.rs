//! One HTTP exchange: a request out, a [`Reply`] back; never a second try.
//!
//! Everything that could carry a secret stops here: the key goes into a header marked sensitive,
//! errors are turned to words of our own, and of an answer only code, a few headers and the bounded
//! body go on.

use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Method, Response};
use tokio::time::{Instant, timeout};

use crate::outcome::wait::http_date;
use crate::outcome::{Answer, Reply};

pub(super) mod words;

/// What a request carries.
pub(super) enum Payload {
    /// Nothing.
    Empty,
    /// JSON, byte for byte.
    Json(Vec<u8>),
    /// A form with files.
    Multipart(reqwest::multipart::Form),
}

/// One call of the API.
pub(super) struct Call {
    /// The API's own name of the call, for the log.
    pub name: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path below the base address.
    pub path: &'static str,
    /// What it carries.
    pub payload: Payload,
    /// Number of files it speaks of, for the log.
    pub ids: usize,
    /// Longest answer that is read, in bytes.
    pub longest_answer: usize,
    /// Total time for connecting, sending and the whole answer.
    pub deadline: Duration,
}

/// The client with its base address and key. No `Debug`: it holds the key.
pub(super) struct Exchange {
    client: Client,
    base: String,
    authorization: HeaderValue,
}

impl Exchange {
    /// `base` without a slash at its end; `authorization` is marked sensitive here.
    pub(super) fn new(client: Client, base: String, authorization: HeaderValue) -> Self {
        Self {
            client,
            base,
            authorization: sensitive(authorization),
        }
    }

    /// The connections, to be used with another key.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The base address.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Makes the call, once.
    pub(super) async fn make(&self, call: Call) -> Reply {
        let begin = Instant::now();
        let (name, ids, deadline) = (call.name, call.ids, call.deadline);
        let reply = match timeout(deadline, self.attempt(call)).await {
            Ok(reply) => reply,
            // How far it came is not known here, and does not matter: it may have arrived.
            Err(_) => Reply::Lost {
                reason: format!("no whole answer within {}", in_words(deadline)),
            },
        };
        let latency_ms = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(
            call = name,
            ids,
            http.status = reply.status(),
            latency_ms,
            "extracta call"
        );
        reply
    }

    async fn attempt(&self, call: Call) -> Reply {
        let url = format!("{}{}", self.base, call.path);
        let request = self
            .client
            .request(call.method, url)
            .header(AUTHORIZATION, self.authorization.clone());
        let request = match call.payload {
            Payload::Empty => request,
            Payload::Json(body) => request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(body),
            Payload::Multipart(form) => request.multipart(form),
        };
        match request.send().await {
            Ok(response) => answer_of(response, call.longest_answer).await,
            Err(error) => failure(&error),
        }
    }
}

/// Marked so that no `Debug` shows it and no compression table keeps it.
fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Only an error before the first byte is "not sent"; a connection that breaks later may have
/// delivered the request.
fn failure(error: &reqwest::Error) -> Reply {
    let reason = words::of(error);
    if error.is_connect() || error.is_builder() {
        Reply::NotSent { reason }
    } else {
        Reply::Lost { reason }
    }
}

async fn answer_of(mut response: Response, longest: usize) -> Reply {
    let headers = response.headers();
    let mut answer = Answer {
        status: response.status().as_u16(),
        content_type: text_of(headers, &CONTENT_TYPE),
        retry_after: every_text_of(headers, &RETRY_AFTER),
        date: text_of(headers, &DATE).and_then(|date| http_date(&date)),
        redirect_host: redirect_host(&response),
        body: Vec::new(),
        cut: false,
    };
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = longest - answer.body.len();
                if chunk.len() > room {
                    answer.body.extend_from_slice(&chunk[..room]);
                    answer.cut = true;
                    return Reply::Answered(answer);
                }
                answer.body.extend_from_slice(&chunk);
            }
            Ok(None) => return Reply::Answered(answer),
            Err(error) => {
                let reason = format!(
                    "the answer (HTTP {}) broke off: {}",
                    answer.status,
                    words::of(&error)
                );
                return Reply::Lost { reason };
            }
        }
    }
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    every_text_of(headers, name).into_iter().next()
}

fn every_text_of(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).into_iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

/// The host that a redirect points to; the rest of its address may hold anything.
fn redirect_host(response: &Response) -> Option<String> {
    let target = text_of(response.headers(), &LOCATION)?;
    let target = response.url().join(&target).ok()?;
    let redirects = response.status().is_redirection();
    target.host_str().filter(|_| redirects).map(str::to_owned)
}

fn in_words(deadline: Duration) -> String {
    if deadline.subsec_millis() == 0 {
        format!("{} s", deadline.as_secs())
    } else {
        format!("{} ms", deadline.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_marked_sensitive() {
        assert!(sensitive(HeaderValue::from_static("Bearer canary")).is_sensitive());
    }

    #[test]
    fn deadlines_read_well() {
        assert_eq!(in_words(Duration::from_secs(60)), "60 s");
        assert_eq!(in_words(Duration::from_millis(1500)), "1500 ms");
    }
}
