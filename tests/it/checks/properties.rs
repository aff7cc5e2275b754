//! Random expressions: like the `cel` interpreter on complete facts, sound where facts are unknown.

use std::collections::{BTreeMap, HashMap};

use locard::check::expr::{self, Env, Scope, Wanted};
use locard::finding::Truth;
use locard::model::observed::{Observed, Told, Unknown, Why};
use locard::model::time::{Moment, Timestamp};
use locard::model::value::{Judged, Type, Value};
use locard::record;
use proptest::prelude::*;

record! {
    /// An item.
    pub struct Item {
        /// A number.
        x: Told<i64>,
        /// A flag.
        ok: Told<bool>,
        /// A word.
        tag: Told<String>,
    }
}
record! {
    /// A resource with every type.
    pub struct Facts {
        /// Flags.
        a: Told<bool>,
        /// Flags.
        b: Told<bool>,
        /// Numbers.
        n: Told<i64>,
        /// Numbers.
        m: Told<i64>,
        /// Words.
        s: Told<String>,
        /// Words.
        t: Told<String>,
        /// A number or null.
        o: Observed<i64>,
        /// A flag or null.
        p: Observed<bool>,
        /// A list of numbers.
        ints: Told<Vec<i64>>,
        /// A list or null.
        maybe: Observed<Vec<i64>>,
        /// A list of records.
        items: Told<Vec<Item>>,
        /// A record.
        rec: Told<Item>,
        /// A record or null.
        opt: Observed<Item>,
        /// A time or null.
        time: Observed<Moment>,
    }
}

/// What the grammar may use: names in scope, and what only locard's semantics define.
#[derive(Clone, Copy)]
struct Grammar {
    in_item: bool,
    nulls: bool,
}

fn pick(options: &[&str]) -> BoxedStrategy<String> {
    let options: Vec<String> = options.iter().map(|s| (*s).to_owned()).collect();
    prop::sample::select(options).boxed()
}

fn int(g: Grammar, depth: u32) -> BoxedStrategy<String> {
    let mut atoms = vec![
        "resource.n",
        "resource.m",
        "resource.rec.x",
        "0",
        "1",
        "-2",
        "size(resource.ints)",
        "resource.items.size()",
    ];
    atoms.extend(g.in_item.then_some("v.x"));
    if g.nulls {
        atoms.extend([
            "resource.o",
            "resource.opt.x",
            "age_days(resource.time)",
            "resource.ints[0]",
            "size(resource.maybe)",
        ]);
    }
    let atom = pick(&atoms);
    if depth == 0 {
        return atom;
    }
    let deeper = (int(g, depth - 1), int(g, depth - 1));
    prop_oneof![
        4 => atom,
        1 => deeper.clone().prop_map(|(a, b)| format!("({a} + {b})")),
        1 => deeper.prop_map(|(a, b)| format!("({a} - {b})")),
        1 => (condition(g, depth - 1), int(g, depth - 1), int(g, depth - 1)).prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
    ]
    .boxed()
}

fn text(g: Grammar) -> BoxedStrategy<String> {
    let mut atoms = vec!["resource.s", "resource.t", "resource.rec.tag", "'a'", "''", "\"ab\""];
    atoms.extend(g.in_item.then_some("v.tag"));
    atoms.extend(g.nulls.then_some("resource.opt.tag"));
    pick(&atoms)
}

