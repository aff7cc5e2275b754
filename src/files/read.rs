//! Reading a snapshot: nothing of it is believed before its seal is checked, and no more of it is held than an account.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::files::{FileError, JOURNAL, MANIFEST, ORGANIZATION, SnapshotError, disk};
use crate::inventory::organizations::Organization;
use crate::inventory::snapshot::{JournalEntry, Manifest, Merged, Plan, SNAPSHOT_VERSION};
use crate::inventory::{AccountFacts, Line};
use crate::model::hash;
use crate::model::ids::AccountId;
use crate::model::time::Timestamp;

/// A longer line is not one of ours: a bucket with all the lifecycle rules there may be, the longest fact, has 300 KB. How
/// many lines a file has is up to its account.
const MAX_LINE: u64 = 16 << 20;
/// A manifest names two files an account.
const MAX_MANIFEST: u64 = 64 << 20;

/// A snapshot whose seal was checked.
#[derive(Debug)]
pub struct SnapshotReader {
    dir: PathBuf,
    manifest: Manifest,
    digest: String,
}

impl SnapshotReader {
    /// Opens a snapshot after comparing every file with the manifest, and the manifest with its expected digest.
    ///
    /// # Errors
    /// [`SnapshotError::Verification`] with everything that is not as it was sealed: another digest, files changed,
    /// missing or added. Others when there is no seal, or this locard cannot read the format.
    pub fn open(dir: &Path, expect_digest: Option<&str>) -> Result<Self, SnapshotError> {
        let bytes = manifest_bytes(dir)?;
        let digest = hash::sha256(&bytes);
        if let Some(expected) = expect_digest.map(|text| text.trim().trim_start_matches("sha256:").to_lowercase())
            && expected != digest
        {
            let problem = format!("its manifest has digest {digest}, expected was {}", expected.escape_debug());
            return Err(unsound(dir, vec![problem]));
        }
        let manifest = parse_manifest(dir, &bytes)?;
        let reader = Self { dir: dir.to_path_buf(), manifest, digest };
        let mut problems = reader.problems()?;
        if problems.is_empty() {
            problems.extend(reader.journal_problem()?);
        }
        if problems.is_empty() { Ok(reader) } else { Err(unsound(dir, problems)) }
    }

    /// What seals the snapshot; `complete: false` in it means that facts are missing which the plan asks for.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the manifest: the one number that names this snapshot.
    pub fn manifest_digest(&self) -> &str {
        &self.digest
    }

    /// Who was in scope.
    ///
    /// # Errors
    /// The run ended before it knew, or the file changed since it was opened.
    pub fn organization(&self) -> Result<Organization, SnapshotError> {
        let Some(sha256) = self.manifest.files.get(ORGANIZATION) else {
            let path = self.dir.join(ORGANIZATION);
            let message = "the run ended before it knew the accounts".to_owned();
            return Err(SnapshotError::Unreadable { path, line: None, message });
        };
        organization(&self.dir, sha256)
    }

    /// Accounts the snapshot holds facts of, in order. Those in scope that were never begun are in
    /// [`SnapshotReader::organization`] only.
    pub fn accounts(&self) -> Vec<AccountId> {
        let mut ids: Vec<AccountId> = self.manifest.files.keys().filter_map(|file| account_of(file)).collect();
        // Names are sorted, and with them the ids.
        ids.dedup();
        ids
    }

    /// All facts of one account, both passes; none of an account the run never came to.
    ///
    /// # Errors
    /// A file changed since the snapshot was opened, or a line of it is not a fact; file and line are named.
    pub fn account(&self, account: &AccountId) -> Result<AccountFacts, SnapshotError> {
        let mut facts = AccountFacts { account: account.clone(), lines: Vec::new() };
        let folder = format!("accounts/{account}/");
        let files = self.manifest.files.range(folder.clone()..).take_while(|(file, _)| file.starts_with(&folder));
        for (file, sha256) in files.filter(|(file, _)| account_of(file).is_some()) {
            // Hashed again: what is judged is what was verified, not what replaced it meanwhile.
            let bytes = verified(&self.dir, file, sha256)?;
            facts.lines.extend(lines(&self.dir.join(file), &bytes)?);
        }
        Ok(facts)
    }

    /// The files of its accounts, with the lines each has.
    ///
    /// # Errors
    /// The journal, which counts them, is no longer as it was sealed.
    pub fn account_files(&self) -> Result<Vec<(String, u64)>, SnapshotError> {
        let (_, written) = self.journal()?;
        let sealed = written.into_iter().filter(|(file, _)| self.manifest.files.contains_key(file));
        Ok(sealed.filter(|(file, _)| account_of(file).is_some()).map(|(file, written)| (file, written.lines)).collect())
    }

