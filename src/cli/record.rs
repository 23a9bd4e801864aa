//! `record`: tell the ledger what was uploaded.

use std::fs::File;
use std::sync::Arc;

use serde::Serialize;

use super::accounts::account;
use super::args::{RecordArgs, RecordFormat};
use super::context::{Context, typed};
use super::exit::{Exit, Failure};
use super::output::files;
use super::progress::Bar;
use crate::config::Checked;
use crate::engine::planning::renew_hints;
use crate::intake::{
    Format, InForce, Input, Mapping, Progress, RecordError, RecordOptions, RecordResult, RecordSummary,
    Stage, record,
};
use crate::ledger::{Ledger, LedgerError, OpenMode, Place};
use crate::model::Labels;
use crate::rules::decide::hint;

/// Refused rows shown as text.
const SHOWN: usize = 20;

pub(super) async fn run(context: &Context, args: &RecordArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let options = RecordOptions {
        account: account(&checked, args.account.as_deref())?,
        ..options(args)?
    };
    let rules = &checked.rules;
    let subjects = context.subjects(&checked)?;
    let in_force = InForce {
        label_keys: &rules.label_keys,
        accounts: &rules.accounts,
        digest: &rules.digest,
        hint: &|file| hint(file, rules),
        subjects: subjects.as_ref(),
    };
    let now = context.clock.now();
    let copy = if args.dry_run {
        Some(copy(context, &checked).await?)
    } else {
        None
    };
    let ledger: Arc<dyn Ledger> = match &copy {
        Some(copy) => Arc::clone(&copy.ledger),
        None => context.writer(&checked).await?,
    };
    let bar = Bar::new(context.output.progress, "reading");
    let size = size_of(args);
    let progress = |progress: Progress| show(&bar, size, progress);
    let outcome = record(input(args)?, &options, in_force, ledger.as_ref(), now, &progress).await;
    bar.clear();
    let summary = outcome.map_err(failed)?;
    let report = Report {
        dry_run: args.dry_run,
        summary: &summary,
    };
    context.output.data(&report, || text(&summary, args.dry_run))?;
    if copy.is_none() {
        // Files that a start event covers, or whose facts changed, wait for a second decision.
        if !ledger.hints_are_current(&rules.digest).await? {
            renew_hints(ledger.as_ref(), rules).await?;
        }
        ledger.tidy().await?;
    }
    Ok(match summary.result {
        RecordResult::Recorded => Exit::Done,
        RecordResult::KeptGood | RecordResult::Refused => Exit::Failed,
    })
}

/// What the verb prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// Whether nothing was written.
    dry_run: bool,
    #[serde(flatten)]
    summary: &'a RecordSummary,
}

/// A ledger to try an input on; it goes away with this value.
struct Trial {
    ledger: Arc<dyn Ledger>,
    _dir: tempfile::TempDir,
}

