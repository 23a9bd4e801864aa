//! `[controller]`, and what a policy states for the deletion concept: words for people, which decide nothing.

use super::reader::{Findings, Section};
use super::values::filled;

/// `[controller]`: who answers for the retention, for reports and the deletion concept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControllerSettings {
    /// Who decides on purposes and means (Art. 4(7) GDPR).
    pub name: Option<String>,
    /// How to reach them, or their data-protection officer.
    pub contact: Option<String>,
}

impl ControllerSettings {
    pub(super) fn read(section: Option<&Section<'_>>, findings: &mut Findings) -> Self {
        let Some(section) = section else {
            return Self::default();
        };
        Self {
            name: stated(section, "name", findings),
            contact: stated(section, "contact", findings),
        }
    }
}

/// What a policy states of itself; nothing of it decides which files it owns, or when they go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// The data type, in the words of the deletion concept.
    pub title: Option<String>,
    /// What the files are processed for.
    pub purpose: Option<String>,
    /// The legal basis of the period.
    pub basis: Option<String>,
    /// Whose data they are.
    pub data_subjects: Option<String>,
    /// Who answers for the rule.
    pub owner: Option<String>,
}

impl Statement {
    pub(super) fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        Self {
            title: stated(section, "title", findings),
            purpose: stated(section, "purpose", findings),
            basis: stated(section, "basis", findings),
            data_subjects: stated(section, "data_subjects", findings),
            owner: stated(section, "owner", findings),
        }
    }
}

/// A text that is there; an empty one is reported.
fn stated(section: &Section<'_>, key: &str, findings: &mut Findings) -> Option<String> {
    let text = section.string(key, findings)?;
    filled(&format!("`{key}`"), &text, section.example(key), findings)
}
