//! Which rules decide: those in force, or those of then, from the text that the ledger keeps.

use std::sync::Arc;

use super::moment::Moment;
use super::{Basis, Books};
use crate::ledger::{LedgerError, RulesInForce};
use crate::model::Timestamp;
use crate::rules::policy::RuleSet;

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    /// `None`: their text is lost, or does not compile any more.
    pub(super) rules: Option<RuleSet>,
    adopted_at: Option<Timestamp>,
}

impl Found {
    pub(super) fn basis(&self) -> Option<Basis> {
        self.rules.as_ref().map(|rules| Basis {
            digest: rules.digest.clone(),
            adopted_at: self.adopted_at,
            text: Arc::clone(&rules.source),
        })
    }
}

/// The rules of the moment. Where no sweep has adopted any yet, those of the policy file.
pub(super) async fn of(books: &Books<'_>, moment: &Moment) -> Result<Found, LedgerError> {
    let kept = match moment {
        Moment::Now => books.ledger.rules_in_force().await?,
        Moment::Request(_) | Moment::Move(_) => books.ledger.rules_at(moment.at(books.now)).await?,
    };
    let Some(kept) = kept else {
        return Ok(Found {
            rules: books.policy_file.cloned(),
            adopted_at: None,
        });
    };
    Ok(Found {
        rules: compiled(books, &kept),
        adopted_at: Some(kept.adopted_at),
    })
}

/// The kept text, if it still means the same; else the policy file, if it does.
fn compiled(books: &Books<'_>, kept: &RulesInForce) -> Option<RuleSet> {
    let same = |rules: &RuleSet| rules.digest == kept.digest;
    let from_text = kept.text.as_deref().and_then(books.compile).filter(same);
    from_text.or_else(|| books.policy_file.filter(|rules| same(rules)).cloned())
}
