//! A file id without an allocation of its own: Extracta's have 20 bytes.

use std::fmt;

const INLINE: usize = 22;

/// An id of up to 22 bytes in place, a longer one on the heap.
#[derive(Clone)]
pub(super) enum ShortId {
    Inline { len: u8, bytes: [u8; INLINE] },
    Long(Box<str>),
}

const _: () = assert!(
    size_of::<ShortId>() == 24,
    "an id in place must cost no more than a pointer and a size"
);

impl ShortId {
    pub(super) fn new(text: &str) -> Self {
        match u8::try_from(text.len()) {
            Ok(len) if usize::from(len) <= INLINE => {
                let mut bytes = [0; INLINE];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                Self::Inline { len, bytes }
            }
            Ok(_) | Err(_) => Self::Long(text.into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Inline { len, bytes } => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).expect("it was copied from a whole str")
            }
            Self::Long(text) => text,
        }
    }
}

impl PartialEq for ShortId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ShortId {}

impl fmt::Debug for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}
