//! `[[account]]`: further accounts at Extracta, each with a key of its own. What one does not say is as in `[extracta]`.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::policies::PolicyDraft;
use super::reader::{Findings, Section};
use super::settings::ExtractaSettings;
use super::suggest::{listed, nearest};
use super::values::filled;
use crate::model::AccountName;

/// One `[[account]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    /// Its name: policies say it, and so does whoever records files.
    pub name: AccountName,
    /// How to reach it. Its key is never that of `[extracta]`.
    pub extracta: ExtractaSettings,
}

/// All of them, over what `[extracta]` says.
pub(super) fn read(
    sections: &[Section<'_>],
    extracta: &ExtractaSettings,
    findings: &mut Findings,
) -> Vec<AccountSettings> {
    let base = ExtractaSettings {
        api_key_file: None,
        ..extracta.clone()
    };
    let mut names: BTreeMap<AccountName, Range<usize>> = BTreeMap::new();
    let mut accounts: Vec<AccountSettings> = Vec::new();
    for section in sections {
        let name = account(section, "name", findings);
        let name = section.require("name", name, findings);
        let settings = ExtractaSettings::read_over(section, &base, findings);
        let Some(name) = name else { continue };
        if let Some(first) = names.get(name.get_ref()) {
            findings.push(twice(&name, first.clone()));
            continue;
        }
        names.insert(name.get_ref().clone(), name.span());
        let others = accounts
            .iter()
            .map(|other| (other.name.as_str(), &other.extracta));
        let mut all = std::iter::once(("", extracta)).chain(others);
        if let Some((other, _)) = all.find(|(_, other)| same_key(other, &settings)) {
            findings.push(shared_key(&name, other));
        }
        accounts.push(AccountSettings {
            name: name.into_inner(),
            extracta: settings,
        });
    }
    accounts
}

fn same_key(one: &ExtractaSettings, other: &ExtractaSettings) -> bool {
    one.api_key_file.is_some() && one.api_key_file == other.api_key_file && one.base_url == other.base_url
}

/// The name of an account under `key`.
pub(super) fn account(
    section: &Section<'_>,
    key: &str,
    findings: &mut Findings,
) -> Option<Spanned<AccountName>> {
    let text = section.string(key, findings)?;
    filled(&format!("`{key}`"), &text, "\"acme\"", findings)?;
    match AccountName::new(text.get_ref().as_str()) {
        Ok(name) => Some(Spanned::new(text.span(), name)),
        Err(error) => {
            findings.push(
                Problem::at(
                    Code::BadName,
                    text.span(),
                    format!("`{}` cannot be the name of an account", text.get_ref()),
                )
                .help(error.to_string()),
            );
            None
        }
    }
}

fn twice(name: &Spanned<AccountName>, first: Range<usize>) -> Problem {
    Problem::at(
        Code::DuplicateName,
        name.span(),
        format!("the account `{}` is given twice", name.get_ref()),
    )
    .label("again here")
    .with(first, "first here")
    .help("give this one a name of its own, or remove it")
}

fn shared_key(name: &Spanned<AccountName>, other: &str) -> Problem {
    let other = match other {
        "" => "[extracta]".to_owned(),
        other => format!("the account `{other}`"),
    };
    Problem::at(
        Code::SharedKey,
        name.span(),
        format!("the account `{}` has the key of {other}", name.get_ref()),
    )
    .label("the same key at the same address")
    .help("two names for one account would each know only a part of its files: give this one its own `api_key_file`, or remove it")
}

/// Policies name accounts that there are.
pub(super) fn known(policies: &[PolicyDraft], accounts: &[AccountSettings], findings: &mut Findings) {
    let names: Vec<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
    for policy in policies {
        let Some(account) = &policy.account else { continue };
        let name = account.get_ref().as_str();
        if names.contains(&name) {
            continue;
        }
        let help = match (nearest(name, names.iter().copied()), names.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => format!(
                "add an `[[account]]` with `name = \"{name}\"` and its own `api_key_file`, or remove this line: without it the policy is for the account of [extracta]"
            ),
            (None, names) => format!("the file has {}", listed(names)),
        };
        findings.push(
            Problem::at(
                Code::UnknownAccount,
                account.span(),
                format!("there is no account `{name}`"),
            )
            .label(format!("`{}` is for its files", policy.common.called()))
            .help(help),
        );
    }
}
