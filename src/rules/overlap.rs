//! Files that more than one policy means: which policy owns them, and which would, counted.
//!
//! What `config` warns of without seeing a file, this counts over the files of a ledger.

use std::collections::BTreeMap;

use serde::Serialize;

use super::decide::owner_of;
use super::matching::Matcher;
use super::policy::{Policy, RuleSet};
use crate::model::{FileRecord, PolicyName};

/// Files that one policy owns and another one, further down, means too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// The policy above, which owns them.
    pub owner: PolicyName,
    /// The policy below.
    pub other: PolicyName,
    /// How many.
    pub files: u64,
}

/// Counts overlaps, file by file.
#[derive(Debug)]
pub struct Overlaps<'r> {
    rules: &'r RuleSet,
    /// By places in the policy file.
    pairs: BTreeMap<(usize, usize), u64>,
}

impl<'r> Overlaps<'r> {
    /// None yet.
    #[must_use]
    pub const fn new(rules: &'r RuleSet) -> Self {
        Self {
            rules,
            pairs: BTreeMap::new(),
        }
    }

    /// Looks at one file.
    pub fn consider(&mut self, file: &FileRecord) {
        let Some(owner) = owner_of(file, self.rules) else {
            return;
        };
        let policies = &self.rules.policies;
        let Some(at) = policies.iter().position(|policy| policy.name == owner.name) else {
            return;
        };
        for (below, other) in policies.iter().enumerate().skip(at + 1) {
            if !is_meant(owner, other) && other.means(file) {
                *self.pairs.entry((at, below)).or_default() += 1;
            }
        }
    }

    /// What was found, in the order of the policy file.
    #[must_use]
    pub fn found(&self) -> Vec<Overlap> {
        let name = |at: usize| self.rules.policies[at].name.clone();
        self.pairs
            .iter()
            .map(|((owner, other), files)| Overlap {
                owner: name(*owner),
                other: name(*other),
                files: *files,
            })
            .collect()
    }
}

/// The special above the general is what the order is for.
fn is_meant(owner: &Policy, below: &Policy) -> bool {
    matches!(below.matcher, Matcher::Everything) || below.matcher.covers(&owner.matcher)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::*;
    use super::super::matching::Criteria;
    use super::*;

    fn both(classification: &str, kind: &str) -> Matcher {
        Matcher::Where {
            all_of: Criteria {
                classification: Some([classification.to_owned()].into()),
                labels: [("kind".to_owned(), [kind.to_owned()].into())].into(),
                ..Criteria::default()
            },
            except: None,
        }
    }

    #[test]
    fn a_file_that_two_policies_mean_counts_for_the_pair_and_no_other() {
        let rules = rules(
            vec![
                policy("special", both("c1", "hr"), "1 day"),
                policy("hr", kind("hr"), "1 day"),
                policy("class", of_classification("c1"), "1 day"),
                policy("rest", Matcher::Everything, "1 day"),
            ],
            vec![],
        );
        let of = |classification, kind: &'static str| {
            let labels: &[(&str, &str)] = if kind == "hr" { &[("kind", "hr")] } else { &[] };
            file(Classified {
                classification,
                labels,
                ..Classified::default()
            })
        };
        let mut overlaps = Overlaps::new(&rules);
        // `special` above both is meant, and so is `rest` below all.
        overlaps.consider(&of("c1", "hr"));
        overlaps.consider(&of("c2", "hr"));
        overlaps.consider(&of("c1", ""));
        overlaps.consider(&of("c3", ""));
        assert_eq!(overlaps.found(), []);

        let rules = self::rules(rules.policies[1..].to_vec(), vec![]);
        let mut overlaps = Overlaps::new(&rules);
        for _ in 0..3 {
            overlaps.consider(&of("c1", "hr"));
        }
        overlaps.consider(&of("c2", "hr"));
        overlaps.consider(&of("c1", ""));
        let found = overlaps.found();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].owner.as_str(), found[0].other.as_str(), found[0].files),
            ("hr", "class", 3)
        );
    }
}
