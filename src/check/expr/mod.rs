//! Expressions of checks: CEL syntax, judged in three values.
//!
//! `parse` reads the text with the `cel` crate, `lower` resolves every name and type against the kind's schema, `eval`
//! walks the result. What differs from plain CEL, so that missing data never decides anything by accident:
//!
//! - A part that is *unknown* makes the whole unknown, unless `&&`, `||`, `all`, `exists`, `exists_one` or `in` are
//!   decided without it, on whichever side it stands. `has(x)` and `x == null` of an unknown are unknown.
//! - *null* means AWS says there is none. Selecting on null gives null; null is false where a condition is asked;
//!   ordering against null, and every string test on it, is false; a null list is walked like an empty one; ages of and
//!   arithmetic with null are null, and so is an item beyond the end of a list.
//! - Numbers are 64-bit integers that stop at their bounds. There is no clock: `age_hours(t)` and `age_days(t)` count
//!   whole units up to the moment the call that told `t` was made.

pub(crate) mod eval;
mod functions;
mod ir;
mod lower;
mod parse;

use std::ops::Range;
use std::sync::LazyLock;

use crate::config::Requirements;
use crate::model::value::{Field, Judged, Type, Value};
use crate::relate::kinds::AccountView;

pub use eval::{Env, Known};
pub(crate) use ir::Root;

/// A condition or a value, ready to be evaluated.
#[derive(Clone, Debug)]
pub struct Expr {
    /// As written, without the space around it.
    pub text: String,
    ir: ir::Ir,
    paths: Vec<(Root, Vec<&'static str>)>,
}

/// What an expression is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A bool; null counts as false.
    Condition,
    /// Something that can be put into a sentence: no record.
    Words,
}

/// The types of the roots in scope; `account` and `requirements` have the same in every check.
#[derive(Clone, Debug)]
pub struct Scope {
    pub resource: Type,
}

/// Something wrong with an expression, or with `warning` something suspicious; the range counts bytes of its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub span: Range<usize>,
    pub message: String,
    pub label: Option<String>,
    pub help: Option<String>,
    pub warning: bool,
}

/// Parses and checks one expression. All faults that do not follow from each other are told; there is an expression
/// exactly if all of them are warnings.
pub fn compile(text: &str, scope: &Scope, wanted: Wanted) -> (Option<Expr>, Vec<Fault>) {
    match parse::parse(text) {
        Ok(parsed) => lower::lower(parsed, scope, wanted),
        Err(fault) => (None, vec![fault]),
    }
}

impl Expr {
    /// The field paths the expression looks at, outside comprehension variables, in order.
    pub(crate) fn paths(&self) -> &[(Root, Vec<&'static str>)] {
        &self.paths
    }
}

impl Scope {
    pub(crate) fn root(&self, root: Root) -> Type {
        match root {
            Root::Resource => self.resource.clone(),
            Root::Account => AccountView::ty(),
            Root::Requirements => REQUIREMENTS.clone(),
        }
    }
}

/// The type of `requirements`, from the published fields of the configuration.
pub(crate) static REQUIREMENTS: LazyLock<Type> = LazyLock::new(|| {
    let schema = schemars::schema_for!(Requirements).to_value();
    let fields = Requirements::default().by_name().into_keys().map(|name| {
        let doc = schema.pointer(&format!("/properties/{name}/description")).and_then(|doc| doc.as_str());
        let doc: &'static str = doc.unwrap_or_default().to_owned().leak();
        Field { name: name.leak(), doc, ty: Type::Int }
    });
    Type::Record(fields.collect())
});

/// The configuration's thresholds as expressions see them.
pub(crate) fn requirements_value(requirements: &Requirements) -> Value {
    Value::Record(requirements.by_name().into_iter().map(|(name, n)| (name, Value::Int(n))).collect())
}

impl Fault {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), label: None, help: None, warning: false }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn warning(mut self) -> Self {
        self.warning = true;
        self
    }
}
