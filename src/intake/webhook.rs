//! Webhooks: what Extracta says by itself of files that it has processed.
//!
//! Only `result` is signed: not the event's name, and no time, so any delivery may come again, under any
//! name. Therefore the name is not read, nothing is deleted because of a delivery, and what it teaches may
//! postpone a deletion, never advance one. Vendor's page "Webhooks"; extracta-api.md.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::Sha256;
use tokio::sync::watch;

use super::gateway::Now;
use super::provisional;
use crate::ledger::{Hinted, Ledger, LedgerError};
use crate::model::{
    AccountName, BatchAddress, BatchId, ExtractionId, FileAddress, FileId, FileRecord, FileState, InvalidId,
    Labels, NewFile, Parent, Timestamp, push_id_time,
};
use crate::outcome::envelope::object;
use crate::rules::decide::hint;
use crate::rules::policy::RuleSet;

/// What the vendor puts before the key proper of a secret.
const PREFIX: &str = "E_AI_K_";

/// Secrets that a delivery may be signed with: two while one replaces the other. No `Debug`.
pub struct Secrets(Vec<Hmac<Sha256>>);

impl Secrets {
    /// The vendor's secrets as they were given.
    #[must_use]
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let keyed = |secret: &str| {
            let key = secret.replacen(PREFIX, "", 1);
            Hmac::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length")
        };
        Self(secrets.into_iter().map(keyed).collect())
    }

    /// Whether one of them signed these bytes; compared in constant time.
    fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let fits = |keyed: &Hmac<Sha256>| {
            let mut mac = keyed.clone();
            mac.update(bytes);
            mac.verify_slice(signature).is_ok()
        };
        self.0.iter().any(fits)
    }
}

/// Why a delivery is not believed, or could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Not signed, or not with one of our secrets.
    #[error("the signature is missing or wrong")]
    Unsigned,
    /// Not a delivery.
    #[error("this is no delivery: a JSON object with one `result`")]
    Shape,
    /// The ledger did not take it; the vendor may send it again.
    #[error("the ledger did not take the delivery")]
    Ledger(#[from] LedgerError),
}

/// What a delivery came to, in files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Delivered {
    /// Named.
    pub files: u64,
    /// New to the ledger.
    pub added: u64,
    /// Known, and something was learned of them.
    pub updated: u64,
    /// Whose processing failed.
    pub failed: u64,
    /// Entries that name no file as documented.
    pub unreadable: u64,
}

#[derive(Deserialize)]
struct RawDelivery<'a> {
    #[serde(borrow)]
    result: &'a RawValue,
}

/// The fields of an entry that are read. Never `url`, never `fileName`, never the extracted `result`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEntry<'a> {
    #[serde(borrow)]
    extraction_id: Cow<'a, str>,
    #[serde(borrow)]
    batch_id: Cow<'a, str>,
    #[serde(borrow)]
    file_id: Cow<'a, str>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
}

/// Takes deliveries.
pub struct Hooks {
    ledger: Arc<dyn Ledger>,
    rules: watch::Receiver<Arc<RuleSet>>,
    secrets: Secrets,
    now: Now,
}

