//! Reads YAML trees and notes every fault instead of stopping at the first.
//!
//! What checks consist of is `read`'s business; here are mappings, scalars, words and expressions.

use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Level, suggest, suggestion};
use super::expr::{self, Expr, Fault, Scope, Wanted};
use super::spec::SourceFile;
use super::template::{self, Template};
use super::yaml::{self, Entry, Node, Yaml};

pub(super) struct Reader<'f> {
    pub(super) file: &'f SourceFile,
    source: Arc<str>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// A mapping whose keys are all known.
#[derive(Clone, Copy)]
pub(super) struct Fields<'n> {
    pub(super) node: &'n Node,
    entries: &'n [Entry],
    what: &'static str,
    keys: &'static [&'static str],
}

impl<'n> Fields<'n> {
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

impl Fields<'_> {
    fn misspelt(&self, key: &str) -> bool {
        let unknown = self.entries.iter().filter(|entry| !self.keys.contains(&entry.key.as_str()));
        let meant = Some(suggestion(key));
        unknown.into_iter().any(|entry| suggest(&entry.key, self.keys.iter().copied()) == meant)
    }
}

impl<'f> Reader<'f> {
    pub(super) fn new(file: &'f SourceFile) -> Self {
        Self { file, source: Arc::from(file.text.as_str()), diagnostics: Vec::new() }
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        self.note(Level::Error, span, message.into())
    }

    pub(super) fn warning(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        self.note(Level::Warning, span, message.into())
    }

    fn note(&mut self, level: Level, span: Range<usize>, message: String) -> &mut Diagnostic {
        let mut diagnostic = Diagnostic::new(&self.file.name, &self.source, span, message);
        diagnostic.level = level;
        let at = self.diagnostics.len();
        self.diagnostics.push(diagnostic);
        &mut self.diagnostics[at]
    }

    /// A mapping with no other keys than these.
    pub(super) fn mapping<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        keys: &'static [&'static str],
    ) -> Option<Fields<'n>> {
        let Yaml::Map(entries) = &node.yaml else {
            let message = match node.yaml {
                Yaml::Null => format!("{what} is missing here"),
                _ => format!("{what} must be a mapping, not a {}", node.word()),
            };
            self.error(node.span.clone(), message);
            return None;
        };
        for entry in entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            let help = suggest(&entry.key, keys.iter().copied());
            let error = self.error(entry.key_span.clone(), format!("{what} has no key `{}`", entry.key));
            error.label = Some("unknown key".to_owned());
            error.help = help.or_else(|| Some(format!("keys: {}", keys.join(", "))));
        }
        Some(Fields { node, entries, what, keys })
    }

    /// The value of a key that must be there.
    pub(super) fn need<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Option<&'n Node> {
        let found = fields.get(key).filter(|node| !matches!(node.yaml, Yaml::Null));
        // A misspelt key has been told with its suggestion.
        if found.is_none() && !fields.misspelt(key) {
            let span = fields.entry(key).map_or(self.start(fields.node), |entry| entry.key_span.clone());
            self.error(span, format!("{} needs `{key}`", fields.what));
        }
        found
    }

    /// Where a mapping or list begins, as something to point at: its first key.
    fn start(&self, node: &Node) -> Range<usize> {
        match &node.yaml {
            Yaml::Map(entries) => entries.first().map_or(node.span.clone(), |entry| entry.key_span.clone()),
            _ => node.span.clone(),
        }
    }

    /// A scalar as text, never empty.
    pub(super) fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str>
    where
        'f: 'n,
    {
        match node.text(&self.file.text) {
            Some(text) if !text.trim().is_empty() => Some(text),
            Some(_) => {
                self.error(node.span.clone(), "this must not be empty");
                None
            }
            None => {
                self.error(node.span.clone(), format!("expected a string, not a {}", node.word()));
                None
            }
        }
    }

    /// Items of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.yaml {
            Yaml::List(items) => items,
            _ => {
                self.error(node.span.clone(), format!("expected a list, not a {}", node.word()));
                &[]
            }
        }
    }

    /// A list of strings.
    pub(super) fn texts(&mut self, node: &Node) -> Vec<String> {
        let file = self.file;
        let items = self.list(node).iter();
        items.filter_map(|item| self.text_of(file, item)).collect()
    }

    fn text_of(&mut self, file: &'f SourceFile, item: &Node) -> Option<String> {
        let text = item.text(&file.text).map(str::to_owned);
        if text.is_none() {
            self.error(item.span.clone(), format!("expected a string, not a {}", item.word()));
        }
        text
    }

    /// Entries of a mapping with free keys.
    pub(super) fn entries<'n>(&mut self, node: &'n Node) -> &'n [Entry] {
        match &node.yaml {
            Yaml::Map(entries) => entries,
            _ => {
                self.error(node.span.clone(), format!("expected a mapping, not a {}", node.word()));
                &[]
            }
        }
    }

    /// A number of at least zero.
    pub(super) fn count(&mut self, node: &Node) -> Option<u32> {
        if let Yaml::Int(n) = node.yaml
            && let Ok(n) = u32::try_from(n)
        {
            return Some(n);
        }
        self.error(node.span.clone(), "expected a whole number of at least 0");
        None
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = node.text(&self.file.text).map(str::to_owned);
        let Some(text) = text else {
            self.error(node.span.clone(), format!("expected a {what}, not a {}", node.word()));
            return None;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let error = self.error(node.span.clone(), format!("unknown {what} `{text}`"));
        error.help = suggest(&text, all.iter().copied()).or_else(|| Some(format!("known are {}", all.join(", "))));
        None
    }

    /// A condition.
    pub(super) fn condition(&mut self, node: &Node, scope: &Scope) -> Option<Expr> {
        let file = self.file;
        let text = node.text(&file.text);
        let Some(text) = text else {
            self.error(node.span.clone(), format!("expected an expression, not a {}", node.word()));
            return None;
        };
        let (expr, faults) = expr::compile(text, scope, Wanted::Condition);
        self.faults(node, text, faults);
        expr
    }

    /// A message that may hold `${...}`.
    pub(super) fn template(&mut self, node: &Node, scope: &Scope) -> Option<Template> {
        let file = self.file;
        let text = self.text_of(file, node)?;
        let (template, faults) = template::compile(&text, scope);
        self.faults(node, &text, faults);
        template
    }

    fn faults(&mut self, node: &Node, text: &str, faults: Vec<Fault>) {
        for fault in faults {
            let level = if fault.warning { Level::Warning } else { Level::Error };
            let span = yaml::place(&self.file.text, &node.span, text, fault.span);
            let noted = self.note(level, span, fault.message);
            noted.label = fault.label;
            noted.help = fault.help;
        }
    }
}
