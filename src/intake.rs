//! How ids come in: rows from files, stdin and the intake endpoint become facts in the ledger.
//!
//! Work storey, above `model`, `rules` (types) and `ledger`. [`rows`] turns bytes into rows and says
//! of each bad one in which line it stands and why; [`record`](record()) keeps all of an input or
//! nothing. Nothing here decides what is deleted: the hint that goes along with a row is asked of a
//! function that the caller brings. This room must not know policies, SQL or the network, reads no
//! clock, and lets no file name, signed link or data subject in clear reach the ledger or a message.

mod check;
pub mod desk;
mod documents;
pub mod gateway;
mod input;
mod page;
mod recall;
pub mod reconcile;
mod record;
pub mod rows;
mod spool;
mod subject;
mod summary;
#[cfg(test)]
mod tests;
pub mod upload;
pub mod webhook;
mod write;

pub use check::{FUTURE_TOLERANCE_MILLIS, PUSH_ID_TOLERANCE_MILLIS, RecordOptions};
pub use documents::{OnDisk, Sent};
pub use input::Input;
pub use recall::Recall;
pub use record::{InForce, PAGE_ROWS, record};
pub use rows::{Format, Mapping, RowError};
pub use subject::{MIN_SUBJECT_KEY_BYTES, SubjectHasher, WeakSubjectKey};
pub use summary::{LISTED_REFUSALS, Progress, RecordError, RecordResult, RecordSummary, Stage};
pub use upload::{Sender, UploadFailure, UploadOrder, Uploaded, settle_answer, upload};
pub use write::provisional;
