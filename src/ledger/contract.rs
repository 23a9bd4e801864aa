//! What a ledger promises, backend by backend: the conformance suite runs every line of it.
//!
//! Small traits by who asks: [`Intake`] takes uploads in, [`Uploads`] keeps the intents of those that we
//! make, [`Rules`] the hints of the current rule set, [`Changes`] what wants to take its place, [`Claims`] is
//! the executor's intent and outcome, [`Sweeps`] the runs and plans, [`Controls`] what stops deletion,
//! [`ErasureRequests`] what orders it, [`Figures`] what the faces show, [`Past`] what was decided by,
//! [`Reports`] what a report rests on, [`Recovery`] what a restored backup lacks, [`Redaction`]
//! what has been on record for long enough, [`Shared`] the work that several processes do on one ledger. Every write is one durable
//! transaction: when the call returns `Ok`, it survives power loss.

mod batches;
mod changes;
mod claims;
mod clocks;
mod controls;
mod coverage;
mod erasures;
mod events;
mod evidence;
mod figures;
mod intake;
mod others;
mod pacing;
mod past;
mod plans;
mod recovery;
mod redaction;
mod reports;
mod shared;
mod standing;
mod sweeps;
mod uploads;

pub use batches::{Batches, KnownBatch};
pub use changes::{Changes, RuleChange, RulesInForce};
pub use claims::{After, Claim, ClaimRequest, Claims, Permit, Settlement};
pub use clocks::{Clocks, OtherClocks};
pub use controls::{Barriers, Controls, Placed};
pub use coverage::{AfterUpload, Coverage};
pub use erasures::{Entered, ErasureFiles, ErasureRequests};
pub use events::{EventNoted, Events};
pub use evidence::{Evidence, Opening, SentCheckpoints, StoredCheckpoint, StoredLeaf, TreeHead};
pub use figures::{Figures, HistoryFilter, Stat, Tally};
pub use intake::{Hinted, Intake, Recorded, Rehint, Rehinted, Rules};
pub use others::{Others, Removed};
pub use pacing::{CallStart, Lane, Pacing};
pub use past::{Move, Past};
pub use plans::StoredFile;
pub use recovery::{BroughtBack, LostLine, Recovery, UnderWay};
pub use redaction::{Gone, Redactable, Redacted, Redaction, RedactionStep};
pub use reports::{
    Adoption, EndedBy, EndedFile, FileFact, Hindrance, Incidents, OpenFile, ReportFacts, ReportPage,
    ReportPeriod, Reports, Run, Stretch, SweepCount, UnfinishedSweep, Unowned, WaitedChange, WaitedPlan,
};
pub use shared::{Offer, PART_FILES, Part, PartsLeft, Peer, Shared, TakenPart};
pub use standing::{Space, Standing};
pub use sweeps::{OpenSweep, Opened, StoredPlan, Sweeps};
pub use uploads::{UploadEnd, Uploads};

/// The whole ledger, as most of the house holds it: `Arc<dyn Ledger>`.
pub trait Ledger:
    Intake
    + Uploads
    + Others
    + Batches
    + Events
    + Rules
    + Changes
    + Claims
    + Sweeps
    + Controls
    + Clocks
    + ErasureRequests
    + Evidence
    + Figures
    + Past
    + Recovery
    + Redaction
    + Reports
    + Shared
    + Standing
{
}

impl<T> Ledger for T where
    T: Intake
        + Uploads
        + Others
        + Batches
        + Events
        + Rules
        + Changes
        + Claims
        + Sweeps
        + Controls
        + Clocks
        + ErasureRequests
        + Evidence
        + Figures
        + Past
        + Recovery
        + Redaction
        + Reports
        + Shared
        + Standing
{
}
