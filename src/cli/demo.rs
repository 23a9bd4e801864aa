//! `demo`: the whole job on one screen, against a local Extracta server.
//!
//! Real uploads, real requests, a real ledger; only the clock is injected, so that half a year
//! passes in a moment. Ends with 1 if the server's truth and the ledger differ.

mod truth;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::args::DemoArgs;
use super::context::{Context, client_config, engine_settings};
use super::exit::{Exit, Failure};
use super::output::files;
use crate::config::{self, Checked};
use crate::engine::{Clock, Engine, ShiftedClock, SweepRequest};
use crate::extracta::ExtractaClient;
use crate::ledger::{DeleterLock, HistoryFilter, Ledger};
use crate::model::{HoldScope, NewHold, Trigger};
use crate::sandbox::{Sandbox, SandboxConfig, SandboxHandle};

const DAY_MS: i64 = 86_400_000;

/// The uploads happen so long ago; the clock then moves on to today.
const PASSING_DAYS: i64 = 200;

/// Least time between two looks at results: the vendor asks for 2 s, the demo's server for this.
const SPACING: std::time::Duration = std::time::Duration::from_millis(150);

/// What the demo is played with.
struct Stage<'a> {
    context: &'a Context,
    clock: Arc<ShiftedClock>,
    checked: Checked,
    ledger: Arc<dyn Ledger>,
    client: Arc<ExtractaClient>,
    server: SandboxHandle,
}

pub(super) async fn run(context: &Context, args: &DemoArgs) -> Result<Exit, Failure> {
    let dir = place(args.dir.as_deref())?;
    let clock = Arc::new(ShiftedClock::new(-PASSING_DAYS * DAY_MS));
    let sandbox = start_server(&clock).await?;
    let setup = world::client(&sandbox.base_url(), SPACING)?;
    let names = world::create(&setup).await?;
    let policy_file = world::write_policies(&dir, &sandbox.base_url(), &names)?;
    let checked = config::load(&policy_file)?.checked;
    let key = secrecy::SecretString::from(crate::sandbox::DEFAULT_KEY);
    let client = ExtractaClient::new(client_config(&checked.extracta, key))
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let ledger_place = context.place(&checked)?;
    let lock = ledger_place.lock().await?;
    let ledger = ledger_place.open_to_delete(&lock).await?;
    let stage = Stage {
        context,
        clock,
        checked,
        ledger,
        client: Arc::new(client),
        server: sandbox.handle(),
    };
    let differences = play(&stage, &names, &lock).await?;
    // Whoever looks around may do so with a `sqlite3` of their own: it finds nothing to move into the ledger,
    // where pages that it writes would count as damaged.
    stage.ledger.tidy().await?;
    farewell(&stage, &dir, &policy_file, &differences)?;
    sandbox.stop().await;
    Ok(if differences.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// A directory of our own, so that nothing of the user's is touched.
fn place(wanted: Option<&Path>) -> Result<PathBuf, Failure> {
    let dir = wanted.map_or_else(
        || std::env::temp_dir().join(format!("retentiond-demo-{}", std::process::id())),
        Path::to_owned,
    );
    let failed = |e: std::io::Error| Failure::new(Exit::Failed, format!("{}: {e}", dir.display()));
    std::fs::create_dir_all(&dir).map_err(failed)?;
    // The policy file names the ledger and the key in it, from `/` on.
    let dir = dir.canonicalize().map_err(failed)?;
    if dir.join("policies.toml").exists() || dir.join("ledger.db").exists() {
        let text = format!(
            "{} already holds a demo; name another directory with --dir",
            dir.display()
        );
        return Err(Failure::usage(text));
    }
    Ok(dir)
}

async fn start_server(clock: &Arc<ShiftedClock>) -> Result<Sandbox, Failure> {
    let clock = Arc::clone(clock);
    let config = SandboxConfig {
        read_spacing: SPACING,
        clock: Arc::new(move || clock.now().as_millis()),
        ..SandboxConfig::default()
    };
    Sandbox::start(config).await.map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("the local Extracta server cannot start: {error}"),
        )
    })
}

