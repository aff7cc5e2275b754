//! The typed form of an expression: what is left of CEL once every name and type is resolved.
//!
//! Building it is `lower`'s business, walking it `eval`'s.

use regex::Regex;

use crate::model::value::{Type, Value};

/// A node whose fields exist and whose operand types fit; evaluating it cannot go wrong, only stay unknown.
#[derive(Clone, Debug)]
pub(crate) enum Ir {
    Const(Value),
    Root(Root),
    /// A comprehension's variable, counted from the outermost one.
    Var(usize),
    Field(Box<Ir>, &'static str),
    Index(Box<Ir>, Box<Ir>),
    List(Vec<Ir>),
    Not(Box<Ir>),
    And(Box<Ir>, Box<Ir>),
    Or(Box<Ir>, Box<Ir>),
    /// Condition, then, else.
    Choose(Box<Ir>, Box<Ir>, Box<Ir>),
    /// Equal, or with `false` not equal.
    Equal(Box<Ir>, Box<Ir>, bool),
    Order(Order, Box<Ir>, Box<Ir>),
    In(Box<Ir>, Box<Ir>),
    Add(Box<Ir>, Box<Ir>),
    Subtract(Box<Ir>, Box<Ir>),
    Negate(Box<Ir>),
    /// A list and what is said of each of its items.
    Each(Each, Box<Ir>, Box<Ir>),
    Size(Box<Ir>),
    Has(Box<Ir>),
    Text(TextTest, Box<Ir>, Box<Ir>),
    Matches(Box<Ir>, Regex),
    /// Whole units between an instant and the moment it was read; the number is seconds a unit.
    Age(i64, Box<Ir>),
}

/// The names every expression can start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Root {
    Resource,
    Account,
    Requirements,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Each {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

/// The type of a part of an expression: a published type, or that of a literal that fits several.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ty {
    Null,
    EmptyList,
    Of(Type),
}

impl Ty {
    pub(crate) fn word(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::EmptyList => "empty list".to_owned(),
            Self::Of(ty) => ty.word(),
        }
    }

    /// The type without its null; none for the literal `null`.
    pub(crate) fn solid(&self) -> Option<&Type> {
        match self {
            Self::Of(Type::Nullable(inner)) => Some(inner),
            Self::Of(ty) => Some(ty),
            Self::Null | Self::EmptyList => None,
        }
    }

    pub(crate) fn nullable(&self) -> bool {
        matches!(self, Self::Null | Self::Of(Type::Nullable(_)))
    }

    /// Adds null to the type, at most once.
    pub(crate) fn or_null(self, null: bool) -> Self {
        match self {
            Self::Of(ty) if null && !matches!(ty, Type::Nullable(_)) => Self::Of(Type::Nullable(Box::new(ty))),
            other => other,
        }
    }

    /// Null counts as false where a condition is asked, so a nullable bool is one.
    pub(crate) fn is_condition(&self) -> bool {
        self.solid() == Some(&Type::Bool)
    }

    /// The type that holds both, if they can be compared at all.
    pub(crate) fn join(&self, other: &Ty) -> Option<Ty> {
        match (self, other) {
            (Self::Null, x) | (x, Self::Null) => Some(x.clone().or_null(true)),
            (Self::EmptyList, Self::EmptyList) => Some(Self::EmptyList),
            (Self::EmptyList, x) | (x, Self::EmptyList) => matches!(x.solid(), Some(Type::List(_))).then(|| x.clone()),
            (Self::Of(a), Self::Of(b)) => join(a, b).map(Self::Of),
        }
    }
}

fn join(a: &Type, b: &Type) -> Option<Type> {
    match (a, b) {
        (Type::Nullable(a), Type::Nullable(b)) => join(a, b).map(nullable),
        (Type::Nullable(a), b) | (b, Type::Nullable(a)) => join(a, b).map(nullable),
        (Type::List(a), Type::List(b)) => join(a, b).map(|item| Type::List(Box::new(item))),
        (a, b) => (a == b).then(|| a.clone()),
    }
}

fn nullable(ty: Type) -> Type {
    match ty {
        Type::Nullable(_) => ty,
        solid => Type::Nullable(Box::new(solid)),
    }
}
