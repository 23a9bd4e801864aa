//! How long a file takes, from the settings of the policy file and from how full the batches are.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::ExtractaSettings;
use crate::ledger::{Ledger, LedgerError, Tally};
use crate::model::PolicyName;

/// What one request is taken to last, in milliseconds: nobody knows before it is made.
const REQUEST_MS: u64 = 500;

/// What holds the requests up most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Governs {
    /// The least time between two reads.
    ResultsInterval,
    /// The least time between two deletes.
    RequestInterval,
    /// How long the requests themselves last.
    Requests,
}

/// What the estimate goes by.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Pace {
    /// Time that a file costs, in microseconds.
    pub(super) micros_per_file: u64,
    /// Files in a batch, on average over the ledger.
    pub(super) files_per_batch: u64,
    pub(super) governed_by: Governs,
    /// What one request is taken to last, in milliseconds.
    pub(super) request_ms: u64,
}

impl Pace {
    /// For batches as they are in this ledger.
    ///
    /// # Errors
    /// The ledger's.
    pub(super) async fn of(
        extracta: &ExtractaSettings,
        ledger: &dyn Ledger,
        tallies: &BTreeMap<Option<PolicyName>, Tally>,
    ) -> Result<Self, LedgerError> {
        let files: u64 = tallies.values().flat_map(|tally| tally.by_state.values()).sum();
        let batches = ledger.count_batches(None).await?;
        Ok(Self::new(
            extracta,
            files.checked_div(batches).unwrap_or(1).max(1),
        ))
    }

    fn new(extracta: &ExtractaSettings, files_per_batch: u64) -> Self {
        let millis = |interval: std::time::Duration| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        let side_by_side = extracta.concurrency.max(1) as u64;
        let request = REQUEST_MS.div_ceil(side_by_side);
        let (between_deletes, between_reads) = (
            millis(extracta.request_interval),
            millis(extracta.results_interval),
        );
        let deletes = files_per_batch.div_ceil(extracta.files_per_request.max(1) as u64);
        // A look before, for linked copies or to see who is there, and one after.
        let reads = u64::from(extracta.verify || extracta.linked_copies) + u64::from(extracta.verify);
        let deleting = deletes * request.max(between_deletes);
        let reading = reads * request.max(between_reads);
        // Batches side by side read while others delete; one alone does one after the other.
        let batch = if side_by_side == 1 {
            deleting + reading
        } else {
            deleting.max(reading)
        };
        let governed_by = if reading >= deleting && between_reads > request {
            Governs::ResultsInterval
        } else if deleting > reading && between_deletes > request {
            Governs::RequestInterval
        } else {
            Governs::Requests
        };
        Self {
            micros_per_file: batch.saturating_mul(1000).div_ceil(files_per_batch),
            files_per_batch,
            governed_by,
            request_ms: REQUEST_MS,
        }
    }

    /// What would make it faster.
    pub(super) fn remedy(&self) -> &'static str {
        match self.governed_by {
            Governs::ResultsInterval => {
                "upload in larger batches, or set `verify` and `linked_copies` to what you need (`results_interval` is Extracta's rule)"
            }
            Governs::RequestInterval => "lower `request_interval`, or raise `files_per_request`",
            Governs::Requests => "raise `concurrency` or `files_per_request`",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pace(change: impl FnOnce(&mut ExtractaSettings), files_per_batch: u64) -> (u64, Governs) {
        let mut settings = ExtractaSettings::default();
        change(&mut settings);
        let pace = Pace::new(&settings, files_per_batch);
        (pace.micros_per_file, pace.governed_by)
    }

    #[test]
    fn the_slowest_part_governs() {
        // Two reads a batch, two seconds apart.
        assert_eq!(pace(|_| {}, 100), (40_000, Governs::ResultsInterval));
        assert_eq!(pace(|_| {}, 1), (4_000_000, Governs::ResultsInterval));
        let quiet = |s: &mut ExtractaSettings| s.request_interval = Duration::from_secs(30);
        assert_eq!(pace(quiet, 250), (90_000 * 1000 / 250, Governs::RequestInterval));
        let blind = |s: &mut ExtractaSettings| {
            s.verify = false;
            s.linked_copies = false;
        };
        assert_eq!(pace(blind, 100), (1250, Governs::Requests));
        let alone = |s: &mut ExtractaSettings| s.concurrency = 1;
        assert_eq!(pace(alone, 100), (45_000, Governs::ResultsInterval));
    }
}
