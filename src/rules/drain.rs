//! Looking ahead: how fast what falls due can go, and the first deadline that will be missed.
//!
//! Plays the coming sweeps through, one after the other as the daemon runs them: schedules, windows, blackout
//! days, limits, and the time that a file costs. An estimate for planning; nothing is decided by it. Knows no
//! holds, no new uploads and no approvals to come: a policy that asks for one each time is taken to get it.

#[cfg(test)]
mod tests;

use serde::Serialize;

use super::policy::{DEFAULT_GRACE_MILLIS, OnExcess, Policy, RuleSet, SHARE_JUDGED_FROM};
use crate::model::Timestamp;
use crate::rules::period::day_begins;

/// Files that fall due at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// Since when they are due.
    pub due_at: Timestamp,
    /// When they become overdue.
    pub deadline_at: Timestamp,
    /// How many.
    pub files: u64,
}

/// What one policy has to delete.
#[derive(Debug, Clone)]
pub struct Load<'r> {
    /// The policy; one that observes deletes nothing and has no place here.
    pub policy: &'r Policy,
    /// Its live files now.
    pub live: u64,
    /// What is due and falls due, oldest first.
    pub lots: Vec<Lot>,
}

/// Files that go between two instants, evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    files: u64,
}

/// How one policy's files go.
#[derive(Debug, Clone)]
pub struct Drain {
    stretches: Vec<Stretch>,
}

/// What a deadline is missed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A limit of the sweep.
    Limits,
    /// The policy's window, or blackout days.
    Window,
    /// The time that the requests take.
    Requests,
    /// The policy runs too rarely.
    Schedule,
    /// Several of them: none alone would do.
    Several,
}

/// A deadline that will be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Miss {
    /// The policy's place among the loads.
    pub load: usize,
    /// When the files become overdue.
    pub deadline_at: Timestamp,
    /// Files that will still be there.
    pub files: u64,
    /// Why.
    pub cause: Cause,
}

/// What is played through: from `now` until `until`, at so many microseconds a file.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The beginning.
    pub now: Timestamp,
    /// The end.
    pub until: Timestamp,
    /// Time that one file costs, in microseconds.
    pub micros_per_file: u64,
}

/// What is left out of the play, to find out whether it is the cause.
#[derive(Debug, Clone, Copy, Default)]
struct Without {
    limits: bool,
    window: bool,
    requests: bool,
}

/// When files of `policy` that fall due at `due_at` become overdue: by its own period, floors left out.
#[must_use]
pub fn deadline_of(policy: &Policy, due_at: Timestamp, rules: &RuleSet) -> Option<Timestamp> {
    let grace = due_at.checked_add_millis(DEFAULT_GRACE_MILLIS);
    let Some(by) = policy.delete_by else { return grace };
    let ends = |start: Timestamp| {
        let end = policy
            .delete_after
            .end(start, policy.clock.round_up, &rules.zone)?;
        Some(end.ends_at)
    };
    let length = ends(due_at)?.millis_since(due_at);
    let guess = due_at.checked_add_millis(-length)?;
    let day = rules.zone.to_datetime(guess.to_jiff()).date();
    let near = (-4..=4_i64)
        .filter_map(|ahead| day.checked_add(jiff::Span::new().days(ahead)).ok())
        .filter_map(|day| day_begins(day, &rules.zone));
    let start = std::iter::once(guess)
        .chain(near)
        .find(|start| ends(*start) == Some(due_at))
        .unwrap_or(guess);
    let stated = by.end(start, policy.clock.round_up, &rules.zone)?.ends_at;
    if stated > due_at { Some(stated) } else { grace }
}

