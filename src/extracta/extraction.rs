//! `viewExtraction`: the only call that tells which batches there are, and only of an extraction.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::client::ExtractaClient;
use super::exchange::{Call, Payload};
use crate::model::{BatchId, ExtractionId};
use crate::outcome::Reply;
use crate::outcome::envelope::{Envelope, Status, object};
use crate::outcome::reason::{cleaned, shortened};

/// The batches of an extraction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtractionBatches {
    /// All of them; none where the answer names none.
    Batches(Vec<BatchId>),
    /// The extraction does not exist.
    NoExtraction,
    /// Nothing can be concluded.
    CannotTell {
        /// Why, in words: no ids, links or names.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawView {
    extraction_id: String,
    extraction_details: RawDetails,
}

#[derive(Deserialize)]
struct RawDetails {
    batches: Option<BTreeMap<String, IgnoredAny>>,
}

impl ExtractaClient {
    /// The batches of an extraction. Waits for the spacing of reads first.
    pub async fn extraction_batches(&self, extraction: &ExtractionId) -> ExtractionBatches {
        let turn = self.batch_results.turn().await;
        let body = serde_json::json!({ "extractionId": extraction });
        let reply = self
            .exchange
            .make(Call {
                name: "viewExtraction",
                method: Method::POST,
                path: "/viewExtraction",
                payload: Payload::Json(body.to_string().into_bytes()),
                ids: 0,
                longest_answer: self.max_listing,
                deadline: self.timeout,
            })
            .await;
        turn.answered(None).await;
        batches_of(reply, extraction)
    }
}

fn batches_of(reply: Reply, extraction: &ExtractionId) -> ExtractionBatches {
    let answer = match reply {
        Reply::NotSent { reason } | Reply::Lost { reason } => {
            return ExtractionBatches::CannotTell { reason };
        }
        Reply::TooLong { bytes } => {
            return ExtractionBatches::CannotTell {
                reason: format!("the request would have {bytes} bytes"),
            };
        }
        Reply::Answered(answer) => answer,
    };
    let status = answer.status;
    let envelope = Envelope::read(answer.content_type.as_deref(), &answer.body).filter(|_| !answer.cut);
    let Some(envelope) = envelope else {
        return cannot_tell(status, "no valid JSON object");
    };
    let fails = !matches!(envelope.status(), Status::Absent | Status::Text("success"));
    match status {
        200 if !fails => {}
        400 | 404 if envelope.says_missing(&["extraction"]) => return ExtractionBatches::NoExtraction,
        _ => return cannot_tell(status, &envelope.message().map(cleaned).unwrap_or_default()),
    }
    let Some(view) = object::<RawView>(&answer.body) else {
        return cannot_tell(status, "no view of an extraction as known");
    };
    if view.extraction_id != extraction.as_str() {
        return cannot_tell(status, "it shows another extraction");
    }
    let batches = view.extraction_details.batches.unwrap_or_default();
    match batches.into_keys().map(BatchId::new).collect() {
        Ok(batches) => ExtractionBatches::Batches(batches),
        Err(_) => cannot_tell(status, "a batch without a usable id"),
    }
}

fn cannot_tell(status: u16, why: &str) -> ExtractionBatches {
    ExtractionBatches::CannotTell {
        reason: shortened(&format!("HTTP {status}: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Answer;

    fn seen(status: u16, body: &str) -> ExtractionBatches {
        let answer = Answer {
            status,
            content_type: Some("application/json".to_owned()),
            retry_after: Vec::new(),
            date: None,
            redirect_host: None,
            body: body.as_bytes().to_vec(),
            cut: false,
        };
        batches_of(Reply::Answered(answer), &ExtractionId::new("E1").unwrap())
    }

    #[test]
    fn only_a_view_of_the_extraction_asked_for_says_which_batches_there_are() {
        let none = ExtractionBatches::Batches(Vec::new());
        let two = ["B1", "B2"].map(|id| BatchId::new(id).unwrap()).to_vec();
        let view = r#"{"extractionId":"E1","extractionDetails":{"name":"x","batches":{"B1":{"filesNo":1},"B2":{}}}}"#;
        assert_eq!(seen(200, view), ExtractionBatches::Batches(two));
        assert_eq!(
            seen(200, r#"{"extractionId":"E1","extractionDetails":{"name":"x"}}"#),
            none
        );
        let missing = r#"{"status":"error","message":"Extraction does not exist"}"#;
        assert_eq!(seen(400, missing), ExtractionBatches::NoExtraction);
        for (status, body) in [
            (200, r#"{"extractionId":"E2","extractionDetails":{}}"#),
            (
                200,
                r#"{"status":"error","extractionId":"E1","extractionDetails":{}}"#,
            ),
            (200, r#"{"extractionId":"E1"}"#),
            (
                200,
                r#"{"extractionId":"E1","extractionDetails":{"batches":{"":{}}}}"#,
            ),
            (200, "<html>"),
            (401, missing),
            (500, missing),
        ] {
            let found = seen(status, body);
            assert!(
                matches!(found, ExtractionBatches::CannotTell { .. }),
                "{status} {body}: {found:?}"
            );
        }
    }
}
