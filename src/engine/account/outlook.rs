//! What the next sweep does with a file that its rules let go: what waits, what stops it, what limits it.

use super::limited::limited;
use super::moment::step;
use super::{Books, lets_go};
use crate::engine::change::{goes, objects};
use crate::engine::gate::NOT_BEFORE;
use crate::engine::planning::PlanError;
use crate::engine::remotes::setting_of;
use crate::engine::short;
use crate::engine::stop::Stop;
use crate::ledger::LedgerError;
use crate::model::{AccountName, FileRecord, HoldScope, Holds, Timestamp};
use crate::rules::check::Purpose;
use crate::rules::decide::{Decision, Source, Step, Verdict, decide};
use crate::rules::policy::{Policy, RuleSet};

/// What a sweep that ran now would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Ask for its deletion.
    Goes,
    /// Leave it: the rules keep it.
    Kept,
    /// Leave it, although the rules let it go.
    Stopped {
        /// Why, and what resolves it.
        why: String,
    },
}

impl Outlook {
    pub(super) const fn goes(&self) -> bool {
        match self {
            Self::Goes => true,
            Self::Kept | Self::Stopped { .. } => false,
        }
    }
}

/// The outlook of a live file, each thing that was asked a step.
pub(super) async fn of(
    books: &Books<'_>,
    file: &FileRecord,
    rules: &RuleSet,
    holds: &Holds,
    decision: &Decision,
    steps: &mut Vec<Step>,
) -> Result<Outlook, PlanError> {
    let by_request = matches!(decision.verdict, Verdict::Erasure { .. });
    let owner = decision.owner.as_ref().and_then(|name| rules.policy(name));
    let swept = if by_request {
        Some(&rules.erasure.sweep)
    } else {
        owner
    };
    let (Some(policy), true) = (swept, lets_go(&decision.verdict)) else {
        return Ok(Outlook::Kept);
    };
    steps.push(scheduled(rules, policy, by_request, books.now));
    let waiting = waiting_rules(books, rules).await?;
    let purpose = if by_request { Purpose::Erase } else { Purpose::Send };
    let found = [
        objection(file, rules, holds, waiting, purpose, books.now, steps),
        stopped(books, rules, file.batch.account.as_ref(), steps).await?,
        closed(rules, policy, books.now, steps),
    ];
    if let Some(why) = found.into_iter().flatten().next() {
        return Ok(Outlook::Stopped { why });
    }
    limited(books, file, rules, policy, steps).await
}

fn scheduled(rules: &RuleSet, policy: &Policy, by_request: bool, now: Timestamp) -> Step {
    let source = if by_request {
        Source::of_file(&rules.lines, "erasure.schedule")
    } else {
        Source::of_rule(&rules.lines, &policy.name, &["schedule"])
    };
    let text = match policy.schedule.next_after(now, &rules.zone) {
        Some(next) => format!("`{}` is swept next at {next}", policy.name),
        None => format!("`{}` is never swept by its schedule", policy.name),
    };
    step("schedule", source, text)
}

/// The policy's window and the days on which nothing is deleted, where there are any.
fn closed(rules: &RuleSet, policy: &Policy, now: Timestamp, steps: &mut Vec<Step>) -> Option<String> {
    if policy.window.is_none() && rules.blackouts.is_empty() {
        return None;
    }
    let source = if policy.window.is_some() {
        Source::of_rule(&rules.lines, &policy.name, &["window"])
    } else {
        Source::of_file(&rules.lines, "blackout")
    };
    let Some(closed) = rules.closed(&policy.name, now) else {
        let text = format!("`{}` may delete now", policy.name);
        steps.push(step("window", source, text));
        return None;
    };
    let why = Stop::OutsideWindow { opens: closed.opens }.sentence();
    steps.push(step("window", source, why.clone()));
    Some(why)
}

/// A change that waits for an approval, and its rules where their text can be had.
struct Waiting {
    digest: String,
    rules: Option<RuleSet>,
}

