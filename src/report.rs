//! The evidence report and the deletion concept: figures once, several renderings.
//!
//! Work storey, between the ledger and whoever has to answer for it: a data-protection officer, an auditor, a
//! court. [`gather`] asks the ledger once and counts; everything printed is a field of [`Report`], and a
//! rendering adds nothing. No file names and no words that anybody typed for a single case (reasons, references)
//! are in it; ids only where they were asked for. Knows nothing of HTTP, of the policy file's text, or of where a
//! report goes.

mod cause;
mod concept;
mod csv;
mod document;
mod exceptions;
mod figures;
mod fold;
mod gaps;
mod gather;
mod html;
mod lateness;
mod limits;
mod lines;
mod timeline;
mod words;

pub use concept::{Concept, Stated, concept, concept_html, concept_markdown};
pub use csv::csv;
pub use document::*;
pub use gather::{Ask, gather};
pub use html::html;

/// The published schema of a report's JSON: `docs/report.schema.json`.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Report>()
        .into()
}
