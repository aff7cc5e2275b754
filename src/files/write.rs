//! Writing a snapshot: file by file with a journal, so that an interrupted run goes on where it stopped.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::files::disk::{self, Privacy};
use crate::files::{FileError, JOURNAL, MANIFEST, ORGANIZATION, SnapshotError, SnapshotReader, read};
use crate::inventory::Line;
use crate::inventory::organizations::Organization;
use crate::inventory::snapshot::{CallCount, JournalEntry, Manifest, Merged, Plan, SNAPSHOT_VERSION};
use crate::model::hash;
use crate::model::time::Timestamp;

/// Level 3: 12 MB for 200,000 resources, and no slower than the disk.
const ZSTD_LEVEL: i32 = 3;
/// Bytes gathered before the encoder: handing it line after line halves its speed.
const BUFFER: usize = 128 * 1024;

/// A snapshot that is being written; one process at a time.
pub struct SnapshotWriter {
    dir: PathBuf,
    plan: Plan,
    run_id: String,
    as_of: Timestamp,
    /// The snapshots it was begun with.
    merged: Option<Merged>,
    /// The seal of an earlier run that is gone on with: if nothing is added, it is set again as it was.
    seal: Option<Seal>,
    state: Mutex<State>,
}

struct Seal {
    manifest: Manifest,
    text: Vec<u8>,
}

struct State {
    journal: File,
    /// When the journal was last synced.
    synced: Instant,
    /// SHA-256 of every complete file.
    done: BTreeMap<String, String>,
}

/// The journal is synced so often at most while the run goes on, and names of files when it is sealed. A crash of the
/// process costs nothing, one of the machine what the file system had not written by then: what is journalled and not
/// there as it should be is found when the run is gone on with.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What is known only when a run ends.
#[derive(Clone, Debug)]
pub struct Ending {
    pub finished_at: Timestamp,
    /// As in [`Manifest`].
    pub clock_skew_seconds: Option<i64>,
    /// False when the run was interrupted.
    pub complete: bool,
    pub calls: BTreeMap<String, CallCount>,
}

impl SnapshotWriter {
    /// Begins a snapshot in a folder that is absent or empty.
    ///
    /// # Errors
    /// The folder holds anything, above all another snapshot; or the disk refuses.
    pub fn create(dir: &Path, plan: &Plan, run_id: &str, as_of: Timestamp) -> Result<Self, SnapshotError> {
        Self::begin(dir, plan, run_id, as_of, None)
    }

    /// Begins a snapshot like [`SnapshotWriter::create`], to be put together from others: [`SnapshotWriter::adopt`].
    ///
    /// # Errors
    /// The folder holds anything, or the disk refuses.
    pub fn merge(
        dir: &Path,
        plan: &Plan,
        run_id: &str,
        as_of: Timestamp,
        merged: Merged,
    ) -> Result<Self, SnapshotError> {
        Self::begin(dir, plan, run_id, as_of, Some(merged))
    }

