//! What an answer means, and where it leads: pure.
//!
//! Knows HTTP statuses and JSON bodies as data; no socket, no SQL. `interpret` reads an answer by
//! code **and** body, `state` holds the one transition function, `bisect` how a refused list is cut.

pub mod bisect;
pub mod envelope;
pub mod interpret;
pub mod reason;
pub mod reply;
pub mod state;
pub mod wait;

pub use bisect::Bisection;
pub use interpret::{Outcome, Refusal, interpret_delete, interpret_extraction_delete};
pub use reply::{Answer, Reply};
pub use state::{FileEvent, IllegalTransition, next_state};