async fn play(stage: &Stage<'_>, names: &world::Names, lock: &DeleterLock) -> Result<Vec<String>, Failure> {
    let say = |text: String| stage.context.output.tell(&text);
    say(format!("1. Uploads, as of {}", stage.clock.now()))?;
    let uploads = world::upload_all(stage, names).await?;
    for upload in &uploads {
        say(format!(
            "   {:<15} batch {}: {} recorded in the ledger",
            upload.title,
            upload.batch,
            files(upload.count)
        ))?;
    }

    say("\n2. A hold: somebody went to court over one application".to_owned())?;
    let held = uploads
        .first()
        .and_then(|upload| upload.files.first())
        .ok_or_else(|| Failure::new(Exit::Failed, "the demo uploaded nothing"))?;
    let hold = NewHold {
        scope: HoldScope::File(held.clone()),
        reason: "litigation".to_owned(),
        reference: Some("case 4711".to_owned()),
        owner: Some("legal".to_owned()),
        review_by: None,
    };
    let placed = stage.ledger.add_hold(&hold, stage.clock.now()).await?;
    say(format!(
        "   hold {} covers {}",
        placed.hold.0,
        files(placed.covers)
    ))?;

    stage.clock.advance(PASSING_DAYS * DAY_MS);
    say(format!(
        "\n3. {PASSING_DAYS} days pass: it is {}. The plan",
        stage.clock.now()
    ))?;
    plan(stage).await?;

    say(
        "\n4. The sweeps: the first file of each alone and verified, then the rest; linked copies go first"
            .to_owned(),
    )?;
    sweep(stage, lock).await?;

    say("\n5. On record: each request with its answer and its verification".to_owned())?;
    history(stage).await?;
    truth::compare(stage.ledger.as_ref(), &stage.server, &uploads).await
}

async fn plan(stage: &Stage<'_>) -> Result<(), Failure> {
    let policies: Vec<_> = stage.checked.rules.policies.iter().collect();
    let now = stage.clock.now();
    let document = super::plan::made(stage.ledger.as_ref(), &stage.checked, &policies, now, now).await?;
    stage
        .context
        .output
        .tell(&indented(&super::plan::text(&document, 4)))
}

async fn sweep(stage: &Stage<'_>, lock: &DeleterLock) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::<ShiftedClock>::clone(&stage.clock);
    let remote = Arc::<ExtractaClient>::clone(&stage.client);
    let settings = engine_settings(&stage.checked.extracta);
    let engine = Engine::new(Arc::clone(&stage.ledger), remote, clock, settings, lock);
    let cancel = CancellationToken::new();
    let mut reports = Vec::new();
    for policy in &stage.checked.rules.policies {
        let request = SweepRequest {
            policy: policy.name.clone(),
            occurrence: None,
            trigger: Trigger::Manual,
        };
        reports.push(engine.sweep(&stage.checked.rules, &request, &cancel).await?);
    }
    stage
        .context
        .output
        .tell(&indented(&super::sweep::text(&reports)))
}

async fn history(stage: &Stage<'_>) -> Result<(), Failure> {
    let filter = HistoryFilter {
        limit: 3,
        ..HistoryFilter::default()
    };
    let attempts = stage.ledger.history(&filter).await?;
    let text: String = attempts
        .iter()
        .map(|attempt| super::history::line(attempt, None))
        .collect();
    stage.context.output.tell(&indented(&text))
}

fn farewell(
    stage: &Stage<'_>,
    dir: &Path,
    policy_file: &Path,
    differences: &[String],
) -> Result<(), Failure> {
    let (there, deleted) = (stage.server.files().len(), stage.server.deleted().len());
    let retentiond = format!("retentiond -c {}", policy_file.display());
    let document = serde_json::json!({
        "dir": dir,
        "ledger": stage.checked.ledger.path,
        "files_left_at_the_server": there,
        "files_deleted_at_the_server": deleted,
        "differences": differences,
    });
    stage.context.output.data(&document, || {
        let verdict = if differences.is_empty() {
            format!("The server's truth and the ledger agree, file by file: {deleted} deleted, {there} left.")
        } else {
            format!("THE SERVER AND THE LEDGER DIFFER:\n{}", differences.join("\n"))
        };
        format!(
            "\n{verdict}\n\nThe ledger and the policy file are in {}. Look around:\n  {retentiond} status\n  {retentiond} history\n  {retentiond} hold list\n",
            dir.display()
        )
    })
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| {
            if line.is_empty() {
                String::new()
            } else {
                format!("   {line}")
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}