    fn begin(
        dir: &Path,
        plan: &Plan,
        run_id: &str,
        as_of: Timestamp,
        merged: Option<Merged>,
    ) -> Result<Self, SnapshotError> {
        vacant(dir)?;
        // Reports beside it are made to be handed on; only the snapshot itself is private.
        if let Some(run) = dir.parent() {
            fs::create_dir_all(run).map_err(|e| FileError::new("create", run, e))?;
        }
        disk::create_private_dir(dir)?;
        if let Some(run) = dir.parent().filter(|run| !run.as_os_str().is_empty()) {
            disk::sync_dir(run).map_err(|e| FileError::new("create", dir, e))?;
        }
        let first = JournalEntry::Plan {
            digest: plan.digest(),
            run_id: run_id.to_owned(),
            as_of,
            plan: Box::new(plan.clone()),
            merged: merged.clone(),
        };
        // Renamed into place, so that a journal always has its first line.
        disk::replace(dir, JOURNAL, Privacy::Owner, |file| file.write_all(&journal_line(&first)))?;
        let journal = open_journal(dir)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            plan: plan.clone(),
            run_id: run_id.to_owned(),
            as_of,
            merged,
            seal: None,
            state: Mutex::new(State { journal, synced: Instant::now(), done: BTreeMap::new() }),
        })
    }

    /// Goes on with a snapshot that the same plan began, sealed or not. Files that are not as journalled are removed,
    /// to be collected again; a seal is broken and set anew by [`SnapshotWriter::finish`].
    ///
    /// # Errors
    /// There is none, another plan began it, its journal is damaged, or it holds files that are not ours.
    pub fn resume(dir: &Path, plan: &Plan) -> Result<Self, SnapshotError> {
        let path = dir.join(JOURNAL);
        if !path.is_file() {
            return Err(SnapshotError::NothingToResume { dir: dir.to_path_buf() });
        }
        let journal = open_journal(dir)?;
        let bytes = fs::read(&path).map_err(|e| FileError::new("read", &path, e))?;
        // Of lines that were not synced a crash of the machine may have left any in pieces.
        let sealed = dir.join(MANIFEST).is_file();
        let whole = if sealed { read::whole_lines(&bytes) } else { read::sound_lines(&bytes) };
        let (begun, written) = read::journal(&path, whole)?;
        let mut differences = begun.plan.differences(plan);
        if begun.digest != begun.plan.digest() {
            differences.push("its journal does not hold the plan it names".to_owned());
        }
        if !differences.is_empty() {
            return Err(SnapshotError::OtherPlan { dir: dir.to_path_buf(), differences });
        }
        // What a crash left of the last line goes, or the next entry would continue it.
        journal.set_len(whole.len() as u64).map_err(|e| FileError::new("write", &path, e))?;
        let written = written.into_iter().map(|(file, written)| (file, written.sha256)).collect();
        let seal = fs::read(dir.join(MANIFEST)).ok().and_then(|text| {
            let manifest = serde_json::from_slice(&text).ok()?;
            Some(Seal { manifest, text })
        });
        let done = sound_files(dir, written)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            // As it was begun: the caller may act in another session by now.
            plan: begun.plan,
            run_id: begun.run_id,
            as_of: begun.as_of,
            merged: begun.merged,
            seal,
            state: Mutex::new(State { journal, synced: Instant::now(), done }),
        })
    }

    /// The id of the run that began it.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// When the run that began it began.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// The snapshots that a snapshot was begun with, which is only looked at; none if it was not merged.
    ///
    /// # Errors
    /// There is none, or its journal is damaged.
    pub fn merged_from(dir: &Path) -> Result<Option<Merged>, SnapshotError> {
        let path = dir.join(JOURNAL);
        let bytes = fs::read(&path).map_err(|e| FileError::new("read", &path, e))?;
        Ok(read::journal(&path, read::whole_lines(&bytes))?.0.merged)
    }

    /// Who read what is reached across its shards, when it was last sealed.
    pub fn completed_by(&self) -> Option<&str> {
        self.seal.as_ref()?.manifest.merged.as_ref()?.completed_by.as_deref()
    }

    /// Whether a file is complete, from this attempt or an interrupted one of the same plan.
    pub fn done(&self, file: &str) -> bool {
        self.digest_of(file).is_some()
    }

    /// The files that are done, by name.
    pub fn files(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).done.keys().cloned().collect()
    }

    /// The lines of a file that is done.
    ///
    /// # Errors
    /// It is not done, or not as it was written.
    pub fn read(&self, file: &str) -> Result<Vec<Line>, SnapshotError> {
        read::lines(&self.dir.join(file), &self.verified(file)?)
    }

    /// Who was in scope, if that is done.
    ///
    /// # Errors
    /// The file is not as it was written.
    pub fn organization(&self) -> Result<Option<Organization>, SnapshotError> {
        match self.digest_of(ORGANIZATION) {
            Some(sha256) => read::organization(&self.dir, &sha256).map(Some),
            None => Ok(None),
        }
    }

    fn verified(&self, file: &str) -> Result<Vec<u8>, SnapshotError> {
        match self.digest_of(file) {
            Some(sha256) => read::verified(&self.dir, file, &sha256),
            None => Err(SnapshotError::Unreadable {
                path: self.dir.join(file),
                line: None,
                message: "it is not complete".to_owned(),
            }),
        }
    }

    /// Writes a file whole and then journals it, replacing an earlier one. Names are relative to the snapshot, with
    /// `/`; lines may come in any order.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write_lines(&self, file: &str, mut lines: Vec<Line>) -> Result<(), SnapshotError> {
        lines.sort_by(in_order);
        self.write(file, lines.len() as u64, |out| {
            let encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
            let mut buffer = BufWriter::with_capacity(BUFFER, encoder);
            for line in &lines {
                serde_json::to_writer(&mut buffer, line)?;
                buffer.write_all(b"\n")?;
            }
            buffer.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?.flush()
        })
    }

    /// Like [`SnapshotWriter::write_lines`], for who is in scope; what is there already stays as it is.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write_organization(&self, organization: &Organization) -> Result<(), SnapshotError> {
        // Piece by piece: as one text ten thousand accounts take megabytes.
        let write = |out: &mut dyn Write| -> io::Result<()> {
            let mut buffer = BufWriter::new(out);
            serde_json::to_writer_pretty(&mut buffer, organization)?;
            buffer.write_all(b"\n")?;
            buffer.flush()
        };
        if let Some(sha256) = self.digest_of(ORGANIZATION) {
            let mut hasher = hash::Hasher::default();
            write(&mut hasher).unwrap_or_else(|e| panic!("internal error: an organization is plain data: {e}"));
            if hasher.finish() == sha256 {
                return Ok(());
            }
        }
        self.write(ORGANIZATION, 1, |out| write(out))
    }

    /// Takes a file over from a sealed snapshot, byte for byte; one that is there already stays as it is. Its lines are
    /// counted by [`SnapshotReader::account_files`].
    ///
    /// # Errors
    /// The other snapshot has no such file, or it is no longer as it was sealed; or the disk refuses.
    pub fn adopt(&self, from: &SnapshotReader, file: &str, lines: u64) -> Result<(), SnapshotError> {
        if self.done(file) {
            return Ok(());
        }
        let bytes = from.sealed(file)?;
        self.write(file, lines, |out| out.write_all(&bytes))
    }

    /// Seals the snapshot and gives the digest of its manifest.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(&self, ending: Ending) -> Result<String, SnapshotError> {
        self.seal(ending, self.merged.clone())
    }

    /// Seals a merged snapshot: who read what is reached across its shards, and how many things nobody read.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish_merged(
        &self,
        ending: Ending,
        completed_by: Option<String>,
        unread: u64,
    ) -> Result<String, SnapshotError> {
        self.seal(ending, self.merged.clone().map(|merged| Merged { completed_by, unread, ..merged }))
    }

    fn seal(&self, ending: Ending, merged: Option<Merged>) -> Result<String, SnapshotError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.in_place(&state.journal)?;
        let journal = self.dir.join(JOURNAL);
        state.journal.sync_all().map_err(|e| FileError::new("write", &journal, e))?;
        // What a seal vouches for is there whatever happens: files are synced when they are written, their names here.
        let folders: BTreeSet<&Path> = state.done.keys().flat_map(|file| Path::new(file).ancestors().skip(1)).collect();
        let own = self.dir.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_path_buf);
        for folder in folders.into_iter().map(|folder| self.dir.join(folder)).chain(own) {
            disk::sync_dir(&folder).map_err(|e| FileError::new("write", &folder, e))?;
        }
        let mut files = state.done.clone();
        let digest = disk::hash_file(&journal).map_err(|e| FileError::new("read", &journal, e))?;
        files.insert(JOURNAL.to_owned(), digest);
        // Whoever judged it need not judge it again.
        if let Some(Seal { manifest, text }) = &self.seal
            && (&manifest.files, manifest.complete, &manifest.merged) == (&files, ending.complete, &merged)
        {
            return Ok(disk::replace(&self.dir, MANIFEST, Privacy::Owner, |file| file.write_all(text))?);
        }
        let manifest = Manifest {
            snapshot_version: SNAPSHOT_VERSION,
            locard_version: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: self.run_id.clone(),
            plan_digest: self.plan.digest(),
            plan: self.plan.clone(),
            as_of: self.as_of,
            finished_at: ending.finished_at,
            clock_skew_seconds: ending.clock_skew_seconds,
            complete: ending.complete,
            calls: ending.calls,
            files,
            merged,
        };
        let mut text = serde_json::to_string_pretty(&manifest)
            .unwrap_or_else(|e| panic!("internal error: a manifest is plain data: {e}"));
        text.push('\n');
        Ok(disk::replace(&self.dir, MANIFEST, Privacy::Owner, |file| file.write_all(text.as_bytes()))?)
    }

    /// Removes a snapshot that nothing came of, so that its folder can be used again.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn discard(self) -> Result<(), SnapshotError> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        for file in state.done.keys().map(String::as_str).chain([JOURNAL]) {
            let path = self.dir.join(file);
            fs::remove_file(&path).map_err(|e| FileError::new("remove", &path, e))?;
            // Folders go when they are empty, the snapshot's own among them.
            let mut folder = path.parent();
            while let Some(dir) = folder.filter(|dir| dir.starts_with(&self.dir) && fs::remove_dir(dir).is_ok()) {
                folder = dir.parent();
            }
        }
        Ok(())
    }

    /// Writes a file whole, then journals it.
    fn write(
        &self,
        file: &str,
        lines: u64,
        write: impl FnOnce(&mut disk::Hashed<File>) -> io::Result<()>,
    ) -> Result<(), SnapshotError> {
        assert!(disk::is_plain_name(file), "internal error: `{file}` cannot stand in a snapshot");
        let (folder, name) = match file.rsplit_once('/') {
            Some((folder, name)) => (self.dir.join(folder), name),
            None => (self.dir.clone(), file),
        };
        self.in_place(&self.state.lock().unwrap_or_else(PoisonError::into_inner).journal)?;
        disk::create_private_dir(&folder)?;
        let sha256 = disk::place(&folder, name, Privacy::Owner, write)?;
        let entry = journal_line(&JournalEntry::Written { file: file.to_owned(), sha256: sha256.clone(), lines });
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.journal.metadata().map(|data| data.len());
        let due = state.synced.elapsed() >= SYNC_EVERY;
        let appended = state.journal.write_all(&entry).and_then(|()| match due {
            true => state.journal.sync_data(),
            false => Ok(()),
        });
        if let Err(error) = appended {
            // Half an entry must not be continued by the next one; a resumed run cuts it off as well.
            let _ = before.and_then(|before| state.journal.set_len(before));
            return Err(FileError::new("write", self.dir.join(JOURNAL), error).into());
        }
        if due {
            state.synced = Instant::now();
        }
        state.done.insert(file.to_owned(), sha256);
        Ok(())
    }

    /// Whether the folder is still the one the snapshot was begun in: what is written elsewhere nobody
    /// finds again, and it may be in another run's way.
    fn in_place(&self, journal: &File) -> Result<(), FileError> {
        let path = self.dir.join(JOURNAL);
        let found = fs::metadata(&path).map_err(|e| FileError::new("find", &path, e))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;

            let opened = journal.metadata().map_err(|e| FileError::new("read", &path, e))?;
            if (opened.dev(), opened.ino()) != (found.dev(), found.ino()) {
                return Err(FileError::new("find", &path, "it is another file than the one that was begun"));
            }
        }
        #[cfg(not(unix))]
        let _ = (journal, found);
        Ok(())
    }

    /// SHA-256 of a file that is complete.
    pub fn digest_of(&self, file: &str) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).done.get(file).cloned()
    }
}

