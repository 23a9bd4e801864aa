//! Would anything be deleted if it were due? Each thing that could stand in the way, one by one.

use super::super::gate::NOT_BEFORE;
use crate::ledger::{Ledger, LedgerError, Space};
use crate::model::{Breaker, Hold, HoldScope, Pause, Timestamp};
use crate::rules::policy::RuleSet;
use crate::snapshot::Check;

/// Below this an outcome may not find room.
const LEAST_FREE_BYTES: u64 = 16 * 1024 * 1024;

/// What has been read already.
pub(super) struct Seen<'a> {
    pub(super) breakers: &'a [Breaker],
    pub(super) pause: Option<&'a Pause>,
    pub(super) holds: &'a [Hold],
    pub(super) space: Space,
}

/// Every check, passed or not.
///
/// # Errors
/// The ledger's.
pub(super) async fn checks(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    seen: &Seen<'_>,
    now: Timestamp,
) -> Result<Vec<Check>, LedgerError> {
    // One of a named account stops that account only.
    let of_all = seen.breakers.iter().filter(|breaker| breaker.account.is_none());
    let open: Vec<String> = of_all.map(Breaker::name).collect();
    let not_before: Option<Timestamp> = ledger
        .setting(NOT_BEFORE)
        .await?
        .and_then(|text| text.parse().ok())
        .filter(|until| now < *until);
    let decided = ledger.hints_are_current(&rules.digest).await?;
    let stray = seen.holds.iter().find_map(|hold| match &hold.scope {
        HoldScope::Policy(name) if rules.policy(name).is_none() => Some((hold.id.0, name)),
        HoldScope::Policy(_) | HoldScope::File(_) | HoldScope::Batch(_) | HoldScope::Label { .. } => None,
    });
    let free = seen.space.free_bytes;
    Ok(vec![
        check("breakers", open.is_empty(), "none is open", || {
            format!("open: {}", open.join(", "))
        }),
        check("pause", seen.pause.is_none(), "none", || {
            seen.pause
                .map_or_else(String::new, |pause| format!("until {}", pause.until))
        }),
        check("api", not_before.is_none(), "may be called", || {
            not_before.map_or_else(String::new, |until| format!("not to be called before {until}"))
        }),
        check("rules", decided, "every live file is decided", || {
            "live files are being decided under the rules in force".to_owned()
        }),
        check("holds", stray.is_none(), "each says what it covers", || {
            stray.map_or_else(String::new, |(hold, policy)| {
                format!("hold {hold} covers the policy `{policy}`, which the policy file does not have")
            })
        }),
        check("disk", free >= LEAST_FREE_BYTES, "there is room", || {
            format!("{free} bytes are left beside the ledger")
        }),
    ])
}

fn check(name: &'static str, ok: bool, passed: &str, failed: impl FnOnce() -> String) -> Check {
    Check {
        name,
        ok,
        says: if ok { passed.to_owned() } else { failed() },
    }
}
