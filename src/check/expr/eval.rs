//! Evaluation in three values, borrowing from the facts.
//!
//! An unknown travels as the `Err` side of an answer, so that `?` is the rule "unknown absorbs"; the exceptions are the
//! few places that look at an `Err` and go on. Soundness: if an answer is `Ok`, every way of filling in the unknowns
//! gives that answer.

use super::Expr;
use super::ir::{Each, Ir, Order, Root, TextTest};
use crate::finding::Truth;
use crate::model::observed::Unknown;
use crate::model::value::Value;

/// What the roots stand for.
#[derive(Clone, Copy, Debug)]
pub struct Env<'v> {
    pub resource: &'v Value,
    pub account: &'v Value,
    pub requirements: &'v Value,
}

/// What kept an answer from being known, each cause once.
pub(crate) type Blame<'v> = Vec<&'v Unknown>;
type Answer<'v> = Result<Known<'v>, Blame<'v>>;

/// A known value; parts of it may still be unknown.
#[derive(Clone, Debug)]
pub enum Known<'v> {
    Null,
    Bool(bool),
    Int(i64),
    /// Text, time, list or record.
    Part(&'v Value),
    /// A list the expression made.
    List(Vec<Result<Known<'v>, Blame<'v>>>),
}

impl Expr {
    /// The truth of a condition, and when it is unknown, why.
    pub fn truth<'v>(&'v self, env: &Env<'v>) -> (Truth, Blame<'v>) {
        match condition(&self.ir, env, &mut Vec::new()) {
            Ok(true) => (Truth::True, Vec::new()),
            Ok(false) => (Truth::False, Vec::new()),
            Err(blame) => (Truth::Unknown, blame),
        }
    }

    /// The value of an expression wanted in words.
    pub(crate) fn value<'v>(&'v self, env: &Env<'v>) -> Result<Known<'v>, Blame<'v>> {
        eval(&self.ir, env, &mut Vec::new())
    }
}

impl<'v> Env<'v> {
    pub(crate) fn root(&self, root: Root) -> &'v Value {
        match root {
            Root::Resource => self.resource,
            Root::Account => self.account,
            Root::Requirements => self.requirements,
        }
    }
}

pub(crate) fn view(value: &Value) -> Answer<'_> {
    match value {
        Value::Unknown(unknown) => Err(vec![unknown]),
        Value::Null => Ok(Known::Null),
        Value::Bool(b) => Ok(Known::Bool(*b)),
        Value::Int(n) => Ok(Known::Int(*n)),
        Value::Text(_) | Value::Time(_) | Value::List(_) | Value::Record(_) => Ok(Known::Part(value)),
    }
}

type Vars<'v> = Vec<Answer<'v>>;

fn eval<'v>(ir: &'v Ir, env: &Env<'v>, vars: &mut Vars<'v>) -> Answer<'v> {
    match ir {
        Ir::Const(value) => view(value),
        Ir::Root(root) => view(env.root(*root)),
        Ir::Var(at) => vars[*at].clone(),
        Ir::Field(operand, name) => match eval(operand, env, vars)? {
            Known::Part(Value::Record(fields)) => match fields.get(*name) {
                Some(value) => view(value),
                None => panic!("internal error: a record lacks the field `{name}` of its type"),
            },
            _ => Ok(Known::Null),
        },
        Ir::Index(list, at) => index(eval(list, env, vars), eval(at, env, vars)),
        Ir::List(items) => Ok(Known::List(items.iter().map(|item| eval(item, env, vars)).collect())),
        Ir::Choose(asked, yes, no) => match condition(asked, env, vars)? {
            true => eval(yes, env, vars),
            false => eval(no, env, vars),
        },
        Ir::Add(a, b) => arithmetic(eval(a, env, vars), eval(b, env, vars), i64::saturating_add),
        Ir::Subtract(a, b) => arithmetic(eval(a, env, vars), eval(b, env, vars), i64::saturating_sub),
        Ir::Negate(a) => Ok(match eval(a, env, vars)? {
            Known::Int(n) => Known::Int(n.saturating_neg()),
            _ => Known::Null,
        }),
        Ir::Size(of) => Ok(Known::Int(match eval(of, env, vars)? {
            Known::Part(Value::Text(text)) => text.chars().count() as i64,
            list => length(&list) as i64,
        })),
        Ir::Age(unit, time) => Ok(match eval(time, env, vars)? {
            Known::Part(Value::Time(moment)) => Known::Int(moment.read.since(moment.at).div_euclid(*unit)),
            _ => Known::Null,
        }),
        Ir::Each(Each::Filter, list, body) => {
            let list = eval(list, env, vars)?;
            let mut kept = Vec::new();
            let blame = walk(&list, body, env, vars, |item, holds| {
                if holds {
                    kept.push(item);
                }
                false
            });
            // Whether an item belongs is part of the list: one undecided item makes all of it unknown.
            known_unless(blame, Known::List(kept))
        }
        Ir::Each(Each::Map, list, body) => {
            let list = eval(list, env, vars)?;
            let mut items = Vec::with_capacity(length(&list));
            for at in 0..length(&list) {
                vars.push(item(&list, at));
                items.push(eval(body, env, vars));
                vars.pop();
            }
            Ok(Known::List(items))
        }
        Ir::Not(_)
        | Ir::And(..)
        | Ir::Or(..)
        | Ir::Equal(..)
        | Ir::Order(..)
        | Ir::In(..)
        | Ir::Has(_)
        | Ir::Text(..)
        | Ir::Matches(..)
        | Ir::Each(Each::All | Each::Exists | Each::ExistsOne, ..) => condition(ir, env, vars).map(Known::Bool),
    }
}

