//! What has to be true before anything is deleted: the clock, the pause, the breakers, the ledger.

use super::remotes::setting_of;
use super::stop::{Stop, Whose};
use super::sweep::{Engine, SweepError};
use super::witnesses::{STEP_TOLERANCE_MS, Testimony, hear, reason};
use crate::extracta::remote::Probe;
use crate::ledger::Barriers;
use crate::model::{AccountName, Breaker, BreakerKind, ClockMark, Timestamp, breaker_name};
use crate::outcome::wait::LONGEST_WAIT_MS;
use crate::rules::policy::RuleDigest;

/// Name of the setting that holds the instant before which the API asked not to be called.
pub(super) const NOT_BEFORE: &str = "api.not_before";

/// What hearing the clock came to.
struct Heard {
    /// Nothing but the wall clock itself has been heard.
    alone: bool,
    /// What stands in the ledger is not what stood there before.
    changed: bool,
}

impl Engine {
    /// [`guard_in`](Self::guard_in) the account without a name.
    ///
    /// # Errors
    /// As there.
    pub async fn guard(&self, about_to_delete: bool) -> Result<Option<Stop>, SweepError> {
        self.guard_in(None, about_to_delete).await
    }

    /// Hears the clock witnesses and looks at pause, breakers and ledger, as far as they stop deletion in this account.
    /// Runs at every tick, also when nothing is due. With `about_to_delete` the API is asked for its clock and the key
    /// is tested.
    ///
    /// # Errors
    /// The ledger's; a ledger that was replaced under us is [`SweepError::Replaced`].
    pub async fn guard_in(
        &self,
        account: Option<&AccountName>,
        about_to_delete: bool,
    ) -> Result<Option<Stop>, SweepError> {
        let whose = match self.remotes.of(account) {
            Some(_) => Whose::Account(account),
            // Nothing can be deleted there; the clock is heard all the same.
            None => Whose::All,
        };
        self.guard_of(whose, about_to_delete).await
    }

