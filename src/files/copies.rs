//! Snapshots as lists of names and bytes, for those that lie elsewhere: which there are, which files belong to one, and
//! how they are laid down here.
//!
//! What is laid down is believed only after the reader has verified it, as any other snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::files::disk::{self, Privacy};
use crate::files::{FileError, JOURNAL, MANIFEST, SNAPSHOT, SnapshotError, read};

/// A snapshot among files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The folder it lies in, relative; empty for the place itself.
    pub folder: String,
    /// Whether a manifest seals it.
    pub sealed: bool,
}

/// The snapshots of a place, by the names of its files: the place itself, the run it is, or else those of the runs in it.
pub fn snapshots_among<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Found> {
    let mut found: BTreeMap<&str, bool> = BTreeMap::new();
    for name in names {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        if file == MANIFEST || file == JOURNAL {
            *found.entry(folder).or_default() |= file == MANIFEST;
        }
    }
    for own in ["", SNAPSHOT] {
        if let Some(sealed) = found.get(own) {
            return vec![Found { folder: own.to_owned(), sealed: *sealed }];
        }
    }
    let near = |folder: &str| match folder.split_once('/') {
        None => true,
        Some((_, rest)) => rest == SNAPSHOT,
    };
    let all = found.into_iter().filter(|(folder, _)| near(folder));
    all.map(|(folder, sealed)| Found { folder: folder.to_owned(), sealed }).collect()
}

/// The snapshots in a folder.
///
/// # Errors
/// It cannot be read.
pub fn snapshots_in(dir: &Path) -> Result<Vec<Found>, FileError> {
    let files = disk::walk(dir)?;
    Ok(snapshots_among(files.iter().map(|(name, _)| name.as_str())))
}

/// The files a manifest names, itself not included. Of one that is damaged, none: whoever opens the snapshot is told so.
pub fn named_by_manifest(manifest: &[u8]) -> BTreeSet<String> {
    #[derive(serde::Deserialize)]
    struct FilesOnly {
        files: BTreeMap<String, String>,
    }
    let parsed = serde_json::from_slice::<FilesOnly>(manifest);
    let names = parsed.map(|manifest| manifest.files.into_keys().collect()).unwrap_or_else(|_| BTreeSet::new());
    names.into_iter().filter(|name| disk::is_plain_name(name) && name != MANIFEST).collect()
}

/// The files a journal says are complete, with their SHA-256.
///
/// # Errors
/// A line of it makes no sense; the last may be torn.
pub fn named_by_journal(journal: &[u8]) -> Result<BTreeMap<String, String>, SnapshotError> {
    let (_, written) = read::journal(Path::new(JOURNAL), read::whole_lines(journal))?;
    let plain = written.into_iter().filter(|(name, _)| disk::is_plain_name(name) && name != MANIFEST);
    Ok(plain.map(|(name, written)| (name, written.sha256)).collect())
}

/// Lays a file of a snapshot down, whole or not at all.
///
/// # Errors
/// The disk refuses.
pub fn lay_down(snapshot: &Path, name: &str, bytes: &[u8]) -> Result<(), FileError> {
    assert!(disk::is_plain_name(name), "internal error: `{name}` cannot stand in a snapshot");
    let path = snapshot.join(name);
    let (Some(folder), Some(file)) = (path.parent(), name.rsplit('/').next()) else {
        return Err(FileError::new("write", path, "it has no folder"));
    };
    disk::create_private_dir(folder)?;
    disk::replace(folder, file, Privacy::Owner, |out| std::io::Write::write_all(out, bytes)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_stands_for_its_snapshot_or_for_those_of_the_runs_in_it() {
        let folders = |names: &[&str]| {
            let found = snapshots_among(names.iter().copied());
            found.into_iter().map(|found| (found.folder, found.sealed)).collect::<Vec<_>>()
        };
        let one = |folder: &str, sealed| vec![(folder.to_owned(), sealed)];
        assert_eq!(folders(&["manifest.json", "journal.jsonl", "1/manifest.json"]), one("", true));
        assert_eq!(folders(&["snapshot/journal.jsonl", "results.json"]), one("snapshot", false));
        let shards =
            ["1/snapshot/manifest.json", "1/snapshot/journal.jsonl", "1/results.json", "2/snapshot/journal.jsonl"];
        let both = vec![("1/snapshot".to_owned(), true), ("2/snapshot".to_owned(), false)];
        assert_eq!(folders(&shards), both);
        assert_eq!(folders(&["a/b/c/manifest.json", "x"]), []);
    }
}
