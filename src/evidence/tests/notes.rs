//! Notes and keys against the published vectors of Go's `golang.org/x/mod/sumdb/note`.

use crate::evidence::checkpoint::origin;
use crate::evidence::key::InvalidKey;
use crate::evidence::note::NoteError;
use crate::evidence::{Checkpoint, Frontier, Hash, Note, SecretKey, VerifierKey};

const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const SIGNED: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn a_published_note_verifies_and_comes_out_of_the_published_key() {
    let key = VerifierKey::parse(VERIFIER).unwrap();
    let note = Note::parse(SIGNED).unwrap();
    note.verify(&key).unwrap();
    assert_eq!((note.text(), note.to_string().as_str()), (TEXT, SIGNED));
    let secret = SecretKey::parse(SECRET).unwrap();
    assert_eq!(secret.verifier(), key);
    assert_eq!(
        (key.to_string().as_str(), secret.expose().as_str()),
        (VERIFIER, SECRET)
    );
    assert_eq!(Note::sign(TEXT, &[&secret]).to_string(), SIGNED);
}

#[test]
fn every_changed_byte_of_a_note_is_noticed() {
    let key = VerifierKey::parse(VERIFIER).unwrap();
    for at in 0..SIGNED.len() {
        for change in [0x01, 0x20] {
            let mut bytes = SIGNED.as_bytes().to_vec();
            bytes[at] ^= change;
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let passes = Note::parse(&text).is_ok_and(|note| note.verify(&key).is_ok());
            assert!(!passes, "byte {at}: {text}");
        }
    }
}

#[test]
fn other_keys_signatures_are_passed_over_and_a_missing_one_is_named() {
    let ours = SecretKey::new("retentiond/x", &[7; 32]).unwrap();
    let other = SecretKey::parse(SECRET).unwrap();
    let both = Note::parse(&Note::sign(TEXT, &[&other, &ours]).to_string()).unwrap();
    both.verify(&ours.verifier()).unwrap();
    both.verify(&other.verifier()).unwrap();
    let one = Note::sign(TEXT, &[&other]);
    let name = "retentiond/x".to_owned();
    assert_eq!(one.verify(&ours.verifier()), Err(NoteError::NotSignedBy { name }));
    // The same name on another key.
    let impostor = SecretKey::new("PeterNeumann", &[7; 32]).unwrap();
    let name = "PeterNeumann".to_owned();
    assert_eq!(
        one.verify(&impostor.verifier()),
        Err(NoteError::NotSignedBy { name })
    );
    let unsigned = Note::parse(&Note::sign(TEXT, &[]).to_string()).unwrap();
    assert!(!unsigned.is_signed() && one.is_signed());
}

#[test]
fn what_is_no_key_is_refused_with_its_reason() {
    let cut = &VERIFIER[..VERIFIER.len() - 1];
    assert!(matches!(VerifierKey::parse(cut), Err(InvalidKey::Form { .. })));
    let mixed = VERIFIER.replace("c74f20a3", "c74f20a4");
    assert_eq!(VerifierKey::parse(&mixed), Err(InvalidKey::Mixed));
    let renamed = VERIFIER.replace("Peter", "Paul");
    assert_eq!(VerifierKey::parse(&renamed), Err(InvalidKey::Mixed));
    assert!(matches!(SecretKey::parse(VERIFIER), Err(InvalidKey::Form { .. })));
    for name in ["", "two words", "a+b"] {
        assert!(
            matches!(SecretKey::new(name, &[1; 32]), Err(InvalidKey::Name)),
            "{name}"
        );
    }
}

#[test]
fn a_checkpoint_is_three_lines_and_reads_back() {
    let mut tree = Frontier::new();
    tree.append(Hash::of_leaf(b"a leaf"));
    let checkpoint = Checkpoint::of(&origin("0123"), &tree);
    let text = checkpoint.text();
    assert!(text.starts_with("retentiond/0123\n1\n"), "{text}");
    assert_eq!(Checkpoint::parse(&text).unwrap(), checkpoint);
    for wrong in [
        text.replace("\n1\n", "\n01\n"),
        text.replace("\n1\n", "\n+1\n"),
        text.replace("\n1\n", "\n18446744073709551616\n"),
        text.replace('=', ""),
        text.replace("retentiond/0123", ""),
        format!("{text}extension\n"),
        text.trim_end().to_owned(),
    ] {
        assert!(Checkpoint::parse(&wrong).is_err(), "{wrong:?}");
    }
}
