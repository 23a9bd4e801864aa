//! The vocabulary: ids, times, files and their states, exceptions, sweeps and attempts.
//!
//! Ground storey. Everything above speaks in these types; this room knows nothing of policies,
//! SQL or HTTP and reads no clock.

mod account;
mod address;
mod attempt;
mod control;
mod erasure;
mod event;
mod file;
mod hold;
mod ids;
mod sweep;
mod time;
mod upload;

pub use account::{AccountName, InvalidAccountName, OfAccount};
pub use address::{BatchAddress, FileAddress, Module, Parent};
pub use attempt::{Attempt, AttemptFile, AttemptId, AttemptKind, Finding};
pub use control::{Approval, Breaker, BreakerKind, ClockAnomaly, ClockMark, Pause, breaker_name};
pub use erasure::{Closing, Erasure, ErasureId, ErasureScope, Erasures, NewErasure};
pub use event::{
    EventName, EventScope, InvalidEventName, MAX_EVENT_NAME_BYTES, NewEvent, Occurred, Occurrence,
    RecordedEvent,
};
pub use file::{BatchKey, FileKey, FileRecord, FileState, Labels, NewFile};
pub use hold::{Hold, HoldId, HoldScope, Holdable, Holds, NewHold};
pub use ids::{
    BatchId, ClassificationId, ExtractionId, FileId, InvalidId, MAX_ID_BYTES, PolicyName, push_id_time,
};
pub use sweep::{Sweep, SweepId, SweepState, SweepSummary, Trigger};
pub use time::{InvalidTimestamp, Timestamp};
pub use upload::{NewUpload, Upload, UploadId, UploadSource, UploadState, UploadedDocument};
