//! The functions, methods and macros that checks may call, and what they take.

use cel::common::ast::{CallExpr, Expr as Cel, IdedExpr, LiteralValue};
use regex::RegexBuilder;

use super::Fault;
use super::ir::{Each, Ir, TextTest, Ty};
use super::lower::{Lower, Lowered};
use crate::check::diagnostic::suggest;
use crate::model::value::Type;

const FUNCTIONS: [&str; 4] = ["has", "size", "age_hours", "age_days"];
const METHODS: [&str; 10] =
    ["all", "exists", "exists_one", "filter", "map", "size", "startsWith", "endsWith", "contains", "matches"];
/// Compiled patterns larger than this are refused.
const PATTERN_BYTES: usize = 1 << 20;

impl Lower<'_> {
    pub(super) fn function(&mut self, node: &IdedExpr, call: &CallExpr) -> Lowered {
        match (call.func_name.as_str(), call.args.as_slice()) {
            ("has", [field]) => self.has(field),
            ("size", [list]) => self.size(list),
            ("age_hours", [time]) => self.age(time, 3600),
            ("age_days", [time]) => self.age(time, 86400),
            (name, args) if FUNCTIONS.contains(&name) => self.wrong_count(node, name, 1, args.len()),
            (name, _) => {
                let help = match METHODS.contains(&name) {
                    true => Some(format!("it is called on a value: `x.{name}(...)`")),
                    false => suggest(name, FUNCTIONS),
                };
                self.unknown_function(node, name, help, &FUNCTIONS)
            }
        }
    }

    pub(super) fn method(&mut self, node: &IdedExpr, call: &CallExpr) -> Lowered {
        let Some(target) = call.target.as_deref() else { return self.function(node, call) };
        let each = match call.func_name.as_str() {
            "all" => Some(Each::All),
            "exists" => Some(Each::Exists),
            "exists_one" => Some(Each::ExistsOne),
            "filter" => Some(Each::Filter),
            "map" => Some(Each::Map),
            _ => None,
        };
        match (call.func_name.as_str(), each, call.args.as_slice()) {
            (name, Some(each), [var, body]) => self.each(name, each, target, var, body),
            (name, Some(_), args) => self.wrong_count(node, name, 2, args.len()),
            ("size", _, []) => self.size(target),
            ("startsWith", _, [part]) => self.text(TextTest::StartsWith, target, part),
            ("endsWith", _, [part]) => self.text(TextTest::EndsWith, target, part),
            ("contains", _, [part]) => self.text(TextTest::Contains, target, part),
            ("matches", _, [pattern]) => self.matches(target, pattern),
            (name, _, args) if METHODS.contains(&name) => {
                self.wrong_count(node, name, usize::from(name != "size"), args.len())
            }
            (name, ..) => {
                let help = match FUNCTIONS.contains(&name) {
                    true => Some(format!("it is called as `{name}(x)`")),
                    false => suggest(name, METHODS),
                };
                self.unknown_function(node, name, help, &METHODS)
            }
        }
    }

    fn unknown_function(&mut self, node: &IdedExpr, name: &str, help: Option<String>, known: &[&str]) -> Lowered {
        let fault = Fault::new(self.parsed.function(node), format!("unknown function `{name}`"));
        let help = help.unwrap_or_else(|| format!("there are {}", known.join(", ")));
        self.fault(fault.help(help))
    }

    fn wrong_count(&mut self, node: &IdedExpr, name: &str, wanted: usize, got: usize) -> Lowered {
        let plural = if wanted == 1 { "argument" } else { "arguments" };
        let message = format!("`{name}` takes {wanted} {plural}, not {got}");
        self.fault(Fault::new(self.parsed.range(node), message))
    }

    fn has(&mut self, node: &IdedExpr) -> Lowered {
        if !matches!(&node.expr, Cel::Select(_)) {
            let fault = Fault::new(self.parsed.range(node), "`has` takes a field, such as `has(resource.name)`");
            return self.fault(fault);
        }
        let (field, ty) = self.node(node)?;
        if !ty.nullable() {
            self.warn(Fault::new(self.parsed.range(node), "this is never null: always true"));
        }
        Some((Ir::Has(Box::new(field)), Ty::Of(Type::Bool)))
    }

    fn size(&mut self, node: &IdedExpr) -> Lowered {
        let (list, ty) = self.node(node)?;
        if ty != Ty::EmptyList && !matches!(ty.solid(), Some(Type::List(_) | Type::Text)) {
            let message = format!("`size` counts a list or a string, not {}", ty.word());
            return self.fault(Fault::new(self.parsed.range(node), message));
        }
        Some((Ir::Size(Box::new(list)), Ty::Of(Type::Int)))
    }

    fn age(&mut self, node: &IdedExpr, unit: i64) -> Lowered {
        let (time, ty) = self.of_type(node, &Type::Time, "an age is that of")?;
        Some((Ir::Age(unit, Box::new(time)), Ty::Of(Type::Int).or_null(ty.nullable())))
    }

    fn each(&mut self, name: &str, each: Each, target: &IdedExpr, var: &IdedExpr, body: &IdedExpr) -> Lowered {
        let (list, ty) = self.node(target)?;
        let Some(Type::List(item)) = ty.solid() else {
            let message = format!("`{name}` walks a list, not {}", ty.word());
            return self.fault(Fault::new(self.parsed.range(target), message));
        };
        let Cel::Ident(var_name) = &var.expr else {
            let message = format!("the first argument of `{name}` names the item, such as `x`");
            return self.fault(Fault::new(self.parsed.range(var), message));
        };
        if ["resource", "account", "requirements"].contains(&var_name.as_str()) {
            let message = format!("`{var_name}` is taken: name the item otherwise");
            return self.fault(Fault::new(self.parsed.range(var), message));
        }
        self.vars.push((var_name.clone(), Ty::Of(item.as_ref().clone())));
        let body_place = self.parsed.range(body);
        let body = match each {
            Each::Map => self.node(body),
            _ => self.condition(body, &format!("what `{name}` asks")).map(|ir| (ir, Ty::Of(Type::Bool))),
        };
        self.vars.pop();
        let (body, body_ty) = body?;
        let ty = match (each, body_ty) {
            (Each::All | Each::Exists | Each::ExistsOne, _) => Ty::Of(Type::Bool),
            (Each::Filter, _) => Ty::Of(Type::List(item.clone())),
            (Each::Map, Ty::Of(of)) => Ty::Of(Type::List(Box::new(of))),
            (Each::Map, _) => return self.fault(Fault::new(body_place, "`map` must give something")),
        };
        Some((Ir::Each(each, Box::new(list), Box::new(body)), ty))
    }

    fn text(&mut self, test: TextTest, target: &IdedExpr, part: &IdedExpr) -> Lowered {
        let place = "what a string test compares";
        let (target, part) = (self.of_type(target, &Type::Text, place), self.of_type(part, &Type::Text, place));
        Some((Ir::Text(test, Box::new(target?.0), Box::new(part?.0)), Ty::Of(Type::Bool)))
    }

    fn matches(&mut self, target: &IdedExpr, pattern: &IdedExpr) -> Lowered {
        let target = self.of_type(target, &Type::Text, "what `matches` looks at");
        let Cel::Literal(LiteralValue::String(text)) = &pattern.expr else {
            let fault = Fault::new(self.parsed.range(pattern), "the pattern of `matches` must be a literal string");
            return self.fault(fault);
        };
        match RegexBuilder::new(text.inner()).size_limit(PATTERN_BYTES).build() {
            Ok(regex) => Some((Ir::Matches(Box::new(target?.0), regex), Ty::Of(Type::Bool))),
            Err(error) => {
                let last = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
                let message = format!("not a regular expression: {}", last.trim_start_matches("error: "));
                self.fault(Fault::new(self.parsed.range(pattern), message))
            }
        }
    }
}
