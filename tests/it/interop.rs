//! Notes, trees and proofs against an implementation that shares no code with ours: Go's `golang.org/x/mod/sumdb`, in
//! `tests/interop/main.go`. It checks what we made, and we check what it made.

use std::process::{Command, Output};

use retentiond::evidence::{Checkpoint, Hash, Note, SecretKey, VerifierKey, proof};
use retentiond::ledger::Evidence;
use serde_json::{Value, json};

use crate::audit::{Audited, place};

/// Debian's packages alone: no module is fetched.
fn sumdb(args: &[&str]) -> Output {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/main.go");
    let cache = tempfile::tempdir().unwrap();
    let run = Command::new("go")
        .args(["run", program])
        .args(args)
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", cache.path())
        .env("GOPROXY", "off")
        .output();
    let run = run.expect("Go is there: apt-get install golang-go golang-golang-x-mod-dev");
    assert!(run.status.success(), "{run:?}");
    run
}

fn hashes(list: &Value) -> Vec<Hash> {
    let texts = list.as_array().unwrap().iter();
    texts
        .map(|text| text.as_str().unwrap().parse().unwrap())
        .collect()
}

#[tokio::test]
#[ignore = "needs Go and golang.org/x/mod from Debian"]
async fn what_we_made_passes_at_sumdb() {
    let audited = Audited::new().await;
    let batch = audited.swept().await;
    audited.swept().await;
    let path = |name: &str| place(&audited.world, name).to_str().unwrap().to_owned();
    let (export, proven, steps) = (path("export"), path("proof.json"), path("consistency.json"));
    for args in [
        &["export", "--out", &export][..],
        &["prove", batch.files[2].as_str(), "--out", &proven],
    ] {
        assert_eq!(audited.audit(args).status.code(), Some(0));
    }
    let leaves = audited.world.sqlite.leaves(0, 1000).await.unwrap();
    let all: Vec<Hash> = leaves.iter().map(|leaf| leaf.hash).collect();
    let pairs = (1..=all.len()).flat_map(|to| (1..=to).map(move |from| (from, to)));
    let consistency: Vec<Value> = pairs
        .map(|(from, to)| json!({ "from": from, "to": to, "proof": proof::consistency(&all[..to], from).unwrap() }))
        .collect();
    std::fs::write(&steps, serde_json::to_string(&consistency).unwrap()).unwrap();
    let secret = path("audit-key");
    let said = sumdb(&["check", &audited.public, &secret, &export, &proven, &steps]);
    assert!(
        String::from_utf8_lossy(&said.stdout).contains("consistency proofs"),
        "{said:?}"
    );
}

#[test]
#[ignore = "needs Go and golang.org/x/mod from Debian"]
fn what_sumdb_made_passes_here_and_not_when_a_bit_is_changed() {
    let made: Value = serde_json::from_slice(&sumdb(&["make"]).stdout).unwrap();
    let text = |name: &str| made[name].as_str().unwrap();
    let key = VerifierKey::parse(text("public")).unwrap();
    let secret = SecretKey::parse(text("secret")).unwrap();
    assert_eq!(secret.verifier(), key);
    let note = Note::parse(text("note")).unwrap();
    note.verify(&key).unwrap();
    assert_eq!(Note::sign(note.text(), &[&secret]).to_string(), text("note"));
    let said = Checkpoint::parse(note.text()).unwrap();

    let leaves: Vec<Hash> = made["leaves"]
        .as_array()
        .unwrap()
        .iter()
        .map(|leaf| Hash::of_leaf(leaf.as_str().unwrap().as_bytes()))
        .collect();
    let roots = hashes(&made["roots"]);
    assert_eq!((said.size, said.root), (40, roots[39]));
    for (at, root) in roots.iter().enumerate() {
        assert_eq!(proof::root(&leaves[..=at]), *root);
    }
    let place = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let flipped = |path: &[Hash]| {
        let mut path = path.to_vec();
        path.last_mut().unwrap().0[31] ^= 1;
        path
    };
    let (mut included, mut consistent) = (0, 0);
    for one in made["inclusion"].as_array().unwrap() {
        let (index, size, path) = (place(&one["index"]), place(&one["size"]), hashes(&one["path"]));
        assert_eq!(
            proof::inclusion(&leaves[..size], index).unwrap(),
            path,
            "the same path"
        );
        let verify = |path: &[Hash]| {
            proof::verify_inclusion(&leaves[index], index as u64, size as u64, path, &roots[size - 1])
        };
        verify(&path).unwrap();
        assert!(path.is_empty() || verify(&flipped(&path)).is_err());
        included += 1;
    }
    for one in made["consistency"].as_array().unwrap() {
        let (from, to, path) = (place(&one["from"]), place(&one["to"]), hashes(&one["path"]));
        assert_eq!(
            proof::consistency(&leaves[..to], from).unwrap(),
            path,
            "the same path"
        );
        let verify = |path: &[Hash]| {
            proof::verify_consistency((from as u64, &roots[from - 1]), (to as u64, &roots[to - 1]), path)
        };
        verify(&path).unwrap();
        assert!(path.is_empty() || verify(&flipped(&path)).is_err());
        consistent += 1;
    }
    assert_eq!((included, consistent), (820, 820));
}
