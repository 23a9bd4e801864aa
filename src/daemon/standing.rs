//! Which rules to go by: the policy file's own, or those in force while the file's wait for an approval.

use std::sync::Arc;

use crate::config::{self, Checked};
use crate::engine::change::{Leave, ask_leave};
use crate::engine::planning::refresh_hints;
use crate::ledger::{Ledger, LedgerError, RuleChange, RulesInForce};
use crate::model::Timestamp;
use crate::rules::impact::Impact;
use crate::rules::policy::RuleSet;

/// What a policy file may do at this moment.
#[derive(Debug)]
pub enum Standing {
    /// Its rules are in force, or may be adopted; what they change, where others are in force.
    Own {
        /// The file.
        checked: Box<Checked>,
        /// What its rules change.
        impact: Option<Box<Impact>>,
    },
    /// Its rules wait. Until then those before them are in force, and a file goes only if both say so.
    Before {
        /// All that the file says, apart from its rules; those in force stand there.
        checked: Box<Checked>,
        /// What waits.
        change: Box<RuleChange>,
    },
    /// Its rules wait, and those in force cannot be compiled any more (an older version adopted them):
    /// nothing is deleted until somebody decides.
    Nothing {
        /// The file.
        checked: Box<Checked>,
        /// What waits.
        change: Box<RuleChange>,
    },
}

/// Where `file` stands. `running` are the rules in force, where the caller has them at hand.
///
/// # Errors
/// The ledger's.
pub async fn standing(
    ledger: &dyn Ledger,
    file: Checked,
    running: Option<&RuleSet>,
    now: Timestamp,
) -> Result<Standing, LedgerError> {
    if !file.rules.source.is_empty() {
        // Also where only a mode or a limit differs, and where the rules have to wait: `explain` goes by it.
        ledger
            .keep_rule_text(&file.rules.digest, &file.rules.source, now)
            .await?;
    }
    let in_force = ledger.rules_in_force().await?;
    let Some(in_force) = in_force.filter(|in_force| in_force.digest != file.rules.digest) else {
        if ledger.waiting_change().await?.is_some() {
            ledger.withdraw_change(now).await?;
        }
        return Ok(Standing::Own {
            checked: Box::new(file),
            impact: None,
        });
    };
    let old = compiled(&in_force, running);
    if let Some(old) = &old {
        // What was recorded under the changed file meanwhile is decided by the set in force first: only
        // then is it known what changes for it.
        refresh_hints(ledger, old, now, &|_, _| ()).await?;
    }
    Ok(match ask_leave(ledger, &file.rules, old.as_ref(), now).await? {
        Leave::Given(impact) => Standing::Own {
            checked: Box::new(file),
            impact,
        },
        Leave::Waits(change) => match old {
            Some(old) => Standing::Before {
                checked: Box::new(Checked {
                    rules: RuleSet {
                        awaiting: Some(Arc::new(file.rules.clone())),
                        // When requests are swept and warned of decides over no file: that waits for nobody.
                        erasure: file.rules.erasure.clone(),
                        ..old
                    },
                    ..file
                }),
                change,
            },
            None => Standing::Nothing {
                checked: Box::new(file),
                change,
            },
        },
    })
}

/// The rules in force, if what the ledger kept of them still means the same.
#[must_use]
pub fn compiled(in_force: &RulesInForce, running: Option<&RuleSet>) -> Option<RuleSet> {
    let same = |rules: &RuleSet| rules.digest == in_force.digest;
    if let Some(running) = running.filter(|rules| same(rules)) {
        return Some(RuleSet {
            awaiting: None,
            ..running.clone()
        });
    }
    let kept = config::parse("the policy file in force", in_force.text.as_deref()?).ok()?;
    Some(kept.rules).filter(same)
}
