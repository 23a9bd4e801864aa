//! On which line of the policy file each key stands: numbers only, so that a decision can say where its
//! reasons are written down. Nothing is decided by them.

use std::collections::BTreeMap;

use crate::model::PolicyName;

/// Lines of the policy file, from 1. Keys of inner tables are written with dots: `clock.round_up`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    file: BTreeMap<String, usize>,
    rules: BTreeMap<PolicyName, BTreeMap<String, usize>>,
}

impl Lines {
    /// Notes that `key` stands on `line`: of a policy or floor, or of the file itself.
    pub fn put(&mut self, rule: Option<&PolicyName>, key: String, line: usize) {
        let keys = match rule {
            Some(name) => self.rules.entry(name.clone()).or_default(),
            None => &mut self.file,
        };
        keys.insert(key, line);
    }

    /// The line of a policy's or a floor's key; `None` where the file leaves it out.
    #[must_use]
    pub fn of(&self, rule: &PolicyName, key: &str) -> Option<usize> {
        self.rules.get(rule)?.get(key).copied()
    }

    /// The line of a key outside of policies and floors, such as `timezone` or `limits.files_per_sweep`.
    #[must_use]
    pub fn of_file(&self, key: &str) -> Option<usize> {
        self.file.get(key).copied()
    }
}