    /// The bytes of a file as they were sealed.
    pub(super) fn sealed(&self, file: &str) -> Result<Vec<u8>, SnapshotError> {
        let Some(sha256) = self.manifest.files.get(file) else {
            let (path, message) = (self.dir.join(file), "the snapshot has no such file".to_owned());
            return Err(SnapshotError::Unreadable { path, line: None, message });
        };
        verified(&self.dir, file, sha256)
    }

    fn journal(&self) -> Result<(Begun, BTreeMap<String, Written>), SnapshotError> {
        journal(&self.dir.join(JOURNAL), &self.sealed(JOURNAL)?)
    }

    /// Everything that is not as the manifest says.
    fn problems(&self) -> Result<Vec<String>, SnapshotError> {
        let manifest = &self.manifest;
        let mut problems = Vec::new();
        if manifest.plan.digest() != manifest.plan_digest {
            problems.push(format!("{MANIFEST} holds another plan than the one it was sealed with"));
        }
        let (named, unsafe_names): (Vec<_>, Vec<_>) =
            manifest.files.iter().partition(|(file, _)| disk::is_plain_name(file) && *file != MANIFEST);
        problems.extend(unsafe_names.iter().map(|(file, _)| format!("{MANIFEST} names {file:?}, which no run writes")));
        let found: BTreeMap<String, bool> = disk::walk(&self.dir)?.into_iter().collect();
        for (file, regular) in found.iter().filter(|(file, _)| *file != MANIFEST) {
            if !regular {
                problems.push(format!("{} is not a regular file", file.escape_debug()));
            } else if !manifest.files.contains_key(file) {
                problems.push(format!("{} was added", file.escape_debug()));
            }
        }
        let changed: Vec<String> = named
            .par_iter()
            .filter_map(|(file, sha256)| match found.get(*file) {
                None => Some(Ok(format!("{file} is missing"))),
                Some(false) => None,
                Some(true) => match disk::hash_file(&self.dir.join(file)) {
                    Ok(actual) if actual == **sha256 => None,
                    Ok(_) => Some(Ok(format!("{file} was changed"))),
                    // That says nothing of what is in it.
                    Err(error) => Some(Err(FileError::new("read", self.dir.join(file), error))),
                },
            })
            .collect::<Result<_, _>>()?;
        problems.extend(changed);
        problems.sort();
        Ok(problems)
    }

    /// The journal tells the same story as the manifest, so that a manifest written by hand needs a second lie.
    fn journal_problem(&self) -> Result<Option<String>, SnapshotError> {
        let manifest = &self.manifest;
        if !manifest.files.contains_key(JOURNAL) {
            return Ok(Some(format!("{MANIFEST} does not name {JOURNAL}")));
        }
        let (begun, written) = self.journal()?;
        let as_written = |file: &String| written.get(file).map(|written| &written.sha256);
        let shards = |merged: &Option<Merged>| merged.as_ref().map(|merged| (merged.of, merged.shards.clone()));
        let agrees = begun.digest == manifest.plan_digest
            && begun.run_id == manifest.run_id
            && begun.as_of == manifest.as_of
            && shards(&begun.merged) == shards(&manifest.merged)
            && manifest.files.iter().all(|(file, sha256)| file == JOURNAL || as_written(file) == Some(sha256));
        Ok((!agrees).then(|| format!("{MANIFEST} and {JOURNAL} contradict each other")))
    }
}

/// The first line of a journal.
pub(super) struct Begun {
    pub digest: String,
    pub run_id: String,
    pub as_of: Timestamp,
    pub plan: Plan,
    pub merged: Option<Merged>,
}

/// A file that a journal says is complete.
#[derive(Debug)]
pub(super) struct Written {
    pub sha256: String,
    pub lines: u64,
}

/// A journal without what a crash left of its last line.
pub(super) fn whole_lines(journal: &[u8]) -> &[u8] {
    let end = journal.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    journal.get(..end).unwrap_or(&[])
}

/// The same up to the first line, but for the very first, that is none of a journal.
pub(super) fn sound_lines(journal: &[u8]) -> &[u8] {
    let whole = whole_lines(journal);
    let is_entry = |line: &[u8]| serde_json::from_slice::<JournalEntry>(line).is_ok();
    let mut end = 0;
    for (number, line) in whole.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if number > 0 && !is_entry(line) {
            break;
        }
        end += line.len();
    }
    whole.get(..end).unwrap_or(whole)
}

/// The first line of a journal, and each file it says is complete.
pub(super) fn journal(path: &Path, bytes: &[u8]) -> Result<(Begun, BTreeMap<String, Written>), SnapshotError> {
    let unreadable = |line: usize, message: String| SnapshotError::Unreadable {
        path: path.to_path_buf(),
        line: Some(line as u64 + 1),
        message,
    };
    let mut begun = None;
    let mut written = BTreeMap::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        match (number, serde_json::from_slice(line).map_err(|e| unreadable(number, e.to_string()))?) {
            (0, JournalEntry::Plan { digest, run_id, as_of, plan, merged }) => {
                begun = Some(Begun { digest, run_id, as_of, plan: *plan, merged });
            }
            (1.., JournalEntry::Written { file, sha256, lines }) => {
                written.insert(file, Written { sha256, lines });
            }
            (number, _) => return Err(unreadable(number, "this entry cannot stand here".to_owned())),
        }
    }
    let begun = begun.ok_or_else(|| unreadable(0, "it is empty".to_owned()))?;
    Ok((begun, written))
}

