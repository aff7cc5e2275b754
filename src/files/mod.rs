//! Snapshots, runs and folders of checks on disk; the only place that knows paths. What the files mean is decided by
//! `inventory`, `results` and `check`.

mod copies;
mod disk;
mod read;
mod results;
mod spool;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

pub use copies::{Found, lay_down, named_by_journal, named_by_manifest, snapshots_among, snapshots_in};
pub use disk::Scratch;
pub use read::SnapshotReader;
pub use results::Draft;
pub use spool::Spool;
pub use write::{Ending, SnapshotWriter, vacant};

/// Name of the manifest inside a snapshot.
pub const MANIFEST: &str = "manifest.json";
/// Name of the journal inside a snapshot.
pub const JOURNAL: &str = "journal.jsonl";
/// Who was in scope, inside a snapshot.
pub const ORGANIZATION: &str = "organization.json";
/// Name of the canonical result inside a run.
pub const RESULTS: &str = "results.json";
/// Name of the snapshot inside a run.
pub const SNAPSHOT: &str = "snapshot";

/// A check file larger than this is not one.
const MAX_CHECK_BYTES: u64 = 1 << 20;

/// The first pass's file of an account.
pub fn inventory_file(account: &crate::model::ids::AccountId) -> String {
    format!("accounts/{account}/inventory.jsonl.zst")
}

/// The second pass's file of an account.
pub fn reached_file(account: &crate::model::ids::AccountId) -> String {
    format!("accounts/{account}/reached.jsonl.zst")
}

/// The operating system, or the content of a file, refused something.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}", path.display())]
pub struct FileError {
    /// A verb: `read`, `write`.
    pub doing: &'static str,
    pub path: PathBuf,
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl FileError {
    fn new(
        doing: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { doing, path: path.into(), source: source.into() }
    }
}

/// Why a snapshot cannot be written or judged.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not what was sealed.
    #[error("snapshot {} fails verification: {}", dir.display(), first_of(problems))]
    Verification {
        dir: PathBuf,
        /// Never empty.
        problems: Vec<String>,
    },
    /// Its content makes no sense, though it is what was sealed, or nothing seals it.
    #[error("cannot read {}{}: {message}", path.display(), line.map_or(String::new(), |n| format!(" line {n}")))]
    Unreadable { path: PathBuf, line: Option<u64>, message: String },
    /// Nothing has sealed it yet.
    #[error("{} is not a finished snapshot: it has no {MANIFEST}", dir.display())]
    Unsealed { dir: PathBuf },
    #[error("snapshot {} has format version {found}; this locard reads up to {known}", dir.display())]
    TooNew { dir: PathBuf, found: u64, known: u32 },
    /// There is one already.
    #[error("{} already holds {}", dir.display(), if *finished { "a finished snapshot" } else { "an unfinished snapshot" })]
    Exists { dir: PathBuf, finished: bool },
    #[error("{} is not empty: it holds {found}", dir.display())]
    NotEmpty { dir: PathBuf, found: String },
    #[error("there is nothing to resume in {}", dir.display())]
    NothingToResume { dir: PathBuf },
    /// The snapshot was begun with another plan.
    #[error("cannot resume {}: this run differs from the one that began it: {}", dir.display(), differences.join("; "))]
    OtherPlan {
        dir: PathBuf,
        /// Never empty.
        differences: Vec<String>,
    },
    #[error("another locard is writing to {}", dir.display())]
    Busy { dir: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
}

impl SnapshotError {
    /// Whether evidence may have been altered, as opposed to being damaged or absent.
    pub fn is_verification(&self) -> bool {
        matches!(self, Self::Verification { .. })
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Verification { .. } => Some(
                "do not rely on it: take the copy whose manifest has the digest printed by its run, or collect again",
            ),
            Self::Unreadable { .. } => Some("collect again, into another folder"),
            Self::Unsealed { .. } => Some(
                "if its run was interrupted, repeat the same command with --resume; `locard merge --allow-missing` does \
                 without a shard",
            ),
            Self::TooNew { .. } => Some("use the locard that collected it, or a newer one"),
            Self::Exists { finished: true, .. } => {
                Some("choose another --out; --resume asks again only what failed for passing reasons")
            }
            Self::Exists { finished: false, .. } => Some("continue it with --resume, or choose another --out"),
            Self::NotEmpty { .. } => Some("choose another --out"),
            Self::NothingToResume { .. } => Some("run it without --resume"),
            Self::OtherPlan { .. } => Some("repeat the command as it was, or choose another --out"),
            Self::Busy { .. } => Some("wait for it, or choose another --out"),
            Self::File(_) => None,
        }
    }
}

fn first_of(problems: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut text = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if problems.len() > SHOWN {
        text.push_str(&format!("; and {} more", problems.len() - SHOWN));
    }
    text
}

/// Writes a file of a run: whole or not at all, whatever happens meanwhile. The folder is made if need be.
///
/// # Errors
/// The disk refuses.
pub fn write_run(dir: &Path, name: &str, mut bytes: impl std::io::Read) -> Result<(), FileError> {
    fs::create_dir_all(dir).map_err(|e| FileError::new("create", dir, e))?;
    disk::replace(dir, name, disk::Privacy::Shared, |file| std::io::copy(&mut bytes, file).map(|_| ())).map(|_| ())
}

/// Removes a file of a run; whether there was one.
///
/// # Errors
/// The disk refuses.
pub fn remove_run(dir: &Path, name: &str) -> Result<bool, FileError> {
    let path = dir.join(name);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError::new("remove", path, error)),
    }
}

/// Opens a file to be read piece by piece.
///
/// # Errors
/// It is not there, or not readable.
pub fn open(path: &Path) -> Result<fs::File, FileError> {
    fs::File::open(path).map_err(|e| FileError::new("read", path, e))
}

/// A file of a folder of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as error messages show it.
    pub name: String,
    pub text: String,
}

/// Every YAML file of a folder and the folders below it, by name. Hidden ones are left out.
///
/// # Errors
/// The folder, or one of its files, cannot be read as text; all are named by the first that fails.
pub fn read_check_dir(dir: &Path) -> Result<Vec<SourceFile>, FileError> {
    let mut found = Vec::new();
    read_checks(dir, 0, &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn read_checks(dir: &Path, depth: usize, found: &mut Vec<SourceFile>) -> Result<(), FileError> {
    // Deeper than any real folder of checks: a link that leads back up ends here.
    if depth > 8 {
        return Err(FileError::new("read", dir, "folders are nested too deeply"));
    }
    for entry in fs::read_dir(dir).map_err(|e| FileError::new("read", dir, e))? {
        let path = entry.map_err(|e| FileError::new("read", dir, e))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        let data = fs::metadata(&path).map_err(|e| FileError::new("read", &path, e))?;
        if data.is_dir() {
            read_checks(&path, depth + 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            if data.len() > MAX_CHECK_BYTES {
                return Err(FileError::new("read", &path, "it is larger than any check"));
            }
            let text = fs::read_to_string(&path).map_err(|e| FileError::new("read", &path, e))?;
            found.push(SourceFile { name: path.display().to_string(), text });
        }
    }
    Ok(())
}

/// The SHA-256 of a file's content.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn sha256_of(path: &Path) -> Result<String, FileError> {
    disk::hash_file(path).map_err(|e| FileError::new("read", path, e))
}

/// The content of a file.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|e| FileError::new("read", path, e))
}

/// A file people write, such as the configuration.
///
/// # Errors
/// It is not there, or not text.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|e| FileError::new("read", path, e))
}
