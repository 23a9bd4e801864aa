//! The tree by the letter of RFC 6962 §2.1, slow and recursive, sharing nothing with the code under test.

use sha2::{Digest, Sha256};

pub(super) fn mth(leaves: &[Vec<u8>]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => Sha256::digest([&[0][..], leaf].concat()).into(),
        many => {
            let k = cut(many.len());
            let inner = [&[1][..], &mth(&many[..k]), &mth(&many[k..])].concat();
            Sha256::digest(inner).into()
        }
    }
}

pub(super) fn audit_path(m: usize, leaves: &[Vec<u8>]) -> Vec<[u8; 32]> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = cut(leaves.len());
    let (mut path, sibling) = if m < k {
        (audit_path(m, &leaves[..k]), mth(&leaves[k..]))
    } else {
        (audit_path(m - k, &leaves[k..]), mth(&leaves[..k]))
    };
    path.push(sibling);
    path
}

pub(super) fn consistency(m: usize, leaves: &[Vec<u8>], whole: bool) -> Vec<[u8; 32]> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = cut(leaves.len());
    let (mut proof, sibling) = if m <= k {
        (consistency(m, &leaves[..k], whole), mth(&leaves[k..]))
    } else {
        (consistency(m - k, &leaves[k..], false), mth(&leaves[..k]))
    };
    proof.push(sibling);
    proof
}

fn cut(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}