/// The two-valued side of evaluation; null is false here.
fn condition<'v>(ir: &'v Ir, env: &Env<'v>, vars: &mut Vars<'v>) -> Result<bool, Blame<'v>> {
    match ir {
        Ir::Not(a) => condition(a, env, vars).map(|a| !a),
        Ir::And(a, b) => connect(false, a, b, env, vars),
        Ir::Or(a, b) => connect(true, a, b, env, vars),
        Ir::Equal(a, b, wanted) => {
            let (a, b) = (eval(a, env, vars)?, eval(b, env, vars)?);
            equal(&a, &b).map(|equal| equal == *wanted)
        }
        Ir::Order(order, a, b) => ordered(*order, eval(a, env, vars), eval(b, env, vars)),
        Ir::In(a, list) => {
            let (a, list) = (eval(a, env, vars), eval(list, env, vars)?);
            let mut blame = Vec::new();
            for at in 0..length(&list) {
                match both(&a, &item(&list, at)).and_then(|(a, item)| equal(a, item)) {
                    Ok(true) => return Ok(true),
                    Ok(false) => {}
                    Err(more) => add(&mut blame, more),
                }
            }
            known_unless(blame, false)
        }
        Ir::Has(field) => Ok(!matches!(eval(field, env, vars)?, Known::Null)),
        Ir::Text(test, a, b) => {
            let (a, b) = (eval(a, env, vars), eval(b, env, vars));
            Ok(match strict(a, b)? {
                (Known::Part(Value::Text(a)), Known::Part(Value::Text(b))) => match test {
                    TextTest::StartsWith => a.starts_with(b.as_str()),
                    TextTest::EndsWith => a.ends_with(b.as_str()),
                    TextTest::Contains => a.contains(b.as_str()),
                },
                _ => false,
            })
        }
        Ir::Matches(a, regex) => Ok(match eval(a, env, vars)? {
            Known::Part(Value::Text(a)) => regex.is_match(a),
            _ => false,
        }),
        Ir::Each(each @ (Each::All | Each::Exists | Each::ExistsOne), list, body) => {
            let list = eval(list, env, vars)?;
            let (mut decided, mut found) = (None, 0);
            let blame = walk(&list, body, env, vars, |_, holds| {
                found += usize::from(holds);
                decided = match each {
                    Each::All => (!holds).then_some(false),
                    Each::Exists => holds.then_some(true),
                    _ => (found > 1).then_some(false),
                };
                decided.is_some()
            });
            match decided {
                Some(answer) => Ok(answer),
                None => known_unless(blame, *each == Each::All || *each == Each::ExistsOne && found == 1),
            }
        }
        Ir::Const(_)
        | Ir::Root(_)
        | Ir::Var(_)
        | Ir::Field(..)
        | Ir::Index(..)
        | Ir::List(_)
        | Ir::Choose(..)
        | Ir::Add(..)
        | Ir::Subtract(..)
        | Ir::Negate(_)
        | Ir::Size(_)
        | Ir::Age(..)
        | Ir::Each(Each::Filter | Each::Map, ..) => Ok(matches!(eval(ir, env, vars)?, Known::Bool(true))),
    }
}

/// `&&` is decided by a false, `||` by a true, on either side.
fn connect<'v>(decider: bool, a: &'v Ir, b: &'v Ir, env: &Env<'v>, vars: &mut Vars<'v>) -> Result<bool, Blame<'v>> {
    match condition(a, env, vars) {
        Ok(a) if a == decider => Ok(decider),
        Ok(_) => condition(b, env, vars),
        Err(mut blame) => match condition(b, env, vars) {
            Ok(b) if b == decider => Ok(decider),
            Ok(_) => Err(blame),
            Err(more) => {
                add(&mut blame, more);
                Err(blame)
            }
        },
    }
}

/// Asks the body of every item until `step` says enough; returns what kept undecided items undecided.
fn walk<'v>(
    list: &Known<'v>,
    body: &'v Ir,
    env: &Env<'v>,
    vars: &mut Vars<'v>,
    mut step: impl FnMut(Answer<'v>, bool) -> bool,
) -> Blame<'v> {
    let mut blame = Vec::new();
    for at in 0..length(list) {
        vars.push(item(list, at));
        let holds = condition(body, env, vars);
        let item = vars.pop();
        match (item, holds) {
            (Some(item), Ok(holds)) => {
                if step(item, holds) {
                    break;
                }
            }
            (_, Err(more)) => add(&mut blame, more),
            (None, Ok(_)) => unreachable!("the variable was pushed above"),
        }
    }
    blame
}

