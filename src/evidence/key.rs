//! Keys in the spelling of C2SP signed notes: what every tool for checkpoints reads.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// Signature type of Ed25519.
const ED25519: u8 = 0x01;
const PRIVATE: &str = "PRIVATE+KEY+";

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Another format, or cut.
    #[error("it has not the form of {expected}")]
    Form {
        /// What was looked for.
        expected: &'static str,
    },
    /// Its short hash is another key's.
    #[error("its parts do not belong together: the short hash is another key's")]
    Mixed,
    /// Not a point of the curve.
    #[error("it is no Ed25519 key")]
    NotEd25519,
    /// Names may hold neither white space nor `+`.
    #[error("a key's name is not empty and has neither white space nor `+`")]
    Name,
}

/// The public half: `<name>+<short hash>+<base64>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

/// The private half. Never printed but by whoever makes it.
pub struct SecretKey {
    name: String,
    key: SigningKey,
}

impl VerifierKey {
    /// Reads `<name>+<8 hex digits>+<base64>`.
    ///
    /// # Errors
    /// [`InvalidKey`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let expected = "a verifier key, `NAME+HASH+BASE64`";
        let (name, hash, bytes) = parts(text.trim(), expected)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| InvalidKey::NotEd25519)?;
        let key = Self { name, key };
        if key.short_hash() == hash {
            Ok(key)
        } else {
            Err(InvalidKey::Mixed)
        }
    }

    /// The name that stands in signatures.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of `SHA-256(name ‖ "\n" ‖ 0x01 ‖ key)`: a hint, not a proof.
    #[must_use]
    pub fn short_hash(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// Whether `signature` is this key's over `text`. Strict: no other spelling of a signature is taken.
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.key.verify_strict(text, &signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![ED25519];
        bytes.extend(self.key.as_bytes());
        let (hash, key) = (hex::encode(self.short_hash()), STANDARD.encode(bytes));
        write!(f, "{}+{hash}+{key}", self.name)
    }
}

impl SecretKey {
    /// From 32 random bytes.
    ///
    /// # Errors
    /// [`InvalidKey::Name`] for a name that no signature can carry.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, InvalidKey> {
        if !valid_name(name) {
            return Err(InvalidKey::Name);
        }
        Ok(Self {
            name: name.to_owned(),
            key: SigningKey::from_bytes(seed),
        })
    }

    /// Reads `PRIVATE+KEY+<name>+<8 hex digits>+<base64>`.
    ///
    /// # Errors
    /// [`InvalidKey`] says what is wrong, and nothing of the key.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let expected = "a signing key, `PRIVATE+KEY+NAME+HASH+BASE64`";
        let rest = text.trim().strip_prefix(PRIVATE);
        let (name, hash, seed) = parts(rest.ok_or(InvalidKey::Form { expected })?, expected)?;
        let key = Self::new(&name, &seed)?;
        if key.verifier().short_hash() == hash {
            Ok(key)
        } else {
            Err(InvalidKey::Mixed)
        }
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey {
            name: self.name.clone(),
            key: self.key.verifying_key(),
        }
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.key.sign(text).to_bytes()
    }

    /// The whole private key, for the one file that holds it.
    #[must_use]
    pub fn expose(&self) -> String {
        let mut bytes = vec![ED25519];
        bytes.extend(self.key.as_bytes());
        let (hash, key) = (hex::encode(self.verifier().short_hash()), STANDARD.encode(bytes));
        format!("{PRIVATE}{}+{hash}+{key}", self.name)
    }
}

fn valid_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

/// Name, short hash, and the 32 bytes behind the type. Base64 may hold `+` as well: it is the rest.
fn parts(text: &str, expected: &'static str) -> Result<(String, [u8; 4], [u8; 32]), InvalidKey> {
    let form = || InvalidKey::Form { expected };
    let mut parts = text.splitn(3, '+');
    let (name, hash, key) = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(hash), Some(key)) => (name, hash, key),
        (_, _, _) => return Err(form()),
    };
    if !valid_name(name) {
        return Err(InvalidKey::Name);
    }
    let mut short = [0; 4];
    hex::decode_to_slice(hash, &mut short).map_err(|_| form())?;
    let bytes = STANDARD.decode(key).map_err(|_| form())?;
    match bytes.split_first() {
        Some((&ED25519, key)) => Ok((name.to_owned(), short, key.try_into().map_err(|_| form())?)),
        Some(_) | None => Err(form()),
    }
}
