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
    /// Colour on standard output.
    pub colour_out: bool,
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
        let coloured = |terminal: bool| match cli.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !no_colour,
        };
        Self {
            json: cli.json,
            quiet: cli.quiet,
            colour_out: coloured(std::io::stdout().is_terminal()),
            colour_err: coloured(terminal),
            progress: terminal && !cli.quiet && !cli.json,
        }
    }

    /// Prints the verb's result: `value` as JSON, or the text.
    ///
    /// # Errors
    /// When standard output takes nothing, such as a full disk. A reader that has gone away
    /// (`… | head`) is no error: the verb ends as it would have.
    pub fn data(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json {
            return print_json(value);
        }
        print(&harmless(text()))
    }

    /// As [`data`](Self::data), with colours where they are wanted.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub fn painted(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> Vec<(Paint, String)>,
    ) -> Result<(), Failure> {
        if self.json {
            return print_json(value);
        }
        let paint = |(paint, text): (Paint, String)| {
            let text = harmless(text);
            match paint.code().filter(|_| self.colour_out) {
                Some(code) => format!("\u{1b}[1;{code}m{text}\u{1b}[0m"),
                None => text,
            }
        };
        print(&text().into_iter().map(paint).collect::<String>())
    }

    /// Tells a story on standard output; silent where one JSON object is asked for.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub fn tell(&self, text: &str) -> Result<(), Failure> {
        if self.json || self.quiet {
            return Ok(());
        }
        print(&format!("{}\n", harmless(text.to_owned())))
    }

    /// Says something on standard error, unless told to be quiet.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            // A closed standard error is no reason to fail.
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }
}

/// How a piece of text is shown where there is colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// As all else.
    Plain,
    /// All is well.
    Good,
    /// Somebody should look.
    Warn,
    /// Somebody has to look.
    Bad,
}

impl Paint {
    const fn code(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Good => Some(32),
            Self::Warn => Some(33),
            Self::Bad => Some(31),
        }
    }
}

/// Written as it is made: a plan of a million files is never one text.
fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = serde_json::to_writer_pretty(&mut out, value)
        .map_err(std::io::Error::from)
        .and_then(|()| writeln!(out))
        .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes to standard output, with a line end; nobody has to be there to read it.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let end = if text.ends_with('\n') || text.is_empty() {
        ""
    } else {
        "\n"
    };
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(end.as_bytes()))
        .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Text that cannot steer a terminal: controls and changes of direction, which an id may hold, are
/// written out.
fn harmless(text: String) -> String {
    let steers = |c: char| {
        let direction = matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        direction || (c.is_control() && !matches!(c, '\n' | '\t'))
    };
    if !text.contains(steers) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
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

    #[test]
    fn what_steers_a_terminal_is_written_out_and_all_else_stays() {
        assert_eq!(
            harmless("a\tb\u{202e}cod.exe\u{1b}[2J\u{9b}\r\n".to_owned()),
            "a\tb\\u{202e}cod.exe\\u{1b}[2J\\u{9b}\\u{d}\n"
        );
        let plain = "äöü € 😀 e\u{301}\n";
        assert_eq!(harmless(plain.to_owned()), plain);
    }
}
