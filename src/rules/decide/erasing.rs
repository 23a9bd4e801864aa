//! What an erasure request does to one file: it beats due times, owners and their modes, and gives way to
//! a binding floor. Holds come before it, and are asked elsewhere.

use super::dates::end_of;
use super::tell::Silent;
use super::{Doubt, start};
use crate::model::{Erasure, FileRecord, Holds, Timestamp};
use crate::rules::policy::{DEFAULT_GRACE_MILLIS, Floor, KeepFor, RuleSet};

/// An open request that covers a file, and what comes of it.
pub(super) struct Erasing<'r> {
    pub(super) request: &'r Erasure,
    pub(super) fate: Fate<'r>,
}

/// What comes of a request for one file.
pub(super) enum Fate<'r> {
    /// Nothing binding stands against it.
    Free {
        /// Since when: the entry of the request, or the end of the last binding floor.
        since: Timestamp,
    },
    /// A binding floor keeps the file.
    Bound {
        floor: &'r Floor,
        /// `None`: for ever.
        until: Option<Timestamp>,
    },
    /// Whether something binding keeps it cannot be told.
    Doubtful(Doubt),
}

/// The oldest open request that covers `file`, and its fate.
pub(super) fn erasing<'r>(
    file: &FileRecord,
    rules: &'r RuleSet,
    holds: &'r Holds,
    now: Timestamp,
) -> Option<Erasing<'r>> {
    let request = holds.erasures().covering(file, now)?;
    let fate = if may_be_held(file, rules, holds, now) {
        Fate::Doubtful(Doubt::NoType)
    } else {
        fate(file, rules, request, now).unwrap_or_else(Fate::Doubtful)
    };
    Some(Erasing { request, fate })
}

/// Whether the hold on a policy would cover the file if its document type, which is not known, made that
/// policy its owner. The holds on the owner as it is known have been asked for.
fn may_be_held(file: &FileRecord, rules: &RuleSet, holds: &Holds, now: Timestamp) -> bool {
    let mut owned = false;
    for policy in &rules.policies {
        let hangs = policy.hangs_on_type(file);
        let matches = policy.means(file);
        let owns = matches && !owned;
        if (hangs || matches) && !owns && holds.on_policy(&policy.name, now).is_some() {
            return true;
        }
        owned |= matches;
        if matches && !hangs {
            return false;
        }
    }
    false
}

fn fate<'r>(
    file: &FileRecord,
    rules: &'r RuleSet,
    request: &Erasure,
    now: Timestamp,
) -> Result<Fate<'r>, Doubt> {
    let binding = || rules.floors.iter().filter(|floor| floor.binding);
    let forever = binding().find(|floor| floor.keep_for == KeepFor::Forever && floor.matcher.matches(file));
    if let Some(floor) = forever {
        return Ok(Fate::Bound { floor, until: None });
    }
    let (mut since, mut last) = (request.placed_at, None);
    for floor in binding() {
        if floor.matcher.hangs_on_type(file) {
            return Err(Doubt::NoType);
        }
        let KeepFor::Period(keep_for) = floor.keep_for else {
            continue;
        };
        if !floor.matcher.matches(file) {
            continue;
        }
        let from = start::trusted(
            file,
            &floor.name,
            &floor.clock,
            keep_for,
            Some(now),
            rules,
            &mut Silent,
        )?;
        let kept_until = end_of(keep_for, from, &floor.clock, rules)?.ends_at;
        if kept_until > since {
            (since, last) = (kept_until, Some(floor));
        }
    }
    Ok(match last {
        Some(floor) if now < since => Fate::Bound {
            floor,
            until: Some(since),
        },
        Some(_) | None => Fate::Free { since },
    })
}

/// When the answer to the request is overdue for a file that may go `since` then: with the time for the
/// answer, and never before it was possible.
pub(super) fn deadline(request: &Erasure, since: Timestamp, rules: &RuleSet) -> Option<Timestamp> {
    let grace = since.checked_add_millis(DEFAULT_GRACE_MILLIS)?;
    Some(rules.answer_by(request.received)?.ends_at.max(grace))
}