/// By kind, id and region; what is equal in those by all it says, so that equal facts give equal bytes in whatever
/// order they came.
fn in_order(a: &Line, b: &Line) -> Ordering {
    let text = |line: &Line| serde_json::to_string(line).map_err(|e| e.to_string());
    (&a.kind, &a.id, &a.region).cmp(&(&b.kind, &b.id, &b.region)).then_with(|| text(a).cmp(&text(b)))
}

fn journal_line(entry: &JournalEntry) -> Vec<u8> {
    let mut line =
        serde_json::to_vec(entry).unwrap_or_else(|e| panic!("internal error: a journal entry is plain data: {e}"));
    line.push(b'\n');
    line
}

/// Opens the journal to append, and keeps every other process from doing so.
fn open_journal(dir: &Path) -> Result<File, SnapshotError> {
    let path = dir.join(JOURNAL);
    let file = OpenOptions::new().append(true).open(&path).map_err(|e| FileError::new("write", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SnapshotError::Busy { dir: dir.to_path_buf() }),
        // Some network file systems cannot lock; going on is what happened before there were locks.
        Err(TryLockError::Error(error)) => {
            tracing::warn!("cannot lock {}: {error}", path.display());
            Ok(file)
        }
    }
}

/// Whether a new snapshot can go to a folder: there is none yet, or it holds nothing but what a crash left of a file.
///
/// # Errors
/// It holds anything else, above all another snapshot.
pub fn vacant(dir: &Path) -> Result<(), SnapshotError> {
    if !dir.exists() {
        return Ok(());
    }
    let found = disk::walk(dir)?;
    let holds = |name: &str| found.iter().any(|(file, _)| file == name);
    if holds(JOURNAL) || holds(MANIFEST) {
        return Err(SnapshotError::Exists { dir: dir.to_path_buf(), finished: holds(MANIFEST) });
    }
    match found.iter().find(|(file, _)| !file.ends_with(disk::PARTIAL)) {
        Some((file, _)) => {
            Err(SnapshotError::NotEmpty { dir: dir.to_path_buf(), found: file.escape_debug().to_string() })
        }
        None => Ok(()),
    }
}