/// The bytes of a file, if they have this digest.
pub(super) fn verified(dir: &Path, file: &str, sha256: &str) -> Result<Vec<u8>, SnapshotError> {
    let path = dir.join(file);
    let bytes = fs::read(&path).map_err(|e| FileError::new("read", &path, e))?;
    if hash::sha256(&bytes) == sha256 {
        return Ok(bytes);
    }
    Err(unsound(dir, vec![format!("{file} was changed")]))
}

/// Who was in scope, from a file with this digest.
pub(super) fn organization(dir: &Path, sha256: &str) -> Result<Organization, SnapshotError> {
    serde_json::from_slice(&verified(dir, ORGANIZATION, sha256)?).map_err(|e| {
        let line = (e.line() > 0).then_some(e.line() as u64);
        SnapshotError::Unreadable { path: dir.join(ORGANIZATION), line, message: e.to_string() }
    })
}

/// The lines of a compressed file.
pub(super) fn lines(path: &Path, bytes: &[u8]) -> Result<Vec<Line>, SnapshotError> {
    let mut lines = Vec::new();
    let unreadable = |number: usize, message: String| SnapshotError::Unreadable {
        path: path.to_path_buf(),
        line: Some(number as u64 + 1),
        message,
    };
    let decoder = zstd::Decoder::with_buffer(bytes).map_err(|e| unreadable(0, e.to_string()))?;
    let mut text = BufReader::new(decoder);
    let mut line = Vec::new();
    loop {
        let number = lines.len();
        line.clear();
        let read = (&mut text).take(MAX_LINE).read_until(b'\n', &mut line);
        read.map_err(|e| unreadable(number, e.to_string()))?;
        if line.is_empty() {
            return Ok(lines);
        }
        if line.pop() != Some(b'\n') {
            let message = if line.len() as u64 + 1 >= MAX_LINE {
                format!("the line is longer than {} MiB", MAX_LINE >> 20)
            } else {
                "the line does not end".to_owned()
            };
            return Err(unreadable(number, message));
        }
        let fact: Line = serde_json::from_slice(&line).map_err(|e| unreadable(number, e.to_string()))?;
        if fact.kind != fact.fact.kind() {
            return Err(unreadable(
                number,
                format!("kind `{}` holds a {}", fact.kind.escape_debug(), fact.fact.kind()),
            ));
        }
        lines.push(fact);
    }
}

fn manifest_bytes(dir: &Path) -> Result<Vec<u8>, SnapshotError> {
    let path = dir.join(MANIFEST);
    let data = match fs::symlink_metadata(&path) {
        Ok(data) => data,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && dir.is_dir() => {
            return Err(SnapshotError::Unsealed { dir: dir.to_path_buf() });
        }
        Err(error) => return Err(FileError::new("read", dir, error).into()),
    };
    if !data.is_file() || data.len() > MAX_MANIFEST {
        return Err(unsound(dir, vec![format!("{MANIFEST} is not a regular file of at most 64 MiB")]));
    }
    Ok(fs::read(&path).map_err(|e| FileError::new("read", &path, e))?)
}

fn parse_manifest(dir: &Path, bytes: &[u8]) -> Result<Manifest, SnapshotError> {
    #[derive(serde::Deserialize)]
    struct VersionOnly {
        snapshot_version: u64,
    }
    // The version first: a newer manifest may have fields this one does not know.
    let parsed = serde_json::from_slice::<VersionOnly>(bytes);
    let version = parsed.map_err(|e| unsound(dir, vec![format!("{MANIFEST} is damaged: {e}")]))?;
    if version.snapshot_version > u64::from(SNAPSHOT_VERSION) {
        let (found, known) = (version.snapshot_version, SNAPSHOT_VERSION);
        return Err(SnapshotError::TooNew { dir: dir.to_path_buf(), found, known });
    }
    serde_json::from_slice(bytes).map_err(|e| unsound(dir, vec![format!("{MANIFEST} is damaged: {e}")]))
}

fn unsound(dir: &Path, problems: Vec<String>) -> SnapshotError {
    SnapshotError::Verification { dir: dir.to_path_buf(), problems }
}

/// The account a file is about, `accounts/<id>/...`.
fn account_of(file: &str) -> Option<AccountId> {
    let (id, name) = file.strip_prefix("accounts/")?.split_once('/')?;
    name.ends_with(".jsonl.zst").then(|| AccountId::parse(id).ok()).flatten()
}
