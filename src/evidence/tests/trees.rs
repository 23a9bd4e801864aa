use proptest::prelude::*;

use super::naive;
use crate::evidence::proof::{ProofError, consistency, inclusion, verify_consistency, verify_inclusion};
use crate::evidence::{Frontier, Hash};

/// The test vectors of the Certificate Transparency reference implementation.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hashes(leaves: &[Vec<u8>]) -> Vec<Hash> {
    leaves.iter().map(|leaf| Hash::of_leaf(leaf)).collect()
}

fn numbered(size: usize) -> Vec<Vec<u8>> {
    (0..size).map(|n| n.to_string().into_bytes()).collect()
}

#[test]
fn published_roots_come_out() {
    let mut tree = Frontier::new();
    assert_eq!(tree.root().to_string(), ROOTS[0]);
    for (leaf, root) in LEAVES.iter().zip(&ROOTS[1..]) {
        tree.append(Hash::of_leaf(&hex::decode(leaf).unwrap()));
        assert_eq!(tree.root().to_string(), *root, "{} leaves", tree.size());
    }
}

#[test]
fn published_paths_come_out() {
    let leaves: Vec<Vec<u8>> = LEAVES.iter().map(|leaf| hex::decode(leaf).unwrap()).collect();
    // Leaf 5 of 8.
    let path = inclusion(&hashes(&leaves), 5).unwrap();
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(path.iter().map(Hash::to_string).collect::<Vec<_>>(), expected);
    // From 6 to 8 leaves.
    let proof = consistency(&hashes(&leaves), 6).unwrap();
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(proof.iter().map(Hash::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn every_small_tree_agrees_with_the_definition_in_root_paths_and_consistency() {
    for size in 0..=33 {
        let leaves = numbered(size);
        let all = hashes(&leaves);
        let mut tree = Frontier::new();
        for leaf in &all {
            tree.append(*leaf);
        }
        let root = tree.root();
        assert_eq!(root.0, naive::mth(&leaves), "{size} leaves");
        assert_eq!(
            Frontier::from_bytes(tree.size(), &tree.to_bytes()).as_ref(),
            Some(&tree)
        );
        for (index, leaf) in all.iter().enumerate() {
            let path = inclusion(&all, index).unwrap();
            let plain: Vec<_> = path.iter().map(|hash| hash.0).collect();
            assert_eq!(plain, naive::audit_path(index, &leaves), "{index} of {size}");
            verify_inclusion(leaf, index as u64, size as u64, &path, &root).unwrap();
        }
        for from in 1..=size {
            let proof = consistency(&all, from).unwrap();
            let plain: Vec<_> = proof.iter().map(|hash| hash.0).collect();
            assert_eq!(plain, naive::consistency(from, &leaves, true), "{from} of {size}");
            let old = Hash(naive::mth(&leaves[..from]));
            verify_consistency((from as u64, &old), (size as u64, &root), &proof).unwrap();
        }
        assert_eq!(inclusion(&all, size), None);
        assert_eq!(consistency(&all, size + 1), None);
    }
}

#[test]
fn the_edge_that_is_kept_grows_with_the_logarithm() {
    let mut tree = Frontier::new();
    for n in 0..10_000_u32 {
        tree.append(Hash::of_leaf(&n.to_be_bytes()));
        assert_eq!(tree.to_bytes().len(), 32 * tree.size().count_ones() as usize);
    }
    let bytes = tree.to_bytes();
    assert_eq!(Frontier::from_bytes(tree.size() + 1, &bytes[..32]), None);
    assert_eq!(Frontier::from_bytes(tree.size(), &bytes[1..]), None);
}

#[test]
fn places_outside_the_tree_and_paths_of_a_wrong_length_are_told_apart() {
    let all = hashes(&numbered(7));
    let root = crate::evidence::proof::root(&all);
    let path = inclusion(&all, 3).unwrap();
    let verify = |index, size, path: &[Hash]| verify_inclusion(&all[3], index, size, path, &root);
    assert_eq!(verify(7, 7, &path), Err(ProofError::OutsideTheTree));
    assert_eq!(verify(3, 7, &path[1..]), Err(ProofError::WrongLength));
    let longer = [&path[..], &[root]].concat();
    assert_eq!(verify(3, 7, &longer), Err(ProofError::WrongLength));
    assert_eq!(verify(2, 7, &path), Err(ProofError::WrongRoot));
    let nothing = Hash::of_nothing();
    assert_eq!(verify_consistency((0, &nothing), (7, &root), &[]), Ok(()));
    assert_eq!(
        verify_consistency((0, &root), (7, &nothing), &[]),
        Err(ProofError::WrongRoot)
    );
    assert_eq!(
        verify_consistency((8, &root), (7, &root), &[]),
        Err(ProofError::OutsideTheTree)
    );
    assert_eq!(
        verify_consistency((7, &root), (7, &root), &[root]),
        Err(ProofError::WrongLength)
    );
}

proptest! {
    #[test]
    fn no_changed_bit_of_leaf_path_or_root_passes(
        size in 1_usize..200, at in any::<prop::sample::Index>(), part in 0_usize..12, bit in 0_usize..256,
    ) {
        let leaves = numbered(size);
        let all = hashes(&leaves);
        let index = at.index(size);
        let mut path = inclusion(&all, index).unwrap();
        let (mut leaf, mut root) = (all[index], Hash(naive::mth(&leaves)));
        prop_assert!(verify_inclusion(&leaf, index as u64, size as u64, &path, &root).is_ok());
        let flip = |hash: &mut Hash| hash.0[bit / 8] ^= 1 << (bit % 8);
        match part {
            0 => flip(&mut leaf),
            1 => flip(&mut root),
            step if path.is_empty() => { let _ = step; flip(&mut root) }
            step => { let place = step % path.len(); flip(&mut path[place]) }
        }
        prop_assert!(verify_inclusion(&leaf, index as u64, size as u64, &path, &root).is_err());
    }

    #[test]
    fn no_other_beginning_passes_as_consistent(
        size in 2_usize..150, at in any::<prop::sample::Index>(), changed in any::<prop::sample::Index>(),
    ) {
        let leaves = numbered(size);
        let from = 1 + at.index(size - 1);
        let mut other = leaves[..from].to_vec();
        other[changed.index(from)].push(b'!');
        let proof = consistency(&hashes(&leaves), from).unwrap();
        let root = Hash(naive::mth(&leaves));
        let old = Hash(naive::mth(&other));
        prop_assert!(verify_consistency((from as u64, &old), (size as u64, &root), &proof).is_err());
    }
}
