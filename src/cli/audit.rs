//! `audit init-key|checkpoint|verify|prove|export|redact`: what was done, for somebody who trusts neither us nor the machine.

pub(super) mod export;
pub(super) mod prove;
mod redact;
pub(super) mod verify;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::engine::checkpoint::make;
use crate::evidence::SecretKey;

/// `audit …`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Make the key that signs checkpoints, in a new file (mode 0600), and print its public half: give that to
    /// whoever will check.
    InitKey {
        /// The file; `key_file` of [evidence] by default.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Make a checkpoint now, and print it.
    Checkpoint,
    /// Check the ledger, an export, or a proof; exit 4 when something was changed.
    Verify(VerifyArgs),
    /// Write a proof of what is on record of one file. It shows nothing of others.
    Prove(ProveArgs),
    /// Write all facts and checkpoints to a new file, for `audit verify` elsewhere.
    Export(ExportArgs),
    /// Take from the record what has been over for as long as `keep` of [evidence] says. Every day's first sweep
    /// does that at its end; hashes stay, and the rest can still be checked.
    Redact(RedactArgs),
}

/// `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// An export or a proof; the ledger by default.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The public key, or a file that holds it: checkpoints must be signed with it.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Look into one part of the facts only, such as 1/30: each part into others, all hold the whole tree
    /// against its checkpoints.
    #[arg(long, value_name = "N/T")]
    pub subset: Option<String>,
}

/// `audit prove`.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// The file's id at Extracta.
    #[arg(value_name = "FILE_ID", allow_hyphen_values = true)]
    pub file: String,
    /// Its batch, where more than one holds a file with this id.
    #[arg(long, value_name = "BATCH_ID", allow_hyphen_values = true)]
    pub batch: Option<String>,
    /// Write the proof to a new file; standard output by default.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `audit export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Write to a new file; standard output by default.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// With what opens the commitments: ids of files, reasons, references. Not for outsiders.
    #[arg(long)]
    pub with_ids: bool,
}

/// `audit redact`.
#[derive(Debug, Args)]
pub struct RedactArgs {
    /// Only count what would go.
    #[arg(long)]
    pub dry_run: bool,
}

pub(super) async fn run(context: &Context, command: &AuditCommand) -> Result<Exit, Failure> {
    match command {
        AuditCommand::InitKey { file } => init_key(context, file.as_deref()).await,
        AuditCommand::Checkpoint => checkpoint(context).await,
        AuditCommand::Verify(args) => verify::run(context, args).await,
        AuditCommand::Prove(args) => prove::run(context, args).await,
        AuditCommand::Export(args) => export::run(context, args).await,
        AuditCommand::Redact(args) => redact::run(context, args).await,
    }
}

async fn init_key(context: &Context, file: Option<&Path>) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let path = file.or(checked.evidence.key_file.as_deref()).ok_or_else(|| {
        Failure::usage("name the file: `retentiond audit init-key FILE`, or `key_file` in [evidence]")
    })?;
    // The key bears the tree's name, so that a note says whose it is.
    let name = context.writer(&checked).await?.tree().await?.origin;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| Failure::new(Exit::Failed, format!("no random bytes: {error}")))?;
    let key = SecretKey::new(&name, &seed).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let mut written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                let path = path.display();
                Failure::usage(format!(
                    "{path} is there already; a key is never replaced: give another file"
                ))
            } else {
                Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
            }
        })?;
    written.write_all(format!("{}\n", key.expose()).as_bytes())?;
    written.sync_all()?;
    let public = key.verifier().to_string();
    context.output.data(
        &serde_json::json!({ "file": path, "public_key": public }),
        || {
            format!(
                "{public}\nthe key is in {}; the line above is its public half, for `retentiond audit verify --key`\n",
                path.display()
            )
        },
    )?;
    if checked.evidence.key_file.as_deref() != Some(path) {
        context.output.say(&format!(
            "note: it signs once the policy file names it (`[evidence] key_file = \"{0}\"`), or the service is given it as the credential `audit-key`; then restart the daemon",
            path.display()
        ));
    }
    Ok(Exit::Done)
}

async fn checkpoint(context: &Context) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let key = context.audit_key(&checked)?;
    let ledger = context.writer(&checked).await?;
    let made = make(ledger.as_ref(), key.as_ref(), context.clock.now()).await?;
    let Some(made) = made else {
        return Err(match ledger.rollback().await? {
            Some(problem) => Failure::new(Exit::Integrity, problem),
            None => Failure::new(
                Exit::Failed,
                "nothing has been done yet: there is no fact to make a checkpoint of",
            ),
        });
    };
    context.output.data(&made, || made.note.clone())?;
    if key.is_none() {
        context.output.say(UNSIGNED);
    }
    Ok(Exit::Done)
}

/// Said wherever it matters, as long as there is no key.
pub(super) const UNSIGNED: &str = "note: checkpoints are not signed, because there is no audit key: `retentiond audit init-key FILE` makes one";

/// Where a verb writes: a new file, or standard output.
fn sink(out: Option<&Path>) -> Result<Box<dyn Write>, Failure> {
    match out {
        None => Ok(Box::new(std::io::BufWriter::new(std::io::stdout()))),
        Some(path) => {
            let file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
            Ok(Box::new(std::io::BufWriter::new(file)))
        }
    }
}
