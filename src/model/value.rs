//! What check expressions look at: values whose parts may be unknown, and the types that describe them.
//!
//! `record!` declares a struct once and derives from it both the published type and the conversion to a [`Value`],
//! so a kind's schema can never drift from what `relate` builds.

use std::collections::BTreeMap;

use super::ids::{AccountId, Region, ResourceId};
use super::observed::{Observed, Told, Unknown};
use super::time::Moment;

/// A value as an expression sees it. `Null` means AWS says there is none; `Unknown` means we could not see.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    /// An instant and when it was read; ages are counted between the two.
    Time(Moment),
    List(Vec<Value>),
    Record(BTreeMap<String, Value>),
    Unknown(Unknown),
}

/// The type of a value, as published for authors of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    Int,
    Text,
    Time,
    List(Box<Type>),
    Record(Vec<Field>),
    /// May be null; a field of any type may be unknown.
    Nullable(Box<Type>),
}

/// One field of a record type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub doc: &'static str,
    pub ty: Type,
}

/// A Rust type that expressions can look at.
pub trait Judged {
    fn ty() -> Type;
    fn value(&self) -> Value;
}

impl Judged for bool {
    fn ty() -> Type {
        Type::Bool
    }
    fn value(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Judged for i64 {
    fn ty() -> Type {
        Type::Int
    }
    fn value(&self) -> Value {
        Value::Int(*self)
    }
}

impl Judged for Moment {
    fn ty() -> Type {
        Type::Time
    }
    fn value(&self) -> Value {
        Value::Time(*self)
    }
}

macro_rules! judged_text {
    ($($name:ty => $text:expr),*) => {$(
        impl Judged for $name {
            fn ty() -> Type {
                Type::Text
            }
            fn value(&self) -> Value {
                let text: fn(&$name) -> String = $text;
                Value::Text(text(self))
            }
        }
    )*};
}
judged_text! {
    String => Clone::clone,
    AccountId => |id| id.0.clone(),
    Region => |id| id.0.clone(),
    ResourceId => |id| id.0.clone()
}

impl<T: Judged> Judged for Option<T> {
    fn ty() -> Type {
        Type::Nullable(Box::new(T::ty()))
    }
    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Judged::value)
    }
}

impl<T: Judged> Judged for Observed<T> {
    fn ty() -> Type {
        Type::Nullable(Box::new(T::ty()))
    }
    fn value(&self) -> Value {
        match self {
            Observed::Known(value) => value.value(),
            Observed::Absent => Value::Null,
            Observed::Unknown(unknown) => Value::Unknown(unknown.clone()),
        }
    }
}

impl<T: Judged> Judged for Told<T> {
    fn ty() -> Type {
        T::ty()
    }
    fn value(&self) -> Value {
        match self {
            Ok(value) => value.value(),
            Err(unknown) => Value::Unknown(unknown.clone()),
        }
    }
}

impl<T: Judged> Judged for Vec<T> {
    fn ty() -> Type {
        Type::List(Box::new(T::ty()))
    }
    fn value(&self) -> Value {
        Value::List(self.iter().map(Judged::value).collect())
    }
}

/// Declares a struct whose fields expressions can name. Each field needs a docstring: it is published.
#[macro_export]
macro_rules! record {
    ($(#[doc = $doc:literal])* $vis:vis struct $name:ident { $( $(#[doc = $fdoc:literal])+ $field:ident : $ty:ty, )* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name { $( $(#[doc = $fdoc])+ pub $field: $ty, )* }

        impl $crate::model::value::Judged for $name {
            fn ty() -> $crate::model::value::Type {
                $crate::model::value::Type::Record(vec![ $( $crate::model::value::Field {
                    name: stringify!($field),
                    doc: concat!($($fdoc),+).trim_ascii(),
                    ty: <$ty as $crate::model::value::Judged>::ty(),
                } ),* ])
            }
            fn value(&self) -> $crate::model::value::Value {
                $crate::model::value::Value::Record(std::collections::BTreeMap::from([
                    $( (stringify!($field).to_owned(), $crate::model::value::Judged::value(&self.$field)) ),*
                ]))
            }
        }
    };
}

impl Type {
    /// The words used in error messages and in `locard checks schema`.
    pub fn word(&self) -> String {
        match self {
            Self::Bool => "bool".into(),
            Self::Int => "int".into(),
            Self::Text => "string".into(),
            Self::Time => "timestamp".into(),
            Self::List(item) => format!("list of {}", item.word()),
            Self::Record(_) => "record".into(),
            Self::Nullable(inner) => format!("{} or null", inner.word()),
        }
    }
}

impl Value {
    /// As JSON for reports; an unknown becomes `{"unknown": "<sentence>"}`.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::json;
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(b) => json!(b),
            Self::Int(n) => json!(n),
            Self::Text(t) => json!(t),
            Self::Time(m) => json!(m.at.to_string()),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Record(fields) => fields.iter().map(|(k, v)| (k.clone(), v.to_json())).collect(),
            Self::Unknown(u) => json!({"unknown": u.sentence()}),
        }
    }
}