async fn waiting_rules(books: &Books<'_>, rules: &RuleSet) -> Result<Option<Waiting>, LedgerError> {
    let Some(change) = books.ledger.waiting_change().await? else {
        return Ok(None);
    };
    if change.is_approved(books.now) || change.after == rules.digest {
        return Ok(None);
    }
    let same = |rules: &RuleSet| rules.digest == change.after;
    let from_file = books.policy_file.filter(|rules| same(rules)).cloned();
    let found = match from_file {
        Some(found) => Some(found),
        None => {
            let text = books.ledger.rule_text(&change.after).await?;
            text.as_deref().and_then(books.compile).filter(same)
        }
    };
    Ok(Some(Waiting {
        digest: change.after.0,
        rules: found,
    }))
}

/// While changed rules wait, a file goes only if they say so too.
fn objection(
    file: &FileRecord,
    rules: &RuleSet,
    holds: &Holds,
    waiting: Option<Waiting>,
    purpose: Purpose,
    now: Timestamp,
    steps: &mut Vec<Step>,
) -> Option<String> {
    let waiting = waiting?;
    let hash = short(&waiting.digest).to_owned();
    let Some(new) = waiting.rules else {
        let text = format!(
            "changed rules wait for `retentiond approve {hash}`: until then it goes only if they say so too, and their text is not at hand"
        );
        steps.push(step("waiting rules", Source::Ledger, text));
        return None;
    };
    let verdict = decide(file, &new, holds, now).verdict;
    let both = RuleSet {
        awaiting: Some(std::sync::Arc::new(new)),
        ..rules.clone()
    };
    let objects = objects(&both, file, holds, now, purpose);
    let says = if goes(&verdict, purpose) || !objects {
        "they let it go too"
    } else {
        "they keep it"
    };
    let text = format!(
        "changed rules wait for `retentiond approve {hash}`: {says} ({})",
        verdict.name()
    );
    steps.push(step("waiting rules", Source::Ledger, text));
    objects.then(|| format!("changed rules wait (`retentiond approve {hash}`), and by them it stays"))
}

/// Pause, breakers, the API's wish to wait, a hold that nobody can read.
async fn stopped(
    books: &Books<'_>,
    rules: &RuleSet,
    account: Option<&AccountName>,
    steps: &mut Vec<Step>,
) -> Result<Option<String>, LedgerError> {
    let (ledger, now) = (books.ledger, books.now);
    let mut stops = Vec::new();
    if let Some(pause) = ledger.pause().await?.filter(|pause| now < pause.until) {
        stops.push(Stop::Paused {
            until: pause.until,
            reason: pause.reason,
        });
    }
    let breakers = ledger.breakers().await?.into_iter();
    let minded = breakers.filter(|breaker| breaker.stops(account));
    stops.extend(minded.map(|breaker| Stop::Breaker {
        kind: breaker.kind,
        account: breaker.account,
        reason: breaker.reason,
    }));
    let not_before = ledger.setting(&setting_of(account, NOT_BEFORE)).await?;
    let not_before = not_before.and_then(|text| text.parse::<Timestamp>().ok());
    stops.extend(
        not_before
            .filter(|until| now < *until)
            .map(|until| Stop::NotBefore { until }),
    );
    for hold in ledger.holds(Some(now)).await? {
        if let HoldScope::Policy(name) = &hold.scope
            && rules.policy(name).is_none()
        {
            stops.push(Stop::HoldWithoutPolicy {
                hold: hold.id.0,
                policy: name.to_string(),
            });
        }
    }
    if stops.is_empty() {
        let text = "no pause, no breaker, no wait that the API asked for".to_owned();
        steps.push(step("stops", Source::Ledger, text));
        return Ok(None);
    }
    let sentences: Vec<String> = stops.iter().map(Stop::sentence).collect();
    for sentence in &sentences {
        steps.push(step("stops", Source::Ledger, sentence.clone()));
    }
    Ok(sentences.into_iter().next())
}
