//! What the documents promise is there: each `cargo test` command that they name finds a test, and each promise
//! has its chapter, its commands and a seeded bug.

use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 6] = [
    "README.md",
    "docs/promises.md",
    "docs/architecture.md",
    "docs/operations.md",
    "docs/contributing.md",
    "docs/policies.md",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder)
        .expect("a folder of this repository")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `module::function` of every function below `src` or a target of `tests`, as far as file names tell.
fn functions(target: Option<&str>) -> Vec<String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let root = target.map_or_else(|| top.join("src"), |name| top.join("tests").join(name));
    if root.is_dir() {
        rust_files(&root, &mut files);
    }
    if let Some(name) = target {
        files.push(top.join("tests").join(name).with_extension("rs"));
    }
    let mut names = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let module = file.strip_prefix(&root).map_or_else(
            |_| String::new(),
            |path| path.with_extension("").display().to_string().replace('/', "::") + "::",
        );
        let inner = text.contains("mod tests {");
        for line in text.lines() {
            let line = line.trim_start().trim_start_matches("async ");
            if let Some(rest) = line.strip_prefix("fn ") {
                let name: String = rest
                    .chars()
                    .take_while(|&letter| letter.is_alphanumeric() || letter == '_')
                    .collect();
                names.push(format!("{module}{}{name}", if inner { "tests::" } else { "" }));
            }
        }
    }
    names
}

/// The commands between backticks and in code blocks.
fn commands(text: &str) -> Vec<String> {
    text.split(['`', '\n'])
        .filter_map(|part| part.find("cargo test").map(|at| part[at..].to_owned()))
        .collect()
}

#[test]
fn every_test_command_in_the_documents_finds_a_test() {
    let mut checked = 0;
    for document in DOCUMENTS {
        for command in commands(&read(document)) {
            let mut words = command.split_whitespace().skip(2);
            let mut target = None;
            let mut everywhere = true;
            let mut filters = Vec::new();
            while let Some(word) = words.next() {
                match word {
                    "--test" => target = words.next(),
                    "--lib" => everywhere = false,
                    "--manifest-path" => {
                        words.next();
                    }
                    _ if word.starts_with('-') || word.contains('=') => {}
                    _ => filters.push(word),
                }
            }
            if let Some(name) = target {
                everywhere = false;
                let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
                assert!(
                    tests.with_extension("rs").is_file() || tests.join("main.rs").is_file(),
                    "{document}: `{command}`: no such target"
                );
            }
            let mut names = functions(target);
            if everywhere {
                for name in ["it", "ledger", "config", "simulation"] {
                    names.extend(functions(Some(name)));
                }
            }
            for filter in filters {
                assert!(
                    names.iter().any(|name| name.contains(filter)),
                    "{document}: `{command}`: nothing is called {filter}"
                );
                checked += 1;
            }
        }
    }
    assert!(
        checked > 40,
        "only {checked} filters were found: is the reading of the documents broken?"
    );
}

#[test]
fn every_promise_has_its_chapter_its_commands_and_a_seeded_bug() {
    let (readme, promises, bugs) = (
        read("README.md"),
        read("docs/promises.md"),
        read("tests/seeded-bugs/bugs.toml"),
    );
    for number in 1..=12 {
        assert!(readme.contains(&format!("| G{number} |")), "README: G{number}");
        let heading = format!("\n## G{number}: ");
        let at = promises
            .find(&heading)
            .unwrap_or_else(|| panic!("promises.md: no chapter G{number}"));
        let chapter = &promises[at + 1..];
        let chapter = &chapter[..chapter.find("\n## ").unwrap_or(chapter.len())];
        assert!(
            !commands(chapter).is_empty(),
            "promises.md: G{number} has no command"
        );
        assert!(
            chapter.contains("\nNot promised: "),
            "promises.md: G{number} promises everything"
        );
        assert!(
            bugs.contains(&format!("promise = \"G{number}\"")),
            "bugs.toml: no seeded bug for G{number}"
        );
    }
}
