//! Problems with a policy file: collected all at once, shown with their place, for people and as JSON.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Renderer, Snippet, normalize_untrusted_str,
};
use serde::Serialize;

use super::code::{Code, Severity};
use super::source::Source;

/// One thing that is wrong, or worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub(super) code: Code,
    message: String,
    primary: Option<Mark>,
    others: Vec<Mark>,
    help: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    span: Range<usize>,
    label: String,
}

impl Problem {
    /// A problem at a span of bytes.
    pub(super) fn at(code: Code, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            primary: Some(Mark {
                span,
                label: String::new(),
            }),
            ..Self::anywhere(code, message)
        }
    }

    /// A problem of the file as a whole.
    pub(super) fn anywhere(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            primary: None,
            others: Vec::new(),
            help: None,
        }
    }

    /// What stands beside the carets.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.label = label.into();
        }
        self
    }

    /// A second place that belongs to it.
    pub(super) fn with(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        let label = label.into();
        self.others.push(Mark { span, label });
        self
    }

    /// What to type instead.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn start(&self) -> usize {
        self.primary.as_ref().map_or(0, |mark| mark.span.start)
    }

    /// What kind of problem it is.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong, in one sentence without a place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to type instead.
    #[must_use]
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// A problem with its place, as `--json` prints it. Lines and columns count from 1, columns in
/// characters; the end is exclusive. All four are 0 where the problem has no place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemRecord {
    /// Stable number, such as `E103`.
    pub code: &'static str,
    /// Stable name, such as `unknown-key`.
    pub name: &'static str,
    /// Whether it refuses the file.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// The file.
    pub file: String,
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// Column after the last.
    pub end_column: usize,
    /// What to type instead.
    pub help: Option<String>,
}

/// Problems of one file, in the order of their places. Never shows a secret of the file.
#[derive(Debug, Clone)]
pub struct Problems {
    source: Source,
    list: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(source: Source, mut list: Vec<Problem>) -> Self {
        list.sort_by(|a, b| (a.start(), a.code, &a.message).cmp(&(b.start(), b.code, &b.message)));
        list.dedup();
        Self { source, list }
    }

    /// Problems in the order of their places.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// For `--json`: each problem with its place.
    #[must_use]
    pub fn records(&self) -> Vec<ProblemRecord> {
        self.list.iter().map(|problem| self.record(problem)).collect()
    }

    fn record(&self, problem: &Problem) -> ProblemRecord {
        let places = problem.primary.as_ref().map(|mark| {
            let span = self.source.clamp(&mark.span);
            (self.source.place(span.start), self.source.place(span.end))
        });
        ProblemRecord {
            code: problem.code.number(),
            name: problem.code.name(),
            severity: problem.code.severity(),
            message: problem.message.clone(),
            file: self.source.name.clone(),
            line: places.map_or(0, |(start, _)| start.line),
            column: places.map_or(0, |(start, _)| start.column),
            end_line: places.map_or(0, |(_, end)| end.line),
            end_column: places.map_or(0, |(_, end)| end.column),
            help: problem.help.clone(),
        }
    }

    /// For people: each problem with the line it stands on, the place underlined, and what to type.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let blocks: Vec<String> = self
            .list
            .iter()
            .map(|problem| renderer.render(&[self.group(problem)]))
            .collect();
        let mut text = blocks.join("\n\n");
        text.push('\n');
        text
    }

    fn group<'s>(&'s self, problem: &'s Problem) -> Group<'s> {
        let level = match problem.code.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level
            .primary_title(problem.message.as_str())
            .id(problem.code.to_string());
        let mut elements: Vec<Element<'s>> = vec![self.snippet(problem)];
        if let Some(help) = &problem.help {
            elements.push(Level::HELP.message(normalize_untrusted_str(help)).into());
        }
        Group::with_title(title).elements(elements)
    }

    fn snippet<'s>(&'s self, problem: &'s Problem) -> Element<'s> {
        let Some(primary) = &problem.primary else {
            return annotate_snippets::Origin::path(normalize_untrusted_str(&self.source.name)).into();
        };
        let main = self.annotation(AnnotationKind::Primary, primary);
        let others = problem
            .others
            .iter()
            .map(|mark| self.annotation(AnnotationKind::Context, mark));
        Snippet::source(self.source.text.as_str())
            .path(normalize_untrusted_str(&self.source.name))
            .annotation(main)
            .annotations(others)
            .into()
    }

    fn annotation<'s>(&self, kind: AnnotationKind, mark: &'s Mark) -> Annotation<'s> {
        let annotation = kind.span(self.source.clamp(&mark.span));
        if mark.label.is_empty() {
            return annotation;
        }
        annotation.label(normalize_untrusted_str(&mark.label))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

impl Serialize for Problems {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.records().serialize(serializer)
    }
}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Problem;
    type IntoIter = std::slice::Iter<'p, Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