fn condition(g: Grammar, depth: u32) -> BoxedStrategy<String> {
    let mut atoms = vec!["resource.a", "resource.b", "resource.rec.ok", "true", "false"];
    atoms.extend(g.in_item.then_some("v.ok"));
    if g.nulls {
        atoms.extend([
            "resource.p",
            "resource.opt.ok",
            "resource.opt != null",
            "has(resource.o)",
            "resource.time == null",
        ]);
        atoms.extend([
            "resource.rec == resource.opt",
            "resource.maybe == resource.ints",
            "resource.rec in resource.items",
        ]);
    } else {
        atoms.extend(["resource.ints == [1, 2]", "resource.rec == resource.rec", "resource.rec in resource.items"]);
    }
    let atom = pick(&atoms);
    if depth == 0 {
        return atom;
    }
    let (order, equality) = (pick(&["<", "<=", ">", ">=", "==", "!="]), pick(&["==", "!=", "<", ">="]));
    let item = Grammar { in_item: true, ..g };
    let lists = if g.nulls {
        pick(&["resource.ints", "resource.maybe", "resource.items.map(w, w.x)"])
    } else {
        pick(&["resource.ints", "[1, resource.n]"])
    };
    let walked = pick(&["resource.items", "resource.items.filter(u, u.ok)"]);
    let two = (condition(g, depth - 1), condition(g, depth - 1)).boxed();
    prop_oneof![
        1 => atom,
        2 => two.clone().prop_map(|(a, b)| format!("({a} && {b})")),
        2 => two.prop_map(|(a, b)| format!("({a} || {b})")),
        1 => condition(g, depth - 1).prop_map(|a| format!("!({a})")),
        3 => (int(g, depth - 1), order, int(g, depth - 1)).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
        1 => (text(g), equality, text(g)).prop_map(|(a, o, b)| format!("({a} {o} {b})")),
        1 => (text(g), pick(&["startsWith", "endsWith", "contains"]), text(g)).prop_map(|(a, f, b)| format!("{a}.{f}({b})")),
        1 => text(g).prop_map(|a| format!("{a}.matches('^a')")),
        1 => (int(g, depth - 1), lists).prop_map(|(a, l)| format!("({a} in {l})")),
        3 => (walked, pick(&["all", "exists", "exists_one"]), condition(item, depth - 1)).prop_map(|(l, f, c)| format!("{l}.{f}(v, {c})")),
        1 => (condition(g, depth - 1), condition(g, depth - 1), condition(g, depth - 1)).prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
    ]
    .boxed()
}

fn facts(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Int => (-3i64..4).prop_map(Value::Int).boxed(),
        Type::Text => pick(&["", "a", "ab", "b"]).prop_map(Value::Text).boxed(),
        Type::Time => (-3i64..4)
            .prop_map(|days| {
                let read = Timestamp::from_unix(1_000_000_000);
                Value::Time(Moment { at: Timestamp::from_unix(1_000_000_000 - days * 86400), read })
            })
            .boxed(),
        Type::List(item) => prop::collection::vec(facts(item), 0..4).prop_map(Value::List).boxed(),
        Type::Nullable(inner) => prop_oneof![Just(Value::Null), facts(inner)].boxed(),
        Type::Record(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|f| facts(&f.ty).prop_map(|v| (f.name.to_owned(), v)).boxed()).collect();
            fields.prop_map(|fields| Value::Record(fields.into_iter().collect())).boxed()
        }
    }
}

/// Fields without the nullable ones, whose meaning plain CEL does not share.
fn plain() -> Type {
    let Type::Record(fields) = Facts::ty() else { panic!("a record") };
    Type::Record(fields.into_iter().filter(|field| !matches!(field.ty, Type::Nullable(_))).collect())
}

fn truth(text: &str, ty: Type, resource: &Value) -> (Truth, usize) {
    let (expr, faults) = expr::compile(text, &Scope { resource: ty }, Wanted::Condition);
    let expr = expr.unwrap_or_else(|| panic!("{text}: {faults:?}"));
    let nothing = Value::Record(BTreeMap::new());
    let (truth, blame) = expr.truth(&Env { resource, account: &nothing, requirements: &nothing });
    (truth, blame.len())
}

fn as_cel(value: &Value) -> cel::Value {
    match value {
        Value::Bool(b) => cel::Value::Bool(*b),
        Value::Int(n) => cel::Value::Int(*n),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(as_cel).collect::<Vec<_>>().into(),
        Value::Record(fields) => fields.iter().map(|(k, v)| (k.clone(), as_cel(v))).collect::<HashMap<_, _>>().into(),
        Value::Null | Value::Time(_) | Value::Unknown(_) => panic!("not in the shared schema"),
    }
}

