//! The gateway's bookkeeping: what passes between other clients and the API becomes facts in the ledger.
//!
//! An upload's intent is durable before its request is sent on, and its files are recorded before the
//! client sees the answer. So at every moment a file is in the ledger, or its upload is listed as in
//! doubt. Knows nothing of sockets (`http::gateway` passes the bytes on) and decides nothing about
//! deletion. No file name, signed link or key is kept or logged.

mod call;
mod declared;
mod form;
mod lessons;
mod removals;
mod upload;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

pub use call::Call;
pub use declared::{Declared, OWN_HEADERS, Undeclarable};
pub use form::{Fields, Form};

use super::record::InForce;
use super::subject::SubjectHasher;
use crate::ledger::{Ledger, LedgerError, UploadEnd};
use crate::model::{
    BatchId, ClassificationId, ExtractionId, NewUpload, Parent, Timestamp, UploadId, UploadSource,
    UploadState,
};
use crate::outcome::Reply;
use crate::rules::policy::RuleSet;

/// Gives the wall clock.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Still open after so long, an upload was interrupted: longer than the gateway waits for any answer.
const PATIENCE_MS: i64 = 2 * 3_600_000;

/// Keeps the ledger true to what passes.
pub struct Gate {
    ledger: Arc<dyn Ledger>,
    rules: watch::Receiver<Arc<RuleSet>>,
    subjects: Option<SubjectHasher>,
    now: Now,
    unwritten: AtomicU64,
}

/// An upload whose intent is in the ledger. No `Debug`: it holds a data subject in clear.
pub struct Begun {
    id: UploadId,
    declared: Declared,
}

