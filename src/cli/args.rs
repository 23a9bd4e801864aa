//! The command line: what can be typed, and what it says about itself.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::config::ConfigCommand;

/// Declarative retention for documents held by Extracta.ai.
///
/// Policies in TOML say how long each kind of file may stay; a ledger knows what was uploaded and
/// when; what has expired is deleted on schedule, and each deletion is on record.
#[derive(Debug, Parser)]
#[command(
    name = "retentiond",
    version,
    max_term_width = 100,
    after_help = "Start here:\n  retentiond demo                 watch the whole thing against a local Extracta server\n  retentiond init                 write a first policy file\n  retentiond check                find every mistake in it\n  retentiond record answer.json   tell the ledger what was uploaded\n  retentiond plan                 see what would be deleted, and why\n\nExit codes: 0 done, 1 failed, 2 usage, 3 stopped by a limit, approval or breaker, 4 integrity,\n5 credentials, 6 finished with unknown or quarantined files, 7 ledger in use, 8 clock not trusted,\n75 API unavailable, 78 configuration."
)]
pub struct Cli {
    /// The policy file.
    #[arg(short, long, global = true, value_name = "FILE", env = "RETENTIOND_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
    /// Say only what went wrong.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more: -v info, -vv debug (file ids appear), -vvv trace.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole job against a local Extracta server: about ten seconds, nothing leaves this machine.
    Demo(DemoArgs),
    /// Write a first policy file.
    Init(InitArgs),
    /// Find every mistake in the policy file.
    Check(CheckArgs),
    /// Print what a policy file may hold: every key, or a schema for editors.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Run the schedules until told to stop.
    Daemon,
    /// Have the running daemon read the policy file again; fails, with the reasons, if it refuses the file.
    Reload,
    /// Sweep now: delete what is due, within the limits.
    Sweep(SweepArgs),
    /// Show what a sweep would delete, and why. Deletes nothing.
    Plan(PlanArgs),
    /// Show the whole arithmetic for one file.
    Explain(super::explain::ExplainArgs),
    /// Show how many files fall due in the coming days, and the first deadline that will be missed.
    Forecast(ForecastArgs),
    /// Show the coming run times.
    Schedule(ScheduleArgs),
    /// Answer "is everything all right?".
    Status,
    /// Show what was requested, answered and verified.
    History(super::history::HistoryArgs),
    /// Tell the ledger what was uploaded, from a file or standard input.
    Record(RecordArgs),
    /// Upload documents and record them in one step.
    Upload(super::upload::UploadArgs),
    /// Hold the ledger against what is at Extracta: files unrecorded, files gone, linked copies. Deletes nothing.
    Reconcile(super::reconcile::ReconcileArgs),
    /// Show uploads that are under way or in doubt, and settle those.
    Uploads(super::uploads::UploadsArgs),
    /// Record and list start events: what happened outside, from which rules count.
    #[command(subcommand)]
    Event(super::event::EventCommand),
    /// Place, list and release holds.
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Enter, list and close erasure requests.
    #[command(subcommand)]
    Erase(super::erase::EraseCommand),
    /// Let exactly one waiting plan run.
    Approve(ApproveArgs),
    /// Show what was done to somebody who trusts nobody: checkpoints, proofs, exports.
    #[command(subcommand)]
    Audit(super::audit::AuditCommand),
    /// Try out who is told.
    #[command(subcommand)]
    Notify(super::notify::NotifyCommand),
    /// Stop all deletion until a given time.
    Pause(PauseArgs),
    /// End a pause.
    Resume,
    /// List and reset what has stopped deletion.
    #[command(subcommand)]
    Breaker(BreakerCommand),
    /// List and settle files that were refused again and again.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Write the evidence report over a period: what was due, deleted, late, held and unknown, and why.
    Report(super::report::ReportArgs),
    /// Write the deletion concept: the rules in words, their legal basis, and where practice differed.
    Concept(super::concept::ConceptArgs),
    /// Check, back up, measure and move the ledger.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Run a local Extracta server for rehearsal.
    Sandbox(SandboxArgs),
    /// Print a completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory.
    Man {
        /// The directory; made if missing.
        dir: PathBuf,
    },
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to put the demo's policy file and ledger; a new temporary directory by default.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where to put `policies.toml`.
    #[arg(default_value = ".")]
    pub dir: PathBuf,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Also test key, TLS and clock against the API with a harmless call.
    #[arg(long)]
    pub online: bool,
    /// Also show what the file would change for the files in the ledger: due earlier, due later, newly
    /// owned, newly unowned. Changes nothing.
    #[arg(long)]
    pub against_ledger: bool,
}

