//! Reports: pure functions of results, one file a format; those that people read come out of a [`Summary`].
//!
//! Nothing here judges, reads a clock or writes files; `cli` decides where the bytes go.

pub mod html;
pub mod json;
pub mod markdown;
mod summary;
pub mod terminal;
mod text;
mod view;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use rust_embed::RustEmbed;

pub use summary::Summary;

/// A report that could not be rendered: a template of this build and the view it is given do not fit.
#[derive(Debug, thiserror::Error)]
#[error("cannot render the {format} report")]
pub struct ReportError {
    pub format: &'static str,
    #[source]
    source: Error,
}

/// What a run can be rendered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Html,
    Markdown,
    Json,
    /// The JSON Schema of `Json`; the same for every run.
    Schema,
}

impl Format {
    pub const ALL: [Format; 4] = [Self::Html, Self::Markdown, Self::Json, Self::Schema];

    /// As written on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Schema => "schema",
        }
    }

    /// Reads a format as people write it.
    ///
    /// # Errors
    /// A sentence that lists the formats there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "md" => return Ok(Self::Markdown),
            "htm" => return Ok(Self::Html),
            word => Self::ALL.into_iter().find(|f| f.word() == word),
        }
        .ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.iter().map(|f| f.word()).collect();
            format!("`{}` is not a report format: it is one of {}", text::line(text), words.join(", "))
        })
    }

    /// The file a report of this format is written to.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Html => "report.html",
            Self::Markdown => "report.md",
            Self::Json => "results.json",
            Self::Schema => "results.schema.json",
        }
    }
}

/// A run for people. Equal results give equal bytes. None for the formats that are no report of a summary: the results
/// themselves, and their schema.
///
/// # Errors
/// Only when a template of this build is broken.
pub fn render(summary: &Summary, format: Format) -> Result<Option<String>, ReportError> {
    match format {
        Format::Html => html::html(summary).map(Some),
        Format::Markdown => markdown::markdown(summary).map(Some),
        Format::Json | Format::Schema => Ok(None),
    }
}

#[derive(RustEmbed)]
#[folder = "report_templates/"]
struct Templates;

/// The text of an embedded file, line ends as in the repository.
fn embedded(name: &str) -> Option<String> {
    let file = Templates::get(name)?;
    Some(String::from_utf8_lossy(&file.data).replace("\r\n", "\n"))
}

/// Renders a template of `report_templates/`. Whatever it prints is escaped for its format unless a filter already did;
/// a name that the view lacks is an error.
fn template(name: &str, view: view::View, extra: &[(&'static str, Value)]) -> Result<String, Error> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = env.syntax().to_builder().trim_blocks(true).lstrip_blocks(true).build()?;
    env.set_syntax(syntax);
    env.set_auto_escape_callback(|name| match name {
        name if name.contains(".html") => AutoEscape::Html,
        _ => AutoEscape::Custom("markdown".into()),
    });
    env.set_formatter(escaped);
    env.add_filter("code", |text: &str| Value::from_safe_string(text::code(text)));
    env.add_filter("cell", |text: &str| Value::from_safe_string(text::code_in_table(text)));
    env.add_filter("fenced", |text: &str, language: &str| Value::from_safe_string(text::fenced(text, language)));
    env.add_filter("inline_html", |text: &str| Value::from_safe_string(text::html_in_markdown(text)));
    for (name, value) in extra {
        env.add_global(*name, value.clone());
    }
    for file in Templates::iter().filter(|f| f.ends_with(".j2")) {
        let source = embedded(&file).unwrap_or_else(|| panic!("internal error: {file} is listed and not embedded"));
        env.add_template_owned(file.into_owned(), source)?;
    }
    // What templates read is a copy of it, several times as large.
    let copy = Value::from(Serde(&view));
    drop(view);
    env.get_template(name)?.render(copy)
}

/// Writes a value so that it cannot be anything but text in the format of the template.
fn escaped(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::new(ErrorKind::UndefinedError, "a name the view does not have"));
    }
    let text = match value.as_str() {
        _ if value.is_none() => "–".to_owned(),
        Some(text) if value.is_safe() => text.to_owned(),
        Some(text) => match state.auto_escape() {
            AutoEscape::Html => text::html(text),
            _ => text::markdown(text),
        },
        None => value.to_string(),
    };
    out.write_str(&text).map_err(Error::from)
}
