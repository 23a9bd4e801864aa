//! Helping with a sweep that another process leads: parts of it are taken as long as there are any.
//!
//! A helper goes by its own clock, key, window and rules, and by what stops deletion as it stands in the ledger; it
//! plans nothing and closes nothing.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::run::Run;
use super::stop::Stop;
use super::sweep::{Engine, SweepError};
use crate::ledger::{LedgerError, Peer, TakenPart};
use crate::model::PolicyName;
use crate::rules::policy::{Policy, RuleSet};

/// No new part after so long: the caller has schedules of its own.
const HELP_FOR: Duration = Duration::from_secs(30);

/// How often it is looked whether the sweep of another has a part to give.
const LOOK: Duration = Duration::from_secs(1);

/// What came of helping.
#[derive(Debug, Default)]
pub struct Helped {
    /// Parts done.
    pub parts: u64,
    /// What stopped it, if anything did.
    pub stop: Option<Stop>,
}

/// The policies that other living processes are sweeping, each with whether it is under these rules.
pub fn others_sweep<'p>(peers: &'p [Peer], rules: &RuleSet) -> Vec<(&'p PolicyName, bool)> {
    let others = peers.iter().filter(|peer| peer.is_living_other());
    others
        .filter_map(|peer| {
            let (_, policy) = peer.sweep.as_ref()?;
            Some((policy, peer.rules.as_ref() == Some(&rules.digest)))
        })
        .collect()
}

impl Engine {
    /// Takes parts of other processes' sweeps while there are any, for half a minute or little more.
    ///
    /// # Errors
    /// The ledger's. What was taken and not done is free again, at the latest at the next turn.
    pub async fn help(&self, rules: &RuleSet, cancel: &CancellationToken) -> Result<Helped, SweepError> {
        // What this process began and could not write to its end is settled like anybody's.
        self.recover().await?;
        let until = Instant::now() + HELP_FOR;
        let mut helped = Helped::default();
        while helped.stop.is_none() && !cancel.is_cancelled() && Instant::now() < until {
            match self.ledger.take_part(None, &rules.digest).await? {
                Some(first) => self.help_with(rules, first, cancel, until, &mut helped).await?,
                None => {
                    let peers = self.ledger.peers().await?;
                    if !others_sweep(&peers, rules).into_iter().any(|(_, same)| same) {
                        break;
                    }
                    tokio::select! {
                        () = tokio::time::sleep(LOOK) => {}
                        () = cancel.cancelled() => {}
                    }
                }
            }
        }
        Ok(helped)
    }

    async fn help_with(
        &self,
        rules: &RuleSet,
        first: TakenPart,
        cancel: &CancellationToken,
        until: Instant,
        helped: &mut Helped,
    ) -> Result<(), SweepError> {
        let stop = match rules.swept(&first.policy) {
            Some(policy) => self.help_sweep(rules, policy, first, cancel, until, helped).await,
            // The rules are the same by their digest.
            None => Ok(Some(Stop::Shutdown)),
        };
        match stop {
            Ok(stop) => helped.stop = stop,
            Err(error) => {
                // The first error counts.
                let _ = self.ledger.give_parts_back().await;
                return Err(error);
            }
        }
        Ok(())
    }

    async fn help_sweep(
        &self,
        rules: &RuleSet,
        policy: &Policy,
        first: TakenPart,
        cancel: &CancellationToken,
        until: Instant,
        helped: &mut Helped,
    ) -> Result<Option<Stop>, SweepError> {
        let sweep = first.sweep;
        let Some(mut run) = Run::new(self, rules, policy, sweep, cancel) else {
            self.ledger.give_parts_back().await?;
            return Ok(Some(Stop::no_account(policy.account.as_ref())));
        };
        run.budget = first.budget;
        run.learn_chunk().await?;
        run.learn_account().await?;
        if let Some(stop) = self.gate(&run, true).await? {
            self.ledger.give_parts_back().await?;
            return Ok(Some(stop));
        }
        // One deletion of this sweep has been borne out: else it would not be shared.
        run.canary_sang();
        tracing::info!(sweep.id = sweep.0, policy = %policy.name, "helping with a sweep of another process");
        match self.take_parts(&run, Some(first), Some(until)).await {
            Ok(parts) => helped.parts += parts,
            Err(SweepError::Ledger(LedgerError::Conflict { what, problem })) => {
                // Its leader has closed it: what is left is planned anew.
                tracing::info!(
                    sweep.id = sweep.0,
                    what,
                    problem,
                    "the sweep is not to be helped any more"
                );
                self.ledger.give_parts_back().await?;
            }
            Err(error) => return Err(error),
        }
        Ok(run.halted())
    }
}
