//! Progress of long work on a terminal: count, rate and, once the end is known, a bar and the time left.

use std::sync::OnceLock;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use crate::engine::{Listener, Progress};

const COUNTER: &str = "{spinner} {msg}: {human_pos} ({per_sec})";
const BAR: &str = "{msg} {bar:24} {human_pos} of {human_len} ({per_sec}, {eta} left)";

const BYTES: &str = "{msg} {bar:24} {bytes} of {total_bytes} ({bytes_per_sec}, {eta} left)";

/// One piece of long work; its line is gone when this is dropped.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    bar: ProgressBar,
    /// What the bar looks like once the end is known.
    known: &'static str,
}

impl Bar {
    /// A line on standard error if `shown`; nothing otherwise.
    pub(super) fn new(shown: bool, text: &'static str) -> Self {
        if !shown {
            return Self {
                bar: ProgressBar::hidden(),
                known: BAR,
            };
        }
        let bar = ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
        bar.set_style(style(COUNTER));
        bar.set_message(text);
        Self { bar, known: BAR }
    }

    /// The same, of bytes.
    pub(super) fn bytes(shown: bool, text: &'static str) -> Self {
        let bar = Self::new(shown, text);
        Self { known: BYTES, ..bar }
    }

    /// So much is done, of so much if that is known, of the work called `text`.
    pub(super) fn set(&self, text: &'static str, done: u64, of: Option<u64>) {
        if self.bar.message() != text {
            self.bar.set_message(text);
            self.bar.reset_eta();
        }
        if let Some(of) = of {
            if self.bar.length().is_none() {
                self.bar.set_style(style(self.known));
            }
            self.bar.set_length(of.max(done));
        }
        self.bar.set_position(done);
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Shows what a sweep is at, from the first word on.
pub(super) fn listener(shown: bool) -> Listener {
    if !shown {
        return Listener::default();
    }
    let bar = OnceLock::new();
    Listener::new(move |progress| {
        let (text, files, of) = match progress {
            Progress::Deciding { files, of } => ("deciding files under the changed rules", files, of),
            Progress::Deleting { files, of } => ("deleting", files, of),
            Progress::Settled { .. } => return,
        };
        bar.get_or_init(|| Bar::new(true, text))
            .set(text, files, Some(of));
    })
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are constants that a test renders")
}

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, ProgressDrawTarget};

    use super::*;

    #[test]
    fn a_counter_becomes_a_bar_when_the_end_is_known_and_leaves_no_line() {
        let terminal = InMemoryTerm::new(4, 100);
        let bar = Bar::new(true, "reading");
        bar.bar
            .set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        bar.set("reading", 4096, None);
        bar.bar.force_draw();
        assert!(
            terminal.contents().contains("reading: 4,096 ("),
            "{}",
            terminal.contents()
        );
        bar.set("writing", 5000, Some(10_000));
        bar.bar.force_draw();
        let shown = terminal.contents();
        assert!(
            shown.contains("writing") && shown.contains("5,000 of 10,000 ("),
            "{shown}"
        );
        assert!(shown.contains("left)"), "{shown}");
        drop(bar);
        assert_eq!(terminal.contents(), "");
    }
}
