//! The right edge of the tree: all that an append needs to know of the leaves before it.

use super::Hash;

/// A tree reduced to the roots of its whole subtrees, the largest first: one hash for each bit set in
/// `size`. An append costs one leaf hash and on average one node, whatever the size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf hash on the right.
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // A trailing 1 bit is a whole subtree as large as the one that has just become whole.
        let mut whole = self.size;
        while whole & 1 == 1 {
            let left = self.peaks.pop().expect("one peak for each bit of the size");
            hash = Hash::of_node(&left, &hash);
            whole >>= 1;
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root: MTH of RFC 6962 over all leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(smallest) = peaks.next() else {
            return Hash::of_nothing();
        };
        peaks.fold(*smallest, |right, left| Hash::of_node(left, &right))
    }

    /// The peaks one after the other, 32 bytes each: with the size, all that has to be kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.iter().flat_map(|peak| peak.0).collect()
    }

    /// From what [`Self::to_bytes`] gave; `None` when it cannot be the edge of `size` leaves.
    #[must_use]
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let peaks: Vec<Hash> = bytes.chunks(32).map(Hash::from_slice).collect::<Option<_>>()?;
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }
}
