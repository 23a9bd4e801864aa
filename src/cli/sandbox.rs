//! `sandbox`: a local Extracta server in the foreground.

use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use super::args::SandboxArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::sandbox::{Sandbox, SandboxConfig, SandboxHandle};

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
    if let Some(path) = &args.holds {
        let files = stock(&sandbox.handle(), path)?;
        context.output.say(&format!("holds {files} files"));
    }
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

fn stock(sandbox: &SandboxHandle, path: &Path) -> Result<u64, Failure> {
    let failed =
        |error: &dyn std::error::Error| Failure::new(Exit::Failed, format!("{}: {error}", path.display()));
    if path == Path::new("-") {
        return sandbox
            .stock(std::io::stdin().lock())
            .map_err(|error| failed(&error));
    }
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    sandbox
        .stock(BufReader::new(file))
        .map_err(|error| failed(&error))
}
