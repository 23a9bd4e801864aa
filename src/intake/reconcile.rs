//! Reconcile: the ledger held against what is at Extracta, batch by batch. It never deletes.
//!
//! Files that are there and in no ledger are reported, or recorded when asked to; files that are gone
//! without us are noted; linked copies are taken in; uploads in doubt are settled where their batch was
//! seen whole. What nobody recorded stays out of sight: the API cannot list a classification's batches.

mod report;
mod visit;

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::record::InForce;
use crate::extracta::extraction::ExtractionBatches;
use crate::extracta::{ExtractaClient, Listing, Remote};
use crate::ledger::{KnownBatch, Ledger, LedgerError, UploadEnd};
use crate::model::{
    AccountName, BatchAddress, BatchId, BatchKey, ClassificationId, ExtractionId, Parent, Timestamp, Upload,
    UploadState,
};
pub use report::{BLIND_SPOT, LISTED_ORPHANS, Orphan, Reconciled, Unclear};
use visit::Visit;

/// Setting: the last batch that an interrupted run has looked at.
const CURSOR: &str = "reconcile.after";

/// Batches read from the ledger at once.
const PAGE: u32 = 200;

/// Most files of one page held in memory: bigger pages are cut.
const PAGE_FILES: u64 = 100_000;

/// Uploads in doubt that are looked after in one run.
const DOUBTS: u32 = 10_000;

/// Looks at Extracta; each look waits for its turn.
#[async_trait]
pub trait Looker: Send + Sync {
    /// The files of a batch.
    async fn files_of(&self, batch: &BatchAddress) -> Listing;

    /// The batches of an extraction.
    async fn batches_of(&self, extraction: &ExtractionId) -> ExtractionBatches;
}

#[async_trait]
impl Looker for ExtractaClient {
    async fn files_of(&self, batch: &BatchAddress) -> Listing {
        self.list(batch).await
    }

    async fn batches_of(&self, extraction: &ExtractionId) -> ExtractionBatches {
        self.extraction_batches(extraction).await
    }
}

/// What is to be reconciled.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// In this account; `None`: in the one without a name. What lies in another cannot be seen with its key.
    pub account: Option<AccountName>,
    /// Only batches with one of these ids; all where there is none.
    pub batches: Vec<BatchId>,
    /// Only this classification.
    pub classification: Option<ClassificationId>,
    /// Record files that the ledger lacks.
    pub record: bool,
    /// Do not go on where an interrupted run stopped.
    pub restart: bool,
}

impl Wanted {
    /// Whether it is a run over all there is, which goes on where one before it was interrupted: one at a time.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.batches.is_empty() && self.classification.is_none()
    }

    fn includes(&self, batch: &BatchAddress) -> bool {
        let parent = match (&self.classification, &batch.parent) {
            (None, _) => true,
            (Some(wanted), Parent::Classification(id)) => wanted == id,
            (Some(_), Parent::Extraction(_)) => false,
        };
        batch.account == self.account
            && parent
            && (self.batches.is_empty() || self.batches.contains(&batch.batch))
    }
}

/// How far it has come: batches looked at, of so many known.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// One run.
pub(super) struct Run<'a, L: ?Sized> {
    pub(super) looker: &'a dyn Looker,
    pub(super) ledger: &'a L,
    pub(super) rules: InForce<'a>,
    pub(super) wanted: &'a Wanted,
    pub(super) clock: &'a (dyn Fn() -> Timestamp + Sync),
    progress: Progress<'a>,
    pub(super) doubts: Vec<Upload>,
    pub(super) found: Reconciled,
}

/// Holds the ledger against Extracta. A run over everything that is interrupted goes on where it was.
///
/// # Errors
/// The ledger's. A batch that cannot be looked at is no error: it is in the report.
pub async fn reconcile<L: Ledger + ?Sized>(
    looker: &dyn Looker,
    ledger: &L,
    rules: InForce<'_>,
    wanted: &Wanted,
    clock: &(dyn Fn() -> Timestamp + Sync),
    progress: Progress<'_>,
) -> Result<Reconciled, LedgerError> {
    let doubts = ledger.unsettled_uploads(DOUBTS).await?;
    let now = clock();
    let mut run = Run {
        looker,
        ledger,
        rules,
        wanted,
        clock,
        progress,
        doubts: doubts
            .into_iter()
            .filter(|upload| upload.is_in_doubt(now) && upload.account == wanted.account)
            .collect(),
        found: Reconciled::default(),
    };
    run.known().await?;
    run.of_doubts().await?;
    run.of_extractions().await?;
    run.doubts_left().await?;
    if wanted.is_everything() {
        ledger.set_setting(&cursor_of(wanted), None).await?;
    }
    Ok(run.found)
}

