//! demo
use super::args::DemoArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
pub(super) async fn run(_context: &Context, _args: &DemoArgs) -> Result<Exit, Failure> { Ok(Exit::Done) }
