//! Writing files so that a crash leaves the old one, the new one or a `*.partial`, never half a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::files::FileError;
use crate::model::hash::Hasher;

/// Ends the name of a file that is being written.
pub(super) const PARTIAL: &str = ".partial";

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privacy {
    /// Its owner: snapshots hold the configuration of accounts.
    Owner,
    /// Whoever the system's defaults let: reports are made to be handed on.
    Shared,
}

/// Writes `dir/name` through a partial file: content synced, then renamed, then the folder synced. Gives the SHA-256
/// of what was written.
pub(super) fn replace(
    dir: &Path,
    name: &str,
    privacy: Privacy,
    write: impl FnOnce(&mut Hashed<File>) -> io::Result<()>,
) -> Result<String, FileError> {
    let digest = place(dir, name, privacy, write)?;
    sync_dir(dir).map_err(|e| FileError::new("write", dir.join(name), e))?;
    Ok(digest)
}

/// Like [`replace`]; that the file is there need not survive a crash until somebody syncs the folder.
pub(super) fn place(
    dir: &Path,
    name: &str,
    privacy: Privacy,
    write: impl FnOnce(&mut Hashed<File>) -> io::Result<()>,
) -> Result<String, FileError> {
    let path = dir.join(name);
    let partial = dir.join(format!("{name}{PARTIAL}"));
    let written = || -> io::Result<String> {
        let mut file = Hashed { inner: create(&partial, privacy)?, hasher: Hasher::default() };
        // Whoever may read what is replaced may read what takes its place, and nobody else.
        if privacy == Privacy::Shared
            && let Ok(before) = fs::metadata(&path)
            && before.is_file()
        {
            file.inner.set_permissions(before.permissions())?;
        }
        write(&mut file)?;
        file.inner.sync_all()?;
        fs::rename(&partial, &path)?;
        Ok(file.hasher.finish())
    };
    written().map_err(|e| {
        // On a full disk the room is needed; what cannot be removed either is removed by the next run.
        let _ = fs::remove_file(&partial);
        FileError::new("write", path.clone(), e)
    })
}

/// A writer that hashes what passes.
pub(super) struct Hashed<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.write_all(&bytes[..written])?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn create(path: &Path, privacy: Privacy) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if privacy == Privacy::Owner {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = privacy;
    options.open(path)
}

/// Makes a folder and those above it, readable by their owner only. That they are there need not survive a crash until
/// somebody syncs those above them.
pub(super) fn create_private_dir(path: &Path) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_private_dir(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        // Another thread may have made it meanwhile.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(FileError::new("create", path, error)),
        _ => Ok(()),
    }
}

/// Makes a rename durable; only Unix lets folders be synced.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

/// Everything below a folder that is not a folder: its name relative to it, with `/`, and whether it is a regular
/// file (a link is not).
pub(super) fn walk(dir: &Path) -> Result<Vec<(String, bool)>, FileError> {
    let mut found = Vec::new();
    let mut open: Vec<(PathBuf, String)> = vec![(dir.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        for entry in fs::read_dir(&folder).map_err(|e| FileError::new("read", &folder, e))? {
            let entry = entry.map_err(|e| FileError::new("read", &folder, e))?;
            let kind = entry.file_type().map_err(|e| FileError::new("read", entry.path(), e))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() {
                open.push((entry.path(), format!("{name}/")));
            } else {
                found.push((name, kind.is_file()));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The SHA-256 of a file, read in pieces.
pub(super) fn hash_file(path: &Path) -> io::Result<String> {
    let mut hasher = Hasher::default();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finish())
}

/// Whether a name may stand in a snapshot: relative, plain characters, no step up and nothing hidden.
pub(super) fn is_plain_name(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part.len() <= 200
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    name.split('/').count() <= 4 && name.split('/').all(plain)
}

/// A private folder that goes, with all that is in it, when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    keep: AtomicBool,
}

impl Scratch {
    /// Makes a new one among the system's temporary files.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn new() -> Result<Self, FileError> {
        let moment = jiff::Timestamp::now().as_nanosecond();
        let path = std::env::temp_dir().join(format!("locard-{}-{moment}", std::process::id()));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // One that is there already is somebody else's.
        builder.create(&path).map_err(|e| FileError::new("create", &path, e))?;
        Ok(Self { path, keep: AtomicBool::new(false) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it there.
    pub fn keep(&self) {
        self.keep.store(true, Ordering::Relaxed);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep.load(Ordering::Relaxed)
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}
