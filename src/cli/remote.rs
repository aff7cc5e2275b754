//! Runs in a bucket: each file is put there when it is complete, the manifest last, and fetched from there to go on with.
//!
//! What S3 is asked is in `aws::store`; what the files are is in `files`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::aws::stop::Stop;
use crate::aws::store::{Store, StoreAccess, StoreError};
use crate::cli::exit::Refused;
use crate::cli::place::{Credentials, Source, StoreArgs};
use crate::files::{self, JOURNAL, MANIFEST, RESULTS, SNAPSHOT, SnapshotError, SnapshotWriter};
use crate::model::hash;
use crate::model::prefix::S3Prefix;

/// Objects under way at a time.
const AT_A_TIME: usize = 16;
/// After so many that could not be put, no more are tried.
const REFUSED: usize = 32;

/// The journal in the bucket is at most so old while files are put: a machine that dies loses no more than this.
const JOURNAL_EVERY: Duration = Duration::from_secs(10);

/// A prefix of a bucket, and what of this run is known to be there.
pub(super) struct Remote {
    runtime: tokio::runtime::Runtime,
    store: Store,
    there: Mutex<BTreeMap<String, String>>,
    journal_put: Mutex<Instant>,
}

impl Remote {
    pub(super) fn open(place: &S3Prefix, args: &StoreArgs, credentials: &Credentials) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(2)
            // As for the sweep: the SDK's endpoint rules for S3.
            .thread_stack_size(8 << 20)
            .build()
            .context("cannot start the threads that speak to S3")?;
        let access = StoreAccess {
            profile: credentials.profile.clone(),
            endpoint_url: credentials.endpoint_url.clone(),
            bucket_owner: args.bucket_owner.clone(),
        };
        let store = runtime.block_on(Store::open(&access, place.clone())).map_err(|e| refused(place, e))?;
        let (there, journal_put) = (Mutex::default(), Mutex::new(Instant::now()));
        Ok(Self { runtime, store, there, journal_put })
    }

    fn place(&self) -> &S3Prefix {
        self.store.place()
    }

    fn said(&self, error: StoreError) -> anyhow::Error {
        refused(self.place(), error)
    }

    /// Refuses a prefix that anything of a run lies under.
    pub(super) fn vacant(&self) -> anyhow::Result<()> {
        let names = self.runtime.block_on(self.store.list()).map_err(|e| self.said(e))?;
        let holds = |file: &str| names.iter().any(|name| name == &snapshot(file));
        let dir = PathBuf::from(self.place().to_string());
        if holds(MANIFEST) || holds(JOURNAL) {
            return Err(SnapshotError::Exists { dir, finished: holds(MANIFEST) }.into());
        }
        if names.iter().any(|name| name == RESULTS) {
            let message = format!("{} already holds the results of another run", self.place());
            return Err(Refused::usage(message, "choose another --out"));
        }
        // The folder that the console makes is an object without a name of its own.
        match names.iter().find(|name| !name.is_empty()) {
            Some(found) => Err(SnapshotError::NotEmpty { dir, found: found.clone() }.into()),
            None => Ok(()),
        }
    }

    /// Puts the journal of a run that has just begun, unless another run was quicker.
    pub(super) fn claim(&self, dir: &Path) -> anyhow::Result<()> {
        let content = files::read_bytes(&dir.join(SNAPSHOT).join(JOURNAL))?;
        let claimed = self.runtime.block_on(self.store.claim(&snapshot(JOURNAL), content));
        match claimed.map_err(|e| self.said(e))? {
            true => Ok(()),
            // The answer to an earlier attempt may have been lost: then it is ours.
            false if self.get(&snapshot(JOURNAL))? == Some(files::read_bytes(&dir.join(SNAPSHOT).join(JOURNAL))?) => {
                Ok(())
            }
            false => {
                let message = format!("another run has just begun in {}", self.place());
                Err(Refused::usage(message, "choose another --out"))
            }
        }
    }

    fn get(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        self.runtime.block_on(self.store.get(name)).map_err(|e| self.said(e))
    }

    /// The beginning of an object: enough for what a run is.
    pub(super) fn beginning(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        self.runtime.block_on(self.store.beginning(name, 1 << 20)).map_err(|e| self.said(e))
    }

    /// Puts a file, however large.
    pub(super) fn put_file(&self, name: &str, path: &Path) -> anyhow::Result<()> {
        let sha256 = files::sha256_of(path)?;
        self.runtime.block_on(self.store.put_file(name, path, &sha256)).map_err(|e| self.said(e))
    }

    fn put(&self, name: &str, content: Vec<u8>) -> anyhow::Result<()> {
        self.runtime.block_on(self.store.put(name, content)).map_err(|e| self.said(e))
    }

    /// What a future comes to, if it does in time; without a time, whenever it does.
    fn within<T>(&self, time: Option<Duration>, future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let Some(time) = time else { return self.runtime.block_on(future) };
        self.runtime.block_on(async { tokio::time::timeout(time, future).await }).unwrap_or_else(|_elapsed| {
            let message = format!("{} did not take everything within {} s", self.place(), time.as_secs());
            Err(Refused::no_result(message, "the same command with --resume goes on"))
        })
    }

    /// Puts a file of the snapshot that has just been completed; now and then the journal too. When the run is to end
    /// nothing is put any more: what is not there yet is when the snapshot is sealed.
    pub(super) fn put_completed(
        &self,
        writer: &SnapshotWriter,
        dir: &Path,
        file: &str,
        stop: &Stop,
    ) -> anyhow::Result<()> {
        let put = |file: &str| -> anyhow::Result<bool> {
            let content = read(dir, file)?;
            let put = self.runtime.block_on(stop.or(self.store.put(&snapshot(file), content)));
            put.map_or(Ok(false), |put| put.map(|()| true).map_err(|e| self.said(e)))
        };
        if !put(file)? {
            return Ok(());
        }
        if let Some(sha256) = writer.digest_of(file) {
            self.there().insert(file.to_owned(), sha256);
        }
        let due = {
            let mut last = self.journal_put.lock().unwrap_or_else(PoisonError::into_inner);
            let due = last.elapsed() >= JOURNAL_EVERY;
            if due {
                *last = Instant::now();
            }
            due
        };
        if due { put(JOURNAL).map(|_| ()) } else { Ok(()) }
    }

    /// Puts the journal, so that a run can go on from here.
    pub(super) fn put_journal(&self, dir: &Path, time: Duration) -> anyhow::Result<()> {
        let content = read(dir, JOURNAL)?;
        let name = snapshot(JOURNAL);
        self.within(Some(time), async { self.store.put(&name, content).await.map_err(|e| self.said(e)) })
    }

    /// Whether files of the snapshot in a folder are not there.
    pub(super) fn lacks_any(&self, dir: &Path) -> bool {
        let written = read(dir, JOURNAL).and_then(|journal| Ok(files::named_by_journal(&journal)?));
        let there = self.there();
        written.map_or(true, |written| written.iter().any(|(file, sha256)| there.get(file) != Some(sha256)))
    }

    /// Puts what of a finished snapshot is not there yet: files, then the journal, then the manifest. What cannot be put
    /// costs nothing else.
    pub(super) fn seal(&self, writer: &SnapshotWriter, dir: &Path, time: Option<Duration>) -> anyhow::Result<()> {
        let there = self.there().clone();
        let left = writer.files().into_iter().filter(|file| writer.digest_of(file).as_ref() != there.get(file));
        let left: Vec<String> = left.collect();
        let refused = AtomicUsize::new(0);
        let refused = &refused;
        let puts = left.iter().map(|file| async move {
            anyhow::ensure!(refused.load(Ordering::Relaxed) < REFUSED, "{} takes nothing", self.place());
            let content = read(dir, file)?;
            let put = self.store.put(&snapshot(file), content).await;
            put.map_err(|e| self.said(e)).inspect_err(|_| _ = refused.fetch_add(1, Ordering::Relaxed))?;
            if let Some(sha256) = writer.digest_of(file) {
                self.there().insert(file.clone(), sha256);
            }
            Ok(())
        });
        let puts: Vec<_> = puts.collect();
        self.within(time, async {
            let put: Vec<anyhow::Result<()>> = stream::iter(puts).buffer_unordered(AT_A_TIME).collect().await;
            put.into_iter().collect::<anyhow::Result<()>>()?;
            for file in [JOURNAL, MANIFEST] {
                self.store.put(&snapshot(file), read(dir, file)?).await.map_err(|e| self.said(e))?;
            }
            Ok(())
        })
    }

    /// Fetches what an interrupted run has left, to go on with it; false if no run has begun.
    pub(super) fn fetch_begun(&self, dir: &Path) -> anyhow::Result<bool> {
        let Some(journal) = self.get(&snapshot(JOURNAL))? else { return Ok(false) };
        let named = files::named_by_journal(&journal)?;
        let below = dir.join(SNAPSHOT);
        // The journal may be ahead of what was put: only what is there need not be put again.
        let there = self.fetch(SNAPSHOT, named.into_keys().collect(), &below)?;
        files::lay_down(&below, JOURNAL, &journal)?;
        if let Some(manifest) = self.get(&snapshot(MANIFEST))?.filter(|manifest| !manifest.is_empty()) {
            files::lay_down(&below, MANIFEST, &manifest)?;
        }
        *self.there() = there;
        Ok(true)
    }

    /// Takes the seal off a run that goes on, so that a kill in the middle leaves it unfinished, and not tampered with. An
    /// object cannot be removed with what the caller may do; one that is empty seals nothing.
    pub(super) fn unseal(&self) -> anyhow::Result<()> {
        match self.get(&snapshot(MANIFEST))? {
            Some(manifest) if !manifest.is_empty() => self.put(&snapshot(MANIFEST), Vec::new()),
            Some(_) | None => Ok(()),
        }
    }

    /// Fetches every snapshot that the prefix stands for, each into a folder of its own below `into`: its place, and
    /// the folder. Those that nothing seals are left out where that is wanted, and named.
    pub(super) fn fetch_snapshots(&self, into: &Path, sealed_only: bool) -> anyhow::Result<(Vec<Source>, Vec<String>)> {
        let names = self.runtime.block_on(self.store.list()).map_err(|e| self.said(e))?;
        let found = files::snapshots_among(names.iter().map(String::as_str));
        if found.is_empty() {
            let message = format!("there is no snapshot in {}", self.place());
            return Err(Refused::usage(message, "name a snapshot, the run that holds one, or a prefix of such runs"));
        }
        let (mut fetched, mut unsealed) = (Vec::new(), Vec::new());
        for (index, one) in found.iter().enumerate() {
            let shown = match one.folder.as_str() {
                "" => self.place().to_string(),
                folder => format!("{}/{folder}", self.place()),
            };
            let dir = into.join(index.to_string());
            let manifest = match one.sealed {
                true => self.get(&below(&one.folder, MANIFEST))?.with_context(|| format!("{shown} has vanished"))?,
                false => Vec::new(),
            };
            if manifest.is_empty() {
                if sealed_only {
                    unsealed.push(shown);
                    continue;
                }
                return Err(SnapshotError::Unsealed { dir: PathBuf::from(shown) }.into());
            }
            let wanted = files::named_by_manifest(&manifest);
            let there: BTreeSet<&str> = names.iter().filter_map(|name| inside(&one.folder, name)).collect();
            for stray in there.iter().filter(|name| **name != MANIFEST && !wanted.contains(**name)) {
                // Unlike in a folder, nobody can have put it there to be read: only what the manifest names is.
                tracing::warn!(
                    "{shown} holds {}, which its manifest does not name; it is not read",
                    stray.escape_debug()
                );
            }
            // What is not there is missed by name when the snapshot is verified.
            let wanted = wanted.into_iter().filter(|name| there.contains(name.as_str())).collect();
            self.fetch(&one.folder, wanted, &dir)?;
            files::lay_down(&dir, MANIFEST, &manifest)?;
            fetched.push(Source { shown, dir });
        }
        Ok((fetched, unsealed))
    }

    /// Refuses to go on with a run from this machine where another one is in the bucket.
    pub(super) fn same_run(&self, dir: &Path) -> anyhow::Result<()> {
        let Some(theirs) = self.get(&snapshot(JOURNAL))? else { return self.claim(dir) };
        let ours = read(dir, JOURNAL)?;
        // The first line has the id of the run.
        let first = |journal: &[u8]| journal.split(|byte| *byte == b'\n').next().map(<[u8]>::to_vec);
        if first(&ours) == first(&theirs) {
            return Ok(());
        }
        let message = format!("{} holds another run than {}", self.place(), dir.display());
        Err(Refused::usage(message, "choose another --out, or another --work-dir"))
    }

    /// Fetches files into a folder; those that were there, with their SHA-256.
    fn fetch(&self, folder: &str, names: Vec<String>, into: &Path) -> anyhow::Result<BTreeMap<String, String>> {
        let gets = names.into_iter().map(|name| async move {
            let content = self.store.get(&below(folder, &name)).await.map_err(|e| self.said(e))?;
            let Some(content) = content else { return Ok(None) };
            files::lay_down(into, &name, &content)?;
            anyhow::Ok(Some((name, hash::sha256(&content))))
        });
        let gets: Vec<_> = gets.collect();
        let fetched = stream::iter(gets).buffer_unordered(AT_A_TIME).try_collect::<Vec<_>>();
        Ok(self.runtime.block_on(fetched)?.into_iter().flatten().collect())
    }

    fn there(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(place: &S3Prefix, error: StoreError) -> anyhow::Error {
    let help = if error.denied {
        format!("`locard role --document caller --store {place}` prints what the caller needs")
    } else {
        "check the name, --profile, AWS_REGION and --endpoint-url; an interrupted run goes on with --resume".to_owned()
    };
    Refused::no_result(error.to_string(), help)
}

fn snapshot(file: &str) -> String {
    below(SNAPSHOT, file)
}

fn below(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
}

fn inside<'a>(folder: &str, name: &'a str) -> Option<&'a str> {
    if folder.is_empty() { Some(name) } else { name.strip_prefix(folder)?.strip_prefix('/') }
}

fn read(dir: &Path, file: &str) -> anyhow::Result<Vec<u8>> {
    let path = dir.join(SNAPSHOT).join(file);
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}
