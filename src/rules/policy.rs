//! The checked rule set: what `config` builds from the policy file and everything below obeys.
//!
//! Values of these types are valid by construction of `config`; they know nothing of TOML or spans.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::answer::{AnswerBy, answer_by};
use super::lines::Lines;
use super::matching::Matcher;
use super::period::{Period, RoundUp};
use super::schedule::Schedule;
use super::window::{Blackout, Window};
use crate::model::{AccountName, EventName, FileRecord, OfAccount, PolicyName, Timestamp};

/// One immutable, compiled policy file: a sweep pins one and never sees another.
#[derive(Debug, Clone)]
pub struct RuleSet {
    /// The zone of civil periods and schedules. `UTC` where the file needs none.
    pub zone: jiff::tz::TimeZone,
    /// The zone's IANA name.
    pub zone_name: String,
    /// Label keys an uploader may use.
    pub label_keys: Vec<String>,
    /// The accounts with names: policies are for one of them, or for the one without.
    pub accounts: Vec<AccountName>,
    /// Policies in file order: the first that matches owns the file.
    pub policies: Vec<Policy>,
    /// Floors: they only ever postpone.
    pub floors: Vec<Floor>,
    /// Limits on one sweep.
    pub limits: Limits,
    /// Days on which nothing is deleted.
    pub blackouts: Vec<Blackout>,
    /// How erasure requests are carried out.
    pub erasure: ErasureRules,
    /// How long what was done stays on record once it is over; `None`: for ever.
    pub keep_evidence: Option<Period>,
    /// Digest of what decides over files: see [`RuleSet::digest_of`].
    pub digest: RuleDigest,
    /// The policy file that it was compiled from, so that the ledger can keep it; empty outside of one.
    pub source: Arc<str>,
    /// On which line of that file each key stands.
    pub lines: Arc<Lines>,
    /// A changed set that waits for an approval: while it does, a file goes only if it says so too.
    pub awaiting: Option<Arc<RuleSet>>,
}

/// SHA-256 over the canonical form of the rules, lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct RuleDigest(pub String);

/// Whether a policy deletes or only says what it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Plans and reports; sends nothing.
    Observe,
    /// Deletes inside the limits.
    Enforce,
}

/// When a plan waits for `retentiond approve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalRule {
    /// Only above a limit.
    OverLimit,
    /// Every time.
    Always,
}

/// Where a period starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StartEvent {
    /// The upload.
    Uploaded,
    /// The end of processing at Extracta.
    Processed,
    /// Something outside, which `event add` records: `event:NAME`.
    Event(EventName),
}

/// The word for it in the policy file.
impl fmt::Display for StartEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uploaded => f.write_str("uploaded"),
            Self::Processed => f.write_str("processed"),
            Self::Event(name) => write!(f, "event:{name}"),
        }
    }
}

/// The start of a period, with its rounding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StartClock {
    /// The event that starts it.
    pub start: StartEvent,
    /// Round the start's civil date up to the last day of this unit (§ 147 AO: the end of the year).
    pub round_up: Option<RoundUp>,
    /// What it counts from where that event is not known.
    pub fallback: Option<Fallback>,
}

/// What a period counts from where its own start is not known: another start, and time added to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fallback {
    /// The other start.
    pub start: StartEvent,
    /// What is added to it: counted as the period itself is, on the calendar or by the clock. The period
    /// then counts from the last day of this time (civil), or from its end (exact).
    pub add: Period,
}

