//! The seeds of the fuzz targets, asked at every `cargo test`: among them every input that once failed.

use std::path::Path;

use retentiond::intake::Format;

use super::oracles;

fn each(target: &str, mut ask: impl FnMut(&[u8])) -> usize {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let seeds = std::fs::read_dir(&dir).unwrap();
    seeds
        .map(|seed| ask(&std::fs::read(seed.unwrap().path()).unwrap()))
        .count()
}

fn text(ask: fn(&str)) -> impl FnMut(&[u8]) {
    move |bytes| ask(std::str::from_utf8(bytes).unwrap())
}

#[test]
fn every_seed_of_the_fuzz_targets_is_answered_rightly() {
    let rows = |format| move |bytes: &[u8]| oracles::rows(format, bytes);
    let asked = [
        each("policy_file", text(oracles::policy_file)),
        each("period", text(oracles::period)),
        each("cron", text(oracles::cron)),
        each("ids", text(oracles::ids)),
        each("retry_after", oracles::retry_after),
        each("response", oracles::response),
        each("jsonl", rows(Format::Jsonl)),
        each("csv", rows(Format::Csv)),
        each("answers", rows(Format::Response)),
    ];
    assert!(asked.iter().all(|seeds| *seeds > 0), "{asked:?}");
}