/// Items of a list; null has none.
pub(crate) fn length(list: &Known<'_>) -> usize {
    match list {
        Known::Part(Value::List(items)) => items.len(),
        Known::List(items) => items.len(),
        _ => 0,
    }
}

pub(crate) fn item<'v>(list: &Known<'v>, at: usize) -> Answer<'v> {
    match list {
        Known::Part(Value::List(items)) => items.get(at).map_or(Ok(Known::Null), view),
        Known::List(items) => items.get(at).cloned().unwrap_or(Ok(Known::Null)),
        _ => Ok(Known::Null),
    }
}

fn index<'v>(list: Answer<'v>, at: Answer<'v>) -> Answer<'v> {
    match strict(list, at)? {
        (list, Known::Int(at)) => usize::try_from(at).map_or(Ok(Known::Null), |at| item(&list, at)),
        _ => Ok(Known::Null),
    }
}

fn arithmetic<'v>(a: Answer<'v>, b: Answer<'v>, apply: fn(i64, i64) -> i64) -> Answer<'v> {
    Ok(match strict(a, b)? {
        (Known::Int(a), Known::Int(b)) => Known::Int(apply(a, b)),
        _ => Known::Null,
    })
}

fn ordered<'v>(order: Order, a: Answer<'v>, b: Answer<'v>) -> Result<bool, Blame<'v>> {
    let found = match strict(a, b)? {
        (Known::Int(a), Known::Int(b)) => a.cmp(&b),
        (Known::Part(Value::Text(a)), Known::Part(Value::Text(b))) => a.cmp(b),
        (Known::Part(Value::Time(a)), Known::Part(Value::Time(b))) => a.at.cmp(&b.at),
        _ => return Ok(false),
    };
    Ok(match order {
        Order::Less => found.is_lt(),
        Order::LessOrEqual => found.is_le(),
        Order::Greater => found.is_gt(),
        Order::GreaterOrEqual => found.is_ge(),
    })
}

/// Deep equality: one certain difference decides, otherwise one unknown part leaves it open.
fn equal<'v>(a: &Known<'v>, b: &Known<'v>) -> Result<bool, Blame<'v>> {
    match (a, b) {
        (Known::Null, Known::Null) => Ok(true),
        (Known::Bool(a), Known::Bool(b)) => Ok(a == b),
        (Known::Int(a), Known::Int(b)) => Ok(a == b),
        (Known::Part(Value::Text(a)), Known::Part(Value::Text(b))) => Ok(a == b),
        (Known::Part(Value::Time(a)), Known::Part(Value::Time(b))) => Ok(a.at == b.at),
        (Known::Part(Value::Record(a)), Known::Part(Value::Record(b))) => {
            all_equal(a.iter().map(|(name, a)| (view(a), b.get(name).map_or(Ok(Known::Null), view))))
        }
        (Known::Part(Value::List(_)) | Known::List(_), Known::Part(Value::List(_)) | Known::List(_)) => {
            if length(a) != length(b) {
                return Ok(false);
            }
            all_equal((0..length(a)).map(|at| (item(a, at), item(b, at))))
        }
        _ => Ok(false),
    }
}

fn all_equal<'v>(pairs: impl Iterator<Item = (Answer<'v>, Answer<'v>)>) -> Result<bool, Blame<'v>> {
    let mut blame = Vec::new();
    for (a, b) in pairs {
        match both(&a, &b).and_then(|(a, b)| equal(a, b)) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(more) => add(&mut blame, more),
        }
    }
    known_unless(blame, true)
}

/// Both sides, or everything that kept either unknown.
fn both<'a, 'v>(a: &'a Answer<'v>, b: &'a Answer<'v>) -> Result<(&'a Known<'v>, &'a Known<'v>), Blame<'v>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(blame), Ok(_)) | (Ok(_), Err(blame)) => Err(blame.clone()),
        (Err(a), Err(b)) => {
            let mut blame = a.clone();
            add(&mut blame, b.clone());
            Err(blame)
        }
    }
}

fn strict<'v>(a: Answer<'v>, b: Answer<'v>) -> Result<(Known<'v>, Known<'v>), Blame<'v>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(blame), Ok(_)) | (Ok(_), Err(blame)) => Err(blame),
        (Err(mut blame), Err(more)) => {
            add(&mut blame, more);
            Err(blame)
        }
    }
}

fn known_unless<'v, T>(blame: Blame<'v>, answer: T) -> Result<T, Blame<'v>> {
    if blame.is_empty() { Ok(answer) } else { Err(blame) }
}

fn add<'v>(blame: &mut Blame<'v>, more: Blame<'v>) {
    for unknown in more {
        if !blame.contains(&unknown) {
            blame.push(unknown);
        }
    }
}
