//! The house as a whole: real SQLite, real HTTP against the sandbox, a clock that stands still.

#![expect(unreachable_pub, reason = "an integration test has no outside")]

mod binary;
mod daemon;
mod faults;
mod harness;
mod limits;
mod secrets;
mod stops;
mod sweeps;