/// Plays the coming sweeps of all loads through.
#[must_use]
pub fn drain(rules: &RuleSet, loads: &[Load<'_>], span: Span) -> Vec<Drain> {
    play(rules, loads, span, Without::default())
}

/// The first deadline that will be missed, and why.
#[must_use]
pub fn first_miss(rules: &RuleSet, loads: &[Load<'_>], drains: &[Drain], span: Span) -> Option<Miss> {
    let (load, deadline_at, files) = earliest(loads, drains, span)?;
    let kept = |without: Without| {
        let drains = play(rules, loads, span, without);
        let gone = drains[load].gone_by(deadline_at);
        loads[load].needed_by(deadline_at) <= gone
    };
    let alone = [
        (
            Cause::Limits,
            Without {
                limits: true,
                ..Without::default()
            },
        ),
        (
            Cause::Window,
            Without {
                window: true,
                ..Without::default()
            },
        ),
        (
            Cause::Requests,
            Without {
                requests: true,
                ..Without::default()
            },
        ),
    ];
    let all = Without {
        limits: true,
        window: true,
        requests: true,
    };
    let cause = match alone.into_iter().find(|(_, without)| kept(*without)) {
        Some((cause, _)) => cause,
        None if kept(all) => Cause::Several,
        None => Cause::Schedule,
    };
    Some(Miss {
        load,
        deadline_at,
        files,
        cause,
    })
}

fn earliest(loads: &[Load<'_>], drains: &[Drain], span: Span) -> Option<(usize, Timestamp, u64)> {
    let misses = loads
        .iter()
        .zip(drains)
        .enumerate()
        .flat_map(|(at, (load, drain))| {
            let ahead = load
                .lots
                .iter()
                .filter(|lot| lot.deadline_at > span.now && lot.deadline_at <= span.until);
            ahead.filter_map(move |lot| {
                let late = load
                    .needed_by(lot.deadline_at)
                    .saturating_sub(drain.gone_by(lot.deadline_at));
                (late > 0).then_some((at, lot.deadline_at, late.min(lot.files)))
            })
        });
    misses.min_by_key(|(at, deadline, _)| (*deadline, *at))
}

impl Load<'_> {
    /// Files whose deadline is then, or before: so many have to be gone.
    fn needed_by(&self, deadline: Timestamp) -> u64 {
        let due = self.lots.iter().filter(|lot| lot.deadline_at <= deadline);
        due.map(|lot| lot.files).sum()
    }

    /// Files that are due by then, gone or not.
    #[must_use]
    pub fn due_by(&self, at: Timestamp) -> u64 {
        let due = self.lots.iter().filter(|lot| lot.due_at <= at);
        due.map(|lot| lot.files).sum()
    }

    fn next_due(&self, gone: u64) -> Option<Timestamp> {
        let mut seen = 0;
        self.lots.iter().find_map(|lot| {
            seen += lot.files;
            (seen > gone).then_some(lot.due_at)
        })
    }
}

impl Drain {
    /// Files that are gone by then.
    #[must_use]
    pub fn gone_by(&self, at: Timestamp) -> u64 {
        let parts = self.stretches.iter().map(|stretch| {
            let (done, all) = (
                at.millis_since(stretch.from),
                stretch.to.millis_since(stretch.from),
            );
            if done >= all && done >= 0 {
                return stretch.files;
            }
            let share = i128::from(stretch.files) * i128::from(done.max(0)) / i128::from(all.max(1));
            u64::try_from(share).unwrap_or(0)
        });
        parts.sum()
    }
}

/// How far one policy has come in the play.
struct Player {
    gone: u64,
    /// Not before.
    at: Timestamp,
    /// Files that the run which its window has cut off may still send.
    rest: Option<u64>,
    /// It waits for an operator.
    stopped: bool,
    stretches: Vec<Stretch>,
}

fn play(rules: &RuleSet, loads: &[Load<'_>], span: Span, without: Without) -> Vec<Drain> {
    let mut players: Vec<Player> = loads
        .iter()
        .map(|_| Player {
            gone: 0,
            at: span.now,
            rest: None,
            stopped: false,
            stretches: Vec::new(),
        })
        .collect();
    // One sweep at a time.
    let mut free_at = span.now;
    loop {
        let next = loads
            .iter()
            .zip(&players)
            .enumerate()
            .filter_map(|(at, (load, player))| Some((starts(rules, load, player, without)?, at)))
            .min();
        let Some((start, at)) = next.filter(|(start, _)| *start <= span.until) else {
            break;
        };
        let micros = if without.requests { 0 } else { span.micros_per_file };
        let turn = Turn {
            start,
            free_at,
            micros,
            without,
        };
        if let Some(busy_until) = sweep(rules, &loads[at], &mut players[at], turn) {
            free_at = free_at.max(busy_until);
        }
    }
    players
        .into_iter()
        .map(|player| Drain {
            stretches: player.stretches,
        })
        .collect()
}

/// When the policy's next sweep begins that finds anything.
fn starts(rules: &RuleSet, load: &Load<'_>, player: &Player, without: Without) -> Option<Timestamp> {
    if player.stopped {
        return None;
    }
    let due = load.next_due(player.gone)?;
    let run = if player.rest.is_some() {
        player.at
    } else {
        let from = player.at.max(due).checked_add_millis(-1)?;
        load.policy.schedule.next_after(from, &rules.zone)?
    };
    if without.window {
        return Some(run);
    }
    rules.opening(load.policy).opens_at(run)
}

struct Turn {
    start: Timestamp,
    free_at: Timestamp,
    micros: u64,
    without: Without,
}

/// Plays one sweep; until when it keeps the others waiting, if it ran.
fn sweep(rules: &RuleSet, load: &Load<'_>, player: &mut Player, turn: Turn) -> Option<Timestamp> {
    let opening = rules.opening(load.policy);
    let begin = turn.start.max(turn.free_at);
    if begin > turn.start && !turn.without.window && !opening.is_open(begin) {
        // Another policy's sweep has outlasted the window.
        player.at = begin;
        player.rest.get_or_insert(u64::MAX);
        return None;
    }
    let due = load.due_by(begin).saturating_sub(player.gone);
    let wanted = match player.rest.filter(|rest| *rest < u64::MAX) {
        Some(rest) => rest.min(due),
        None => allowed(rules, load, player, due, turn.without),
    };
    if wanted == 0 {
        player.stopped = due > 0;
        player.rest = None;
        player.at = begin.checked_add_millis(1)?;
        return None;
    }
    let closes = if turn.without.window {
        None
    } else {
        opening.closes_at(begin)
    };
    let fits = closes.map_or(u64::MAX, |closes| {
        let micros = u64::try_from(closes.millis_since(begin)).unwrap_or(0) * 1000;
        micros.checked_div(turn.micros).unwrap_or(u64::MAX)
    });
    let files = wanted.min(fits);
    let lasts = i64::try_from(files.saturating_mul(turn.micros) / 1000).unwrap_or(i64::MAX);
    let end = begin.checked_add_millis(lasts).unwrap_or(begin);
    if files > 0 {
        player.stretches.push(Stretch {
            from: begin,
            to: end,
            files,
        });
        player.gone += files;
    }
    let cut = files < wanted;
    player.rest = cut.then(|| wanted - files);
    let later = if cut { closes.unwrap_or(end) } else { end };
    player.at = later.max(begin.checked_add_millis(1)?);
    Some(end)
}

/// Files that the limits let through; 0 where the sweep stops and asks.
fn allowed(rules: &RuleSet, load: &Load<'_>, player: &Player, due: u64, without: Without) -> u64 {
    if without.limits {
        return due;
    }
    let limits = &rules.limits;
    let live = load.live.saturating_sub(player.gone);
    let share = if live < SHARE_JUDGED_FROM {
        u64::MAX
    } else {
        u64::try_from(u128::from(live) * u128::from(limits.share_per_sweep) / 100).unwrap_or(u64::MAX)
    };
    let most = limits.files_per_sweep.min(share);
    match limits.on_excess {
        OnExcess::Stop if due > most => 0,
        OnExcess::Stop | OnExcess::OldestFirst => due.min(most),
    }
}
