//! Asks the ledger once, and puts the report together.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::cause::Circumstances;
use super::document::{ChainHead, ClockQuality, Cover, Redacted, Report, UnownedFiles};
use super::fold::{Fold, Folded};
use super::gaps::{Missed, gaps};
use super::{exceptions, figures, limits, lines};
use crate::ledger::{Adoption, Ledger, LedgerError, ReportFacts, ReportPage, ReportPeriod, Stretch};
use crate::rules::policy::{Mode, RuleSet};

/// Pages under way between the ledger and the figures.
const PAGES: usize = 4;

/// What a report is asked to be.
pub struct Ask<'a> {
    /// Its period.
    pub period: ReportPeriod,
    /// Whether file ids and operators' references are printed.
    pub with_ids: bool,
    /// The rules of the policy file at hand: names, order and modes of policies, the zone, holidays.
    pub rules: &'a RuleSet,
    /// Makes rules of a policy file's text that the ledger kept; `None` where it is not understood any more.
    pub compile: &'a (dyn Fn(&str) -> Option<RuleSet> + Sync),
    /// Who decides, as the policy file states it.
    pub controller: Option<String>,
    /// How to reach them.
    pub contact: Option<String>,
    /// Where the processor is reached: the API's address.
    pub processor_address: String,
    /// Whether deletions are looked at a second time.
    pub verify: bool,
}

/// The report over the ledger as it is now. Needs no more room for a million files than for a hundred.
///
/// # Errors
/// The ledger's.
pub async fn gather(ledger: &dyn Ledger, ask: &Ask<'_>) -> Result<Report, LedgerError> {
    let (pages, mut taken) = mpsc::channel(PAGES);
    let read = ledger.facts(ask.period, ask.with_ids, pages);
    let counted = async {
        let mut under_way: Option<Counting> = None;
        while let Some(page) = taken.recv().await {
            match (page, &mut under_way) {
                (ReportPage::Facts(facts), _) => under_way = Some(Counting::begin(*facts, ask)),
                (ReportPage::Files(files), Some(counting)) => {
                    files.into_iter().for_each(|file| counting.fold.take(file));
                }
                (ReportPage::Files(_), None) => {}
            }
        }
        under_way
    };
    let (read, counted) = tokio::join!(read, counted);
    read?;
    let counted = counted.ok_or_else(|| LedgerError::Damaged {
        problem: "a report without its facts".to_owned(),
    })?;
    Ok(report(counted, ask))
}

/// The facts, and the files so far.
struct Counting {
    facts: ReportFacts,
    gaps: Vec<Missed>,
    readable: Vec<bool>,
    fold: Fold,
}

impl Counting {
    fn begin(facts: ReportFacts, ask: &Ask<'_>) -> Self {
        let sets: Vec<(&Adoption, Option<RuleSet>)> = facts
            .adoptions
            .iter()
            .map(|adoption| (adoption, compiled(adoption, ask)))
            .collect();
        let readable = sets.iter().map(|(_, rules)| rules.is_some()).collect();
        let gaps = gaps(&facts, &sets, &ask.period);
        let circumstances = circumstances(&facts, &gaps, ask.rules);
        Self {
            fold: Fold::new(ask.period, &ask.rules.zone, ask.verify, circumstances),
            readable,
            gaps,
            facts,
        }
    }
}

/// The rules of an adoption: those at hand, or what its text says.
fn compiled(adoption: &Adoption, ask: &Ask<'_>) -> Option<RuleSet> {
    if adoption.digest == ask.rules.digest && adoption.until.is_none() {
        return Some(ask.rules.clone());
    }
    (ask.compile)(adoption.text.as_deref()?)
}

