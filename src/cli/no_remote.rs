//! Runs in a bucket, in a locard that was built without the feature `aws`: there are none, and none can be opened.
//!
//! It has the face of `remote`, so that what handles runs need not know.

use std::path::Path;
use std::time::Duration;

use crate::cli::exit::Refused;
use crate::cli::place::{Credentials, Source, StoreArgs};
use crate::files::SnapshotWriter;
use crate::model::prefix::S3Prefix;

pub(super) enum Remote {}

impl Remote {
    pub(super) fn open(place: &S3Prefix, args: &StoreArgs, credentials: &Credentials) -> anyhow::Result<Self> {
        let StoreArgs { work_dir: _, bucket_owner: _ } = args;
        let Credentials { profile: _, endpoint_url: _ } = credentials;
        let message = format!("this locard was built without AWS and cannot reach {place}");
        Err(Refused::usage(message, "build it with the feature `aws`, or name a folder"))
    }

    pub(super) fn vacant(&self) -> anyhow::Result<()> {
        match *self {}
    }

    pub(super) fn claim(&self, _dir: &Path) -> anyhow::Result<()> {
        match *self {}
    }

    pub(super) fn same_run(&self, _dir: &Path) -> anyhow::Result<()> {
        match *self {}
    }

    pub(super) fn beginning(&self, _name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        match *self {}
    }

    pub(super) fn put_file(&self, _name: &str, _path: &Path) -> anyhow::Result<()> {
        match *self {}
    }

    pub(super) fn unseal(&self) -> anyhow::Result<()> {
        match *self {}
    }

    pub(super) fn put_journal(&self, _dir: &Path, _time: Duration) -> anyhow::Result<()> {
        match *self {}
    }

    pub(super) fn lacks_any(&self, _dir: &Path) -> bool {
        match *self {}
    }

    pub(super) fn seal(&self, _writer: &SnapshotWriter, _dir: &Path, _time: Option<Duration>) -> anyhow::Result<()> {
        match *self {}
    }

    pub(super) fn fetch_begun(&self, _dir: &Path) -> anyhow::Result<bool> {
        match *self {}
    }

    pub(super) fn fetch_snapshots(
        &self,
        _into: &Path,
        _sealed_only: bool,
    ) -> anyhow::Result<(Vec<Source>, Vec<String>)> {
        match *self {}
    }
}
