//! What a verb prints: data on standard output, all else on standard error.

use std::io::{IsTerminal, Write};

use comfy_table::presets;
use comfy_table::{Cell, Table};
use serde::Serialize;

use super::args::{Cli, Colour};
use super::exit::Failure;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// One JSON object instead of text.
    pub json: bool,
    /// Only what went wrong.
    pub quiet: bool,
    /// Colour on standard error (policy problems).
    pub colour_err: bool,
    /// Progress bars: standard error is a terminal.
    pub progress: bool,
}

impl Output {
    /// From the command line and the terminal.
    #[must_use]
    pub fn new(cli: &Cli) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour_err = match cli.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !no_colour,
        };
        Self {
            json: cli.json,
            quiet: cli.quiet,
            colour_err,
            progress: terminal && !cli.quiet && !cli.json,
        }
    }

    /// Prints the verb's result: `value` as JSON, or the text.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn data(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else {
            let text = text();
            out.write_all(text.as_bytes())?;
            if !text.ends_with('\n') && !text.is_empty() {
                writeln!(out)?;
            }
        }
        Ok(())
    }

    /// Tells a story on standard output; silent where one JSON object is asked for.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn tell(&self, text: &str) -> Result<(), Failure> {
        if !self.json && !self.quiet {
            writeln!(std::io::stdout().lock(), "{text}")?;
        }
        Ok(())
    }

    /// Says something on standard error, unless told to be quiet.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            // A closed standard error is no reason to fail.
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }
}

/// A table without frames: columns line up, nothing else.
#[must_use]
pub fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.iter().map(|text| Cell::new(text.to_uppercase())));
    table
}

/// A table as text, without blanks at the ends of lines.
#[must_use]
pub fn lines(table: &Table) -> String {
    table
        .to_string()
        .lines()
        .map(|line| line.trim().to_owned() + "\n")
        .collect()
}

/// `n file` or `n files`.
#[must_use]
pub fn files(n: u64) -> String {
    if n == 1 {
        "1 file".to_owned()
    } else {
        format!("{n} files")
    }
}

/// A word as a shell takes it: quoted unless it is plain.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_unless_it_is_plain() {
        for (word, quoted) in [
            ("-OKI_FueqSWiExyfS310", "-OKI_FueqSWiExyfS310"),
            ("", "''"),
            ("two words", "'two words'"),
            ("$(id)", "'$(id)'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(shell_word(word), quoted);
        }
    }
}
