//! The house as a whole: real SQLite, real HTTP against the sandbox, a clock that stands still.

mod binary;
mod daemon;
mod faults;
mod harness;
mod limits;
mod secrets;
mod stops;
mod sweeps;
