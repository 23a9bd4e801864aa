//! Errors of the TOML parser, in words, beside what the rest of the file still shows.

use toml::de::Error;

use super::code::{Code, Severity};
use super::diagnostics::Problem;
use super::reader::Findings;
use super::source::Source;

/// A file with more errors than this is no policy file; its rest is not looked at.
const MOST_ERRORS: usize = 50;

/// One error a line, and no echoes: a list that is never closed is wrong on every line after it. Of
/// the other findings, nothing on a broken line and nothing that the broken part may have said.
pub(super) fn explained(source: &Source, errors: &[Error], findings: Findings) -> Vec<Problem> {
    let line = |at: usize| source.place(at).line;
    let mut kept: Vec<Problem> = Vec::new();
    let mut broken: Vec<usize> = Vec::new();
    let mut previous: Option<(usize, &str)> = None;
    for error in errors.iter().take(MOST_ERRORS) {
        let problem = explain(source, error);
        let here = line(problem.start());
        let echo = previous
            .is_some_and(|(last, message)| here <= last + 1 && (here == last || message == error.message()));
        previous = Some((here, error.message()));
        if !echo && !broken.contains(&here) {
            kept.push(problem);
        }
        broken.push(here);
    }
    if errors.len() > MOST_ERRORS {
        return kept;
    }
    let sound = findings.into_iter().filter(|problem| {
        !broken.contains(&line(problem.start()))
            && problem.code.severity() == Severity::Error
            && !problem.code.needs_the_whole_file()
    });
    kept.extend(sound);
    kept
}

fn explain(source: &Source, error: &Error) -> Problem {
    let span = error.span().unwrap_or(source.text.len()..source.text.len());
    let message = error.message();
    if message.starts_with("duplicate key") {
        return Problem::at(Code::DuplicateKey, span, "this is given twice")
            .label("again here")
            .help("remove one of the two; a table such as [limits] may stand only once, only [[policy]] and [[keep]] may be repeated");
    }
    Problem::at(Code::Syntax, span, format!("not TOML: {message}")).help(advice(message))
}

/// The parser's messages name what it saw; this names what was probably forgotten.
fn advice(message: &str) -> &'static str {
    if message.contains("quoted") {
        "put the text in quotes: `key = \"value\"`"
    } else if message.contains("array") {
        "put a comma between the items of a list, and `]` at its end; the list may have begun on a line above"
    } else if message.contains("inline table") || message.contains("key-value pairs") {
        "put a comma between the keys of a table, and `}` at its end; the table may have begun on a line above"
    } else if message.contains("string") {
        "end the text with the quote that it began with, on the same line"
    } else {
        "a line is `key = value`; a text stands in \"quotes\", a list in [brackets], a table header in [brackets] of its own"
    }
}
