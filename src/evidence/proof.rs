//! Inclusion and consistency (RFC 9162 §2.1.3 and §2.1.4; the trees are those of RFC 6962).

use super::{Frontier, Hash};

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The numbers contradict each other.
    #[error("the place is outside the tree")]
    OutsideTheTree,
    /// Too many or too few hashes for these sizes.
    #[error("the path does not have the length that these sizes ask for")]
    WrongLength,
    /// The hashes lead elsewhere.
    #[error("the path does not lead to the root")]
    WrongRoot,
}

/// The root over leaf hashes.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.append(*leaf);
    }
    frontier.root()
}

/// The path that shows leaf `index` to be under the root over `leaves`; `None` when there is no such leaf.
#[must_use]
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    (index < leaves.len()).then(|| path(leaves, index))
}

/// PATH(m, D[n]) of RFC 9162 §2.1.3.1, the lowest hash first.
fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if index < left.len() {
        let mut path = path(left, index);
        path.push(root(right));
        path
    } else {
        let mut path = path(right, index - left.len());
        path.push(root(left));
        path
    }
}

/// The largest power of two smaller than `size`, which is at least 2.
const fn split(size: usize) -> usize {
    1 << (usize::BITS - 1 - (size - 1).leading_zeros())
}

/// Checks that `leaf` is leaf `index` of the tree with `size` leaves and that root (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError`] says what is wrong.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutsideTheTree);
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for step in path {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if place & 1 == 1 || place == last {
            hash = Hash::of_node(step, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::of_node(&hash, step);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if hash == *root {
        Ok(())
    } else {
        Err(ProofError::WrongRoot)
    }
}

/// The hashes that show the tree over the first `from` of `leaves` to be the beginning of the tree over all;
/// `None` when there are fewer. Nothing has to be shown for `from` 0 or all.
#[must_use]
pub fn consistency(leaves: &[Hash], from: usize) -> Option<Vec<Hash>> {
    match from {
        _ if from > leaves.len() => None,
        0 => Some(Vec::new()),
        _ => Some(subproof(leaves, from, true)),
    }
}

/// SUBPROOF(m, D[n], b) of RFC 9162 §2.1.4.1.
fn subproof(leaves: &[Hash], from: usize, whole: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if from <= left.len() {
        let mut proof = subproof(left, from, whole);
        proof.push(root(right));
        proof
    } else {
        let mut proof = subproof(right, from - left.len(), false);
        proof.push(root(left));
        proof
    }
}

/// Checks that the tree of `first` leaves with root `first_root` is the beginning of the tree of `second`
/// leaves with root `second_root` (RFC 9162 §2.1.4.2).
///
/// # Errors
/// [`ProofError`] says what is wrong.
pub fn verify_consistency(
    (first, first_root): (u64, &Hash),
    (second, second_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    if first > second {
        return Err(ProofError::OutsideTheTree);
    }
    if first == 0 || first == second {
        let same = first == 0 && *first_root == Hash::of_nothing() || first_root == second_root;
        return match (proof.is_empty(), same) {
            (false, _) => Err(ProofError::WrongLength),
            (true, false) => Err(ProofError::WrongRoot),
            (true, true) => Ok(()),
        };
    }
    let mut steps = proof.iter();
    // A whole subtree as the beginning is not sent: whoever asks has its root.
    let start = if first.is_power_of_two() {
        first_root
    } else {
        steps.next().ok_or(ProofError::WrongLength)?
    };
    let (mut place, mut last) = (first - 1, second - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*start, *start);
    for step in steps {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if place & 1 == 1 || place == last {
            old = Hash::of_node(step, &old);
            new = Hash::of_node(step, &new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new = Hash::of_node(&new, step);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::WrongLength);
    }
    if old == *first_root && new == *second_root {
        Ok(())
    } else {
        Err(ProofError::WrongRoot)
    }
}
