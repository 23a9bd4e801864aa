//! Ids as the API gives them: opaque, non-empty, bounded text.
//!
//! An empty id is the one thing that must not exist: Extracta's `deleteExtraction` widens to the
//! whole batch or template when an id is missing (extracta-api.md, "The hazard").

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Longest id accepted, in bytes. Extracta's own have 10 or 20 characters.
pub const MAX_ID_BYTES: usize = 512;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is empty.
    #[error("{what} is empty")]
    Empty {
        /// Which kind of id.
        what: &'static str,
    },
    /// The text begins or ends with white space: whoever trims it reads another id, or none.
    #[error("{what} begins or ends with a space")]
    Blank {
        /// Which kind of id.
        what: &'static str,
    },
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("{what} has {bytes} bytes, at most {MAX_ID_BYTES} are allowed")]
    TooLong {
        /// Which kind of id.
        what: &'static str,
        /// Length found, in bytes.
        bytes: usize,
    },
    /// The text holds a control character (a newline, NUL, escape).
    #[error("{what} holds the control character U+{code:04X}")]
    Control {
        /// Which kind of id.
        what: &'static str,
        /// The character's code point.
        code: u32,
    },
}

fn checked(what: &'static str, text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty { what });
    }
    if text.len() > MAX_ID_BYTES {
        return Err(InvalidId::TooLong {
            what,
            bytes: text.len(),
        });
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(InvalidId::Control { what, code: c as u32 });
    }
    // White space as JavaScript's `trim` sees it: the byte order mark counts.
    if text
        .trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
        .len()
        < text.len()
    {
        return Err(InvalidId::Blank { what });
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Accepts non-empty text of at most [`MAX_ID_BYTES`] bytes without control characters and
            /// without white space at its ends.
            ///
            /// # Errors
            /// [`InvalidId`] says which of the conditions fails.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                checked($what, &text)?;
                Ok(Self(text.into_boxed_str()))
            }

            /// The id, byte for byte as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.into_string()
            }
        }
    };
}

text_id!(
    /// A document classification at Extracta: a Firebase push id, 20 characters.
    ClassificationId,
    "classification id"
);
text_id!(
    /// An extraction template at Extracta: a Firebase push id, 20 characters.
    ExtractionId,
    "extraction id"
);
text_id!(
    /// A batch of uploaded files: 10 characters of `[A-Za-z0-9]`, no time in it.
    BatchId,
    "batch id"
);
text_id!(
    /// One uploaded file: a Firebase push id, 20 characters.
    FileId,
    "file id"
);
text_id!(
    /// The name of a policy or floor, as the policy file spells it.
    PolicyName,
    "policy name"
);

const PUSH_ALPHABET: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// What a byte stands for in [`PUSH_ALPHABET`]; [`NO_DIGIT`] for all others. Asked for every file decided.
const PUSH_DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < PUSH_ALPHABET.len() {
        digits[PUSH_ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

const NO_DIGIT: u8 = u8::MAX;

/// The creation time inside a Firebase push id, if `id` has that shape.
///
/// The first 8 of its 20 characters are milliseconds since 1970, base 64 over the ASCII-ordered
/// alphabet (extracta-api.md, "Common to all calls"). Only a cross-check: ids stay opaque.
#[must_use]
pub fn push_id_time(id: &str) -> Option<Timestamp> {
    let digits = id.bytes().map(|byte| PUSH_DIGITS[usize::from(byte)]);
    if id.len() != 20 || digits.clone().any(|digit| digit == NO_DIGIT) {
        return None;
    }
    let millis = digits.take(8).fold(0, |sum, digit| sum * 64 + i64::from(digit));
    Timestamp::from_millis(millis).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_id_of_the_contract_gives_its_documented_time() {
        assert_eq!(
            push_id_time("-OKI_FueqSWiExyfS310").map(Timestamp::as_millis),
            Some(1_740_864_032_426)
        );
        assert_eq!(push_id_time("batch12345"), None);
        assert_eq!(push_id_time("-OKI_FueqSWiExyfS31 "), None);
    }

    #[test]
    fn an_empty_blank_overlong_or_control_id_is_refused_by_name() {
        assert_eq!(FileId::new("").unwrap_err().to_string(), "file id is empty");
        assert!(matches!(
            BatchId::new("x".repeat(513)),
            Err(InvalidId::TooLong { bytes: 513, .. })
        ));
        assert!(matches!(
            FileId::new("a\nb"),
            Err(InvalidId::Control { code: 10, .. })
        ));
        for blank in [" ", " a", "a\u{a0}", "\u{3000}", "\u{feff}a"] {
            assert!(
                matches!(FileId::new(blank), Err(InvalidId::Blank { .. })),
                "{blank:?}"
            );
        }
        assert_eq!(FileId::new("../\"'%2e ü").unwrap().as_str(), "../\"'%2e ü");
    }
}
