//! What a leaf costs, and an audit, beside a plain hash chain: `cargo bench --bench evidence`. Prints, judges nothing.
//!
//! `LEAVES=n` (1,000,000 by default), each an outcome with a hundred files. The chain hashes each leaf's bytes with the
//! hash before: no proof of one leaf, no commitment to one file, the least that evidence can cost. In memory: the
//! ledger's own writes are in `benches/compare`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark: it has no outside, prints its figures, measures with the machine's clock, and a panic is its way to fail"
)]

use std::time::{Duration, Instant};

use retentiond::evidence::leaf::States;
use retentiond::evidence::seal::FileTexts;
use retentiond::evidence::{Audit, Checkpoint, Fact, Frontier, Given, Hash, Leaf, Note, Seal, Subset};
use retentiond::model::{BatchAddress, BatchId, ClassificationId, FileId, Parent, Timestamp};

const FILES: usize = 100;

/// Leaves with real commitments: the others repeat one, for only their hashing is measured.
const COMMITTED: usize = 2_000;

fn main() {
    // `cargo test --all-targets` only asks whether it builds.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let leaves: usize = std::env::var("LEAVES").map_or(1_000_000, |text| text.parse().unwrap());
    commitments();
    let contents: Vec<String> = (0..leaves).map(leaf).collect();
    let (tree, appended) = timed(|| append(&contents));
    let (_, chained) = timed(|| chain(&contents));
    println!(
        "append   tree {}  chain {}",
        each(appended, leaves),
        each(chained, leaves)
    );
    let (hashes, note) = (hashes(&contents), note(&tree));
    let ((), audited) = timed(|| audit(&contents, &hashes, &note));
    let (_, chained) = timed(|| chain(&contents));
    println!(
        "verify   tree {:.2} s ({})  chain {:.2} s ({})",
        audited.as_secs_f64(),
        each(audited, leaves),
        chained.as_secs_f64(),
        each(chained, leaves)
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let done = work();
    (done, begin.elapsed())
}

fn each(all: Duration, leaves: usize) -> String {
    let leaf = all.as_secs_f64() * 1e6 / leaves as f64;
    format!("{leaf:.2} µs a leaf, {:.4} µs a file", leaf / FILES as f64)
}

/// A hundred ids under a salt, as at each intent and outcome.
fn commitments() {
    let batch = BatchAddress {
        parent: Parent::Classification(ClassificationId::new("-OKI_FueqSWiExyfS310").unwrap()),
        batch: BatchId::new("-OKI_FueqSWiExyfS311").unwrap(),
        account: None,
    };
    let spelled = FileTexts::of(&batch);
    let ids: Vec<FileId> = (0..FILES)
        .map(|n| FileId::new(format!("-OKI_FueqSWiExyf{n:04}")).unwrap())
        .collect();
    let (_, taken) = timed(|| {
        for n in 0..COMMITTED {
            let seal = Seal::new(&[n as u8; 32]);
            let mut texts: Vec<String> = ids.iter().map(|id| spelled.text(id)).collect();
            std::hint::black_box(seal.files("deleted", &mut texts));
        }
    });
    let file = taken.as_secs_f64() * 1e6 / (COMMITTED * FILES) as f64;
    println!("commit   {file:.2} µs a file and leaf (a deletion has three: intent, outcome, second look)");
}

fn leaf(n: usize) -> String {
    let set = retentiond::evidence::FileSet {
        files: FILES as u64,
        root: Hash([n as u8; 32]),
    };
    let fact = Fact::Outcome {
        attempt: n as i64,
        outcome: "confirmed".to_owned(),
        http_status: Some(200),
        to: States {
            deleted: Some(set),
            ..States::default()
        },
    };
    Leaf::new(n as u64, Timestamp::from_millis(n as i64).unwrap(), fact).content()
}

fn append(contents: &[String]) -> Frontier {
    let mut tree = Frontier::new();
    for content in contents {
        tree.append(Hash::of_leaf(content.as_bytes()));
    }
    tree
}

fn chain(contents: &[String]) -> Hash {
    let mut last = Hash::of_nothing();
    for content in contents {
        let linked = [&last.0[..], content.as_bytes()].concat();
        last = Hash::of_leaf(&linked);
    }
    std::hint::black_box(last)
}

fn hashes(contents: &[String]) -> Vec<Hash> {
    contents
        .iter()
        .map(|content| Hash::of_leaf(content.as_bytes()))
        .collect()
}

fn note(tree: &Frontier) -> String {
    Note::sign(&Checkpoint::of("retentiond/bench", tree).text(), &[]).to_string()
}

/// Each leaf read, spelled again, hashed, and the whole held against its checkpoint.
fn audit(contents: &[String], hashes: &[Hash], note: &str) {
    let mut audit = Audit::new([note], None, Subset::WHOLE).unwrap();
    for (seq, content) in contents.iter().enumerate() {
        let given = Given {
            seq: seq as u64,
            at: seq as i64,
            kind: "outcome",
            hash: hashes[seq],
            content: Some(content),
        };
        audit.leaf(&given).unwrap();
    }
    let found = audit.finish(None).unwrap();
    assert_eq!(found.checkpoints, 1);
}
