//! From check files to a set of checks, with every error of every file told at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::diagnostic::{CheckErrors, Diagnostic, Level};
use super::read;
use super::reader::Reader;
use super::spec::{Check, CheckSet, Required, SourceFile};
use super::yaml;
use crate::finding::Status;

/// The generated CEL parser needs some 50 KiB of stack a bracket in debug builds, more than threads usually have.
const STACK: usize = 64 << 20;

/// Reads, checks and links all files. A user's check takes the place of the built-in one of the same id.
pub fn load(files: &[SourceFile]) -> Result<CheckSet, CheckErrors> {
    std::thread::scope(|scope| {
        let roomy = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || load_here(files));
        match roomy.map(|thread| thread.join()) {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => load_here(files),
        }
    })
}

fn load_here(files: &[SourceFile]) -> Result<CheckSet, CheckErrors> {
    let mut diagnostics = Vec::new();
    let mut checks: Vec<Check> = Vec::new();
    let mut origins: BTreeMap<(bool, String), &str> = BTreeMap::new();
    for file in files {
        let mut reader = Reader::new(file);
        let node = match yaml::parse(&file.text) {
            Ok(node) => node,
            Err((span, message)) => {
                reader.error(span, message);
                diagnostics.append(&mut reader.diagnostics);
                continue;
            }
        };
        let check = read::check(&mut reader, &node);
        if let Some((id, span)) = read::written_id(&node, file)
            && let Some(other) = origins.insert((file.builtin, id.clone()), &file.name)
        {
            let error = reader.error(span, format!("there is another check `{id}`"));
            error.help = Some(format!("it stands in {other}"));
        }
        if let Some(check) = check {
            lint(&mut reader, &check);
            checks.push(check);
        }
        diagnostics.append(&mut reader.diagnostics);
    }
    diagnostics.sort_by(|a, b| (&a.file, a.span.start, a.level).cmp(&(&b.file, b.span.start, b.level)));
    let (errors, warnings): (Vec<Diagnostic>, Vec<Diagnostic>) =
        diagnostics.into_iter().partition(|diagnostic| diagnostic.level == Level::Error);
    if errors.is_empty() { Ok(link(checks, warnings)) } else { Err(CheckErrors(errors)) }
}

/// Sorts, and lets users' checks take the place of built-in ones.
fn link(mut checks: Vec<Check>, warnings: Vec<Diagnostic>) -> CheckSet {
    checks.sort_by(|a, b| (&a.id, a.builtin).cmp(&(&b.id, b.builtin)));
    let mut replaced = Vec::new();
    // A user's check sorts before the built-in one it replaces.
    checks.dedup_by(|later, kept| {
        let same = later.id == kept.id;
        if same {
            replaced.push(later.id.clone());
        }
        same
    });
    CheckSet { checks: checks.into_iter().map(Arc::new).collect(), replaced, warnings }
}

/// What a check that works still lacks.
fn lint(reader: &mut Reader<'_>, check: &Check) {
    let mut lacks: Vec<String> = Vec::new();
    if check.why.is_empty() {
        lacks.push("`why` is missing: what does an investigator lose?".to_owned());
    }
    let fixes =
        [("cli", &check.fix.cli), ("terraform", &check.fix.terraform), ("cloudformation", &check.fix.cloudformation)];
    for (form, _) in fixes.iter().filter(|(_, text)| text.is_none()) {
        lacks.push(format!("`fix.{form}` is missing"));
    }
    if check.frameworks.values().all(Vec::is_empty) {
        lacks.push("`frameworks` is missing: it maps to no control".to_owned());
    }
    for status in [Status::Pass, Status::Fail, Status::Unknown] {
        if !check.cases.iter().any(|case| case.status == status) {
            lacks.push(format!("no case expects `{}`", status.word()));
        }
    }
    if check.criteria.iter().all(|criterion| matches!(criterion.required, Required::Never)) {
        lacks.push("no criterion is required, so it always passes".to_owned());
    }
    if check.not_applicable.is_some() && check.applies.is_none() {
        lacks.push("`not_applicable` is never said without `applies`".to_owned());
    }
    for lack in lacks {
        reader.warning(0..0, lack);
    }
}
