//! C2SP signed notes (<https://c2sp.org/signed-note>): a text, an empty line, signatures.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{SecretKey, VerifierKey};

/// How a line with a signature begins: an em dash and a space.
pub(super) const MARK: &str = "\u{2014} ";

/// A text with its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    /// Short hash of the key, then the signature.
    bytes: Vec<u8>,
}

/// Why a text is no note, or not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not in the format.
    #[error("it is no note: {problem}")]
    Malformed {
        /// What is missing.
        problem: &'static str,
    },
    /// Somebody else's, or nobody's.
    #[error("it is not signed by {name}")]
    NotSignedBy {
        /// The key's name.
        name: String,
    },
    /// By this key's name and hash, but not by this key over this text.
    #[error("the signature of {name} does not fit the text")]
    BadSignature {
        /// The key's name.
        name: String,
    },
}

impl Note {
    /// Signs `text`; without keys the note says no more than the text does.
    ///
    /// # Panics
    /// When `text` does not end its last line, or holds control characters: no note may.
    #[must_use]
    pub fn sign(text: &str, keys: &[&SecretKey]) -> Self {
        assert!(valid_text(text), "a note's text is whole lines of plain text");
        let signatures = keys.iter().map(|key| {
            let verifier = key.verifier();
            let mut bytes = verifier.short_hash().to_vec();
            bytes.extend(key.sign(text.as_bytes()));
            Signature {
                name: verifier.name().to_owned(),
                bytes,
            }
        });
        Self {
            text: text.to_owned(),
            signatures: signatures.collect(),
        }
    }

    /// Reads a note; signatures are not checked yet.
    ///
    /// # Errors
    /// [`NoteError::Malformed`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let malformed = |problem| NoteError::Malformed { problem };
        let at = note
            .rfind("\n\n")
            .ok_or_else(|| malformed("no empty line before the signatures"))?;
        let (text, signatures) = (&note[..=at], &note[at + 2..]);
        if !valid_text(text) {
            return Err(malformed("its text is not lines of plain text"));
        }
        if !(signatures.is_empty() || signatures.ends_with('\n')) {
            return Err(malformed("its last line has no end"));
        }
        let signatures = signatures
            .lines()
            .map(|line| Signature::parse(line).ok_or_else(|| malformed("a line is no signature")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.to_owned(),
            signatures,
        })
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether anybody signed it, whoever that is.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        !self.signatures.is_empty()
    }

    /// Checks that the holder of `key` signed this text. Other keys' signatures are passed over.
    ///
    /// # Errors
    /// [`NoteError::NotSignedBy`] and [`NoteError::BadSignature`].
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let name = key.name().to_owned();
        let own = self
            .signatures
            .iter()
            .find(|signature| signature.name == name && signature.bytes[..4] == key.short_hash());
        let Some(own) = own else {
            return Err(NoteError::NotSignedBy { name });
        };
        match own.bytes[4..].try_into() {
            Ok(signature) if key.verifies(self.text.as_bytes(), signature) => Ok(()),
            Ok(_) | Err(_) => Err(NoteError::BadSignature { name }),
        }
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        for Signature { name, bytes } in &self.signatures {
            writeln!(f, "{MARK}{name} {}", STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

impl Signature {
    fn parse(line: &str) -> Option<Self> {
        let (name, bytes) = line.strip_prefix(MARK)?.split_once(' ')?;
        let bytes = STANDARD.decode(bytes).ok()?;
        let whole = !name.is_empty() && !name.contains(['+', ' ']) && bytes.len() > 4;
        whole.then(|| Self {
            name: name.to_owned(),
            bytes,
        })
    }
}

fn valid_text(text: &str) -> bool {
    text.ends_with('\n') && !text.chars().any(|c| c < '\u{20}' && c != '\n')
}