/// `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Only this policy (repeatable); all by default.
    #[arg(short, long = "policy", value_name = "POLICY")]
    pub policies: Vec<String>,
    /// Show the plan and stop: the same as `plan`.
    #[arg(long)]
    pub dry_run: bool,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Only this policy (repeatable); all by default.
    #[arg(short, long = "policy", value_name = "POLICY")]
    pub policies: Vec<String>,
    /// As of this time (RFC 3339 with zone); now by default.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Write the plan to a new file, as JSON lines: a head with the plan's hash, then a line a file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Show what has changed since a plan was written to a file, file by file (exit 1 if anything has).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policies", "at", "out"])]
    pub compare: Option<PathBuf>,
    /// Lines of files to show.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub show: usize,
}

/// `forecast`.
#[derive(Debug, Args)]
pub struct ForecastArgs {
    /// Days to look ahead.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3660))]
    pub days: u16,
    /// Draw the chart also where standard output is no terminal.
    #[arg(long)]
    pub chart: bool,
}

/// `schedule`.
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    /// Run times for each policy.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub next: u16,
    /// From this time on (RFC 3339 with zone); now by default.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
}

/// Formats that `record` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordFormat {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header line.
    Csv,
    /// The API's own answer to an upload.
    Response,
}

/// `record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The file to read; `-` for standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub input: String,
    /// The format; found out from name and content by default.
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    pub format: Option<RecordFormat>,
    /// Keep the good rows although others are refused.
    #[arg(long)]
    pub keep_good: bool,
    /// A label for rows that do not set it (repeatable).
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,
    /// The document type of rows that do not say.
    #[arg(long, value_name = "TYPE")]
    pub document_type: Option<String>,
    /// The account of rows that do not say, as the policy file calls it; that of [extracta] by default.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// The classification of rows that do not say.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub classification: Option<String>,
    /// For JSONL or CSV from elsewhere, what each key is called there, such as
    /// `uploaded_at=created,file_id=id,label.tenant=customer` (repeatable); all else in it is passed over.
    #[arg(long = "map", value_name = "OURS=THEIRS")]
    pub mappings: Vec<String>,
    /// Say what would be new, known, updated and refused, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `hold …`.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Place a hold: what it covers is never sent.
    Add(HoldAddArgs),
    /// List the holds.
    List {
        /// Released ones too.
        #[arg(long)]
        all: bool,
    },
    /// Release a hold; it goes on covering for the cool-down of `[holds]`.
    Release {
        /// The hold's number.
        #[arg(value_name = "NUMBER")]
        id: i64,
        /// Why, as a code of your own.
        #[arg(long, value_name = "CODE")]
        reason: String,
    },
}

/// `hold add`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("scope").required(true).multiple(false))]
pub struct HoldAddArgs {
    /// Hold the file with this id.
    #[arg(long, group = "scope", value_name = "FILE_ID", allow_hyphen_values = true)]
    pub file: Option<String>,
    /// Hold every file of this batch.
    #[arg(long, group = "scope", value_name = "BATCH_ID", allow_hyphen_values = true)]
    pub batch: Option<String>,
    /// Hold every file with this label.
    #[arg(long, group = "scope", value_name = "KEY=VALUE")]
    pub label: Option<String>,
    /// Hold every file that this policy owns.
    #[arg(long, group = "scope", value_name = "POLICY")]
    pub policy: Option<String>,
    /// Why, as a code of your own, such as `litigation`.
    #[arg(long, value_name = "CODE")]
    pub reason: String,
    /// Your own reference, such as a case number.
    #[arg(long = "ref", value_name = "REF")]
    pub reference: Option<String>,
    /// Who answers for it.
    #[arg(long, value_name = "WHO")]
    pub owner: Option<String>,
    /// By when it has to be looked at again: a day (YYYY-MM-DD, all of it) or RFC 3339 with zone.
    #[arg(long, value_name = "DATE")]
    pub review_by: Option<String>,
}

