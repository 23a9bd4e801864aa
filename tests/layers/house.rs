//! Walks the module tree from the crate roots, so that `#[cfg(test)]` is known for whole files too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::checker::{Finding, Site, check};
use crate::{paths, table};

/// What the walk saw.
#[derive(Default)]
pub(crate) struct Walk {
    pub(crate) findings: Vec<Finding>,
    pub(crate) files: usize,
}

/// Reads `src/lib.rs`, `src/main.rs` and every module that they declare; a file that none declares is a finding.
pub(crate) fn walk(top: &Path) -> Walk {
    let mut walk = Walk::default();
    let mut left = BTreeSet::new();
    list(&top.join("src"), &mut left);
    let mut open = vec![
        (top.join("src/lib.rs"), Vec::new(), false),
        (top.join("src/main.rs"), vec![table::MAIN.to_owned()], false),
    ];
    while let Some((path, module, in_test)) = open.pop() {
        if !left.remove(&path) {
            continue;
        }
        let name = path
            .strip_prefix(top)
            .expect("listed below the top")
            .display()
            .to_string();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let site = Site {
            file: name,
            module,
            in_test,
        };
        check(&site, &file, &mut walk.findings);
        for child in paths::child_files(&file, &site.module, in_test) {
            let path = top.join("src").join(child.module.join("/")).with_extension("rs");
            open.push((path, child.module, child.in_test));
        }
        walk.files += 1;
    }
    walk.findings.extend(left.iter().map(|path| {
        Finding {
            file: path
                .strip_prefix(top)
                .expect("listed below the top")
                .display()
                .to_string(),
            line: 1,
            what: "no module declares this file".to_owned(),
        }
    }));
    walk.findings.sort();
    walk
}

fn list(folder: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            list(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.insert(path);
        }
    }
}
