//! From CEL's syntax tree to the typed form: every name resolved, every type checked, every fault with its place.

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, Expr as Cel, IdedExpr, LiteralValue, SelectExpr, operators};

use super::ir::{Ir, Order, Root, Ty};
use super::parse::Parsed;
use super::{Expr, Fault, Scope, Wanted};
use crate::check::diagnostic::suggest;
use crate::model::value::{Type, Value};

/// Evaluation recurses this deep at most, so that it fits any thread's stack.
const MAX_DEPTH: usize = 64;

/// A part and its type; none when it is faulty, which has been told already.
pub(super) type Lowered = Option<(Ir, Ty)>;

pub(super) struct Lower<'p> {
    pub(super) parsed: &'p Parsed<'p>,
    scope: &'p Scope,
    /// Comprehension variables in scope, outermost first.
    pub(super) vars: Vec<(String, Ty)>,
    faults: Vec<Fault>,
    paths: BTreeSet<(Root, Vec<&'static str>)>,
    depth: usize,
}

pub(super) fn lower(parsed: Parsed<'_>, scope: &Scope, wanted: Wanted) -> (Option<Expr>, Vec<Fault>) {
    let mut lower =
        Lower { parsed: &parsed, scope, vars: Vec::new(), faults: Vec::new(), paths: BTreeSet::new(), depth: 0 };
    let lowered = match wanted {
        Wanted::Condition => lower.condition(&parsed.root, "a condition"),
        Wanted::Words => lower.words(&parsed.root),
    };
    let paths = lower.paths.into_iter().collect();
    let faults = lower.faults;
    let text = parsed.text.trim().to_owned();
    let expr = lowered.filter(|_| faults.iter().all(|fault| fault.warning));
    (expr.map(|ir| Expr { text, ir, paths }), faults)
}

