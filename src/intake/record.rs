//! `record`: read, check, and keep all of an input or nothing of it.
//!
//! Rows are checked page by page. Until the last one is known to be good they are set aside (one
//! page in memory, more in an anonymous file); then the ledger takes them, a page a transaction.
//! With `keep_good` each page goes to the ledger as soon as it is full.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::check::{Checker, RecordOptions};
use super::input::Input;
use super::page::{Row, settle};
use super::recall::Recall;
use super::rows::{Format, RowError, Rows};
use super::spool::Spool;
use super::subject::SubjectHasher;
use super::summary::{LISTED_REFUSALS, Progress, RecordError, RecordResult, RecordSummary, Stage};
use super::write::Writer;
use crate::ledger::Intake;
use crate::model::{AccountName, FileRecord, Timestamp};
use crate::rules::policy::{Hint, RuleDigest};

/// Rows in one transaction: figures in the ledger's notes say that bigger pages gain nothing.
pub const PAGE_ROWS: usize = 50_000;

const PROGRESS_ROWS: u64 = 8192;

/// The rules that an intake is done under.
#[derive(Clone, Copy)]
pub struct InForce<'a> {
    /// Label keys that an uploader may use.
    pub label_keys: &'a [String],
    /// The accounts with names that files may lie in.
    pub accounts: &'a [AccountName],
    /// The rule set that the hints come from.
    pub digest: &'a RuleDigest,
    /// What the rules say of a file.
    pub hint: &'a (dyn Fn(&FileRecord) -> Hint + Sync),
    /// Hashes data subjects; with `None` a row that names one is refused.
    pub subjects: Option<&'a SubjectHasher>,
}

/// Takes an input in. Without `keep_good` one bad row anywhere keeps everything out.
///
/// Idempotent: the same input again adds nothing, and a row without `uploaded_at` never moves the
/// upload time of a known file.
///
/// # Errors
/// [`RecordError`]. Bad rows are no error: they are in the summary.
pub async fn record<L: Intake + Recall + ?Sized>(
    input: Input<'_>,
    options: &RecordOptions,
    rules: InForce<'_>,
    ledger: &L,
    now: Timestamp,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<RecordSummary, RecordError> {
    record_paged(input, options, rules, ledger, now, progress, PAGE_ROWS).await
}

pub(super) async fn record_paged<L: Intake + Recall + ?Sized>(
    input: Input<'_>,
    options: &RecordOptions,
    rules: InForce<'_>,
    ledger: &L,
    now: Timestamp,
    progress: &(dyn Fn(Progress) + Sync),
    page_rows: usize,
) -> Result<RecordSummary, RecordError> {
    let broken = |source| RecordError::Input {
        rows: 0,
        kept: 0,
        source,
    };
    let opened = input.open().map_err(broken)?;
    let format = options.format.or(opened.detected).ok_or(RecordError::Format)?;
    let checker = Checker::new(options, &rules, now).map_err(|problem| RecordError::Default {
        code: problem.code,
        message: problem.message,
    })?;
    let mut rows = Rows::new(format, opened.reader);
    let mut run = Run {
        options,
        page_rows,
        writer: Writer::new(ledger, rules, now, progress),
        bytes: opened.bytes,
        spool: None,
        read: 0,
        duplicates: 0,
        refused: Vec::new(),
        refused_total: 0,
    };
    loop {
        let (page, ended) = run.read_page(&mut rows, &checker)?;
        run.page_is_full(page, ended).await?;
        if ended {
            return Ok(run.summary(format));
        }
    }
}

struct Run<'a, L: ?Sized> {
    options: &'a RecordOptions,
    page_rows: usize,
    writer: Writer<'a, L>,
    bytes: Arc<AtomicU64>,
    spool: Option<Spool>,
    read: u64,
    duplicates: u64,
    refused: Vec<RowError>,
    refused_total: u64,
}

impl<L: Intake + Recall + ?Sized> Run<'_, L> {
    fn read_page<R: io::Read>(
        &mut self,
        rows: &mut Rows<R>,
        checker: &Checker<'_>,
    ) -> Result<(Vec<Row>, bool), RecordError> {
        let mut page = Vec::new();
        while page.len() < self.page_rows {
            let found = rows.next(checker).map_err(|source| RecordError::Input {
                rows: self.read,
                kept: self.writer.taken(),
                source,
            })?;
            let Some((line, row)) = found else {
                self.tell_reading();
                return Ok((page, true));
            };
            self.read += 1;
            match row {
                Ok(checked) => page.push(Row { line, checked }),
                Err(problem) => self.refuse(problem.at(line)),
            }
            if self.read.is_multiple_of(PROGRESS_ROWS) {
                self.tell_reading();
            }
        }
        Ok((page, false))
    }

    fn tell_reading(&self) {
        (self.writer.progress)(Progress {
            stage: Stage::Reading,
            rows: self.read,
            of_rows: None,
            bytes: self.bytes.load(Ordering::Relaxed),
        });
    }

    fn refuse(&mut self, error: RowError) {
        self.refused_total += 1;
        if self.refused.len() < LISTED_REFUSALS {
            self.refused.push(error);
        }
    }

    /// Writes a page, sets it aside, or drops it, as the mode and the rows so far want.
    async fn page_is_full(&mut self, page: Vec<Row>, last: bool) -> Result<(), RecordError> {
        let settled = settle(page);
        self.duplicates += settled.duplicates;
        settled.refused.into_iter().for_each(|error| self.refuse(error));
        if self.options.keep_good {
            return self.writer.write(settled.rows).await;
        }
        if self.refused_total > 0 {
            self.spool = None;
            return Ok(());
        }
        if last && self.spool.is_none() {
            self.writer.of_rows = Some(settled.rows.len() as u64);
            return self.writer.write(settled.rows).await;
        }
        let failed = |source| RecordError::Spool { kept: 0, source };
        let spool = match &mut self.spool {
            Some(spool) => spool,
            none @ None => none.insert(Spool::new(self.options.spool_dir.as_deref()).map_err(failed)?),
        };
        spool.append(&settled.rows).map_err(failed)?;
        if last { self.replay().await } else { Ok(()) }
    }

    async fn replay(&mut self) -> Result<(), RecordError> {
        let Some(spool) = self.spool.take() else {
            return Ok(());
        };
        self.writer.of_rows = Some(self.read - self.duplicates);
        let mut replay = spool
            .replay()
            .map_err(|source| RecordError::Spool { kept: 0, source })?;
        loop {
            let page = replay
                .next_page(self.page_rows)
                .map_err(|source| RecordError::Spool {
                    kept: self.writer.taken(),
                    source,
                })?;
            if page.is_empty() {
                return Ok(());
            }
            self.writer.write(page).await?;
        }
    }

    fn summary(mut self, format: Format) -> RecordSummary {
        self.refused.sort_by_key(|error| error.line);
        let result = match (self.refused_total, self.options.keep_good) {
            (0, _) => RecordResult::Recorded,
            (_, true) => RecordResult::KeptGood,
            (_, false) => RecordResult::Refused,
        };
        let recorded = self.writer.recorded;
        RecordSummary {
            result,
            format,
            rows: self.read,
            added: recorded.added,
            known: recorded.known,
            updated: recorded.updated,
            duplicates: self.duplicates,
            refused: self.refused,
            refused_total: self.refused_total,
        }
    }
}
