//! `sandbox`: a local Extracta server in the foreground.

use std::time::Duration;

use super::args::SandboxArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::sandbox::{Sandbox, SandboxConfig};

pub(super) async fn run(context: &Context, args: &SandboxArgs) -> Result<Exit, Failure> {
    let spacing = Duration::try_from_secs_f64(args.read_spacing)
        .map_err(|error| Failure::usage(format!("--read-spacing: {error}")))?;
    let config = SandboxConfig {
        addr: args.listen,
        api_keys: args.keys.clone(),
        read_spacing: spacing,
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::start(config)
        .await
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot listen on {}: {error}", args.listen)))?;
    let url = sandbox.base_url();
    context
        .output
        .data(&serde_json::json!({ "listening": url }), || {
            format!("listening on {url}\n")
        })?;
    context.output.say("a rehearsal server: nothing is kept after it ends; faults: POST /_sandbox/faults, state: GET /_sandbox/state");
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended?,
        _ = terminate.recv() => {}
    }
    sandbox.stop().await;
    Ok(Exit::Done)
}
