//! record
use super::args::RecordArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
pub(super) async fn run(_context: &Context, _args: &RecordArgs) -> Result<Exit, Failure> { Ok(Exit::Done) }