impl<L: Ledger + ?Sized> Run<'_, L> {
    /// Every batch that the ledger knows, also those that come in meanwhile (of linked copies).
    async fn known(&mut self) -> Result<(), LedgerError> {
        let mut after = self.cursor().await?;
        self.found.resumed = after.is_some();
        let mut done = 0;
        loop {
            let left = self.ledger.count_batches(after).await?;
            let page = cut(self.ledger.known_batches(after, PAGE).await?);
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.key);
            let wanted: Vec<&KnownBatch> = page.iter().filter(|b| self.wanted.includes(&b.address)).collect();
            let keys: Vec<BatchKey> = wanted
                .iter()
                .filter(|b| b.files_left > 0)
                .map(|b| b.key)
                .collect();
            let mut there = self.ledger.files_left_in(&keys).await?;
            there.sort_unstable();
            for batch in wanted {
                let from = there.partition_point(|(key, _)| *key < batch.key);
                let files = there[from..].iter().take_while(|(key, _)| *key == batch.key);
                let live = files.map(|(_, file)| file.clone()).collect();
                self.visit(Visit::known(batch, live)).await?;
                done += 1;
                (self.progress)(done, done.max(left));
                self.keep_cursor(batch.key).await?;
            }
        }
    }

    async fn cursor(&self) -> Result<Option<BatchKey>, LedgerError> {
        if !self.wanted.is_everything() || self.wanted.restart {
            return Ok(None);
        }
        let kept = self.ledger.setting(&cursor_of(self.wanted)).await?;
        Ok(kept.and_then(|text| text.parse().ok()).map(BatchKey))
    }

    async fn keep_cursor(&self, key: BatchKey) -> Result<(), LedgerError> {
        if !self.wanted.is_everything() {
            return Ok(());
        }
        let name = cursor_of(self.wanted);
        self.ledger.set_setting(&name, Some(&key.0.to_string())).await
    }

    /// Batches that only an upload in doubt speaks of.
    async fn of_doubts(&mut self) -> Result<(), LedgerError> {
        let addresses: BTreeSet<BatchAddress> = self.doubts.iter().filter_map(address).collect();
        for address in addresses {
            if self.wanted.includes(&address) && self.ledger.batch_key(&address).await?.is_none() {
                self.visit(Visit::unknown(address)).await?;
            }
        }
        Ok(())
    }

    /// Batches of known extractions that the ledger does not know.
    async fn of_extractions(&mut self) -> Result<(), LedgerError> {
        if self.wanted.classification.is_some() {
            return Ok(());
        }
        for extraction in self.extractions().await? {
            let listed = match self.looker.batches_of(&extraction).await {
                ExtractionBatches::Batches(listed) => listed,
                ExtractionBatches::NoExtraction => continue,
                ExtractionBatches::CannotTell { reason } => {
                    let parent = Parent::Extraction(extraction);
                    self.found.unclear.push(Unclear {
                        parent,
                        batch: None,
                        reason,
                    });
                    continue;
                }
            };
            let mut whole = true;
            for batch in listed {
                let parent = Parent::Extraction(extraction.clone());
                let account = self.wanted.account.clone();
                let address = BatchAddress {
                    parent,
                    batch,
                    account,
                };
                if !self.wanted.includes(&address) {
                    whole = false;
                } else if self.ledger.batch_key(&address).await?.is_none() {
                    whole &= self.visit(Visit::unknown(address)).await?;
                }
            }
            let clean = self.found.unrecorded_in(&extraction);
            if whole && clean {
                self.settle(|upload| {
                    upload.batch.is_none() && upload.parent == Some(Parent::Extraction(extraction.clone()))
                })
                .await?;
            }
        }
        Ok(())
    }

    async fn extractions(&self) -> Result<BTreeSet<ExtractionId>, LedgerError> {
        let extraction = |parent: &Parent| match parent {
            Parent::Extraction(id) => Some(id.clone()),
            Parent::Classification(_) => None,
        };
        let parents = self.doubts.iter().filter_map(|upload| upload.parent.as_ref());
        let mut found: BTreeSet<ExtractionId> = parents.filter_map(extraction).collect();
        let mut after = None;
        loop {
            let page = self.ledger.known_batches(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.key);
            let ours = page
                .iter()
                .filter(|batch| batch.address.account == self.wanted.account);
            found.extend(ours.filter_map(|batch| extraction(&batch.address.parent)));
        }
    }

    /// Settles uploads in doubt that `which` picks: their batch was seen whole, and nothing in it is unrecorded.
    pub(super) async fn settle(&mut self, which: impl Fn(&Upload) -> bool) -> Result<(), LedgerError> {
        let now = (self.clock)();
        // An answer may be lost while the server is still at work.
        let ripe = |upload: &Upload| upload.patient_until < now;
        let (settled, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.doubts)
            .into_iter()
            .partition(|upload| which(upload) && ripe(upload));
        self.doubts = left;
        for upload in settled {
            let end = UploadEnd {
                state: UploadState::Reconciled,
                batch: None,
                files: None,
                reason: Some("its batch holds no file that the ledger lacks"),
                at: now,
            };
            self.ledger.end_upload(upload.id, &end).await?;
            self.found.settled_uploads.push(upload.id);
        }
        Ok(())
    }

    async fn doubts_left(&mut self) -> Result<(), LedgerError> {
        self.found.uploads_in_doubt = self.doubts.iter().map(|upload| upload.id).collect();
        self.found.without_batch = self.doubts.iter().filter(|u| u.batch.is_none()).count() as u64;
        Ok(())
    }
}

/// Each account has its own place to go on from.
fn cursor_of(wanted: &Wanted) -> String {
    match &wanted.account {
        None => CURSOR.to_owned(),
        Some(account) => format!("@{account} {CURSOR}"),
    }
}

fn address(upload: &Upload) -> Option<BatchAddress> {
    Some(BatchAddress {
        parent: upload.parent.clone()?,
        batch: upload.batch.clone()?,
        account: upload.account.clone(),
    })
}

/// A page of at most so many files that its memory stays flat; one batch at least.
fn cut(mut page: Vec<KnownBatch>) -> Vec<KnownBatch> {
    let mut files = 0_u64;
    let fits = page.iter().take_while(|batch| {
        files = files.saturating_add(batch.files_left);
        files <= PAGE_FILES
    });
    let fits = fits.count().max(1);
    page.truncate(fits);
    page
}