/// Which journalled files are on disk as journalled. Everything else of ours goes.
fn sound_files(dir: &Path, written: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, SnapshotError> {
    let found = disk::walk(dir)?;
    if let Some((file, _)) = found.iter().find(|(file, _)| !is_ours(file)) {
        return Err(SnapshotError::NotEmpty { dir: dir.to_path_buf(), found: file.escape_debug().to_string() });
    }
    let mut done = BTreeMap::new();
    for (file, regular) in found {
        let path = dir.join(&file);
        if file == JOURNAL {
            continue;
        }
        let actual =
            if regular { disk::hash_file(&path).map_err(|e| FileError::new("read", &path, e))? } else { String::new() };
        match written.get(&file) {
            Some(sha256) if *sha256 == actual => {
                done.insert(file, actual);
            }
            expected => {
                if expected.is_some() {
                    tracing::warn!("{} is not as it was written; it is collected again", path.display());
                }
                fs::remove_file(&path).map_err(|e| FileError::new("remove", &path, e))?;
            }
        }
    }
    Ok(done)
}

/// Whether a run of ours could have left the file.
fn is_ours(file: &str) -> bool {
    let file = file.strip_suffix(disk::PARTIAL).unwrap_or(file);
    match file.split('/').collect::<Vec<_>>().as_slice() {
        [name] => name.ends_with(".json") || *name == JOURNAL,
        ["accounts", _, name] => name.ends_with(".jsonl.zst"),
        _ => false,
    }
}