/// A retention policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Unique among policies and floors.
    pub name: PolicyName,
    /// The account whose files it owns; `None`: the one without a name. Policies of two accounts never meet.
    pub account: Option<AccountName>,
    /// Which files it owns, after the policies above it had their choice.
    pub matcher: Matcher,
    /// Where its period starts.
    pub clock: StartClock,
    /// How long files stay: at its end they become due.
    pub delete_after: Period,
    /// Past this they are overdue, counted from the same start. `None`: due + 24 hours.
    pub delete_by: Option<Period>,
    /// When it is swept.
    pub schedule: Schedule,
    /// When it may delete; `None`: always.
    pub window: Option<Window>,
    /// Whether it deletes.
    pub mode: Mode,
    /// When a plan waits for an operator.
    pub approval: ApprovalRule,
    /// Whether changed rules under which its files would go sooner wait for an operator. `None`: as
    /// [`Limits::approve_shortening`] says.
    pub approve_shortening: Option<bool>,
}

impl Policy {
    /// Whether it would own `file`, were there no policy above it.
    #[must_use]
    pub fn means(&self, file: &FileRecord) -> bool {
        self.is_of_account(file) && self.matcher.matches(file)
    }

    /// Whether that hangs on a document type that is not known.
    #[must_use]
    pub fn hangs_on_type(&self, file: &FileRecord) -> bool {
        self.is_of_account(file) && self.matcher.hangs_on_type(file)
    }

    fn is_of_account(&self, file: &FileRecord) -> bool {
        self.account == file.batch.account
    }
}

/// How long a floor keeps. "For ever" is a variant of its own, never a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeepFor {
    /// Until the period has ended.
    Period(Period),
    /// Without end.
    Forever,
}

/// A floor (`[[keep]]`): never deletes, only postpones.
#[derive(Debug, Clone)]
pub struct Floor {
    /// Unique among policies and floors.
    pub name: PolicyName,
    /// Which files it keeps.
    pub matcher: Matcher,
    /// Where its period starts.
    pub clock: StartClock,
    /// How long it keeps.
    pub keep_for: KeepFor,
    /// A legal obligation: beats an erasure request.
    pub binding: bool,
    /// Legal basis, as the file states it.
    pub basis: Option<String>,
}

/// The name under which erasure requests are swept; no policy or floor of the file may have it.
pub const ERASURE: &str = "erasure";

/// How erasure requests are carried out and watched (`[erasure]`).
#[derive(Debug, Clone)]
pub struct ErasureRules {
    /// Stands for the requests wherever a sweep is scheduled, planned, limited and recorded. It owns no
    /// file (it is not among [`RuleSet::policies`]), so its matcher, clock and period say nothing.
    pub sweep: Policy,
    /// Days beside Saturdays and Sundays on which no time limit ends.
    pub holidays: BTreeSet<Date>,
    /// So long before its date an open request is warned of.
    pub warn_before: Period,
}

impl ErasureRules {
    /// Swept by `schedule`, with `holidays`, warned of `warn_before` its date.
    #[must_use]
    pub fn new(schedule: Schedule, holidays: BTreeSet<Date>, warn_before: Period) -> Self {
        Self {
            sweep: Policy {
                name: PolicyName::new(ERASURE).expect("a plain word is a name"),
                // Requests cover the files of every account.
                account: None,
                matcher: Matcher::Everything,
                clock: StartClock {
                    start: StartEvent::Uploaded,
                    round_up: None,
                    fallback: None,
                },
                delete_after: Period::Exact { millis: 1 },
                delete_by: None,
                schedule,
                // The law waits for no policy's window; days on which nothing is deleted count for it too.
                window: None,
                // A request is an operator's explicit order: there is nothing to observe.
                mode: Mode::Enforce,
                approval: ApprovalRule::OverLimit,
                approve_shortening: None,
            },
            holidays,
            warn_before,
        }
    }
}

impl Default for ErasureRules {
    /// At the full hour, no holidays, a warning seven days before.
    fn default() -> Self {
        let schedule = Schedule::parse("0 * * * *").expect("every full hour is a schedule");
        let week = Period::Civil {
            years: 0,
            months: 0,
            days: 7,
        };
        Self::new(schedule, BTreeSet::new(), week)
    }
}

/// What happens above a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExcess {
    /// Delete nothing and ask.
    Stop,
    /// Delete the oldest, up to the limit.
    OldestFirst,
}

