//! New classifications and extraction templates: only as far as a rehearsal needs them.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::ExtractaClient;
use super::exchange::{Call, Payload};
use super::upload::{UploadError, creation_body};
use crate::model::{ClassificationId, ExtractionId};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreatedClassification {
    classification_id: ClassificationId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreatedExtraction {
    extraction_id: ExtractionId,
}

impl ExtractaClient {
    /// `createClassification`; `document_types` is a list of
    /// `{name, description, uniqueWords, extractionId?}`.
    ///
    /// # Errors
    /// [`UploadError`] says whether trying again is safe.
    pub async fn create_classification(
        &self,
        name: &str,
        document_types: Value,
    ) -> Result<ClassificationId, UploadError> {
        let body = json!({"classificationDetails": {"name": name, "documentTypes": document_types}});
        let path = "/documentClassification/createClassification";
        let answer = self.create("createClassification", path, &body).await?;
        let created: CreatedClassification = serde_json::from_slice(&answer).map_err(without_id)?;
        Ok(created.classification_id)
    }

    /// `createExtraction`; `fields` is a list of the template's fields.
    ///
    /// # Errors
    /// [`UploadError`] says whether trying again is safe.
    pub async fn create_extraction(
        &self,
        name: &str,
        language: &str,
        fields: Value,
    ) -> Result<ExtractionId, UploadError> {
        let body = json!({"extractionDetails": {"name": name, "language": language, "fields": fields}});
        let answer = self
            .create("createExtraction", "/createExtraction", &body)
            .await?;
        let created: CreatedExtraction = serde_json::from_slice(&answer).map_err(without_id)?;
        Ok(created.extraction_id)
    }

    async fn create(
        &self,
        name: &'static str,
        path: &'static str,
        body: &Value,
    ) -> Result<Vec<u8>, UploadError> {
        let reply = self
            .exchange
            .make(Call {
                name,
                method: Method::POST,
                path,
                payload: Payload::Json(body.to_string().into_bytes()),
                ids: 0,
                longest_answer: self.max_listing,
                deadline: self.timeout,
            })
            .await;
        creation_body(reply)
    }
}

/// The parser's own message could repeat the answer, so it is not passed on.
fn without_id(_: serde_json::Error) -> UploadError {
    UploadError::Unclear {
        reason: "the answer names no id".to_owned(),
    }
}