/// `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The plan's hash as `plan` or the stopped sweep printed it, at least 8 characters; lists the
    /// waiting plans when left out.
    #[arg(value_name = "HASH")]
    pub hash: Option<String>,
    /// Approve the plan that `plan --out FILE` wrote; refused if a byte of it has changed, or another plan waits.
    #[arg(long, value_name = "FILE", conflicts_with = "hash")]
    pub plan: Option<PathBuf>,
}

/// `pause`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// When deletion goes on by itself (RFC 3339 with zone).
    #[arg(long, value_name = "TIME")]
    pub until: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `breaker …`.
#[derive(Debug, Subcommand)]
pub enum BreakerCommand {
    /// List the open breakers.
    List,
    /// Close one after having looked into its cause.
    Reset {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// `quarantine …`.
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List quarantined files with the reason of each.
    List,
    /// Send a file round again.
    Retry {
        /// The file's id.
        #[arg(value_name = "FILE_ID", allow_hyphen_values = true)]
        file: String,
    },
    /// Settle a file as gone, having made sure that it is.
    Resolve {
        /// The file's id.
        #[arg(value_name = "FILE_ID", allow_hyphen_values = true)]
        file: String,
        /// Why, as a code of your own.
        #[arg(long, value_name = "CODE")]
        reason: String,
    },
}

/// `ledger …`.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Check structure and invariants.
    Check {
        /// Read every row.
        #[arg(long)]
        deep: bool,
    },
    /// Write a whole, consistent copy to a new file; the daemon may go on meanwhile.
    Backup {
        /// The new file.
        #[arg(value_name = "FILE")]
        to: PathBuf,
    },
    /// Show sizes and counts.
    Stats,
    /// Carry the ledger to another place: into a PostgreSQL database, out of one, or to another file. The daemon is
    /// stopped meanwhile; called again, it goes on where it stopped. Afterwards the source can only be read.
    Copy(LedgerCopyArgs),
    /// Take a ledger back that was closed by `copy`.
    Reopen {
        /// Which, as `copy` names it; the policy file's by default.
        #[arg(value_name = "LEDGER")]
        ledger: Option<String>,
        /// How to get into the database.
        #[command(flatten)]
        server: LedgerServerArgs,
    },
}

/// `ledger copy`.
#[derive(Debug, Args)]
pub struct LedgerCopyArgs {
    /// The ledger: sqlite:PATH or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "LEDGER")]
    pub from: String,
    /// Where it goes, and nothing is yet: sqlite:PATH or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "LEDGER")]
    pub to: String,
    /// How to get into the database.
    #[command(flatten)]
    pub server: LedgerServerArgs,
}

/// What `[ledger]` says of a server, for a ledger that was typed. Where the policy file names the same database, its
/// own values are the default.
#[derive(Debug, Args)]
pub struct LedgerServerArgs {
    /// File that holds the password for the database; without it $CREDENTIALS_DIRECTORY/ledger-password, else
    /// PGPASSFILE.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Where this host keeps what the database cannot keep itself: `state_dir` of [ledger].
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// `sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8700")]
    pub listen: std::net::SocketAddr,
    /// A key that is accepted (repeatable).
    #[arg(long = "key", value_name = "KEY", default_value = "sandbox-key")]
    pub keys: Vec<String>,
    /// Least time between two looks at results, as the vendor documents.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub read_spacing: f64,
    /// Files that it holds from the start: JSON lines as `record` takes them, `-` for stdin.
    #[arg(long, value_name = "FILE")]
    pub holds: Option<PathBuf>,
}
