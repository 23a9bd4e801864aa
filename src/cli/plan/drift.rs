//! What differs between a plan and what would run now.
//!
//! Only what differs is kept, and as text only so many of them as are shown: a plan may hold a million files.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::output::{files, lines, table};
use crate::model::{FileAddress, PolicyName};

/// How a file's part in a plan has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// It would go now, and the plan does not cover it.
    Added,
    /// The plan covers it, and it would not go now.
    Gone,
    /// It would go, but its dates are other ones.
    Moved,
}

/// One file that differs.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    pub(super) change: Change,
    /// Why, in one word: `held`, `deleted`, `rules-changed`, `start-changed`, `newly-due`, …
    pub(super) because: &'static str,
    #[serde(flatten)]
    pub(super) file: FileAddress,
    pub(super) policy: PolicyName,
    pub(super) reason: String,
}

/// What differs between a plan and what would run now.
#[derive(Debug, Serialize)]
pub(crate) struct Drift {
    verdict: &'static str,
    /// Files by change and cause.
    counts: BTreeMap<Change, BTreeMap<&'static str, u64>>,
    differences: Vec<Difference>,
    /// Differences that are kept; the others are only counted.
    #[serde(skip)]
    keeps: usize,
}

impl Drift {
    /// Nothing differs yet; only the first `keeps` differences are kept.
    pub(crate) fn new(keeps: usize) -> Self {
        Self {
            verdict: "same",
            counts: BTreeMap::new(),
            differences: Vec::new(),
            keeps,
        }
    }

    /// Whether anything differs.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub(super) fn add(&mut self, difference: Difference) {
        self.verdict = "stale";
        let causes = self.counts.entry(difference.change).or_default();
        *causes.entry(difference.because).or_default() += 1;
        if self.differences.len() < self.keeps {
            self.differences.push(difference);
        }
    }

    fn total(&self) -> u64 {
        self.counts.values().flat_map(BTreeMap::values).sum()
    }

    /// One line a change: `2 files would not go any more (held 1, deleted 1)`.
    pub(crate) fn summary(&self) -> Vec<String> {
        let sentence = |change: Change| match change {
            Change::Added => "due now and not covered by it",
            Change::Gone => "covered, but would not go any more",
            Change::Moved => "covered with other dates",
        };
        self.counts
            .iter()
            .map(|(change, causes)| {
                let list: Vec<String> = causes
                    .iter()
                    .map(|(because, count)| format!("{} {count}", because.replace('-', " ")))
                    .collect();
                let count = files(causes.values().sum());
                format!("{count} {} ({})", sentence(*change), list.join(", "))
            })
            .collect()
    }
}

/// The differences as people read them.
pub(super) fn text(drift: &Drift) -> String {
    if drift.is_empty() {
        return "the plan on file is what would run now\n".to_owned();
    }
    let mut text = "the plan on file is stale:\n".to_owned();
    for line in drift.summary() {
        text.push_str(&format!("  {line}\n"));
    }
    let mut rows = table(&["", "file", "batch", "policy", "reason"]);
    for difference in &drift.differences {
        let sign = match difference.change {
            Change::Added => "+",
            Change::Gone => "-",
            Change::Moved => "~",
        };
        rows.add_row([
            sign,
            difference.file.file.as_str(),
            difference.file.batch.batch.as_str(),
            difference.policy.as_str(),
            &difference.reason,
        ]);
    }
    text.push('\n');
    text.push_str(&lines(&rows));
    let more = drift.total().saturating_sub(drift.differences.len() as u64);
    if more > 0 {
        let total = drift.total();
        text.push_str(&format!(
            "… and {more} more; --show {total} lists them, --json gives them all\n"
        ));
    }
    text
}
