//! The house keeps its storeys: every import in `src` obeys the table of `docs/architecture.md`.
//!
//! Reads the module tree with `syn`, starting at the two crate roots, and looks at `use` items, at
//! paths written inline, and into the tokens of macros.

#[path = "layers/checker.rs"]
mod checker;
#[path = "layers/house.rs"]
mod house;
#[path = "layers/paths.rs"]
mod paths;
#[path = "layers/self_test.rs"]
mod self_test;
#[path = "layers/table.rs"]
mod table;

use std::path::Path;

#[test]
fn every_room_uses_only_what_stands_below_it() {
    let walk = house::walk(Path::new(env!("CARGO_MANIFEST_DIR")));
    let list: String = walk
        .findings
        .iter()
        .map(|finding| format!("  {finding}\n"))
        .collect();
    assert!(
        walk.findings.is_empty(),
        "{} violations of tests/layers/table.rs:\n{list}",
        walk.findings.len()
    );
    assert!(walk.files > 20, "only {} files were read", walk.files);
}
