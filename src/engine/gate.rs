//! What has to be true before anything is deleted: the clock, the pause, the breakers, the ledger.

use serde::Serialize;

use super::sweep::{Engine, SweepError};
use super::witnesses::{STEP_TOLERANCE_MS, Testimony, hear, reason};
use crate::extracta::remote::Probe;
use crate::ledger::Barriers;
use crate::model::{Breaker, BreakerKind, ClockMark, Timestamp};
use crate::outcome::wait::LONGEST_WAIT_MS;
use crate::rules::policy::RuleDigest;

/// Name of the setting that holds the instant before which the API asked not to be called.
pub(super) const NOT_BEFORE: &str = "api.not_before";

/// Why nothing (more) is deleted now. Each says what resolves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "stop")]
pub enum Stop {
    /// An operator paused it.
    Paused {
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// A breaker is open.
    Breaker {
        /// Which.
        kind: BreakerKind,
        /// Why it opened.
        reason: String,
    },
    /// The plan is above a limit and waits.
    Limit {
        /// Hash of the plan.
        plan: String,
        /// The numbers.
        reason: String,
    },
    /// The policy asks for an approval each time.
    Approval {
        /// Hash of the plan.
        plan: String,
    },
    /// The API asked to come back later, or cannot be reached.
    NotBefore {
        /// When to come back.
        until: Timestamp,
    },
    /// Nothing but the wall clock itself vouches for the time yet.
    ClockAlone,
    /// The first deletion of the sweep was confirmed, but the file is still listed.
    Canary {
        /// What was seen.
        reason: String,
    },
    /// Some files could not be settled for a technical reason: the sweep goes on later.
    Incomplete {
        /// Files left behind.
        files: u64,
    },
    /// A hold covers a policy that the policy file does not have: which files it means is not known.
    HoldWithoutPolicy {
        /// The hold's number.
        hold: i64,
        /// The policy it names.
        policy: String,
    },
    /// The policy file has changed so that files would go sooner, and waits for an approval.
    RulesWait {
        /// Digest of the changed rules.
        rules: String,
        /// What they change.
        reason: String,
    },
    /// Somebody else adopted other rules meanwhile: nothing more goes by those of the sweep.
    RulesChanged,
    /// The policy's window is closed, or it is a blackout day.
    OutsideWindow {
        /// When it opens; `None` beyond two years.
        opens: Option<Timestamp>,
    },
    /// The process is asked to end.
    Shutdown,
}

impl Stop {
    /// One sentence for the operator, with the command that resolves it.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Paused { until, reason } => {
                format!("paused until {until} ({reason}); `retentiond resume` ends the pause")
            }
            Self::Breaker { kind, reason } if kind.heals() => format!(
                "breaker {} is open: {reason}; it closes by itself once the cause is gone, or by `retentiond breaker reset {}`",
                kind.name(),
                kind.name()
            ),
            Self::Breaker {
                kind: BreakerKind::Rollback,
                reason,
            } => format!(
                "breaker rollback is open: {reason}; `retentiond reconcile --from EXPORT` settles it, or, without an export, `retentiond breaker reset rollback`"
            ),
            Self::Breaker { kind, reason } => format!(
                "breaker {} is open: {reason}; look into it, then `retentiond breaker reset {}`",
                kind.name(),
                kind.name()
            ),
            Self::Limit { plan, reason } => format!(
                "{reason}; nothing was deleted. Look at it with `retentiond plan`; `retentiond approve {}` lets exactly this plan run",
                short(plan)
            ),
            Self::Approval { plan } => format!(
                "the policy asks for an approval; `retentiond approve {}` lets exactly this plan run",
                short(plan)
            ),
            Self::NotBefore { until } => format!("the API is not to be called before {until}"),
            Self::ClockAlone => {
                "nothing but the wall clock itself vouches for the time since the restart (the API sent no `Date`); if it is right, `retentiond breaker reset clock` says so".to_owned()
            }
            Self::Canary { reason } => format!(
                "the first deletion was not borne out: {reason}; the next occurrence tries again, `retentiond history` shows what was answered, and `retentiond sweep` tries now"
            ),
            Self::Incomplete { files } => format!(
                "{files} file(s) were left behind (a batch could not be looked at, or an outcome is not known); tried again by itself"
            ),
            Self::HoldWithoutPolicy { hold, policy } => format!(
                "hold {hold} covers the policy `{policy}`, which the policy file does not have (renamed?); place it anew, then `retentiond hold release {hold} --reason CODE`, or give the policy its name back"
            ),
            Self::RulesWait { rules, reason } => format!(
                "the changed rules wait ({reason}); `retentiond approve {}` lets exactly them take effect",
                short(rules)
            ),
            Self::RulesChanged => {
                "another process adopted other rules meanwhile; the rest goes on under those in force (all hosts need the same policy file)".to_owned()
            }
            Self::OutsideWindow { opens: Some(opens) } => {
                format!("outside of the policy's window, or a blackout day: nothing is deleted before {opens}, the rest goes on then")
            }
            Self::OutsideWindow { opens: None } => {
                "outside of the policy's window, or a blackout day, and no opening within two years: look at `window` and `blackout` in the policy file".to_owned()
            }
            Self::Shutdown => "asked to end; the rest goes on with the next start".to_owned(),
        }
    }
}

