//! Data subjects: stored only as a keyed hash, so that the ledger names nobody.
//!
//! Knows no file: `config` reads the key, `record` and the erasure request use the same hasher, so
//! that both arrive at the same text for the same person.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Shortest key accepted, in bytes: below that a list of names could be tried out.
pub const MIN_SUBJECT_KEY_BYTES: usize = 16;

/// The key is too short to hide anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the subject key has {bytes} bytes, at least {MIN_SUBJECT_KEY_BYTES} are needed")]
pub struct WeakSubjectKey {
    /// Length found, in bytes.
    pub bytes: usize,
}

/// Turns a data subject into its keyed HMAC-SHA256. No `Debug`: it holds a secret.
#[derive(Clone)]
pub struct SubjectHasher {
    keyed: Hmac<Sha256>,
}

impl SubjectHasher {
    /// Takes the secret bytes exactly as they are; whoever reads a key file strips its newline.
    ///
    /// # Errors
    /// [`WeakSubjectKey`] below [`MIN_SUBJECT_KEY_BYTES`].
    pub fn new(secret: &[u8]) -> Result<Self, WeakSubjectKey> {
        if secret.len() < MIN_SUBJECT_KEY_BYTES {
            return Err(WeakSubjectKey { bytes: secret.len() });
        }
        let keyed = Hmac::new_from_slice(secret).expect("HMAC takes a key of any length");
        Ok(Self { keyed })
    }

    /// HMAC-SHA256 of `subject`, byte for byte, as 64 lower-case hex digits. The same figure as
    /// `openssl dgst -sha256 -hmac KEY` gives, so that a third party can re-derive it.
    #[must_use]
    pub fn hash(&self, subject: &str) -> String {
        let mut mac = self.keyed.clone();
        mac.update(subject.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_hash_is_plain_hmac_sha256_in_lower_case_hex() {
        // RFC 4231, test case 1.
        let hasher = SubjectHasher::new(&[0x0b; 20]).unwrap();
        assert_eq!(
            hasher.hash("Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn a_key_that_could_be_guessed_is_refused() {
        assert_eq!(
            SubjectHasher::new(b"short").err(),
            Some(WeakSubjectKey { bytes: 5 })
        );
        assert_eq!(SubjectHasher::new(b"").err(), Some(WeakSubjectKey { bytes: 0 }));
        assert!(SubjectHasher::new(&[7; 16]).is_ok());
    }
}
