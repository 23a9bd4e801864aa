//! The deletion concept: what the law asks to have in writing (Art. 30(1)(f) GDPR; DIN 66398), policy by policy.
//!
//! Rules come from the policy file, practice from the ledger. What nobody stated is shown as missing, never
//! invented. Words here are for people and decide nothing.

mod html;
mod markdown;
mod practice;
mod say;

use std::collections::BTreeMap;

use serde::Serialize;

use super::document::Report;
use crate::model::{PolicyName, Timestamp};
use crate::rules::policy::RuleSet;

pub use html::html as concept_html;
pub use markdown::markdown as concept_markdown;

/// What a policy states of itself, in the words of the policy file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stated {
    /// The data type.
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

/// The deletion concept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concept {
    /// Who decides on purposes and means; null: not stated.
    pub controller: Option<String>,
    /// How to reach them; null: not stated.
    pub contact: Option<String>,
    /// Whose storage the files are at, and where that is reached.
    pub processor: String,
    /// The zone in which periods of days and longer are counted.
    pub timezone: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The program that made it.
    pub build: String,
    /// Digest of the rules.
    pub rules: String,
    /// What holds for every policy, a sentence each.
    pub general: Vec<String>,
    /// A deletion rule for each policy, in the order of the policy file.
    pub policies: Vec<Rule>,
    /// Minimum periods, which only postpone.
    pub floors: Vec<Rule>,
}

/// One rule: its name, and what there is to say of it. A value that is null is not stated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The policy or floor.
    pub name: String,
    /// Entries in the order of the concept.
    pub entries: Vec<Entry>,
}

/// One entry of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What it tells.
    pub name: &'static str,
    /// Sentences or values; none at all: not stated.
    pub says: Vec<String>,
}

impl Entry {
    fn stated(name: &'static str, text: Option<&String>) -> Self {
        Self::all(name, text.cloned().into_iter().collect())
    }

    fn one(name: &'static str, text: String) -> Self {
        Self::all(name, vec![text])
    }

    const fn all(name: &'static str, says: Vec<String>) -> Self {
        Self { name, says }
    }
}

/// The concept of `rules`, with what each policy `states` and what `report`, over the whole ledger, shows of its
/// practice.
#[must_use]
pub fn concept(rules: &RuleSet, states: &BTreeMap<PolicyName, Stated>, report: &Report) -> Concept {
    let nothing = Stated::default();
    let cover = &report.cover;
    Concept {
        controller: cover.controller.clone(),
        contact: cover.contact.clone(),
        processor: format!("{}, reached at {}", cover.processor, cover.processor_address),
        timezone: cover.timezone.clone(),
        made_at: cover.made_at,
        build: cover.build.clone(),
        rules: cover.rules.clone(),
        general: say::general(rules, cover.verify),
        policies: rules
            .policies
            .iter()
            .map(|policy| {
                let stated = states.get(&policy.name).unwrap_or(&nothing);
                Rule {
                    name: policy.name.to_string(),
                    entries: vec![
                        Entry::stated("Data type", stated.title.as_ref()),
                        Entry::all("Files", say::files(&policy.matcher)),
                        Entry::stated("Data subjects", stated.data_subjects.as_ref()),
                        Entry::stated("Purpose", stated.purpose.as_ref()),
                        Entry::one("Start of the period", say::start(&policy.clock)),
                        Entry::one("Period", policy.delete_after.to_string()),
                        Entry::one("Deadline", say::deadline(policy)),
                        Entry::stated("Legal basis", stated.basis.as_ref()),
                        Entry::stated("Owner of the rule", stated.owner.as_ref()),
                        Entry::all("Exceptions", say::exceptions(rules, policy, report)),
                        Entry::all("Implementation", say::implementation(rules, policy)),
                        Entry::all("Practice", practice::of(&policy.name, report)),
                    ],
                }
            })
            .collect(),
        floors: rules
            .floors
            .iter()
            .map(|floor| Rule {
                name: floor.name.to_string(),
                entries: vec![
                    Entry::all("Files", say::files(&floor.matcher)),
                    Entry::one("Start of the period", say::start(&floor.clock)),
                    Entry::one("Kept for", say::kept(floor)),
                    Entry::stated("Legal basis", floor.basis.as_ref()),
                    Entry::one("Erasure requests", say::binds(floor)),
                ],
            })
            .collect(),
    }
}
