//! Messages with `${expression}` inside: gaps, and why a check does not apply.

use crate::check::expr::eval::{self, Known};
use crate::check::expr::{self, Env, Expr, Fault, Scope, Wanted};
use crate::model::value::Value;

/// How much of one value a message shows; AWS allows names and tags to be long and hostile.
const MAX_SHOWN: usize = 120;
const MAX_ITEMS: usize = 5;

#[derive(Clone, Debug)]
pub struct Template {
    /// As written.
    pub text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Words(String),
    Value(Expr),
}

/// Reads a message; ranges of faults count bytes of the text.
pub(super) fn compile(text: &str, scope: &Scope) -> (Option<Template>, Vec<Fault>) {
    let (mut parts, mut faults) = (Vec::new(), Vec::new());
    let mut rest = 0;
    while let Some(open) = text[rest..].find("${").map(|at| rest + at) {
        let Some(close) = text[open..].find('}').map(|at| open + at) else {
            faults.push(Fault::new(open..text.len(), "`${` is not closed"));
            break;
        };
        parts.push(Part::Words(text[rest..open].to_owned()));
        let (expr, found) = expr::compile(&text[open + 2..close], scope, Wanted::Words);
        parts.extend(expr.map(Part::Value));
        faults.extend(found.into_iter().map(|mut fault| {
            fault.span = fault.span.start + open + 2..fault.span.end + open + 2;
            fault
        }));
        rest = close + 1;
    }
    parts.push(Part::Words(text[rest..].trim_end().to_owned()));
    let template = Template { text: text.trim().to_owned(), parts };
    (faults.iter().all(|fault| fault.warning).then_some(template), faults)
}

impl Template {
    /// The message with its values: `none` for null, `unknown` for what could not be read.
    pub fn fill(&self, env: &Env<'_>) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Words(words) => words.clone(),
                Part::Value(expr) => shown(expr.value(env)),
            })
            .collect()
    }
}

fn shown(value: Result<Known<'_>, eval::Blame<'_>>) -> String {
    match value {
        Err(_) => "unknown".to_owned(),
        Ok(Known::Null) => "none".to_owned(),
        Ok(Known::Bool(b)) => b.to_string(),
        Ok(Known::Int(n)) => n.to_string(),
        Ok(Known::Part(Value::Text(text))) => tame(text),
        Ok(Known::Part(Value::Time(moment))) => moment.at.to_string(),
        Ok(list @ (Known::Part(Value::List(_)) | Known::List(_))) => match eval::length(&list) {
            0 => "none".to_owned(),
            n => {
                let mut items: Vec<String> = (0..n.min(MAX_ITEMS)).map(|at| shown(eval::item(&list, at))).collect();
                if n > MAX_ITEMS {
                    items.push(format!("{} more", n - MAX_ITEMS));
                }
                items.join(", ")
            }
        },
        Ok(Known::Part(_)) => unreachable!("records are refused when the message is read"),
    }
}

/// One line of bounded length without control characters; escaping for a format is the renderer's.
fn tame(text: &str) -> String {
    let mut tamed: String = text.chars().take(MAX_SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        tamed.push('…');
    }
    tamed
}
