//! What is wrong with check files, with the place it is wrong at, drawn under the source.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level as Drawn, Renderer, Snippet};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    /// The check works and lacks something its readers need.
    Warning,
}

/// One thing wrong with one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub level: Level,
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Bytes of the file.
    pub span: Range<usize>,
    pub message: String,
    /// Said beside the caret.
    pub label: Option<String>,
    pub help: Option<String>,
    source: Arc<str>,
}

/// Every error of every file, sorted by file and place.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct CheckErrors(pub Vec<Diagnostic>);

impl fmt::Display for CheckErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render(&self.0, false))
    }
}

/// Draws diagnostics one after the other, with an empty line between; in colour if asked.
pub fn render(diagnostics: &[Diagnostic], colour: bool) -> String {
    diagnostics.iter().map(|diagnostic| diagnostic.render(colour)).collect::<Vec<_>>().join("\n\n")
}

impl Diagnostic {
    pub(super) fn new(file: &str, source: &Arc<str>, span: Range<usize>, message: impl Into<String>) -> Self {
        let start = floor(source, span.start);
        let end = floor(source, span.end.max(start));
        let before = &source[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            level: Level::Error,
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: start..end,
            message: message.into(),
            label: None,
            help: None,
            source: Arc::clone(source),
        }
    }

    /// The diagnostic with its lines of source and a caret.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let level = match self.level {
            Level::Error => Drawn::ERROR,
            Level::Warning => Drawn::WARNING,
        };
        let mark = AnnotationKind::Primary.span(self.drawn_span()).label(self.label.as_deref());
        let snippet = Snippet::source(self.source.as_ref()).path(self.file.as_str()).annotation(mark);
        let group: Group<'_> = level.primary_title(self.message.as_str()).element(snippet);
        let group = match &self.help {
            Some(help) => group.element(Drawn::HELP.message(help.as_str())),
            None => group,
        };
        renderer.render(&[group])
    }

    /// Long ranges are drawn for their first line only; empty ones get a caret.
    fn drawn_span(&self) -> Range<usize> {
        let rest = &self.source[self.span.start..];
        let line = rest.find('\n').unwrap_or(rest.len());
        let end = self.span.end.min(self.span.start + line);
        self.span.start..end.max(self.span.start)
    }
}

/// `did you mean ...?` when one of the known words is close.
pub(super) fn suggest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<String> {
    let score = |known: &str| {
        let (a, b) = (word.to_lowercase(), known.to_lowercase());
        let near = strsim::normalized_damerau_levenshtein(&a, &b);
        // A word left out of a long name is a likely slip that the distance underrates.
        if a.len().min(b.len()) > 2 && (b.contains(&a) || a.contains(&b)) { near.max(0.5) } else { near }
    };
    known
        .into_iter()
        .map(|known| (score(known), known))
        .filter(|(score, _)| *score >= 0.5)
        .max_by(|(a, x), (b, y)| a.total_cmp(b).then(y.cmp(x)))
        .map(|(_, known)| suggestion(known))
}

pub(super) fn suggestion(known: &str) -> String {
    format!("did you mean `{known}`?")
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