fn circumstances(facts: &ReportFacts, gaps: &[Missed], rules: &RuleSet) -> Circumstances {
    Circumstances {
        breakers: facts.breakers.clone(),
        accounts: rules
            .policies
            .iter()
            .filter_map(|policy| Some((policy.name.clone(), policy.account.clone()?)))
            .collect(),
        erasure: Some(rules.erasure.sweep.name.clone()),
        pauses: facts.pauses.clone(),
        waits: facts
            .unfinished
            .iter()
            .filter(|sweep| sweep.waits)
            .map(|sweep| (sweep.policy.clone(), sweep.started_at))
            .collect(),
        changes: facts
            .changes
            .iter()
            .map(|change| Stretch {
                since: change.seen_at,
                until: change.ended_at,
            })
            .collect(),
        gaps: gaps.iter().map(Missed::stretch).collect(),
        scheduled_since: facts.scheduled_since.clone(),
        observing: rules
            .policies
            .iter()
            .filter(|policy| policy.mode == Mode::Observe)
            .map(|policy| policy.name.clone())
            .collect(),
    }
}

fn report(counted: Counting, ask: &Ask<'_>) -> Report {
    let Counting {
        facts,
        gaps,
        readable,
        fold,
    } = counted;
    let circumstances = circumstances(&facts, &gaps, ask.rules);
    let Folded {
        by_policy,
        late_worst,
        late_p95,
        timeline,
        mut exceptions,
    } = fold.finish();
    let (policies, mut total) = figures::figures(by_policy, &facts, ask.rules);
    total.late_worst_minutes = late_worst;
    total.late_p95_minutes = late_p95;
    let holds = lines::holds(&facts, ask);
    let erasures = lines::erasures(&facts, ask);
    exceptions::beside_files(&mut exceptions, &facts, ask);
    Report {
        cover: cover(&facts, ask),
        total,
        policies,
        timeline,
        exceptions: exceptions.finish(),
        sweeps: lines::sweeps(&facts),
        unfinished: lines::unfinished(&facts, &circumstances),
        gaps: gaps.iter().map(Missed::line).collect(),
        rules: lines::rules(&facts, &readable),
        changes: lines::changes(&facts),
        plans: lines::plans(&facts, ask.period.now),
        holds,
        erasures,
        stops: lines::stops(&facts),
        unowned: UnownedFiles {
            files: facts.unowned.files,
            batches: facts.unowned.batches,
            oldest_upload: facts.unowned.oldest_upload,
        },
        limits: limits::LIMITS.map(str::to_owned).to_vec(),
    }
}

fn cover(facts: &ReportFacts, ask: &Ask<'_>) -> Cover {
    let standing = facts
        .anomalies
        .iter()
        .filter(|anomaly| anomaly.resolved_at.is_none());
    Cover {
        controller: ask.controller.clone(),
        contact: ask.contact.clone(),
        processor: "Extracta.ai".to_owned(),
        processor_address: ask.processor_address.clone(),
        from: ask.period.from,
        to: ask.period.to,
        timezone: ask.rules.zone_name.clone(),
        made_at: ask.period.now,
        provisional: ask.period.now < ask.period.to,
        build: format!("retentiond {}", env!("CARGO_PKG_VERSION")),
        ledger: facts.ledger.clone(),
        transactions: facts.sequence,
        rules: ask.rules.digest.0.clone(),
        chain_head: ChainHead {
            size: facts.tree.size,
            root: facts.tree.root.to_string(),
            checkpoint_at: facts.tree.checkpoint.as_ref().map(|last| last.at),
            checkpoint_size: facts.tree.checkpoint.as_ref().map(|last| last.size),
        },
        redacted: facts
            .redacted
            .filter(|redacted| ask.period.from < redacted.before)
            .map(|redacted| Redacted {
                before: redacted.before,
                at: redacted.at,
            }),
        verify: ask.verify,
        clock: ClockQuality {
            checked_at: facts.clock_checked_at,
            anomalies: facts.anomalies.len() as u64,
            standing: standing.count() as u64,
            largest_skew_ms: facts
                .anomalies
                .iter()
                .map(|anomaly| anomaly.skew_ms)
                .max_by_key(|skew| skew.unsigned_abs())
                .unwrap_or(0),
        },
        with_ids: ask.with_ids,
    }
}

/// By policy; `None` stands for files that none owns.
pub(super) type ByPolicy<T> = BTreeMap<Option<crate::model::PolicyName>, T>;
