//! `upload`: upload documents and record them in one step.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::accounts::account;
use super::context::{Context, typed};
use super::exit::{Exit, Failure, chain};
use super::output::files;
use super::progress::Bar;
use super::record::labels;
use crate::config::Checked;
use crate::engine::planning::renew_hints;
use crate::extracta::ExtractaClient;
use crate::intake::{InForce, OnDisk, RecordOptions, Sent, UploadFailure, UploadOrder, Uploaded, upload};
use crate::ledger::Ledger;
use crate::model::{BatchId, Parent, UploadState};
use crate::rules::decide::hint;

/// Most documents in one request: what a lost answer can put in doubt.
const DOCUMENTS_PER_REQUEST: usize = 50;

/// Most bytes in one request, unless one document alone is longer.
const BYTES_PER_REQUEST: u64 = 64 << 20;

/// How often the bar is moved while documents are sent.
const REFRESH: Duration = Duration::from_millis(100);

/// `upload`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("parent").required(true).multiple(false))]
pub struct UploadArgs {
    /// Upload to this classification.
    #[arg(long, group = "parent", value_name = "ID", allow_hyphen_values = true)]
    pub classification: Option<String>,
    /// Upload to this extraction.
    #[arg(long, group = "parent", value_name = "ID", allow_hyphen_values = true)]
    pub extraction: Option<String>,
    /// Into this account, as the policy file calls it; into that of [extracta] by default.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Into this batch; a new one by default.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub batch: Option<String>,
    /// A label of all files (repeatable).
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,
    /// The data subject of all files; stored only as a keyed hash.
    #[arg(long, value_name = "SUBJECT")]
    pub subject: Option<String>,
    /// The document type of all files.
    #[arg(long, value_name = "TYPE")]
    pub document_type: Option<String>,
    /// The documents.
    #[arg(required = true, value_name = "FILE")]
    pub documents: Vec<PathBuf>,
}

/// What the verb prints.
#[derive(Debug, Serialize)]
struct Report {
    /// Files in the ledger.
    recorded: u64,
    /// Files whose fate nobody knows.
    in_doubt: u64,
    /// Files that were not uploaded.
    not_uploaded: u64,
    /// The requests, in their order.
    uploads: Vec<Uploaded>,
}

pub(super) async fn run(context: &Context, args: &UploadArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let parent = match (&args.classification, &args.extraction) {
        (Some(id), _) => Parent::Classification(typed(id)?),
        (None, id) => Parent::Extraction(typed(id.as_deref().unwrap_or_default())?),
    };
    let batch: Option<BatchId> = args.batch.as_deref().map(typed).transpose()?;
    let options = RecordOptions {
        account: account(&checked, args.account.as_deref())?,
        labels: labels(&args.labels)?,
        document_type: args.document_type.clone(),
        subject: args.subject.clone(),
        ..RecordOptions::default()
    };
    let documents = examine(&args.documents, context.output.progress).await?;
    let remote = context.remote_of(&checked, options.account.as_ref())?;
    let ledger = context.writer(&checked).await?;
    let job = Job {
        context,
        checked: &checked,
        remote: &remote,
        ledger: &ledger,
        parent: &parent,
        options: &options,
    };
    let report = job.all(batch, &documents).await?;
    context.output.data(&report, || text(&report))?;
    // Files that a start event covers wait for a second decision.
    if !ledger.hints_are_current(&checked.rules.digest).await? {
        renew_hints(ledger.as_ref(), &checked.rules).await?;
    }
    ledger.tidy().await?;
    Ok(exit(&report))
}

/// Reads every document through before anything is sent, so that one that cannot be read stops all.
async fn examine(paths: &[PathBuf], progress: bool) -> Result<Vec<OnDisk>, Failure> {
    let bar = Bar::new(progress, "reading documents");
    let mut documents = Vec::with_capacity(paths.len());
    for path in paths {
        let one = path.clone();
        let examined = tokio::task::spawn_blocking(move || OnDisk::examine(&one)).await;
        let examined = examined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        // The operator typed this name: the one place where it may be shown.
        documents.push(
            examined.map_err(|e| {
                Failure::new(Exit::Failed, format!("{}: {e}; nothing was sent", path.display()))
            })?,
        );
        bar.set(
            "reading documents",
            documents.len() as u64,
            Some(paths.len() as u64),
        );
    }
    bar.clear();
    Ok(documents)
}

struct Job<'a> {
    context: &'a Context,
    checked: &'a Checked,
    remote: &'a ExtractaClient,
    ledger: &'a Arc<dyn Ledger>,
    parent: &'a Parent,
    options: &'a RecordOptions,
}