impl Hooks {
    /// Over a ledger, under the rules that `rules` holds at each moment.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        rules: watch::Receiver<Arc<RuleSet>>,
        secrets: Secrets,
        now: Now,
    ) -> Self {
        Self {
            ledger,
            rules,
            secrets,
            now,
        }
    }

    /// Takes one delivery: `signature` is the header `x-webhook-signature`. The same delivery again adds
    /// nothing.
    ///
    /// # Errors
    /// [`HookError`]: nothing was kept.
    pub async fn take(&self, signature: Option<&[u8]>, body: &[u8]) -> Result<Delivered, HookError> {
        self.take_in(None, signature, body).await
    }

    /// The account of that name, as the policy file has it now.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<AccountName> {
        let rules = self.rules.borrow();
        rules
            .accounts
            .iter()
            .find(|account| account.as_str() == name)
            .cloned()
    }

    /// Takes one delivery that is about files of this account; `None`: of the one without a name.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub async fn take_in(
        &self,
        account: Option<&AccountName>,
        signature: Option<&[u8]>,
        body: &[u8],
    ) -> Result<Delivered, HookError> {
        let signature = signature.ok_or(HookError::Unsigned)?;
        let delivery: RawDelivery<'_> = object(body).ok_or(HookError::Shape)?;
        let signature = STANDARD.decode(signature).map_err(|_| HookError::Unsigned)?;
        // The bytes as they stand: written out again they could be others.
        if !self.secrets.signed(delivery.result.get().as_bytes(), &signature) {
            return Err(HookError::Unsigned);
        }
        let entries: Vec<&RawValue> =
            serde_json::from_str(delivery.result.get()).map_err(|_| HookError::Shape)?;
        let rules = Arc::clone(&self.rules.borrow());
        let (now, mut delivered, mut rows) = ((self.now)(), Delivered::default(), Vec::new());
        for entry in entries {
            delivered.files += 1;
            let Some((address, status)) = read(entry, account) else {
                delivered.unreadable += 1;
                continue;
            };
            delivered.failed += u64::from(matches!(status.as_deref(), Some("failed" | "error")));
            let processed = status.as_deref() == Some("processed");
            let known = self.ledger.locate(&address).await?;
            rows.extend(lesson(known.as_ref(), address, processed, now, &rules));
        }
        if !rows.is_empty() {
            let recorded = self.ledger.record(&rows, &rules.digest, now).await?;
            (delivered.added, delivered.updated) = (recorded.added, recorded.updated);
        }
        if delivered.failed > 0 {
            tracing::warn!(
                files = delivered.failed,
                "Extracta could not process some files: they stay until their policy's own start"
            );
        }
        tracing::debug!(?delivered, "a webhook was delivered");
        Ok(delivered)
    }
}

fn read<'a>(
    entry: &'a RawValue,
    account: Option<&AccountName>,
) -> Option<(FileAddress, Option<Cow<'a, str>>)> {
    let raw: RawEntry<'a> = object(entry.get().as_bytes())?;
    let address = || -> Result<FileAddress, InvalidId> {
        Ok(FileAddress {
            batch: BatchAddress {
                parent: Parent::Extraction(ExtractionId::new(raw.extraction_id.as_ref())?),
                batch: BatchId::new(raw.batch_id.as_ref())?,
                account: account.cloned(),
            },
            file: FileId::new(raw.file_id.as_ref())?,
        })
    };
    Some((address().ok()?, raw.status))
}

/// What is to be recorded, if anything is new. The delivery stands for the end of processing, which it is
/// never before.
fn lesson(
    known: Option<&FileRecord>,
    address: FileAddress,
    processed: bool,
    now: Timestamp,
    rules: &RuleSet,
) -> Option<Hinted> {
    let Some(record) = known else {
        // The time inside its id is when the file came into being; without one, now.
        let uploaded_at = push_id_time(address.file.as_str()).map_or(now, |created| created.min(now));
        let file = NewFile {
            address,
            uploaded_at,
            processed_at: processed.then_some(now),
            document_type: None,
            labels: Labels::new(),
            subject: None,
            copy_of: None,
        };
        let hint = hint(&provisional(&file), rules);
        return Some(Hinted { file, hint });
    };
    if record.state != FileState::Live || record.processed_at.is_some() || !processed {
        return None;
    }
    let learned = FileRecord {
        processed_at: Some(now.max(record.uploaded_at)),
        ..record.clone()
    };
    let (before, after) = (hint(record, rules), hint(&learned, rules));
    if !postpones(before.due_at, after.due_at, now) {
        return None;
    }
    let file = NewFile {
        address,
        uploaded_at: record.uploaded_at,
        processed_at: learned.processed_at,
        document_type: record.document_type.as_deref().map(str::to_owned),
        labels: (*record.labels).clone(),
        subject: record.subject.clone(),
        copy_of: record.copy_of.clone(),
    };
    Some(Hinted { file, hint: after })
}

/// Whether what was learned leaves the due time or moves it later. A file that had none because its start
/// was missing gets one, after now.
fn postpones(before: Option<Timestamp>, after: Option<Timestamp>, now: Timestamp) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => after >= before,
        (None, Some(after)) => after > now,
        (Some(_) | None, None) => true,
    }
}
