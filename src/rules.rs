//! What must be deleted, when, and why: pure rules over the model.
//!
//! Pure storey: no I/O, no clock (`now` is an argument), no async. `decide` is asked for one file,
//! `plan` for a sweep, `check` re-derives the safety rules by another road before anything is sent.
//! **SQL narrows; the one function that decides stands here.**

pub mod answer;
pub mod check;
pub mod decide;
pub mod drain;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod impact;
pub mod limits;
pub mod lines;
pub mod matching;
pub mod overlap;
pub mod period;
pub mod plan;
pub mod policy;
pub mod schedule;
pub mod window;
