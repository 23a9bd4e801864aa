//! `--online`: the key, TLS and the clock, in every account.

use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;

use super::{Checked, Context, Exit, Failure};
use crate::cli::accounts::unnamed_key;
use crate::extracta::Remote;
use crate::extracta::remote::Probe;
use crate::model::{AccountName, Timestamp};

/// Further than this from the API's clock this one is not trusted.
const TRUSTED_SKEW_S: i64 = 300;

/// Accounts that are tried at once.
const AT_ONCE: usize = 8;

/// The worst of what was found, and, where there are named accounts, all of it.
#[derive(Debug, Serialize)]
pub(super) struct Online {
    #[serde(flatten)]
    worst: Found,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<OfAccount>,
    #[serde(skip)]
    pub(super) exit: Exit,
}

#[derive(Debug, Clone, Serialize)]
struct OfAccount {
    /// `None`: the account of `[extracta]`.
    account: Option<AccountName>,
    #[serde(flatten)]
    found: Found,
}

#[derive(Debug, Clone, Serialize)]
struct Found {
    verdict: Verdict,
    api_clock_skew_seconds: Option<i64>,
    detail: String,
}

/// From good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Unavailable,
    Clock,
    Refused,
}

impl Verdict {
    const fn exit(self) -> Exit {
        match self {
            Self::Ok => Exit::Done,
            Self::Unavailable => Exit::Unavailable,
            Self::Clock => Exit::Clock,
            Self::Refused => Exit::Credentials,
        }
    }
}

/// Tries the account of `[extracta]`, unless it has no key and needs none, and every named one.
pub(super) async fn online(context: &Context, checked: &Checked) -> Result<Online, Failure> {
    let mut accounts: Vec<Option<AccountName>> = Vec::new();
    if unnamed_key(checked)?.is_some() {
        accounts.push(None);
    }
    accounts.extend(checked.accounts.iter().map(|account| Some(account.name.clone())));
    let tried = stream::iter(accounts).map(|account| async move {
        let remote = context.remote_of(checked, account.as_ref())?;
        let found = found(remote.probe().await, context.clock.now());
        Ok(OfAccount { account, found })
    });
    let tried: Vec<Result<OfAccount, Failure>> = tried.buffered(AT_ONCE).collect().await;
    let accounts: Vec<OfAccount> = tried.into_iter().collect::<Result<_, _>>()?;
    // The first of the worst.
    let worst = accounts.iter().rev().max_by_key(|account| account.found.verdict);
    let Some(worst) = worst.cloned() else {
        return Err(Failure::new(Exit::Credentials, "no account has a key"));
    };
    Ok(Online {
        exit: worst.found.verdict.exit(),
        worst: worst.found,
        accounts: match checked.accounts.is_empty() {
            true => Vec::new(),
            false => accounts,
        },
    })
}

fn found(probe: Probe, now: Timestamp) -> Found {
    let skew = |date: Option<Timestamp>| date.map(|date| now.millis_since(date) / 1000);
    match probe {
        Probe::Works { date } => {
            let skew = skew(date);
            let trusted = skew.is_none_or(|s| s.abs() <= TRUSTED_SKEW_S);
            Found {
                verdict: if trusted { Verdict::Ok } else { Verdict::Clock },
                api_clock_skew_seconds: skew,
                detail: match skew {
                    None => "the key works; the API sent no clock".to_owned(),
                    Some(s) => format!("the key works; this clock is {s} s ahead of the API's"),
                },
            }
        }
        Probe::Refused { status, date } => Found {
            verdict: Verdict::Refused,
            api_clock_skew_seconds: skew(date),
            detail: format!("the API refuses the key (HTTP {status})"),
        },
        Probe::Unavailable { reason } => Found {
            verdict: Verdict::Unavailable,
            api_clock_skew_seconds: None,
            detail: format!("the API cannot be used: {reason}"),
        },
    }
}

/// A line, or one for each account.
pub(super) fn text(online: &Online) -> String {
    if online.accounts.is_empty() {
        return format!("online: {}\n", online.worst.detail);
    }
    let line = |of: &OfAccount| match &of.account {
        None => format!("online, [extracta]: {}\n", of.found.detail),
        Some(name) => format!("online, account {name}: {}\n", of.found.detail),
    };
    online.accounts.iter().map(line).collect()
}
