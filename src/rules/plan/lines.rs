//! A plan as text: the lines that `plan --out` writes, and that a plan's hash is made of.
//!
//! One spelling only: keys in one order, no blanks, instants as RFC 3339 in UTC. The hash of a plan is the
//! SHA-256 of a head (policy, rule digest, number of files) and a line for each file in the plan's order
//! (due time, batch, file id): whoever holds the text can compute it with any tool.

use std::io::Write;

use sha2::{Digest, Sha256};

use crate::model::{BatchAddress, Parent, PolicyName, Timestamp};
use crate::rules::policy::RuleDigest;

/// Version of the text; another spelling gets another number.
pub const VERSION: u32 = 1;

const DAY_MS: i64 = 86_400_000;

/// Spells the lines of one plan, one after the other, into the same buffer.
#[derive(Debug, Default)]
pub struct PlanLines {
    line: Vec<u8>,
    /// The day that was spelled last, in days since 1970, and its date up to the `T`.
    day: Option<(i64, String)>,
}

impl PlanLines {
    /// The head without its closing brace, so that a file's can say more.
    pub fn head(&mut self, policy: &PolicyName, rules: &RuleDigest, files: u64) -> &[u8] {
        self.line.clear();
        self.raw(&format!("{{\"retentiond_plan\":{VERSION},\"policy\":"));
        self.text(policy.as_str());
        self.raw(",\"rules\":");
        self.text(&rules.0);
        self.raw(&format!(",\"files\":{files}"));
        &self.line
    }

    /// The line of one file, with its end.
    pub fn file(
        &mut self,
        batch: &BatchAddress,
        file: &str,
        starts_at: Timestamp,
        due_at: Timestamp,
    ) -> &[u8] {
        self.line.clear();
        self.raw("{\"file_id\":");
        self.text(file);
        self.raw(match batch.parent {
            Parent::Classification(_) => ",\"classification_id\":",
            Parent::Extraction(_) => ",\"extraction_id\":",
        });
        self.text(batch.parent.as_str());
        self.raw(",\"batch_id\":");
        self.text(batch.batch.as_str());
        if let Some(account) = &batch.account {
            self.raw(",\"account\":");
            self.text(account.as_str());
        }
        self.raw(",\"starts_at\":\"");
        self.instant(starts_at);
        self.raw("\",\"due_at\":\"");
        self.instant(due_at);
        self.raw("\"}\n");
        &self.line
    }

    fn raw(&mut self, text: &str) {
        self.line.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, text: &str) {
        serde_json::to_writer(&mut self.line, text).expect("a buffer takes every text");
    }

    /// As `Timestamp` prints it: a plan may hold a million files, and most are due on few days.
    fn instant(&mut self, at: Timestamp) {
        let (day, within) = (
            at.as_millis().div_euclid(DAY_MS),
            at.as_millis().rem_euclid(DAY_MS),
        );
        if self.day.as_ref().is_none_or(|(known, _)| *known != day) {
            let text = at.to_string();
            let date = text.split_inclusive('T').next().unwrap_or(&text);
            self.day = Some((day, date.to_owned()));
        }
        if let Some((_, date)) = &self.day {
            self.line.extend_from_slice(date.as_bytes());
        }
        let (hours, minutes) = (within / 3_600_000, within / 60_000 % 60);
        let (seconds, millis) = (within / 1000 % 60, within % 1000);
        let written = if millis == 0 {
            write!(self.line, "{hours:02}:{minutes:02}:{seconds:02}Z")
        } else {
            write!(self.line, "{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
        };
        written.expect("a buffer takes every text");
    }
}

/// A plan's hash, file by file in the plan's order: for whoever holds a plan that was written down, and wants
/// to know whether it is still the one.
#[derive(Debug)]
pub struct PlanHasher {
    sha: Sha256,
    lines: PlanLines,
}

impl PlanHasher {
    /// Of a plan of `policy` under `rules` with so many files.
    #[must_use]
    pub fn new(policy: &PolicyName, rules: &RuleDigest, files: u64) -> Self {
        let (mut sha, mut lines) = (Sha256::new(), PlanLines::default());
        sha.update(lines.head(policy, rules, files));
        sha.update(b"}\n");
        Self { sha, lines }
    }

    /// The next file.
    pub fn add(&mut self, batch: &BatchAddress, file: &str, starts_at: Timestamp, due_at: Timestamp) {
        self.sha.update(self.lines.file(batch, file, starts_at, due_at));
    }

    /// The hash, hex.
    #[must_use]
    pub fn finish(self) -> String {
        hex::encode(self.sha.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BatchId, ClassificationId, ExtractionId};
    use crate::rules::fixtures::at;

    fn batch(parent: Parent) -> BatchAddress {
        BatchAddress {
            parent,
            batch: BatchId::new("b1").unwrap(),
            account: None,
        }
    }

    #[test]
    fn the_hash_is_that_of_the_text() {
        let (policy, rules) = (PolicyName::new("p \"q\"").unwrap(), RuleDigest("d".into()));
        let [first, second] = [
            batch(Parent::Classification(ClassificationId::new("c1").unwrap())),
            batch(Parent::Extraction(ExtractionId::new("e1").unwrap())),
        ];
        let text = concat!(
            r#"{"retentiond_plan":1,"policy":"p \"q\"","rules":"d","files":2}"#,
            "\n",
            r#"{"file_id":"f1","classification_id":"c1","batch_id":"b1","starts_at":"2026-03-01T21:20:33.007Z","due_at":"2026-03-31T22:00:00Z"}"#,
            "\n",
            r#"{"file_id":"f2","extraction_id":"e1","batch_id":"b1","starts_at":"1969-12-31T23:59:59.999Z","due_at":"2026-03-31T22:00:00.120Z"}"#,
            "\n",
        );
        let mut hasher = PlanHasher::new(&policy, &rules, 2);
        hasher.add(
            &first,
            "f1",
            at("2026-03-01T21:20:33.007Z"),
            at("2026-03-31T22:00:00Z"),
        );
        hasher.add(
            &second,
            "f2",
            at("1969-12-31T23:59:59.999Z"),
            at("2026-03-31T22:00:00.12Z"),
        );
        assert_eq!(hasher.finish(), hex::encode(Sha256::digest(text)));
    }

    #[test]
    fn instants_are_spelled_as_everywhere() {
        let mut lines = PlanLines::default();
        for millis in [
            0,
            1,
            -1,
            999,
            86_399_999,
            86_400_000,
            1_772_400_033_100,
            253_402_207_199_999,
        ] {
            let at = Timestamp::from_millis(millis).unwrap();
            lines.line.clear();
            lines.instant(at);
            assert_eq!(String::from_utf8(lines.line.clone()).unwrap(), at.to_string());
        }
    }
}
