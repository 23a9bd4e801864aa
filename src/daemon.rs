//! The service: schedules, signals, reload, watchdog.
//!
//! Composes everything below and decides nothing about files. One loop turns: a beat of the
//! scheduler, a tick every few seconds, a signal, or the end of a sweep. Which occurrence is due is
//! arithmetic over the ledger ([`occurrence`]), so a missed beat, a restart or a frozen scheduler
//! loses nothing. At most one sweep runs at a time; the watchdog is fed by this loop alone.

mod control;
mod counter;
mod dates;
mod faces;
mod herald;
mod lookout;
mod occurrence;
mod passing;
mod reload;
mod service;
pub mod standing;
pub mod trigger;
mod work;

pub use control::{ControlError, Reloaded, ask_reload};
pub use faces::counting;
pub use herald::{Post, Undelivered};
pub use service::{Daemon, DaemonError, Parts};
