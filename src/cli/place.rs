//! Where a run goes and where one comes from: a folder, or a prefix of a bucket.
//!
//! Everything is written to a folder first; what goes to a bucket is copied from there as soon as it is complete. How is
//! in `remote`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::exit::Refused;
use crate::cli::out;
use crate::cli::remote::Remote;
use crate::files::{
    self, JOURNAL, MANIFEST, RESULTS, SNAPSHOT, Scratch, SnapshotError, SnapshotReader, SnapshotWriter,
};
use crate::model::ids::AccountId;
use crate::model::prefix::S3Prefix;
use crate::results::Run;
use crate::results::stream::{self, ReadError};

/// What a run that was asked to end takes at most to bring what it has to its bucket.
const SOON: Duration = Duration::from_secs(20);
/// And to leave its journal there, after that has failed.
const RESCUE: Duration = Duration::from_secs(5);

const STORE: &str = "Places in S3";

/// As an argument names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Folder(PathBuf),
    Bucket(S3Prefix),
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with(S3Prefix::SCHEME) {
            // A slip here would leave a run on a machine that is gone when it ends.
            if text.get(..3).is_some_and(|scheme| scheme.eq_ignore_ascii_case("s3:")) {
                return Err(format!(
                    "places in S3 are written {}bucket/prefix; a folder of that name is ./{text}",
                    S3Prefix::SCHEME
                ));
            }
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        S3Prefix::parse(text).map(Self::Bucket)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Bucket(prefix) => write!(f, "{prefix}"),
        }
    }
}

/// What matters only where a place is in S3.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct StoreArgs {
    /// Folder that a run is put together in before it goes to s3://; default: a temporary one
    #[arg(long, value_name = "DIR", help_heading = STORE)]
    pub work_dir: Option<PathBuf>,
    /// Account that owns the bucket of s3:// places; S3 refuses another's
    #[arg(long, value_name = "ID", value_parser = AccountId::parse, help_heading = STORE)]
    pub bucket_owner: Option<AccountId>,
}

/// As what a bucket is reached: the caller itself, never a role in an audited account.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Credentials {
    /// Profile of the AWS configuration to reach s3:// places with
    #[arg(long, value_name = "NAME", help_heading = STORE)]
    pub profile: Option<String>,
    /// Send requests here instead of to AWS, such as http://127.0.0.1:5000
    #[arg(long, value_name = "URL", value_parser = crate::cli::args::endpoint_url, help_heading = STORE)]
    pub endpoint_url: Option<String>,
}

/// Whether to go on with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Resume {
    Always,
    IfBegun,
}

/// The folder a run is written to, and where it is copied.
pub(super) struct RunFolder {
    dir: PathBuf,
    shown: String,
    remote: Option<Arc<Remote>>,
    scratch: Option<Scratch>,
}

impl RunFolder {
    /// A folder for the run that goes to a place.
    pub(super) fn open(place: &Place, store: &StoreArgs, credentials: &Credentials) -> anyhow::Result<Self> {
        match place {
            Place::Folder(dir) => Ok(Self { dir: dir.clone(), shown: place.to_string(), remote: None, scratch: None }),
            Place::Bucket(prefix) => {
                let remote = Remote::open(prefix, store, credentials)?;
                let (dir, scratch) = match &store.work_dir {
                    Some(dir) => (dir.clone(), None),
                    None => {
                        let scratch = Scratch::new()?;
                        (scratch.path().to_path_buf(), Some(scratch))
                    }
                };
                Ok(Self { dir, shown: place.to_string(), remote: Some(Arc::new(remote)), scratch })
            }
        }
    }

    /// The folder on this machine.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder, if it is only there until its files are elsewhere.
    #[cfg(feature = "aws")]
    pub(super) fn scratch(&self) -> Option<&Path> {
        self.scratch.as_ref().map(Scratch::path)
    }

    /// The snapshot of the run, on this machine.
    pub(super) fn snapshot(&self) -> PathBuf {
        self.dir.join(SNAPSHOT)
    }

