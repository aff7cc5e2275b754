//! CEL text to CEL syntax tree, with the place of every part: the only file that calls the `cel` parser.
//!
//! Macros are left as the calls they are written as; what they mean is decided in `lower`.

use std::ops::Range;

use cel::common::ast::{Expr, IdedExpr, SourceInfo};

use super::Fault;

/// Longer expressions are refused: no condition needs it, and the parser's cost grows with it.
pub(crate) const MAX_BYTES: usize = 4096;

/// A syntax tree with the text it came from.
pub(super) struct Parsed<'t> {
    pub(super) root: IdedExpr,
    pub(super) text: &'t str,
    places: SourceInfo,
}

/// Parses one expression. Recovery after the first fault mostly invents others, so only the first is told.
pub(super) fn parse(text: &str) -> Result<Parsed<'_>, Fault> {
    if text.len() > MAX_BYTES {
        let message = format!("expression of {} bytes is too long: at most {MAX_BYTES} are allowed", text.len());
        return Err(Fault::new(0..1, message));
    }
    let env = cel::Env::default().with_optional_support(false);
    match env.parser().parse_with_source_info(text) {
        Ok((root, places)) => Ok(Parsed { root, text, places }),
        Err(errors) => Err(errors.errors.first().map_or_else(
            || Fault::new(0..text.len(), "not a CEL expression"),
            |error| fault(text, error.pos, &error.msg),
        )),
    }
}

impl Parsed<'_> {
    /// The token a node hangs on, as a byte range of the text: an operator, a dot, an opening parenthesis.
    fn token(&self, node: &IdedExpr) -> Range<usize> {
        let (start, stop) = self.places.offset_for(node.id).unwrap_or_default();
        let start = (start as usize).min(self.text.len());
        start..(stop as usize + 1).clamp(start, self.text.len())
    }

    /// The whole node, parentheses around it left out.
    pub(super) fn range(&self, node: &IdedExpr) -> Range<usize> {
        let own = self.token(node);
        match &node.expr {
            Expr::Select(select) => cover(self.range(&select.operand), self.field(node)),
            Expr::Call(call) => {
                let start = self.function(node).start.min(own.start);
                let parts = call.target.iter().map(|target| self.range(target));
                let parts = parts.chain(call.args.iter().map(|arg| self.range(arg)));
                self.closed(parts.fold(start..own.end, cover))
            }
            Expr::List(list) => self.closed(list.elements.iter().map(|item| self.range(item)).fold(own, cover)),
            _ => own,
        }
    }

    /// The name behind the dot of a selection.
    pub(super) fn field(&self, node: &IdedExpr) -> Range<usize> {
        let dot = self.token(node);
        let Expr::Select(select) = &node.expr else { return dot };
        let rest = self.text.get(dot.end..).unwrap_or_default();
        let start = dot.end + (rest.len() - rest.trim_start().len());
        if self.text.get(start..).is_some_and(|t| t.starts_with(&select.field)) {
            start..start + select.field.len()
        } else {
            dot
        }
    }

    /// The name before the parenthesis of a call; for operators, the operator.
    pub(super) fn function(&self, node: &IdedExpr) -> Range<usize> {
        let token = self.token(node);
        let Expr::Call(call) = &node.expr else { return token };
        let before = self.text.get(..token.start).unwrap_or_default().trim_end();
        match before.strip_suffix(call.func_name.as_str()) {
            Some(head) => head.len()..before.len(),
            None => token,
        }
    }

    /// Takes in the closing bracket that directly follows, if one was opened inside.
    fn closed(&self, range: Range<usize>) -> Range<usize> {
        let (inside, rest) = (&self.text[range.clone()], &self.text[range.end..]);
        let trimmed = rest.trim_start();
        for (open, close) in [('(', ')'), ('[', ']')] {
            if inside.matches(open).count() > inside.matches(close).count() && trimmed.starts_with(close) {
                return range.start..range.end + (rest.len() - trimmed.len()) + 1;
            }
        }
        range
    }
}

fn cover(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    a.start.min(b.start)..a.end.max(b.end)
}

/// Says in plain words what the generated parser says in its own.
fn fault(text: &str, (line, column): (isize, isize), message: &str) -> Fault {
    let at = offset(text, line, column);
    let rest = text.get(at..).unwrap_or_default();
    let word: usize = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
    let span = at..(at + word.max(rest.chars().next().map_or(0, char::len_utf8)));
    if message.contains("Recursi") || message.contains("recovery attempt limit") {
        return Fault::new(span, "expression is nested too deeply");
    }
    if rest.trim().is_empty() {
        let end = text.trim_end().len();
        let span = end.saturating_sub(1)..end;
        return Fault::new(span, "expression ends too early").label("something must follow");
    }
    if let Some(own) = message.strip_prefix("unsupported syntax") {
        return Fault::new(span, format!("CEL syntax {} is not available in checks", own.trim_matches([' ', ':'])));
    }
    if !message.starts_with("Syntax error") {
        return Fault::new(span, message.to_owned());
    }
    if rest.starts_with(['\'', '"']) && message.contains("token recognition") {
        return Fault::new(at..text.len(), "string is not closed");
    }
    let shown = &text[span.clone()];
    let fault = Fault::new(span, format!("unexpected `{shown}`"));
    match shown {
        "=" => fault.help("compare with `==`"),
        "and" | "AND" | "&" => fault.help("CEL writes `&&`"),
        "or" | "OR" | "|" => fault.help("CEL writes `||`"),
        "not" | "NOT" => fault.help("CEL writes `!`"),
        "is" => fault.help("compare with `==`"),
        _ => fault,
    }
}

/// Byte offset of a line and a column, both from 1, the column in characters.
fn offset(text: &str, line: isize, column: isize) -> usize {
    let (line, column) = (line.max(1) as usize, column.max(1) as usize);
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let within = rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at);
    start + within
}
