//! One pass: recover → candidates → plan → execute → verify.
//!
//! Work storey. `planning` makes plans from a ledger alone and cannot delete: it never sees a remote.
//! [`Engine`] can, and wants the deleter's lock to exist. `executor` (claim → call → settle) is the
//! only place that drives ledger and remote together; `batch` walks one batch, `sweep` one policy. `sharing` and
//! `helping` are the two sides of a sweep that several processes carry out. `recovery` brings back what a restored
//! backup lacks.

pub mod account;
mod batch;
mod batches;
pub mod change;
pub mod checkpoint;
mod chunk;
pub mod clock;
mod course;
pub mod effect;
mod ending;
mod executor;
mod gate;
mod helping;
mod legs;
pub mod observe;
pub mod planning;
mod probe;
pub mod progress;
pub mod recovery;
pub mod redaction;
mod remotes;
pub mod requests;
mod ruling;
mod run;
mod sharing;
mod stop;
pub mod sweep;
mod tally;
mod throttle;
pub mod witnesses;

pub use clock::{Clock, ManualClock, ShiftedClock, SystemClock};
pub use ending::{Ending, SweepReport};
pub use helping::{Helped, others_sweep};
pub use progress::{Listener, Progress};
pub use remotes::{Remotes, Way};
pub use stop::{Stop, short};
pub use sweep::{Engine, Settings, SweepError, SweepRequest};