impl Lower<'_> {
    pub(super) fn fault(&mut self, fault: Fault) -> Lowered {
        self.faults.push(fault);
        None
    }

    pub(super) fn node(&mut self, node: &IdedExpr) -> Lowered {
        if self.depth == MAX_DEPTH {
            let fault = Fault::new(self.parsed.range(node), "expression is nested too deeply");
            let told = self.faults.iter().any(|known| known.message == fault.message);
            return if told { None } else { self.fault(fault) };
        }
        self.depth += 1;
        let lowered = match &node.expr {
            Cel::Literal(literal) => self.literal(node, literal),
            Cel::Ident(name) => self.name(node, name),
            Cel::Select(select) => self.select(node, select),
            Cel::List(list) => self.list(node, &list.elements),
            Cel::Call(call) => self.call(node, call),
            Cel::Map(_) | Cel::Struct(_) => {
                self.fault(Fault::new(self.parsed.range(node), "maps and messages are not available in checks"))
            }
            Cel::Comprehension(_) | Cel::Unspecified => {
                self.fault(Fault::new(self.parsed.range(node), "not a CEL expression"))
            }
        };
        self.depth -= 1;
        lowered
    }

    /// A part that must be usable as a condition.
    pub(super) fn condition(&mut self, node: &IdedExpr, place: &str) -> Option<Ir> {
        let (ir, ty) = self.node(node)?;
        if ty.is_condition() {
            return Some(ir);
        }
        let fault = Fault::new(self.parsed.range(node), format!("{place} must be a bool, not {}", ty.word()))
            .label(format!("this is {}", ty.word()));
        let fault = if ty.nullable() && ty != Ty::Null { fault.help("ask `!= null`") } else { fault };
        self.fault(fault);
        None
    }

    fn words(&mut self, node: &IdedExpr) -> Option<Ir> {
        let (ir, ty) = self.node(node)?;
        let item = match ty.solid() {
            Some(Type::List(item)) => Some(item.as_ref()),
            other => other,
        };
        match item {
            Some(Type::Record(_) | Type::List(_)) => {
                let message = format!("a message cannot show a {}; name one of its fields", ty.word());
                self.fault(Fault::new(self.parsed.range(node), message));
                None
            }
            _ => Some(ir),
        }
    }

    fn literal(&mut self, node: &IdedExpr, literal: &LiteralValue) -> Lowered {
        Some(match literal {
            LiteralValue::Boolean(b) => (Ir::Const(Value::Bool(*b.inner())), Ty::Of(Type::Bool)),
            LiteralValue::Int(n) => (Ir::Const(Value::Int(*n.inner())), Ty::Of(Type::Int)),
            LiteralValue::String(s) => (Ir::Const(Value::Text(s.inner().to_owned())), Ty::Of(Type::Text)),
            LiteralValue::Null => (Ir::Const(Value::Null), Ty::Null),
            LiteralValue::Bytes(_) | LiteralValue::Double(_) | LiteralValue::UInt(_) => {
                let message = "checks know no other numbers than integers, and no bytes";
                return self.fault(Fault::new(self.parsed.range(node), message));
            }
        })
    }

    fn name(&mut self, node: &IdedExpr, name: &str) -> Lowered {
        if let Some(at) = self.vars.iter().rposition(|(var, _)| var == name) {
            return Some((Ir::Var(at), self.vars[at].1.clone()));
        }
        let root = match name {
            "resource" => Root::Resource,
            "account" => Root::Account,
            "requirements" => Root::Requirements,
            _ => {
                let fault = Fault::new(self.parsed.range(node), format!("unknown name `{name}`"));
                let help = self.name_help(name);
                return self.fault(fault.help(help));
            }
        };
        self.paths.insert((root, Vec::new()));
        Some((Ir::Root(root), Ty::Of(self.scope.root(root))))
    }

    fn name_help(&self, name: &str) -> String {
        for (root, prefix) in
            [(Root::Resource, "resource"), (Root::Account, "account"), (Root::Requirements, "requirements")]
        {
            if matches!(self.scope.root(root), Type::Record(fields) if fields.iter().any(|f| f.name == name)) {
                return format!("did you mean `{prefix}.{name}`?");
            }
        }
        let roots = ["resource", "account", "requirements"];
        let vars = self.vars.iter().map(|(var, _)| var.as_str());
        suggest(name, roots.into_iter().chain(vars))
            .unwrap_or_else(|| "expressions start from `resource`, `account` or `requirements`".to_owned())
    }

    fn select(&mut self, node: &IdedExpr, select: &SelectExpr) -> Lowered {
        let (operand, ty) = self.node(&select.operand)?;
        let Some(Type::Record(fields)) = ty.solid() else {
            let message = format!("{} has no fields", ty.word());
            return self.fault(Fault::new(self.parsed.field(node), message));
        };
        let Some(field) = fields.iter().find(|field| field.name == select.field) else {
            let message = match path_of(&operand) {
                Some((root, path)) => format!("`{}` has no field `{}`", spell(root, &path), select.field),
                None => format!("no field `{}` here", select.field),
            };
            let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
            let help = suggest(&select.field, names.iter().copied())
                .unwrap_or_else(|| format!("fields: {}", names.join(", ")));
            let fault = Fault::new(self.parsed.field(node), message).label("unknown field").help(help);
            return self.fault(fault);
        };
        let ty = Ty::Of(field.ty.clone()).or_null(ty.nullable());
        let inner = path_of(&operand);
        let ir = Ir::Field(Box::new(operand), field.name);
        if let (Some(inner), Some(path)) = (inner, path_of(&ir)) {
            self.paths.remove(&inner);
            self.paths.insert(path);
        }
        Some((ir, ty))
    }

    fn list(&mut self, node: &IdedExpr, elements: &[IdedExpr]) -> Lowered {
        let mut items = Vec::new();
        let mut ty: Option<Ty> = None;
        let lowered: Vec<Lowered> = elements.iter().map(|element| self.node(element)).collect();
        for (element, lowered) in elements.iter().zip(lowered) {
            let (ir, item) = lowered?;
            let joined = ty.as_ref().map_or(Some(item.clone()), |ty| ty.join(&item));
            let Some(joined) = joined else {
                let message = format!("a list holds items of one type, not also {}", item.word());
                return self.fault(Fault::new(self.parsed.range(element), message));
            };
            ty = Some(joined);
            items.push(ir);
        }
        let ty = match ty {
            None => Ty::EmptyList,
            Some(Ty::Of(item)) => Ty::Of(Type::List(Box::new(item))),
            Some(Ty::Null | Ty::EmptyList) => {
                let message = "a list of nothing but null or empty lists has no type";
                return self.fault(Fault::new(self.parsed.range(node), message));
            }
        };
        Some((Ir::List(items), ty))
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Lowered {
        if call.target.is_some() {
            return self.method(node, call);
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, [a]) => {
                let a = self.condition(a, "what `!` negates")?;
                Some((Ir::Not(Box::new(a)), Ty::Of(Type::Bool)))
            }
            (operators::LOGICAL_AND, [a, b]) => self.both(a, b, "a side of `&&`", Ir::And),
            (operators::LOGICAL_OR, [a, b]) => self.both(a, b, "a side of `||`", Ir::Or),
            (operators::CONDITIONAL, [condition, a, b]) => self.choose(node, condition, a, b),
            (operators::EQUALS, [a, b]) => self.equal(a, b, true),
            (operators::NOT_EQUALS, [a, b]) => self.equal(a, b, false),
            (operators::LESS, [a, b]) => self.order(a, b, Order::Less),
            (operators::LESS_EQUALS, [a, b]) => self.order(a, b, Order::LessOrEqual),
            (operators::GREATER, [a, b]) => self.order(a, b, Order::Greater),
            (operators::GREATER_EQUALS, [a, b]) => self.order(a, b, Order::GreaterOrEqual),
            (operators::IN, [a, b]) => self.within(a, b),
            (operators::ADD, [a, b]) => self.arithmetic(a, b, Ir::Add),
            (operators::SUBSTRACT, [a, b]) => self.arithmetic(a, b, Ir::Subtract),
            (operators::NEGATE, [a]) => {
                let (a, ty) = self.of_type(a, &Type::Int, "what `-` negates")?;
                Some((Ir::Negate(Box::new(a)), ty))
            }
            (operators::INDEX, [a, b]) => self.index(a, b),
            (operators::MULTIPLY | operators::DIVIDE | operators::MODULO, _) => {
                let operator = call.func_name.trim_matches('_');
                let message = format!("operator `{operator}` is not available in checks");
                self.fault(Fault::new(self.parsed.function(node), message))
            }
            _ => self.function(node, call),
        }
    }

    fn both(&mut self, a: &IdedExpr, b: &IdedExpr, place: &str, build: fn(Box<Ir>, Box<Ir>) -> Ir) -> Lowered {
        let (a, b) = (self.condition(a, place), self.condition(b, place));
        Some((build(Box::new(a?), Box::new(b?)), Ty::Of(Type::Bool)))
    }

    fn choose(&mut self, node: &IdedExpr, condition: &IdedExpr, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let condition = self.condition(condition, "what `?` asks");
        let (a, b) = (self.node(a), self.node(b));
        let (condition, (a, a_ty), (b, b_ty)) = (condition?, a?, b?);
        let Some(ty) = a_ty.join(&b_ty) else {
            let message = format!("the two answers of `?:` differ in type: {} and {}", a_ty.word(), b_ty.word());
            return self.fault(Fault::new(self.parsed.range(node), message));
        };
        Some((Ir::Choose(Box::new(condition), Box::new(a), Box::new(b)), ty))
    }

    fn equal(&mut self, a: &IdedExpr, b: &IdedExpr, equal: bool) -> Lowered {
        let (left, right) = (self.node(a), self.node(b));
        let ((left, left_ty), (right, right_ty)) = (left?, right?);
        if left_ty.join(&right_ty).is_none() {
            return self.cannot_compare(a, b, &left_ty, &right_ty);
        }
        for (node, ty, other) in [(a, &left_ty, &right_ty), (b, &right_ty, &left_ty)] {
            if *other == Ty::Null && !ty.nullable() {
                let says = if equal { "false" } else { "true" };
                let fault = Fault::new(self.parsed.range(node), format!("this is never null: always {says}"));
                self.faults.push(fault.warning());
            }
        }
        Some((Ir::Equal(Box::new(left), Box::new(right), equal), Ty::Of(Type::Bool)))
    }

    fn order(&mut self, a: &IdedExpr, b: &IdedExpr, order: Order) -> Lowered {
        let (left, right) = (self.node(a), self.node(b));
        let ((left, left_ty), (right, right_ty)) = (left?, right?);
        for (node, ty) in [(a, &left_ty), (b, &right_ty)] {
            if !matches!(ty.solid(), Some(Type::Int | Type::Text | Type::Time)) {
                let message = format!("{} has no order", ty.word());
                return self.fault(Fault::new(self.parsed.range(node), message));
            }
        }
        if left_ty.solid() != right_ty.solid() {
            return self.cannot_compare(a, b, &left_ty, &right_ty);
        }
        Some((Ir::Order(order, Box::new(left), Box::new(right)), Ty::Of(Type::Bool)))
    }

    fn cannot_compare(&mut self, a: &IdedExpr, b: &IdedExpr, left: &Ty, right: &Ty) -> Lowered {
        let (from, to) = (self.parsed.range(a), self.parsed.range(b));
        let fault = Fault::new(from.start..to.end, format!("cannot compare {} with {}", left.word(), right.word()))
            .label("different types");
        let time = [left, right].iter().any(|ty| ty.solid() == Some(&Type::Time));
        let fault = if time { fault.help("count from it with `age_hours(t)` or `age_days(t)`") } else { fault };
        self.fault(fault)
    }

    fn within(&mut self, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let (item, list) = (self.node(a), self.node(b));
        let ((item, item_ty), (list, list_ty)) = (item?, list?);
        let holds = match list_ty.solid() {
            Some(Type::List(of)) => item_ty.join(&Ty::Of(of.as_ref().clone())).is_some(),
            _ if list_ty == Ty::EmptyList => true,
            _ => {
                let message = format!("`in` looks into a list, not {}", list_ty.word());
                return self.fault(Fault::new(self.parsed.range(b), message));
            }
        };
        if !holds {
            let message = format!("a {} never holds {}", list_ty.word(), item_ty.word());
            return self.fault(Fault::new(self.parsed.range(a), message).label(format!("this is {}", item_ty.word())));
        }
        Some((Ir::In(Box::new(item), Box::new(list)), Ty::Of(Type::Bool)))
    }

    fn arithmetic(&mut self, a: &IdedExpr, b: &IdedExpr, build: fn(Box<Ir>, Box<Ir>) -> Ir) -> Lowered {
        let place = "what is added or subtracted";
        let (a, b) = (self.of_type(a, &Type::Int, place), self.of_type(b, &Type::Int, place));
        let ((a, a_ty), (b, b_ty)) = (a?, b?);
        Some((build(Box::new(a), Box::new(b)), Ty::Of(Type::Int).or_null(a_ty.nullable() || b_ty.nullable())))
    }

    fn index(&mut self, a: &IdedExpr, b: &IdedExpr) -> Lowered {
        let (list, at) = (self.node(a), self.of_type(b, &Type::Int, "an index"));
        let ((list, list_ty), (at, _)) = (list?, at?);
        let Some(Type::List(item)) = list_ty.solid() else {
            let message = format!("only lists have items by number, not {}", list_ty.word());
            return self.fault(Fault::new(self.parsed.range(a), message));
        };
        Some((Ir::Index(Box::new(list), Box::new(at)), Ty::Of(item.as_ref().clone()).or_null(true)))
    }

    /// A part of one type, or of that type or null.
    pub(super) fn of_type(&mut self, node: &IdedExpr, wanted: &Type, place: &str) -> Lowered {
        let (ir, ty) = self.node(node)?;
        if ty.solid() == Some(wanted) {
            return Some((ir, ty));
        }
        let message = format!("{place} must be {}, not {}", wanted.word(), ty.word());
        self.fault(Fault::new(self.parsed.range(node), message).label(format!("this is {}", ty.word())))
    }

    pub(super) fn warn(&mut self, fault: Fault) {
        self.faults.push(fault.warning());
    }
}

/// The field path from a root, if that is all there is.
pub(super) fn path_of(ir: &Ir) -> Option<(Root, Vec<&'static str>)> {
    match ir {
        Ir::Root(root) => Some((*root, Vec::new())),
        Ir::Field(operand, field) => {
            let (root, mut path) = path_of(operand)?;
            path.push(field);
            Some((root, path))
        }
        _ => None,
    }
}

fn spell(root: Root, path: &[&str]) -> String {
    let root = match root {
        Root::Resource => "resource",
        Root::Account => "account",
        Root::Requirements => "requirements",
    };
    std::iter::once(root).chain(path.iter().copied()).collect::<Vec<_>>().join(".")
}