impl Stop {
    /// The exit code that stands for it.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Shutdown => 1,
            Self::Paused { .. }
            | Self::Limit { .. }
            | Self::Approval { .. }
            | Self::RulesWait { .. }
            | Self::RulesChanged
            | Self::HoldWithoutPolicy { .. }
            | Self::OutsideWindow { .. }
            | Self::Canary { .. } => 3,
            Self::Incomplete { .. } => 6,
            Self::ClockAlone => 8,
            Self::NotBefore { .. } => 75,
            Self::Breaker { kind, .. } => match kind {
                BreakerKind::Collateral => 3,
                BreakerKind::Integrity | BreakerKind::Rollback => 4,
                BreakerKind::Auth => 5,
                BreakerKind::Clock => 8,
                BreakerKind::Api => 75,
            },
        }
    }
}

/// What hearing the clock came to.
struct Heard {
    /// Nothing but the wall clock itself has been heard.
    alone: bool,
    /// What stands in the ledger is not what stood there before.
    changed: bool,
}

/// The part of a plan's hash that is shown and typed.
#[must_use]
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

impl Engine {
    /// Hears the clock witnesses and looks at pause, breakers and ledger. Runs at every tick, also
    /// when nothing is due. With `about_to_delete` the API is asked for its clock and the key is tested.
    ///
    /// # Errors
    /// The ledger's; a ledger that was replaced under us is [`SweepError::Replaced`].
    pub async fn guard(&self, about_to_delete: bool) -> Result<Option<Stop>, SweepError> {
        if !self.ledger.intact().await? {
            return Err(SweepError::Replaced);
        }
        let rollback = self.ledger.rollback().await?;
        let mut barriers = self.ledger.barriers().await?;
        let open = |barriers: &Barriers, kind| barriers.breakers.iter().any(|breaker| breaker.kind == kind);
        if let Some(problem) = rollback
            && !open(&barriers, BreakerKind::Rollback)
        {
            self.open_breaker(BreakerKind::Rollback, &problem).await?;
            barriers = self.ledger.barriers().await?;
        }
        if let Some(until) = self.not_before(&barriers) {
            self.hear_clock(None, &barriers).await?;
            return Ok(Some(Stop::NotBefore { until }));
        }
        let mut date = None;
        if about_to_delete
            || open(&barriers, BreakerKind::Auth)
            || open(&barriers, BreakerKind::Api)
            || !barriers.anomalies.is_empty()
        {
            date = self.ask_api(&barriers.breakers, about_to_delete).await?;
            // An answer may take long: what came meanwhile counts.
            barriers = self.ledger.barriers().await?;
        }
        let heard = self.hear_clock(date, &barriers).await?;
        if heard.changed {
            barriers = self.ledger.barriers().await?;
        }
        if let Some(stop) = self.stop_of(barriers) {
            return Ok(Some(stop));
        }
        Ok((about_to_delete && heard.alone).then_some(Stop::ClockAlone))
    }

