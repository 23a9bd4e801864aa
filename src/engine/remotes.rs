//! The accounts at Extracta, each with its own way there. Nobody else in this room holds a remote: whoever wants to ask
//! or delete has to say in which account.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sweep::Settings;
use crate::extracta::Remote;
use crate::model::AccountName;

/// The way to one account: its key, its spacing, how it is worked on.
#[derive(Clone)]
pub struct Way {
    /// The API with this account's key.
    pub remote: Arc<dyn Remote>,
    /// How its files are deleted.
    pub settings: Settings,
}

/// The accounts that the policy file has.
#[derive(Clone, Default)]
pub struct Remotes {
    unnamed: Option<Way>,
    named: BTreeMap<AccountName, Way>,
}

impl Remotes {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more; `None` stands for the account without a name.
    #[must_use]
    pub fn with(mut self, account: Option<AccountName>, way: Way) -> Self {
        match account {
            None => self.unnamed = Some(way),
            Some(name) => {
                self.named.insert(name, way);
            }
        }
        self
    }

    /// The way to an account; `None` where the policy file does not have it.
    #[must_use]
    pub fn of(&self, account: Option<&AccountName>) -> Option<&Way> {
        match account {
            None => self.unnamed.as_ref(),
            Some(name) => self.named.get(name),
        }
    }

    /// Any account, the one without a name before all others: to hear the API's clock.
    pub(super) fn any(&self) -> Option<&Way> {
        self.unnamed.as_ref().or_else(|| self.named.values().next())
    }

    /// Every account.
    pub(super) fn all(&self) -> impl Iterator<Item = (Option<&AccountName>, &Way)> {
        let unnamed = self.unnamed.iter().map(|way| (None, way));
        unnamed.chain(self.named.iter().map(|(name, way)| (Some(name), way)))
    }

    /// Whether there are accounts with names.
    pub(super) fn has_named(&self) -> bool {
        !self.named.is_empty()
    }
}

/// What a small value of the ledger is called that each account has of its own.
pub(super) fn setting_of(account: Option<&AccountName>, name: &str) -> String {
    match account {
        None => name.to_owned(),
        Some(account) => format!("@{account} {name}"),
    }
}
