//! The binary as tests run it: with nothing of the caller's AWS settings, and what came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use locard::results::Results;

/// The binary with none of the caller's AWS settings.
pub(crate) fn locard_command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locard"));
    without_settings(&mut command).args(args).stdin(Stdio::null());
    command
}

/// Takes the caller's AWS settings from a command.
pub(crate) fn without_settings(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") || name.to_string_lossy().starts_with("LOCARD_") {
            command.env_remove(name);
        }
    }
    command
}

/// What became of a run of the binary.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// `results.json` of a run.
pub(crate) fn results(folder: &Path) -> Results {
    let path = folder.join("results.json");
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The same path, with nothing of an earlier test run there: runs are never overwritten.
pub(crate) fn fresh(folder: PathBuf) -> PathBuf {
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    folder
}
