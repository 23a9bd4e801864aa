//! The accounts of the policy file: each one's client, with its own key and the spacing of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::{Context, client_config, engine_settings};
use super::exit::{Exit, Failure};
use super::pacing::paced;
use crate::config::{self, AccountSettings, Checked, CredentialError, ExtractaSettings};
use crate::engine::{Remotes, Settings, Way};
use crate::extracta::{ExtractaClient, Remote};
use crate::ledger::Place;
use crate::model::AccountName;

/// Clients that are made one after the other; those that reach the same address share their connections.
#[derive(Default)]
struct Clients {
    /// By address and proxy.
    made: BTreeMap<(String, Option<String>), Arc<ExtractaClient>>,
    /// Which account is which, by the digest of address and key.
    names: BTreeMap<String, Option<AccountName>>,
}

impl Clients {
    fn client(
        &mut self,
        account: Option<&AccountName>,
        extracta: &ExtractaSettings,
        key: secrecy::SecretString,
        place: &Place,
    ) -> Result<Arc<ExtractaClient>, Failure> {
        let reach = (extracta.base_url.clone(), extracta.proxy.clone());
        let config = client_config(extracta, key);
        let client = match self.made.get(&reach) {
            Some(beside) => beside.beside(config),
            None => ExtractaClient::new(config),
        };
        let client = client.map_err(|error| Failure::new(Exit::Config, in_account(account, &error)))?;
        if let Some(other) = self.names.insert(client.account(), account.cloned()) {
            return Err(Failure::new(
                Exit::Credentials,
                format!(
                    "{} and {} have the same key at the same address: each would know only a part of its files; give each account its own key",
                    called(other.as_ref()),
                    called(account)
                ),
            ));
        }
        let client = Arc::new(paced(client, place)?);
        self.made.entry(reach).or_insert_with(|| Arc::clone(&client));
        Ok(client)
    }
}

impl Context {
    /// A way to every account. The account without a name may lack its key where there are others and no policy is
    /// for it.
    ///
    /// # Errors
    /// Exit 5 without a usable key; 78 for what no client can be made of.
    pub fn remotes(&self, checked: &Checked, place: &Place, settings: &Settings) -> Result<Remotes, Failure> {
        let mut clients = Clients::default();
        let mut remotes = Remotes::new();
        let way = |client: Arc<ExtractaClient>, extracta: &ExtractaSettings| Way {
            remote: client,
            settings: Settings {
                progress: settings.progress.clone(),
                ..engine_settings(extracta)
            },
        };
        if let Some(key) = unnamed_key(checked)? {
            let client = clients.client(None, &checked.extracta, key, place)?;
            remotes = remotes.with(None, way(client, &checked.extracta));
        }
        for account in &checked.accounts {
            let key = named_key(account)?;
            let client = clients.client(Some(&account.name), &account.extracta, key, place)?;
            remotes = remotes.with(Some(account.name.clone()), way(client, &account.extracta));
        }
        Ok(remotes)
    }

    /// The client of one account; `None`: of the one without a name.
    ///
    /// # Errors
    /// Exit 5 without a usable key, 2 for an account that the policy file does not have.
    pub fn remote_of(
        &self,
        checked: &Checked,
        account: Option<&AccountName>,
    ) -> Result<ExtractaClient, Failure> {
        let Some(name) = account else {
            return self.remote(&checked.extracta);
        };
        let settings = of_name(checked, name.as_str())?;
        let key = named_key(settings)?;
        ExtractaClient::new(client_config(&settings.extracta, key))
            .map_err(|error| Failure::new(Exit::Config, in_account(account, &error)))
    }
}

/// The account that was typed, if one was.
///
/// # Errors
/// Exit 2 for one that the policy file does not have, with the nearest one.
pub(super) fn account(checked: &Checked, typed: Option<&str>) -> Result<Option<AccountName>, Failure> {
    let found = typed.map(|name| of_name(checked, name)).transpose()?;
    Ok(found.map(|account| account.name.clone()))
}

fn of_name<'c>(checked: &'c Checked, name: &str) -> Result<&'c AccountSettings, Failure> {
    let known = || checked.accounts.iter().map(|account| account.name.as_str());
    let found = checked
        .accounts
        .iter()
        .find(|account| account.name.as_str() == name);
    found.ok_or_else(|| {
        let near =
            known().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        let hint = near.map_or_else(
            || "; it has no `[[account]]` at all".to_owned(),
            |near| format!("; did you mean `{near}`?"),
        );
        Failure::usage(format!("the policy file has no account called `{name}`{hint}"))
    })
}

/// The key of the account without a name; `None` where it has none and needs none.
///
/// # Errors
/// Exit 5 where it is needed and there is none, or none that can be used.
pub(super) fn unnamed_key(checked: &Checked) -> Result<Option<secrecy::SecretString>, Failure> {
    let needed = checked.accounts.is_empty()
        || checked
            .rules
            .policies
            .iter()
            .any(|policy| policy.account.is_none());
    match config::api_key(&checked.extracta, &|name| std::env::var_os(name)) {
        Err(CredentialError::Missing) if !needed => Ok(None),
        found => Ok(Some(found?)),
    }
}

fn named_key(account: &AccountSettings) -> Result<secrecy::SecretString, Failure> {
    let found = config::account_key(account, &|name| std::env::var_os(name));
    found.map_err(|error| Failure::new(Exit::Credentials, in_account(Some(&account.name), &error)))
}

/// The keys of all named accounts.
///
/// # Errors
/// Exit 5 without a usable one.
pub(super) fn keys_of_named(
    checked: &Checked,
) -> Result<BTreeMap<AccountName, secrecy::SecretString>, Failure> {
    let keys = checked.accounts.iter();
    keys.map(|account| Ok((account.name.clone(), named_key(account)?)))
        .collect()
}

fn in_account(account: Option<&AccountName>, error: &dyn std::fmt::Display) -> String {
    match account {
        None => error.to_string(),
        Some(name) => format!("account `{name}`: {error}"),
    }
}

fn called(account: Option<&AccountName>) -> String {
    match account {
        None => "[extracta]".to_owned(),
        Some(name) => format!("the account `{name}`"),
    }
}