impl Job<'_> {
    /// Request after request, all into one batch; the first that does not end well is the last.
    async fn all(&self, batch: Option<BatchId>, documents: &[OnDisk]) -> Result<Report, Failure> {
        let total: u64 = documents.iter().map(OnDisk::bytes).sum();
        let sent = Sent::default();
        let bar = Bar::bytes(self.context.output.progress, "uploading");
        let mut batch = batch;
        let mut report = Report {
            recorded: 0,
            in_doubt: 0,
            not_uploaded: documents.len() as u64,
            uploads: Vec::new(),
        };
        let mut rest = documents;
        while !rest.is_empty() {
            let (group, after) = rest.split_at(group_len(rest));
            let one = self.one(batch.as_ref(), group, &sent);
            let uploaded = watched(one, &bar, &sent, total).await?;
            report.recorded += uploaded.recorded;
            if uploaded.state != UploadState::Nothing {
                report.not_uploaded -= uploaded.files;
                report.in_doubt += uploaded.files - uploaded.recorded.min(uploaded.files);
            }
            let ended = uploaded.state != UploadState::Recorded;
            batch = uploaded.batch.as_ref().map(|address| address.batch.clone());
            report.uploads.push(uploaded);
            if ended {
                break;
            }
            rest = after;
        }
        bar.clear();
        Ok(report)
    }

    async fn one(
        &self,
        batch: Option<&BatchId>,
        documents: &[OnDisk],
        sent: &Sent,
    ) -> Result<Uploaded, Failure> {
        let rules = &self.checked.rules;
        let subjects = self.context.subjects(self.checked)?;
        let in_force = InForce {
            label_keys: &rules.label_keys,
            accounts: &rules.accounts,
            digest: &rules.digest,
            hint: &|file| hint(file, rules),
            subjects: subjects.as_ref(),
        };
        let order = UploadOrder {
            parent: self.parent,
            batch,
            options: self.options,
            documents,
        };
        let clock = &self.context.clock;
        upload(
            self.remote,
            self.ledger.as_ref(),
            in_force,
            &order,
            &|| clock.now(),
            sent,
        )
        .await
        .map_err(|error| failed(&error))
    }
}

/// Documents of the next request: at least one.
fn group_len(documents: &[OnDisk]) -> usize {
    let mut bytes = 0_u64;
    let fits = documents
        .iter()
        .take(DOCUMENTS_PER_REQUEST)
        .take_while(|document| {
            bytes = bytes.saturating_add(document.bytes());
            bytes <= BYTES_PER_REQUEST
        });
    fits.count().max(1)
}

/// Moves the bar while the request is under way.
async fn watched<T>(work: impl Future<Output = T>, bar: &Bar, sent: &Sent, total: u64) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(REFRESH) => bar.set("uploading", sent.bytes(), Some(total)),
        }
    }
}

fn failed(error: &UploadFailure) -> Failure {
    match error {
        UploadFailure::Refused { .. } => Failure::usage(error.to_string()),
        UploadFailure::Document(_) => Failure::new(Exit::Failed, chain(error)),
        UploadFailure::Intent(_) => Failure::new(Exit::Failed, chain(error)),
        UploadFailure::Unsettled { .. } => Failure::new(Exit::Unsettled, chain(error)),
    }
}

fn exit(report: &Report) -> Exit {
    let Some(last) = report.uploads.last() else {
        return Exit::Done;
    };
    match last.state {
        UploadState::Recorded | UploadState::Reconciled | UploadState::Resolved => Exit::Done,
        UploadState::Open | UploadState::Doubtful => Exit::Unsettled,
        UploadState::Nothing if last.unsent => Exit::Unavailable,
        UploadState::Nothing => Exit::Failed,
    }
}

fn text(report: &Report) -> String {
    let batches: Vec<&str> = report
        .uploads
        .iter()
        .filter_map(|upload| upload.batch.as_ref())
        .map(|address| address.batch.as_str())
        .collect();
    let mut text = format!("{} uploaded and recorded", files(report.recorded));
    if let Some(batch) = batches.last() {
        text.push_str(&format!(", batch {batch}"));
    }
    text.push('\n');
    let last = report.uploads.last();
    let reason = last.and_then(|last| last.reason.as_deref()).unwrap_or_default();
    if let (true, Some(last)) = (report.in_doubt > 0, last) {
        text.push_str(&format!(
            "IN DOUBT: upload {} with {}: {reason}\n  `retentiond uploads` shows it; `retentiond reconcile` settles it \
             where its batch is known, else `retentiond uploads settle {} --reason CODE`\n",
            last.upload.0,
            files(report.in_doubt),
            last.upload.0
        ));
    }
    if report.not_uploaded > 0 {
        let why = if report.in_doubt > 0 {
            "what came before is in doubt"
        } else {
            reason
        };
        text.push_str(&format!("not uploaded: {}: {why}\n", files(report.not_uploaded)));
    }
    text
}