/// Marks fields unknown where the next bits say so; each mark has a name of its own.
fn hide(value: &Value, bits: &mut impl Iterator<Item = u8>) -> Value {
    match value {
        Value::Record(fields) => {
            let hidden = fields.iter().map(|(name, value)| {
                let bit = bits.next().unwrap_or(255);
                let value = match bit < 70 {
                    true => Value::Unknown(Unknown::new(&format!("{name}{bit}"), Why::Denied)),
                    false => hide(value, bits),
                };
                (name.clone(), value)
            });
            Value::Record(hidden.collect())
        }
        Value::List(items) => Value::List(items.iter().map(|item| hide(item, bits)).collect()),
        known => known.clone(),
    }
}

/// Fills every unknown from `this` or, where a bit says so, with any value of its type.
fn fill(hidden: &Value, ty: &Type, this: &Value, others: &mut dyn FnMut(&Type) -> Option<Value>) -> Value {
    match (hidden, ty, this) {
        (Value::Unknown(_), ty, this) => others(ty).unwrap_or_else(|| this.clone()),
        (hidden, Type::Nullable(inner), this) => fill(hidden, inner, this, others),
        (Value::Record(hidden), Type::Record(fields), Value::Record(this)) => Value::Record(
            fields.iter().map(|f| (f.name.to_owned(), fill(&hidden[f.name], &f.ty, &this[f.name], others))).collect(),
        ),
        (Value::List(hidden), Type::List(item), Value::List(this)) => {
            Value::List(hidden.iter().zip(this).map(|(h, t)| fill(h, item, t, others)).collect())
        }
        (known, ..) => known.clone(),
    }
}

fn any_value(ty: &Type, runner: &mut proptest::test_runner::TestRunner) -> Value {
    use proptest::strategy::ValueTree;
    facts(ty).new_tree(runner).unwrap_or_else(|reason| panic!("{reason}")).current()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn complete_facts_are_judged_like_cel(
        text in condition(Grammar { in_item: false, nulls: false }, 3),
        resource in facts(&plain()),
    ) {
        let program = cel::Program::compile(&text).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let mut context = cel::Context::default();
        context.add_variable_from_value("resource", as_cel(&resource));
        let wanted = program.execute(&context).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
        let got = match truth(&text, plain(), &resource) {
            (Truth::True, 0) => cel::Value::Bool(true),
            (Truth::False, 0) => cel::Value::Bool(false),
            other => panic!("{text}: {other:?}"),
        };
        prop_assert_eq!(got, wanted, "{}", text);
    }

    #[test]
    fn a_decided_answer_holds_for_every_completion(
        text in condition(Grammar { in_item: false, nulls: true }, 3),
        resource in facts(&Facts::ty()),
        bits in prop::collection::vec(any::<u8>(), 60),
    ) {
        let hidden = hide(&resource, &mut bits.iter().copied());
        let (decided, blame) = truth(&text, Facts::ty(), &hidden);
        prop_assert_eq!(decided == Truth::Unknown, blame > 0, "{}", text);
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        for round in 0..8 {
            let mut others = |ty: &Type| (round > 0).then(|| any_value(ty, &mut runner));
            let complete = fill(&hidden, &Facts::ty(), &resource, &mut others);
            let (answer, blame) = truth(&text, Facts::ty(), &complete);
            prop_assert!(answer != Truth::Unknown && blame == 0, "{}", text);
            prop_assert!(decided == Truth::Unknown || decided == answer, "{}: {:?} but {:?} on {:?}", text, decided, answer, complete);
        }
    }

    #[test]
    fn no_text_breaks_the_loader(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, "[ -~é→\n\t]{0,6}"), 1..6),
    ) {
        let mut text: Vec<char> = super::EXAMPLE.chars().collect();
        for (at, length, put) in cuts {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, put.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(errors) = locard::check::load(&[super::file("checks/x.yaml", &text)]) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }
}