    /// The same for everybody: what stops one account only does not count.
    ///
    /// # Errors
    /// As [`guard_in`](Self::guard_in).
    pub(super) async fn guard_of(
        &self,
        whose: Whose<'_>,
        about_to_delete: bool,
    ) -> Result<Option<Stop>, SweepError> {
        if !self.ledger.intact().await? {
            return Err(SweepError::Replaced);
        }
        let rollback = self.ledger.rollback().await?;
        let mut barriers = self.ledger.barriers().await?;
        let open = |barriers: &Barriers, kind| {
            let mut open = barriers.breakers.iter();
            open.any(|breaker| breaker.kind == kind && whose.minds(breaker))
        };
        if let Some(problem) = rollback
            && !open(&barriers, BreakerKind::Rollback)
        {
            self.open_breaker(BreakerKind::Rollback, None, &problem).await?;
            barriers = self.ledger.barriers().await?;
        }
        if let Some(until) = self.not_before(whose, &barriers).await? {
            self.hear_clock(None, &barriers).await?;
            return Ok(Some(Stop::NotBefore { until }));
        }
        let mut date = None;
        if about_to_delete
            || open(&barriers, BreakerKind::Auth)
            || open(&barriers, BreakerKind::Api)
            || !barriers.anomalies.is_empty()
        {
            date = self.ask_api(whose, &barriers.breakers, about_to_delete).await?;
            // An answer may take long: what came meanwhile counts.
            barriers = self.ledger.barriers().await?;
        }
        let heard = self.hear_clock(date, &barriers).await?;
        if heard.changed {
            barriers = self.ledger.barriers().await?;
        }
        if let Some(stop) = self.stop_of(whose, barriers) {
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

    async fn not_before(
        &self,
        whose: Whose<'_>,
        barriers: &Barriers,
    ) -> Result<Option<Timestamp>, SweepError> {
        let text = match whose {
            Whose::All => None,
            Whose::Account(None) => barriers.settings.get(NOT_BEFORE).cloned(),
            Whose::Account(account) => self.ledger.setting(&setting_of(account, NOT_BEFORE)).await?,
        };
        let now = self.clock.now();
        // Longer waits are never honoured: a clock that once ran ahead may have written this.
        let counts = |until: &Timestamp| now < *until && until.millis_since(now) <= LONGEST_WAIT_MS;
        Ok(text.and_then(|text| text.parse().ok()).filter(counts))
    }

    /// The harmless call: heals or opens the breakers `auth` and `api`, and gives the API's clock.
    async fn ask_api(
        &self,
        whose: Whose<'_>,
        open: &[Breaker],
        about_to_delete: bool,
    ) -> Result<Option<Timestamp>, SweepError> {
        let now = self.clock.now();
        let (account, way) = match whose {
            Whose::Account(account) => (account, self.remotes.of(account)),
            // Asked for nothing but its clock.
            Whose::All => {
                let probe = match self.remotes.any() {
                    Some(way) => way.remote.probe().await,
                    None => return Ok(None),
                };
                return Ok(match probe {
                    Probe::Works { date } | Probe::Refused { date, .. } => date,
                    Probe::Unavailable { .. } => None,
                });
            }
        };
        let Some(way) = way else { return Ok(None) };
        let date = match way.remote.probe().await {
            Probe::Works { date } => {
                for breaker in open
                    .iter()
                    .filter(|b| b.kind.is_of_account() && b.account.as_ref() == account)
                {
                    self.ledger
                        .close_breaker_of(breaker.kind, account, "the probe succeeded", now)
                        .await?;
                    tracing::info!(breaker = breaker.name(), "breaker closed: the probe succeeded");
                }
                date
            }
            Probe::Refused { status, date } => {
                let reason = format!("the API refuses the key (HTTP {status})");
                self.open_breaker(BreakerKind::Auth, account, &reason).await?;
                date
            }
            Probe::Unavailable { reason } => {
                if about_to_delete {
                    let reason = format!("the API cannot be used: {reason}");
                    self.open_breaker(BreakerKind::Api, account, &reason).await?;
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
    pub(super) async fn standing_stop(
        &self,
        whose: Whose<'_>,
        rules: &RuleDigest,
    ) -> Result<Option<Stop>, SweepError> {
        let barriers = self.ledger.barriers().await?;
        let others = barriers.rules.as_ref().is_some_and(|in_force| in_force != rules);
        let stop = self.stop_of(whose, barriers);
        Ok(stop.or_else(|| others.then_some(Stop::RulesChanged)))
    }

    /// What stops every account, as it stands in the ledger.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn stop_of_all(&self) -> Result<Option<Stop>, SweepError> {
        Ok(self.stop_of(Whose::All, self.ledger.barriers().await?))
    }

    fn stop_of(&self, whose: Whose<'_>, barriers: Barriers) -> Option<Stop> {
        let now = self.clock.now();
        if let Some(pause) = barriers.pause.filter(|pause| now < pause.until) {
            return Some(Stop::Paused {
                until: pause.until,
                reason: pause.reason,
            });
        }
        // The first in the order of `BreakerKind::ALL`: healing ones first.
        let mut open = barriers.breakers;
        open.retain(|breaker| whose.minds(breaker));
        open.sort_by_key(|breaker| breaker.kind);
        open.into_iter().next().map(|b| Stop::Breaker {
            kind: b.kind,
            account: b.account,
            reason: b.reason,
        })
    }

    pub(super) async fn open_breaker(
        &self,
        kind: BreakerKind,
        account: Option<&AccountName>,
        reason: &str,
    ) -> Result<(), SweepError> {
        tracing::error!(
            breaker = breaker_name(kind, account),
            reason,
            "breaker opened: deletion stops"
        );
        let now = self.clock.now();
        self.ledger.open_breaker_of(kind, account, reason, now).await?;
        Ok(())
    }
}