/// A copy of the ledger, so that what is said is what would happen; an empty one where there is none yet.
async fn copy(context: &Context, checked: &Checked) -> Result<Trial, Failure> {
    let dir = tempfile::Builder::new().prefix("retentiond-").tempdir()?;
    let path = dir.path().join("ledger.db");
    match context.place(checked)?.open(OpenMode::ReadOnly).await {
        Ok(ledger) => {
            let bar = Bar::new(context.output.progress, "copying the ledger to try the input on");
            ledger.backup(&path).await?;
            bar.clear();
        }
        Err(LedgerError::Missing { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let ledger = Place::File(path).open(OpenMode::ReadWrite).await?;
    Ok(Trial { ledger, _dir: dir })
}

/// Bytes of a regular file: what tells how much of the reading is left.
fn size_of(args: &RecordArgs) -> Option<u64> {
    let found = std::fs::metadata(&args.input).ok()?;
    (args.input != "-" && found.is_file()).then_some(found.len())
}

/// Reading is measured by the share of bytes, in rows; writing by rows.
fn show(bar: &Bar, size: Option<u64>, progress: Progress) {
    let expected = size.filter(|_| progress.bytes > 0).map(|size| {
        let rows = u128::from(progress.rows) * u128::from(size) / u128::from(progress.bytes);
        u64::try_from(rows).unwrap_or(u64::MAX)
    });
    let text = match progress.stage {
        Stage::Reading => "reading rows",
        Stage::Writing => "writing rows",
    };
    bar.set(text, progress.rows, progress.of_rows.or(expected));
}

fn input(args: &RecordArgs) -> Result<Input<'static>, Failure> {
    if args.input == "-" {
        return Ok(Input::new(None, std::io::stdin()));
    }
    let file =
        File::open(&args.input).map_err(|e| Failure::new(Exit::Failed, format!("{}: {e}", args.input)))?;
    Ok(Input::new(Some(&args.input), file))
}

fn mapping(args: &RecordArgs) -> Result<Option<Mapping>, Failure> {
    if args.mappings.is_empty() {
        return Ok(None);
    }
    if matches!(args.format, Some(RecordFormat::Response)) {
        return Err(Failure::usage(
            "--map is for JSONL and CSV; an answer of the API has its own keys",
        ));
    }
    let mut mapping = Mapping::default();
    for text in &args.mappings {
        mapping.add(text).map_err(Failure::usage)?;
    }
    Ok(Some(mapping))
}

/// Labels as they are typed.
pub(super) fn labels(typed: &[String]) -> Result<Labels, Failure> {
    let mut labels = Labels::new();
    for label in typed {
        let (key, value) = label.split_once('=').ok_or_else(|| {
            Failure::usage(format!(
                "`{label}` is no label; write KEY=VALUE, such as tenant=acme"
            ))
        })?;
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(labels)
}

fn options(args: &RecordArgs) -> Result<RecordOptions, Failure> {
    Ok(RecordOptions {
        format: args.format.map(|format| match format {
            RecordFormat::Jsonl => Format::Jsonl,
            RecordFormat::Csv => Format::Csv,
            RecordFormat::Response => Format::Response,
        }),
        // What the good rows would do is to be seen even beside bad ones.
        keep_good: args.keep_good || args.dry_run,
        mapping: mapping(args)?,
        labels: labels(&args.labels)?,
        document_type: args.document_type.clone(),
        classification: args.classification.as_deref().map(typed).transpose()?,
        ..RecordOptions::default()
    })
}

fn failed(error: RecordError) -> Failure {
    match error {
        RecordError::Format | RecordError::Default { .. } => Failure::usage(error.to_string()),
        RecordError::Ledger { .. } | RecordError::Input { .. } | RecordError::Spool { .. } => {
            Failure::new(Exit::Failed, super::exit::chain(&error))
        }
    }
}

fn text(summary: &RecordSummary, dry_run: bool) -> String {
    let counts = format!(
        "{} new, {} known, {} updated, {} repeated",
        files(summary.added),
        summary.known,
        summary.updated,
        summary.duplicates
    );
    let mut text = match summary.result {
        RecordResult::Recorded if dry_run => format!("nothing was written; it would be: {counts}\n"),
        RecordResult::KeptGood if dry_run => format!(
            "nothing was written; {} rows would be refused, the good ones: {counts}\n",
            summary.refused_total
        ),
        RecordResult::Recorded => format!("recorded: {counts}\n"),
        RecordResult::KeptGood => format!(
            "{} rows refused, the good ones recorded: {counts}\n",
            summary.refused_total
        ),
        RecordResult::Refused => {
            format!(
                "{} of {} rows refused; nothing was kept (--keep-good keeps the others)\n",
                summary.refused_total, summary.rows
            )
        }
    };
    for refused in summary.refused.iter().take(SHOWN) {
        text.push_str(&format!(
            "  line {}: {} [{}]\n",
            refused.line, refused.message, refused.code
        ));
    }
    let more = usize::try_from(summary.refused_total)
        .unwrap_or(usize::MAX)
        .saturating_sub(SHOWN);
    if more > 0 {
        text.push_str(&format!("  … and {more} more\n"));
    }
    text
}
