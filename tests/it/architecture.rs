//! The shape of the sources: floors, who may speak to the world, and that the README's commands exist.
//!
//! ARCHITECTURE.md says why; this only asserts it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Floor of each top-level module; a file imports only from lower ones.
const FLOORS: [(&str, u8); 17] = [
    ("model", 0),
    ("inventory", 1),
    ("config", 1),
    ("finding", 1),
    ("results", 1),
    ("relate", 2),
    ("check", 2),
    ("score", 2),
    ("gate", 2),
    ("role", 2),
    ("merge", 2),
    ("assess", 2),
    ("files", 3),
    ("report", 3),
    ("aws", 3),
    ("collect", 3),
    ("cli", 4),
];

/// The only imports between modules of one floor, each from the left to the right.
const WITHIN: [(&str, &str); 11] = [
    ("finding", "inventory"),
    ("results", "finding"),
    ("results", "inventory"),
    ("check", "relate"),
    ("score", "relate"),
    ("assess", "relate"),
    ("assess", "check"),
    ("assess", "score"),
    ("assess", "gate"),
    ("assess", "merge"),
    ("collect", "aws"),
];

/// What a pure floor may not name: the network, the disk, the environment and the clock.
const WORLD: [&str; 13] = [
    "aws_sdk",
    "aws_config",
    "aws_smithy",
    "tokio",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::io::std",
    "SystemTime",
    "time::Instant",
    "Timestamp::now",
    "Zoned::now",
];

/// A source file: its path below `src/`, and its lines without comments.
struct SourceFile {
    path: String,
    text: String,
    code: Vec<(usize, String)>,
}

impl SourceFile {
    /// The top-level module it belongs to; none for `lib.rs` and `main.rs`.
    fn module(&self) -> Option<&str> {
        let first = self.path.split('/').next().unwrap();
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (!["lib", "main"].contains(&name)).then_some(name)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<SourceFile> {
    let mut paths = Vec::new();
    rust_files(&root().join("src"), &mut paths);
    assert!(paths.len() > 20);
    paths.into_iter().map(|path| read_source(&path)).collect()
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn read_source(path: &Path) -> SourceFile {
    let text = fs::read_to_string(path).unwrap();
    let code = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.to_owned()))
        .collect();
    let path = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().replace('\\', "/");
    SourceFile { path, text, code }
}

fn floors() -> BTreeMap<&'static str, u8> {
    FLOORS.into_iter().collect()
}

/// The top-level modules a line names as `crate::module`, or from inside `crate::{...}`.
fn imported(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let list = rest.strip_prefix('{').unwrap_or(rest);
        let names = if list.len() < rest.len() { list.split(',').collect() } else { vec![list] };
        for name in names {
            let end = name.trim().find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.trim().len());
            found.push(&name.trim()[..end]);
        }
    }
    found
}

#[test]
fn every_file_imports_only_lower_floors() {
    let floors = floors();
    let mut faults = Vec::new();
    for file in sources() {
        let Some(module) = file.module() else { continue };
        let Some(floor) = floors.get(module) else {
            faults.push(format!("src/{}: module `{module}` stands on no floor; add it to FLOORS", file.path));
            continue;
        };
        for (number, line) in &file.code {
            for other in imported(line) {
                let Some(below) = floors.get(other) else { continue };
                let allowed = other == module || below < floor || WITHIN.contains(&(module, other));
                if !allowed {
                    faults.push(format!("src/{}:{number}: `{module}` may not import `{other}`: {line}", file.path));
                }
            }
            // Either would pass unseen: a list over several lines, and `super` in a top-level file, which is the crate.
            let hidden = line.trim_end().ends_with("crate::{")
                || file.path == format!("{module}.rs") && line.starts_with("use super::");
            if hidden {
                faults.push(format!("src/{}:{number}: write `use crate::module` here: {line}", file.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_library_lists_its_modules_by_floor() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let listed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let floors = floors();
    for name in floors.keys() {
        assert!(listed.contains(name), "FLOORS names `{name}`, which src/lib.rs has not");
    }
    let order: Vec<u8> = listed.iter().map(|name| floors[name]).collect();
    assert!(order.is_sorted(), "{listed:?} are not in the order of their floors");
}

#[test]
fn judging_touches_nothing_outside() {
    let floors = floors();
    let mut faults = Vec::new();
    for file in sources() {
        let floor = file.module().and_then(|module| floors.get(module));
        if floor.is_none_or(|floor| *floor > 2) {
            continue;
        }
        for (number, line) in &file.code {
            for name in WORLD.iter().filter(|name| line.contains(*name)) {
                faults.push(format!("src/{}:{number} names {name}: {line}", file.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_the_command_line_prints_and_ends_the_process() {
    let mut faults = Vec::new();
    for file in sources() {
        if file.path == "main.rs" || file.module() == Some("cli") {
            continue;
        }
        for (number, line) in &file.code {
            for name in ["println!", "print!(", "eprint!(", "dbg!", "process::exit", "io::stdout", "io::stderr"] {
                if line.contains(name) {
                    faults.push(format!("src/{}:{number} uses {name}: {line}", file.path));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_begins_by_saying_what_lives_in_it() {
    let silent: Vec<String> =
        sources().into_iter().filter(|file| !file.text.starts_with("//! ")).map(|file| file.path).collect();
    assert!(silent.is_empty(), "no //! at the top of {silent:?}");
}

/// The commands of the fenced blocks, one a line, `locard` and its arguments.
#[cfg(feature = "aws")]
fn documented_commands(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let mut fenced = false;
    let mut commands = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        if line.starts_with("```") {
            // Other blocks hold configuration and what locard prints.
            fenced = line == "```sh";
        } else if let Some(command) = line.strip_prefix("locard ").filter(|_| fenced) {
            commands.push(command.split(" #").next().unwrap().to_owned());
        }
    }
    commands
}

#[cfg(feature = "aws")]
#[test]
fn the_readme_speaks_of_commands_and_options_that_exist() {
    let help = |args: &[&str]| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_locard")).args(args).arg("--help").output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    let commands = documented_commands("README.md");
    assert!(commands.iter().any(|command| command.starts_with("audit")), "{commands:?}");
    let mut faults = Vec::new();
    for command in &commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        let Some(text) = help(&words[..1]).filter(|_| !words[0].starts_with('-')) else {
            faults.push(format!("there is no `locard {}`", words[0]));
            continue;
        };
        for option in words.iter().filter(|word| word.starts_with("--")) {
            // A subcommand of a subcommand, `checks lint`, has its own help.
            let nested = words.get(1).and_then(|second| help(&[words[0], second])).unwrap_or_default();
            let option = option.split('=').next().unwrap();
            if !text.contains(option) && !nested.contains(option) {
                faults.push(format!("`locard {}` has no {option}", words[0]));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
