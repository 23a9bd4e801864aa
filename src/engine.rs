//! One pass: recover → candidates → plan → execute → verify.
//!
//! Work storey. `planning` makes plans from a ledger alone and cannot delete: it never sees a remote.
//! [`Engine`] can, and wants the deleter's lock to exist. `executor` (claim → call → settle) is the
//! only place that drives ledger and remote together; `batch` walks one batch, `sweep` one policy. `recovery`
//! brings back what a restored backup lacks.

pub mod account;
mod batch;
mod batches;
pub mod change;
pub mod checkpoint;
mod chunk;
pub mod clock;
pub mod effect;
mod executor;
mod gate;
pub mod observe;
pub mod planning;
mod probe;
pub mod progress;
pub mod recovery;
pub mod redaction;
pub mod requests;
mod ruling;
mod run;
pub mod sweep;
mod tally;
mod throttle;

pub use clock::{Clock, ManualClock, ShiftedClock, SystemClock};
pub use gate::{Stop, short};
pub use progress::{Listener, Progress};
pub use sweep::{Ending, Engine, Settings, SweepError, SweepReport, SweepRequest};