    /// A file of the run as people find it.
    pub(super) fn shown(&self, name: &str) -> String {
        match self.is_remote() {
            true => format!("{}/{name}", self.shown),
            false => self.dir.join(name).display().to_string(),
        }
    }

    pub(super) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    pub(super) fn remote(&self) -> Option<&Arc<Remote>> {
        self.remote.as_ref()
    }

    /// Whether there is a run to go on with, as was asked for; fetched, if it lies in a bucket.
    ///
    /// # Errors
    /// There is none, and there should be; or there is one, and nobody spoke of going on.
    pub(super) fn begun(&self, wanted: Option<Resume>) -> anyhow::Result<bool> {
        let Some(wanted) = wanted else { return self.vacant().map(|()| false) };
        let here = self.snapshot().join(JOURNAL).is_file();
        let here = match &self.remote {
            // What is still on this machine is ahead of what it has put there.
            Some(remote) if here => remote.same_run(&self.dir).map(|()| true)?,
            Some(remote) => remote.fetch_begun(&self.dir)?,
            None => here,
        };
        match (here, wanted) {
            (true, _) => Ok(true),
            (false, Resume::IfBegun) => self.vacant().map(|()| false),
            (false, Resume::Always) => Err(SnapshotError::NothingToResume { dir: self.shown.clone().into() }.into()),
        }
    }

    /// Refuses a place that a run has been written to.
    fn vacant(&self) -> anyhow::Result<()> {
        files::vacant(&self.snapshot())?;
        if self.dir.join(RESULTS).exists() {
            return Err(self.taken("choose another --out"));
        }
        if let Some(remote) = &self.remote {
            remote.vacant()?;
        }
        Ok(())
    }

    /// The run whose results are there already; none if there are none.
    pub(super) fn judged(&self) -> anyhow::Result<Option<Result<Run, ReadError>>> {
        if let Some(remote) = &self.remote {
            return Ok(remote.beginning(RESULTS)?.map(|bytes| stream::read_run(bytes.as_slice())));
        }
        let path = self.dir.join(RESULTS);
        Ok(if path.exists() { Some(stream::read_run(files::open(&path)?)) } else { None })
    }

    /// What to say where results of another run are.
    pub(super) fn taken(&self, help: &str) -> anyhow::Error {
        Refused::usage(format!("{} already holds the results of another run", self.shown), help)
    }

    /// Brings a file that lies beside the snapshot to where the run goes.
    pub(super) fn put(&self, name: &str) -> anyhow::Result<()> {
        if let Some(remote) = &self.remote {
            remote.put_file(name, &self.dir.join(name))?;
        }
        Ok(())
    }

    /// Brings a sealed snapshot to where the run goes; soon, if it was asked to end.
    pub(super) fn copy(&self, writer: &SnapshotWriter, soon: bool) -> anyhow::Result<()> {
        if let Some(remote) = &self.remote {
            remote.seal(writer, &self.dir, soon.then_some(SOON))?;
        }
        Ok(())
    }

    /// Before a run ends with an error: what it has collected must be found again, if only on this machine.
    pub(super) fn rescue(&self) {
        if let (Some(remote), true) = (&self.remote, self.snapshot().join(JOURNAL).is_file())
            && (remote.put_journal(&self.dir, RESCUE).is_err() || remote.lacks_any(&self.dir))
            && let Some(scratch) = &self.scratch
        {
            scratch.keep();
            let dir = scratch.path().display();
            out::say(&format!("what was collected is in {dir}: go on with --resume --work-dir {dir}\n"));
        }
    }
}

/// A snapshot to be judged or merged, on this machine.
pub(super) struct Source {
    /// As people know it.
    pub shown: String,
    pub dir: PathBuf,
}

/// Snapshots that arguments name, with the temporary folder of those that were fetched.
pub(super) struct Sources {
    pub all: Vec<Source>,
    /// Those that were left out, as people know them.
    pub unsealed: Vec<String>,
    scratch: Option<Scratch>,
}

