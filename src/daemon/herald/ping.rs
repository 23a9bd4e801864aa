//! Starts and ends of sweeps, for a service that notices when they stay away.

use super::mail::Letter;
use crate::engine::{Ending, Stop, SweepReport};

/// The message for a sweep's end: its exit code as `retentiond sweep` would give it, and its counts. None for a
/// sweep that was only cut: it goes on. None for one that another process is at: its end tells.
pub(super) fn end(report: Option<&SweepReport>) -> Option<Letter> {
    let Some(report) = report else {
        return Some(Letter::ping(
            "1",
            "the sweep failed; the log says why\n".to_owned(),
        ));
    };
    if matches!(
        &report.ending,
        Ending::Stopped { by: Stop::Shutdown } | Ending::Elsewhere { .. }
    ) {
        return None;
    }
    let s = &report.summary;
    let mut text = format!(
        "policy {}: {}\ndue {}, held {}, deleted {}, gone {}, verified {}, unknown {}, quarantined {}\n",
        report.policy,
        report.ending.state().name(),
        s.due,
        s.held,
        s.deleted,
        s.gone,
        s.verified,
        s.unknown,
        s.quarantined,
    );
    if let Some(note) = &s.note {
        text.push_str(note);
        text.push('\n');
    }
    if let Some(checkpoint) = &report.checkpoint {
        text.push_str("\ncheckpoint:\n");
        text.push_str(checkpoint);
    }
    Some(Letter::ping(&report.exit_code().to_string(), text))
}