    /// Hears the clock witnesses while a sweep runs; what they say stops it at its next request.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn watch_clock(&self) -> Result<(), SweepError> {
        let barriers = self.ledger.barriers().await?;
        self.hear_clock(None, &barriers).await?;
        Ok(())
    }

    fn not_before(&self, barriers: &Barriers) -> Option<Timestamp> {
        let until = barriers.settings.get(NOT_BEFORE)?.parse::<Timestamp>().ok()?;
        let now = self.clock.now();
        // Longer waits are never honoured: a clock that once ran ahead may have written this.
        (now < until && until.millis_since(now) <= LONGEST_WAIT_MS).then_some(until)
    }

    /// The harmless call: heals or opens the breakers `auth` and `api`, and gives the API's clock.
    async fn ask_api(
        &self,
        open: &[Breaker],
        about_to_delete: bool,
    ) -> Result<Option<Timestamp>, SweepError> {
        let now = self.clock.now();
        let date = match self.remote.probe().await {
            Probe::Works { date } => {
                for breaker in open
                    .iter()
                    .filter(|b| matches!(b.kind, BreakerKind::Auth | BreakerKind::Api))
                {
                    self.ledger
                        .close_breaker(breaker.kind, "the probe succeeded", now)
                        .await?;
                    tracing::info!(
                        breaker = breaker.kind.name(),
                        "breaker closed: the probe succeeded"
                    );
                }
                date
            }
            Probe::Refused { status, date } => {
                let reason = format!("the API refuses the key (HTTP {status})");
                self.open_breaker(BreakerKind::Auth, &reason).await?;
                date
            }
            Probe::Unavailable { reason } => {
                if about_to_delete {
                    self.open_breaker(BreakerKind::Api, &format!("the API cannot be used: {reason}"))
                        .await?;
                }
                None
            }
        };
        Ok(date)
    }

    /// Hears the witnesses; a disagreement opens the breaker `clock`.
    async fn hear_clock(&self, date: Option<Timestamp>, barriers: &Barriers) -> Result<Heard, SweepError> {
        let asked = self.clock.mark();
        let mut others = self.ledger.other_clocks().await?;
        let mark = self.clock.mark();
        if mark.boottime_ms - asked.boottime_ms > STEP_TOLERANCE_MS {
            // What the server said may be as old.
            others.server = None;
        }
        match hear(&mark, barriers.clock.as_ref(), &barriers.anomalies, date, &others) {
            Testimony::Agreed { settled } => {
                let objecting = others.objecting.as_deref();
                let changed = self.clock_agrees(&mark, settled, barriers, objecting).await?;
                Ok(Heard {
                    alone: false,
                    changed,
                })
            }
            Testimony::Alone => {
                // No new base before somebody else vouches for it.
                Ok(Heard {
                    alone: true,
                    changed: false,
                })
            }
            Testimony::Disagreed(anomaly) => {
                let reason = reason(&anomaly, &others);
                if self.ledger.add_anomaly(&anomaly).await? {
                    tracing::error!(
                        skew_ms = anomaly.skew_ms,
                        "clock anomaly: nothing is deleted until it is settled"
                    );
                }
                self.ledger
                    .open_breaker(BreakerKind::Clock, &reason, mark.wall)
                    .await?;
                Ok(Heard {
                    alone: false,
                    changed: true,
                })
            }
        }
    }

    /// Whether an anomaly or the breaker was settled by it. `objecting`: another host whose own witnesses disagree. The
    /// breaker is for all, so it stays open.
    async fn clock_agrees(
        &self,
        mark: &ClockMark,
        settled: bool,
        barriers: &Barriers,
        objecting: Option<&str>,
    ) -> Result<bool, SweepError> {
        if settled {
            self.ledger.reset_high_water(mark).await?;
        } else {
            self.ledger.set_clock_mark(mark).await?;
        }
        let stood = !barriers.anomalies.is_empty();
        if stood {
            self.ledger.resolve_anomalies(mark.wall).await?;
        }
        // Looked at before it is written: this runs at every tick, and a commit is a wait for the disk.
        let open = barriers
            .breakers
            .iter()
            .any(|breaker| breaker.kind == BreakerKind::Clock);
        if open
            && objecting.is_none()
            && self
                .ledger
                .close_breaker(BreakerKind::Clock, "the witnesses agree", mark.wall)
                .await?
        {
            tracing::info!("breaker closed: the clock witnesses agree again");
        }
        Ok(stood || open)
    }

    /// Pause and breakers, as they stand in the ledger, and whether what goes by `rules` may go on.
    pub(super) async fn standing_stop(&self, rules: &RuleDigest) -> Result<Option<Stop>, SweepError> {
        let barriers = self.ledger.barriers().await?;
        let others = barriers.rules.as_ref().is_some_and(|in_force| in_force != rules);
        let stop = self.stop_of(barriers);
        Ok(stop.or_else(|| others.then_some(Stop::RulesChanged)))
    }

    fn stop_of(&self, barriers: Barriers) -> Option<Stop> {
        let now = self.clock.now();
        if let Some(pause) = barriers.pause.filter(|pause| now < pause.until) {
            return Some(Stop::Paused {
                until: pause.until,
                reason: pause.reason,
            });
        }
        // The first in the order of `BreakerKind::ALL`: healing ones first.
        let mut open = barriers.breakers;
        open.sort_by_key(|breaker| breaker.kind);
        open.into_iter().next().map(|b| Stop::Breaker {
            kind: b.kind,
            reason: b.reason,
        })
    }

    pub(super) async fn open_breaker(&self, kind: BreakerKind, reason: &str) -> Result<(), SweepError> {
        tracing::error!(breaker = kind.name(), reason, "breaker opened: deletion stops");
        self.ledger.open_breaker(kind, reason, self.clock.now()).await?;
        Ok(())
    }
}
