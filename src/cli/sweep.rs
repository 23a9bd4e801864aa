//! `sweep`: one pass now, by hand.

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::args::{PlanArgs, SweepArgs};
use super::context::{Context, chosen, swept};
use super::exit::{Exit, Failure};
use super::output::{lines, table};
use crate::daemon::standing::{Standing, standing};
use crate::engine::{Ending, Stop, SweepReport, SweepRequest, short};
use crate::model::Trigger;

#[derive(Debug, Serialize)]
struct Report {
    sweeps: Vec<SweepReport>,
}

pub(super) async fn run(context: &Context, args: &SweepArgs) -> Result<Exit, Failure> {
    if args.dry_run {
        let args = PlanArgs {
            policies: args.policies.clone(),
            at: None,
            out: None,
            compare: None,
            show: 20,
        };
        return super::plan::run(context, &args).await;
    }
    let file = context.load()?.checked;
    chosen(&file.rules, &args.policies)?;
    let (engine, ledger, _lock) = context.engine(&file).await?;
    let (checked, waits) = match standing(ledger.as_ref(), file, None, context.clock.now()).await? {
        Standing::Own { checked, impact } => {
            if let Some(impact) = impact {
                context
                    .output
                    .say(&format!("changed rules: {}", impact.sentence()));
            }
            (*checked, false)
        }
        Standing::Before { checked, change } => {
            context.output.say(&format!(
                "the changed rules wait ({}); `retentiond approve {}` lets them take effect. Until then a file goes only if the rules before say so too",
                change.impact.sentence(),
                short(&change.after.0)
            ));
            (*checked, true)
        }
        // The engine refuses each sweep, and says what resolves it.
        Standing::Nothing { checked, .. } => (*checked, false),
    };
    // A policy that only the changed rules have is swept once they are in force.
    let known: Vec<String> = args
        .policies
        .iter()
        .filter(|name| {
            let requests = std::iter::once(&checked.rules.erasure.sweep);
            let mut swept = checked.rules.policies.iter().chain(requests);
            swept.any(|policy| policy.name.as_str() == **name)
        })
        .cloned()
        .collect();
    let policies = if known.is_empty() && !args.policies.is_empty() {
        Vec::new()
    } else {
        swept(&checked.rules, &known, ledger.as_ref()).await?
    };
    let cancel = CancellationToken::new();
    let watcher = cancel_on_signal(&cancel)?;
    let mut sweeps = Vec::new();
    for policy in &policies {
        let request = SweepRequest {
            policy: policy.name.clone(),
            occurrence: None,
            trigger: Trigger::Manual,
        };
        let report = engine.sweep(&checked.rules, &request, &cancel).await?;
        sweeps.push(report);
        if cancel.is_cancelled() {
            break;
        }
    }
    watcher.abort();
    // With it goes its progress line.
    drop(engine);
    let mut exit = worst(&sweeps, policies.len());
    if waits && exit == Exit::Done {
        exit = Exit::Stopped;
    }
    if sweeps.len() < policies.len() {
        let left = policies.len() - sweeps.len();
        context
            .output
            .say(&format!("asked to end: {left} policies were not swept"));
    }
    let report = Report { sweeps };
    context.output.data(&report, || text(&report.sweeps))?;
    ledger.tidy().await?;
    Ok(exit)
}

/// Ctrl-C and SIGTERM let the request under way finish and its outcome be written.
fn cancel_on_signal(cancel: &CancellationToken) -> std::io::Result<JoinHandle<()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let cancel = cancel.clone();
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        cancel.cancel();
    }))
}

/// The gravest ending counts: a stop (also one that left policies out) before unsettled files, both
/// before "done".
fn worst(sweeps: &[SweepReport], wanted: usize) -> Exit {
    let stopped = sweeps.iter().find_map(|sweep| match &sweep.ending {
        Ending::Stopped { by } => Some(Exit::from(by)),
        Ending::Elsewhere { .. } => Some(Exit::InUse),
        Ending::Done | Ending::Observed | Ending::AlreadyDone => None,
    });
    let stopped = stopped.or_else(|| (sweeps.len() < wanted).then(|| Exit::from(&Stop::Shutdown)));
    let unsettled = sweeps
        .iter()
        .any(|s| s.summary.unknown > 0 || s.summary.quarantined > 0);
    stopped.unwrap_or(if unsettled { Exit::Unsettled } else { Exit::Done })
}

/// The sweeps as people read them.
pub(super) fn text(sweeps: &[SweepReport]) -> String {
    let mut rows = table(&[
        "policy",
        "due",
        "held",
        "deleted",
        "verified",
        "gone",
        "kept",
        "unknown",
        "quarantined",
        "ended",
    ]);
    let mut notes = String::new();
    for sweep in sweeps {
        let s = &sweep.summary;
        let ended = match &sweep.ending {
            Ending::Done => "done",
            Ending::Observed => "observed: nothing was sent",
            Ending::AlreadyDone => "done before",
            Ending::Stopped { .. } => "STOPPED",
            Ending::Elsewhere { .. } => "swept elsewhere",
        };
        let counts = [
            s.due,
            s.held,
            s.deleted,
            s.verified,
            s.gone,
            s.kept,
            s.unknown,
            s.quarantined,
        ];
        let mut row = vec![sweep.policy.to_string()];
        row.extend(counts.iter().map(u64::to_string));
        row.push(ended.to_owned());
        rows.add_row(row);
        if let Some(note) = &s.note {
            notes.push_str(&format!("{}: {note}\n", sweep.policy));
        }
        if let Ending::Elsewhere { by } = &sweep.ending {
            notes.push_str(&format!(
                "{}: process {by} is at it (sweep {}); `retentiond status` shows how far\n",
                sweep.policy, sweep.sweep.0
            ));
        }
    }
    lines(&rows) + &notes
}
