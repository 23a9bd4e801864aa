//! What the targets ask: the same questions as the property tests of `cargo test`.

#[path = "../../tests/input/oracles.rs"]
mod oracles;

pub use oracles::*;

#[cfg(feature = "run")]
pub use libfuzzer_sys::fuzz_target as ask;

/// Without libFuzzer: asks the question of each file named on the command line.
#[cfg(not(feature = "run"))]
#[macro_export]
macro_rules! ask {
    (|$input:ident: $kind:ty| $question:expr) => {
        fn main() -> std::io::Result<()> {
            for name in std::env::args().skip(1) {
                let bytes = std::fs::read(&name)?;
                if let Some($input) = <$kind as $crate::FromBytes>::from_bytes(&bytes) {
                    $question;
                }
                println!("{name}: no fault");
            }
            Ok(())
        }
    };
}

/// How an input is read from a file, as libFuzzer would hand it over.
pub trait FromBytes<'a>: Sized {
    /// `None`: not of this kind.
    fn from_bytes(bytes: &'a [u8]) -> Option<Self>;
}

impl<'a> FromBytes<'a> for &'a [u8] {
    fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        Some(bytes)
    }
}

impl<'a> FromBytes<'a> for &'a str {
    fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()
    }
}
