//! Checks: YAML files that judge resources in three values, and the findings they give.
//!
//! Nothing here reads files, the clock or AWS: files come in as text, facts as the graph of an account.

pub mod cases;
pub mod diagnostic;
pub mod evaluate;
pub mod expr;
mod given;
mod judge;
mod load;
mod read;
mod reader;
pub mod schema;
mod spec;
mod template;
mod yaml;

use rust_embed::RustEmbed;

pub use judge::{Judgement, judge};
pub use load::load;
pub use spec::{Case, Check, CheckSet, Criterion, NoSuchCheck, Required, SourceFile};
pub use template::Template;

#[derive(RustEmbed)]
#[folder = "checks/"]
#[allow_missing = true]
struct Embedded;

/// The checks shipped with locard, by name. Scenarios, which live beside them, are not checks.
pub fn builtin_files() -> Vec<SourceFile> {
    let mut names: Vec<_> =
        Embedded::iter().filter(|name| name.ends_with(".yaml") && !name.starts_with("scenarios/")).collect();
    names.sort();
    names
        .iter()
        .filter_map(|name| {
            let text = String::from_utf8_lossy(&Embedded::get(name)?.data).into_owned();
            Some(SourceFile { name: format!("checks/{name}"), text, builtin: true })
        })
        .collect()
}
