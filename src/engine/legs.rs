//! Erasure requests know no account: their sweep goes from one to the next, each on a course of its own.
//!
//! What stands in the way in one account (a refused key, an API that is down, a canary that did not sing) is that
//! account's alone: the others are gone through all the same, and the sweep comes back for the rest.

use std::collections::BTreeSet;

use super::ending::{Ending, halted};
use super::planning::make_plan;
use super::run::Run;
use super::stop::{Stop, Whose};
use super::sweep::{Engine, SweepError, note_plan};
use crate::model::AccountName;
use crate::rules::plan::Plan;
use crate::rules::policy::Policy;

/// What stopped accounts, the first first.
type Stops = Vec<Stop>;

impl Engine {
    /// One sweep of the erasure requests over every account.
    pub(super) async fn over_accounts(
        &self,
        run: &mut Run<'_>,
        policy: &Policy,
        sent: u64,
    ) -> Result<Ending, SweepError> {
        if let Some(stop) = self.gate_for(run, Whose::All, false).await? {
            self.count_due(run, policy).await?;
            return Ok(Ending::Stopped { by: stop });
        }
        let mut stops = Stops::new();
        self.look_everywhere(run, &mut stops).await?;
        let Some(mark) = run.trusted_mark().await? else {
            return Ok(halted(run, Ending::Done));
        };
        let plan = make_plan(self.ledger.as_ref(), run.rules, policy, mark.wall).await?;
        note_plan(run, &plan);
        if plan.due() > 0 && run.closes().is_none() && run.halted().is_none() {
            match self.rule(run, policy, plan, sent).await? {
                Ok(plan) => self.delete_everywhere(run, &plan, &mut stops).await?,
                Err(stop) => return Ok(Ending::Stopped { by: stop }),
            }
        }
        self.settle_everywhere(run, &mut stops).await?;
        let first = stops.into_iter().next();
        let ending = first.map_or(Ending::Done, |by| Ending::Stopped { by });
        Ok(match run.halted() {
            Some(by) => Ending::Stopped { by },
            None if matches!(ending, Ending::Done) => halted(run, ending),
            None => ending,
        })
    }

    /// Outcomes that are not known, account by account.
    async fn look_everywhere(&self, run: &Run<'_>, stops: &mut Stops) -> Result<(), SweepError> {
        for (account, _) in self.remotes.all() {
            if run.halted().is_some() || self.ledger.unknown_in(account, 1).await?.is_empty() {
                continue;
            }
            if let Some(leg) = self.begin_leg(run, account, stops).await? {
                leg.probe_unknown().await?;
                end_leg(run, &leg, stops);
            }
        }
        Ok(())
    }

    async fn delete_everywhere(
        &self,
        run: &Run<'_>,
        plan: &Plan,
        stops: &mut Stops,
    ) -> Result<(), SweepError> {
        let accounts: BTreeSet<Option<&AccountName>> = plan
            .files
            .iter()
            .map(|file| file.batch().account.as_ref())
            .collect();
        let stopped_before = stops.len();
        for account in accounts {
            if run.halted().is_some() {
                break;
            }
            if let Some(leg) = self.begin_leg(run, account, stops).await? {
                self.execute(&leg, plan).await?;
                end_leg(run, &leg, stops);
            }
        }
        match &run.approval {
            Some(hash)
                if run.halted().is_none() && run.incomplete().is_none() && stops.len() == stopped_before =>
            {
                Ok(self.ledger.use_up(hash, run.sweep, self.clock.now()).await?)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Looks that are still wanted, and the requests of which nothing is left.
    async fn settle_everywhere(&self, run: &Run<'_>, stops: &mut Stops) -> Result<(), SweepError> {
        let unverified = self.erased_unverified().await?;
        let accounts: BTreeSet<Option<&AccountName>> = unverified
            .iter()
            .map(|file| file.batch.account.as_ref())
            .collect();
        for account in accounts {
            if run.halted().is_some() {
                return Ok(());
            }
            if let Some(leg) = self.begin_leg(run, account, stops).await? {
                if leg.way.settings.verify {
                    leg.look_at(unverified.clone()).await?;
                }
                end_leg(run, &leg, stops);
            }
        }
        if run.halted().is_none() {
            self.close_requests().await?;
        }
        Ok(())
    }

    /// The part of this sweep in one account, if nothing stands in its way.
    async fn begin_leg<'r>(
        &self,
        run: &Run<'r>,
        account: Option<&AccountName>,
        stops: &mut Stops,
    ) -> Result<Option<Run<'r>>, SweepError> {
        let found = run.engine.remotes.all().find(|(name, _)| *name == account);
        let Some((name, way)) = found else {
            stops.push(Stop::no_account(account));
            return Ok(None);
        };
        let leg = run.leg(name, way);
        leg.learn_chunk().await?;
        leg.learn_account().await?;
        match self.gate(&leg, true).await? {
            None => Ok(Some(leg)),
            Some(stop) => {
                stopped(run, stop, stops);
                Ok(None)
            }
        }
    }
}

fn end_leg(run: &Run<'_>, leg: &Run<'_>, stops: &mut Stops) {
    run.tally.add(|sum| sum.add(&leg.tally.read()));
    run.leave_behind(usize::try_from(leg.left_so_far()).unwrap_or(usize::MAX));
    if let Some(stop) = leg.halted() {
        stopped(run, stop, stops);
    }
}

/// One account's stop is its own; every other is everybody's.
fn stopped(run: &Run<'_>, stop: Stop, stops: &mut Stops) {
    if stop.is_of_account() {
        stops.push(stop);
    } else {
        run.halt(stop);
    }
}
