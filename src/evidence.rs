//! Evidence: what was done can be shown to somebody who trusts neither us nor the machine.
//!
//! Pure storey. Facts become leaves ([`leaf`]) of an RFC 6962 Merkle tree, of which only its right edge is
//! kept ([`frontier`]); its root goes out as a signed checkpoint ([`checkpoint`], [`note`]), and any one
//! leaf or file can be shown to be under it ([`proof`], [`seal`]). Leaves that a restored backup lacks are
//! read back from an export ([`lost`]), and the fork that this leaves is held against the checkpoints of
//! before ([`fork`]). Knows neither files nor SQL.

pub mod audit;
pub mod canonical;
pub mod checkpoint;
pub mod fork;
pub mod frontier;
pub mod hash;
pub mod key;
pub mod leaf;
pub mod lost;
pub mod note;
pub mod proof;
pub mod receipt;
pub mod seal;
pub mod series;
#[cfg(test)]
mod tests;

pub use audit::{Audit, Damage, Given, Subset};
pub use checkpoint::Checkpoint;
pub use fork::Fork;
pub use frontier::Frontier;
pub use hash::Hash;
pub use key::{SecretKey, VerifierKey};
pub use leaf::{Fact, Leaf};
pub use lost::{LostFact, LostLeaf};
pub use note::Note;
pub use receipt::Receipt;
pub use seal::{FileSet, Seal};