impl Gate {
    /// Over a ledger, under the rules that `rules` holds at each moment.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        rules: watch::Receiver<Arc<RuleSet>>,
        subjects: Option<SubjectHasher>,
        now: Now,
    ) -> Self {
        Self {
            ledger,
            rules,
            subjects,
            now,
            unwritten: AtomicU64::new(0),
        }
    }

    /// Uploads since the start whose end could be written in no form: their intents stand open in the
    /// ledger until the next start makes them doubtful.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// To be called once before the first request: what an earlier process left open is in doubt now.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn take_up(&self) -> Result<(), LedgerError> {
        let left = self
            .ledger
            .interrupt_uploads(UploadSource::Gateway, self.now())
            .await?;
        if left > 0 {
            tracing::error!(
                uploads = left,
                "uploads through the gateway were interrupted: whether they brought files is not known; \
                 `retentiond status` lists them"
            );
        }
        Ok(())
    }

    /// What a request's headers declare of its files, their names in lower case.
    ///
    /// # Errors
    /// [`Undeclarable`]: to be refused before it is sent.
    pub fn declared<'h>(
        &self,
        headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<Declared, Undeclarable> {
        Declared::read(headers, &self.in_force(&self.rules()), self.now())
    }

    /// Commits the intent of an upload: before it is sent on.
    ///
    /// # Errors
    /// The ledger's: then nothing may be sent.
    pub async fn begin(&self, declared: Declared, fields: &Fields) -> Result<Begun, LedgerError> {
        let begun_at = self.now();
        let parent = parent_of(fields);
        let batch = fields
            .batch
            .as_deref()
            .and_then(|id| BatchId::new(id).ok())
            .filter(|_| parent.is_some());
        let subject = declared
            .subject
            .as_deref()
            .and_then(|subject| Some(self.subjects.as_ref()?.hash(subject)));
        let upload = NewUpload {
            source: UploadSource::Gateway,
            parent,
            // Whoever comes through here uses the address of [extracta].
            account: None,
            batch,
            files: fields.files(),
            documents: Vec::new(),
            labels: declared.labels.clone(),
            document_type: None,
            subject,
            begun_at,
            patient_until: begun_at.checked_add_millis(PATIENCE_MS).unwrap_or(begun_at),
        };
        let id = self.ledger.begin_upload(&upload).await?;
        Ok(Begun { id, declared })
    }

    /// Writes how an upload has ended: before the client sees the answer. A ledger that cannot take it is
    /// alarmed about and never the client's business.
    pub async fn finish(&self, begun: Begun, fields: &Fields, reply: Reply) {
        let rules = self.rules();
        let read = self.read_upload(reply, fields, &begun.declared, &rules);
        let end = UploadEnd {
            state: read.state,
            batch: read.batch.as_ref(),
            files: Some((read.files.as_slice(), &rules.digest)),
            reason: read.reason.as_deref(),
            at: self.now(),
        };
        let batch = read.batch.as_ref().map(|batch| batch.batch.as_str());
        match self.ledger.end_upload(begun.id, &end).await {
            Ok(recorded) => {
                let files = recorded.added + recorded.known + recorded.updated;
                match read.state {
                    UploadState::Recorded => {
                        tracing::info!(
                            batch.id = batch,
                            files,
                            "an upload through the gateway is recorded"
                        );
                    }
                    UploadState::Nothing => {
                        tracing::info!("an upload through the gateway brought nothing");
                    }
                    UploadState::Open
                    | UploadState::Doubtful
                    | UploadState::Reconciled
                    | UploadState::Resolved => tracing::error!(
                        batch.id = batch,
                        files,
                        upload = begun.id.0,
                        reason = read.reason.as_deref(),
                        "an upload through the gateway is in doubt: there may be files whose ids nobody knows"
                    ),
                }
            }
            Err(error) => self.doubt(begun.id, &end, &error).await,
        }
    }

    /// The ledger did not take the files: at least that is to be in it.
    async fn doubt(&self, id: UploadId, end: &UploadEnd<'_>, error: &LedgerError) {
        let batch = end.batch.map(|batch| batch.batch.as_str());
        let files = end.files.map_or(0, |(files, _)| files.len());
        tracing::error!(
            batch.id = batch,
            files,
            upload = id.0,
            %error,
            "the ledger did not take the files of an upload through the gateway"
        );
        let doubt = UploadEnd {
            state: UploadState::Doubtful,
            files: None,
            reason: Some("the ledger did not take the files"),
            ..end.clone()
        };
        if let Err(error) = self.ledger.end_upload(id, &doubt).await {
            self.unwritten.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                batch.id = batch,
                upload = id.0,
                %error,
                "nor that the upload is in doubt: its intent stands open in the ledger"
            );
        }
    }

    /// Marks what a confirmed delete of somebody else took.
    ///
    /// # Errors
    /// The ledger's: the next sweep's look finds the files gone.
    pub async fn removed(
        &self,
        call: Call,
        content_type: Option<&str>,
        request: Option<&[u8]>,
        reply: &Reply,
    ) -> Result<u64, LedgerError> {
        let removed = request.and_then(|body| removals::named(call, content_type, body));
        if !removals::is_confirmed(call, reply, removed.as_ref()) {
            return Ok(0);
        }
        let Some(removed) = removed else {
            tracing::warn!(
                call = call.name(),
                "a delete by another client was confirmed that does not plainly name what it takes: \
                 nothing is marked, the next sweep looks"
            );
            return Ok(0);
        };
        let reason = format!("{} by another client, through the gateway", call.name());
        let marked = self.ledger.gone_by_others(&removed, &reason, self.now()).await?;
        tracing::info!(call = call.name(), files = marked, "deleted by another client");
        Ok(marked)
    }

    fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.rules.borrow())
    }

    fn in_force<'a>(&'a self, rules: &'a RuleSet) -> InForce<'a> {
        InForce {
            label_keys: &rules.label_keys,
            accounts: &rules.accounts,
            digest: &rules.digest,
            // Never asked here: hints are found beside the rules themselves.
            hint: &|_| unowned(),
            subjects: self.subjects.as_ref(),
        }
    }
}

/// The hint of a file of which nothing is known.
fn unowned() -> crate::rules::policy::Hint {
    crate::rules::policy::Hint {
        owner: None,
        due_at: None,
        deadline_at: None,
    }
}

fn parent_of(fields: &Fields) -> Option<Parent> {
    let classification = fields.classification.as_deref();
    let extraction = fields.extraction.as_deref();
    match (classification, extraction) {
        (Some(id), None) => ClassificationId::new(id).ok().map(Parent::Classification),
        (None, Some(id)) => ExtractionId::new(id).ok().map(Parent::Extraction),
        (Some(_), Some(_)) | (None, None) => None,
    }
}
