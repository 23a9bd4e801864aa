//! Which endpoint a method and a path mean. The first step of every exchange.

use hyper::Method;
use serde::{Deserialize, Serialize};

/// The path below which the vendor's API lives.
pub(super) const BASE_PATH: &str = "/api/v1";

/// One endpoint of the vendor, under the name that its path ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Endpoint {
    /// `GET /credits`
    Credits,
    /// `POST /documentClassification/createClassification`
    CreateClassification,
    /// `POST /documentClassification/viewClassification`
    ViewClassification,
    /// `PATCH /documentClassification/updateClassification`
    UpdateClassification,
    /// `DELETE /documentClassification/deleteClassification`
    DeleteClassification,
    /// `DELETE /documentClassification/deleteBatch`
    DeleteBatch,
    /// `DELETE /documentClassification/deleteFiles`
    DeleteFiles,
    /// `POST /documentClassification/uploadFiles`, and `POST /uploadFiles` of the extraction module
    UploadFiles,
    /// `POST /documentClassification/getResults`
    GetResults,
    /// `POST /createExtraction`
    CreateExtraction,
    /// `POST /viewExtraction`
    ViewExtraction,
    /// `PATCH /updateExtraction`
    UpdateExtraction,
    /// `DELETE /deleteExtraction`
    DeleteExtraction,
    /// `POST /getBatchResults`
    GetBatchResults,
    /// Anything else: Express answers 404 in HTML
    Unrouted,
}

/// The two halves of the vendor's product; each keeps its own parents, batches and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Module {
    /// Document classification; the parent is a classification.
    Classification,
    /// Data extraction; the parent is an extraction template.
    Extraction,
}

impl Module {
    /// The JSON key that names the parent.
    pub(super) fn parent_key(self) -> &'static str {
        match self {
            Self::Classification => "classificationId",
            Self::Extraction => "extractionId",
        }
    }

    /// The parent's name in the vendor's messages: "… does not exist".
    pub(super) fn parent_word(self) -> &'static str {
        match self {
            Self::Classification => "Classification",
            Self::Extraction => "Extraction",
        }
    }

    /// The folder in signed links.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Classification => "documentClassification",
            Self::Extraction => "extractions",
        }
    }
}

/// What a request line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    pub(super) module: Module,
}

/// Finds the route; a wrong path or method is [`Endpoint::Unrouted`], as with Express.
pub(super) fn route(method: &Method, path: &str) -> Route {
    use Endpoint as E;
    use Module::{Classification, Extraction};
    let inner = path.strip_prefix(BASE_PATH).unwrap_or("");
    let (endpoint, module) = match (method.as_str(), inner) {
        ("GET", "/credits") => (E::Credits, Extraction),
        ("POST", "/documentClassification/createClassification") => (E::CreateClassification, Classification),
        ("POST", "/documentClassification/viewClassification") => (E::ViewClassification, Classification),
        ("PATCH", "/documentClassification/updateClassification") => {
            (E::UpdateClassification, Classification)
        }
        ("DELETE", "/documentClassification/deleteClassification") => {
            (E::DeleteClassification, Classification)
        }
        ("DELETE", "/documentClassification/deleteBatch") => (E::DeleteBatch, Classification),
        ("DELETE", "/documentClassification/deleteFiles") => (E::DeleteFiles, Classification),
        ("POST", "/documentClassification/uploadFiles") => (E::UploadFiles, Classification),
        ("POST", "/documentClassification/getResults") => (E::GetResults, Classification),
        ("POST", "/createExtraction") => (E::CreateExtraction, Extraction),
        ("POST", "/viewExtraction") => (E::ViewExtraction, Extraction),
        ("PATCH", "/updateExtraction") => (E::UpdateExtraction, Extraction),
        ("DELETE", "/deleteExtraction") => (E::DeleteExtraction, Extraction),
        ("POST", "/uploadFiles") => (E::UploadFiles, Extraction),
        ("POST", "/getBatchResults") => (E::GetBatchResults, Extraction),
        _ => (E::Unrouted, Extraction),
    };
    Route { endpoint, module }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_method_is_not_routed() {
        assert_eq!(
            route(&Method::POST, "/api/v1/documentClassification/deleteFiles").endpoint,
            Endpoint::Unrouted
        );
        assert_eq!(
            route(&Method::DELETE, "/api/v1/documentClassification/deleteFiles").endpoint,
            Endpoint::DeleteFiles
        );
    }

    #[test]
    fn both_modules_have_uploads() {
        let classification = route(&Method::POST, "/api/v1/documentClassification/uploadFiles");
        let extraction = route(&Method::POST, "/api/v1/uploadFiles");
        assert_eq!(
            (classification.endpoint, extraction.endpoint),
            (Endpoint::UploadFiles, Endpoint::UploadFiles)
        );
        assert_ne!(classification.module, extraction.module);
    }

    #[test]
    fn a_path_outside_the_base_is_not_routed() {
        assert_eq!(route(&Method::GET, "/credits").endpoint, Endpoint::Unrouted);
    }
}
