//! Accounts at Extracta: each has a key of its own, and its ids say nothing of another's.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name, in bytes.
const MAX_BYTES: usize = 63;

/// The name of an account, as the policy file gives it: `[a-z0-9-]`, 1 to 63 of them. The account of `[extracta]`
/// has none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(Box<str>);

/// A text that is no account's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of an account is made of `a` to `z`, `0` to `9` and `-`, 1 to 63 of them")]
pub struct InvalidAccountName;

impl AccountName {
    /// # Errors
    /// [`InvalidAccountName`], with what a name is made of.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidAccountName> {
        let text = text.into();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > MAX_BYTES || !text.bytes().all(plain) {
            return Err(InvalidAccountName);
        }
        Ok(Self(text.into_boxed_str()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountName({:?})", &self.0)
    }
}

impl TryFrom<String> for AccountName {
    type Error = InvalidAccountName;
    fn try_from(text: String) -> Result<Self, InvalidAccountName> {
        Self::new(text)
    }
}

impl std::str::FromStr for AccountName {
    type Err = InvalidAccountName;
    fn from_str(text: &str) -> Result<Self, InvalidAccountName> {
        Self::new(text)
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.0.into_string()
    }
}

/// ` of account NAME`, for sentences; nothing for the account without a name.
#[derive(Debug, Clone, Copy)]
pub struct OfAccount<'a>(pub Option<&'a AccountName>);

impl fmt::Display for OfAccount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(name) => write!(f, " of account {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for good in ["a", "acme-2", "0", &"x".repeat(63)] {
            assert_eq!(AccountName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "Acme", "a b", "a/b", "a@b", "ü", "a_b", &"x".repeat(64)] {
            assert_eq!(AccountName::new(bad), Err(InvalidAccountName), "{bad:?}");
        }
    }
}