impl Sources {
    /// Every snapshot that places stand for: a snapshot, the run that left it, or a folder of such runs. Those that
    /// nothing seals are left out where that is wanted.
    pub(super) fn find(
        places: &[Place],
        store: &StoreArgs,
        credentials: &Credentials,
        sealed_only: bool,
    ) -> anyhow::Result<Self> {
        let mut sources = Self { all: Vec::new(), unsealed: Vec::new(), scratch: None };
        for place in places {
            match place {
                Place::Folder(dir) => {
                    for (source, sealed) in in_folder(dir)? {
                        match sealed || !sealed_only {
                            true => sources.all.push(source),
                            false => sources.unsealed.push(source.shown),
                        }
                    }
                }
                Place::Bucket(prefix) => {
                    let remote = Remote::open(prefix, store, credentials)?;
                    let below = sources.scratch()?.join(sources.all.len().to_string());
                    let (found, unsealed) = remote.fetch_snapshots(&below, sealed_only)?;
                    sources.all.extend(found);
                    sources.unsealed.extend(unsealed);
                }
            }
        }
        Ok(sources)
    }

    /// The one snapshot that a place stands for.
    pub(super) fn one(place: &Place, store: &StoreArgs, credentials: &Credentials) -> anyhow::Result<(Source, Self)> {
        if let Place::Folder(dir) = place {
            if !dir.is_dir() {
                return Err(no_folder(dir));
            }
            let source = Source { shown: place.to_string(), dir: snapshot_in(dir) };
            return Ok((source, Self { all: Vec::new(), unsealed: Vec::new(), scratch: None }));
        }
        let mut sources = Self::find(std::slice::from_ref(place), store, credentials, false)?;
        match (sources.all.pop(), sources.all.len()) {
            (Some(source), 0) => Ok((source, sources)),
            (_, more) => {
                let message = format!("{place} holds {} snapshots, and one can be judged", more + 1);
                Err(Refused::usage(message, "name one, or put the shards of a run together with `locard merge`"))
            }
        }
    }

    /// A folder for what is fetched.
    fn scratch(&mut self) -> anyhow::Result<PathBuf> {
        let scratch = match self.scratch.take() {
            Some(scratch) => scratch,
            None => Scratch::new()?,
        };
        Ok(self.scratch.insert(scratch).path().to_path_buf())
    }
}

/// The snapshots in a folder, and whether each is sealed.
fn in_folder(dir: &Path) -> anyhow::Result<Vec<(Source, bool)>> {
    if !dir.is_dir() {
        return Err(no_folder(dir));
    }
    let found = files::snapshots_in(dir)?;
    if found.is_empty() {
        let message = format!("there is no snapshot in {}", dir.display());
        return Err(Refused::usage(message, "name a snapshot, the run that holds one, or a folder of such runs"));
    }
    let sources = found.into_iter().map(|found| {
        let dir = if found.folder.is_empty() { dir.to_path_buf() } else { dir.join(&found.folder) };
        (Source { shown: dir.display().to_string(), dir }, found.sealed)
    });
    Ok(sources.collect())
}

fn no_folder(dir: &Path) -> anyhow::Error {
    Refused::usage(format!("{} is no folder", dir.display()), "name a snapshot, or the run that holds one")
}

/// A run's folder stands for the snapshot in it.
fn snapshot_in(path: &Path) -> PathBuf {
    let inner = path.join(SNAPSHOT);
    if !path.join(MANIFEST).exists() && inner.is_dir() { inner } else { path.to_path_buf() }
}

impl Source {
    /// Opens it, verified.
    pub(super) fn open(&self, expect_digest: Option<&str>) -> anyhow::Result<SnapshotReader> {
        let opened = SnapshotReader::open(&self.dir, expect_digest);
        opened.map_err(|error| {
            let named = self.dir.display().to_string() == self.shown;
            let error = anyhow::Error::from(error);
            if named { error } else { error.context(format!("cannot use {}", self.shown)) }
        })
    }
}
