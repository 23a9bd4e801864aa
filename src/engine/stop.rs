//! What a stop is: why nothing (more) is deleted, in a sentence and as an exit code, and whom it concerns.

use serde::Serialize;

use crate::model::{AccountName, Breaker, BreakerKind, Timestamp, breaker_name};

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
        /// The account that it stops; `None`: the one without a name, or all.
        #[serde(skip_serializing_if = "Option::is_none")]
        account: Option<AccountName>,
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
    /// The policy file does not have the account that the files lie in.
    NoAccount {
        /// Its name; `None`: the account without a name has no key.
        account: Option<AccountName>,
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
            Self::Breaker {
                kind,
                account,
                reason,
            } if kind.heals() => format!(
                "breaker {name} is open: {reason}; it closes by itself once the cause is gone, or by `retentiond breaker reset {name}`",
                name = breaker_name(*kind, account.as_ref()),
            ),
            Self::Breaker {
                kind: BreakerKind::Rollback,
                reason,
                ..
            } => format!(
                "breaker rollback is open: {reason}; `retentiond reconcile --from EXPORT` settles it, or, without an export, `retentiond breaker reset rollback`"
            ),
            Self::Breaker { kind, reason, .. } => format!(
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
            Self::NoAccount { account: Some(account) } => format!(
                "files lie in the account `{account}`, which the policy file does not have: they stay and are late; give it back as an `[[account]]` with its key"
            ),
            Self::NoAccount { account: None } => {
                "files lie in the account without a name, and there is no key for it: they stay and are late; give `[extracta]` its key".to_owned()
            }
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

/// Whose stops count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose<'a> {
    /// Everybody's: only what stops every account.
    All,
    /// These, and those of one account.
    Account(Option<&'a AccountName>),
}

impl Stop {
    /// Of an account that the policy file does not have.
    pub(super) fn no_account(account: Option<&AccountName>) -> Self {
        Self::NoAccount {
            account: account.cloned(),
        }
    }

    /// Whether it stops one account only.
    #[must_use]
    pub const fn is_of_account(&self) -> bool {
        match self {
            Self::Breaker { kind, .. } => kind.is_of_account(),
            Self::NotBefore { .. }
            | Self::NoAccount { .. }
            | Self::Canary { .. }
            | Self::Incomplete { .. } => true,
            Self::Paused { .. }
            | Self::Limit { .. }
            | Self::Approval { .. }
            | Self::ClockAlone
            | Self::HoldWithoutPolicy { .. }
            | Self::RulesWait { .. }
            | Self::RulesChanged
            | Self::OutsideWindow { .. }
            | Self::Shutdown => false,
        }
    }

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
            Self::NoAccount { .. } => 78,
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

impl Whose<'_> {
    pub(super) fn minds(self, breaker: &Breaker) -> bool {
        match self {
            Self::All => !breaker.kind.is_of_account(),
            Self::Account(account) => breaker.stops(account),
        }
    }
}

/// The part of a plan's hash that is shown and typed.
#[must_use]
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