/// Limits on one sweep: always on, only ever raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Most files in one sweep of a policy.
    pub files_per_sweep: u64,
    /// Most of the policy's live files in one sweep, in percent (1…100).
    pub share_per_sweep: u8,
    /// What happens above.
    pub on_excess: OnExcess,
    /// Whether changed rules under which files would go sooner wait for an operator.
    pub approve_shortening: bool,
}

/// The share limit is judged from this many live files on.
pub const SHARE_JUDGED_FROM: u64 = 50;

/// A late start: a deadline that the policy does not state lies this long after the due time.
pub const DEFAULT_GRACE_MILLIS: i64 = 24 * 3_600_000;

impl RuleSet {
    /// The policy of that name.
    #[must_use]
    pub fn policy(&self, name: &PolicyName) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.name == *name)
    }

    /// What is swept under that name: a policy, or the erasure requests.
    #[must_use]
    pub fn swept(&self, name: &PolicyName) -> Option<&Policy> {
        let erasure = self.is_erasure(name).then_some(&self.erasure.sweep);
        erasure.or_else(|| self.policy(name))
    }

    /// Whether erasure requests are swept under that name.
    #[must_use]
    pub fn is_erasure(&self, name: &PolicyName) -> bool {
        *name == self.erasure.sweep.name
    }

    /// Until when a request that was received on that date has to be answered; `None` at the calendar's
    /// end.
    #[must_use]
    pub fn answer_by(&self, received: Date) -> Option<AnswerBy> {
        answer_by(received, &self.erasure.holidays, &self.zone)
    }

    /// The rules in words, a line each: what the ledger keeps beside the digest.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("zone {}\n", self.zone_name);
        for p in &self.policies {
            let by = p.delete_by.map_or_else(String::new, |by| format!(", by {by}"));
            text.push_str(&format!(
                "policy {}{}: {} + {}{by}\n",
                p.name,
                OfAccount(p.account.as_ref()),
                p.clock.start,
                p.delete_after
            ));
        }
        for f in &self.floors {
            let keep = match f.keep_for {
                KeepFor::Period(period) => period.to_string(),
                KeepFor::Forever => "for ever".to_owned(),
            };
            text.push_str(&format!("keep {}: {} + {keep}\n", f.name, f.clock.start));
        }
        text
    }

    /// Digest of the parts that decide when a file is due: zone, policies' matchers, clocks and
    /// periods, floors. A changed limit, schedule or mode leaves it as it is, and so does a comment.
    #[must_use]
    pub fn digest_of(zone_name: &str, policies: &[Policy], floors: &[Floor]) -> RuleDigest {
        let mut parts = BTreeMap::new();
        parts.insert("0 zone".to_owned(), zone_name.to_owned());
        for (at, p) in policies.iter().enumerate() {
            let mut text = format!(
                "{} {:?} {:?} {:?} {:?}",
                p.name, p.matcher, p.clock, p.delete_after, p.delete_by
            );
            if let Some(account) = &p.account {
                text.push_str(&format!(" account {account}"));
            }
            parts.insert(format!("1 policy {at:06}"), text);
        }
        for (at, f) in floors.iter().enumerate() {
            let text = format!(
                "{} {:?} {:?} {:?} {}",
                f.name, f.matcher, f.clock, f.keep_for, f.binding
            );
            parts.insert(format!("2 floor {at:06}"), text);
        }
        let mut hash = Sha256::new();
        for (key, value) in parts {
            hash.update(format!("{key}\u{1f}{value}\u{1e}"));
        }
        RuleDigest(hex::encode(hash.finalize()))
    }
}

/// What the rules say of a file apart from holds: what the ledger keeps as a narrowing hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The policy that owns it.
    pub owner: Option<PolicyName>,
    /// When it becomes due. `None`: never, or not eligible.
    pub due_at: Option<Timestamp>,
    /// When it becomes overdue.
    pub deadline_at: Option<Timestamp>,
}
