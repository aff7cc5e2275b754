//! Shards put together without AWS: the same results as one run, and everything that is refused or said aloud.
//!
//! What a merge reads from AWS is tested in `shards`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use locard::files::{Ending, SNAPSHOT, SnapshotReader, SnapshotWriter, inventory_file};
use locard::inventory::Fact;
use locard::inventory::snapshot::{CallCount, Plan, SNAPSHOT_VERSION};
use locard::model::ids::AccountId;
use locard::model::shard::Shard;
use locard::model::time::Timestamp;
use serde_json::Value;

use crate::estate::{Estate, LAKE, MANAGEMENT};

/// Of four shards the second is empty; `LAKE`, whose buckets `PROD` trains on, is in another than `PROD`.
const SHARDS: u32 = 4;

fn plan(shard: Option<Shard>) -> Plan {
    let session = shard.map_or_else(|| "whole".to_owned(), |shard| format!("task-{}", shard.index()));
    Plan {
        snapshot_version: SNAPSHOT_VERSION,
        caller: format!("arn:aws:sts::{MANAGEMENT}:assumed-role/Auditor/{session}"),
        role: "LocardAudit".to_owned(),
        accounts: Vec::new(),
        organizational_units: Vec::new(),
        regions: Vec::new(),
        skip_regions: Vec::new(),
        operations: vec!["s3:ListBuckets".to_owned()],
        ai_lookback_days: 365,
        max_described_jobs: 500,
        shard,
    }
}

/// A run of its own below a folder.
struct Run {
    estate: Estate,
    plan: Plan,
    /// Seconds after the first shard's beginning.
    later: i64,
    skew: i64,
    complete: bool,
}

impl Run {
    fn of(shard: Option<Shard>) -> Self {
        let later = shard.map_or(0, |shard| i64::from(shard.index()) - 1);
        let skew = if later == 2 { -9 } else { 1 };
        Self { estate: Estate::healthy(), plan: plan(shard), later, skew, complete: true }
    }

    fn write(&self, folder: &Path) {
        let start = Timestamp::parse("2026-11-01T12:00:00Z").unwrap().unix();
        let as_of = Timestamp::from_unix(start + self.later);
        let id = format!("run-{}", self.later);
        let writer = SnapshotWriter::create(&folder.join(SNAPSHOT), &self.plan, &id, as_of).unwrap();
        writer.write_organization(&self.estate.organization()).unwrap();
        for (account, lines) in &self.estate.accounts {
            if self.plan.shard.is_none_or(|shard| shard.holds(account)) {
                writer.write_lines(&inventory_file(account), lines.clone()).unwrap();
            }
        }
        let calls =
            BTreeMap::from([("s3:ListBuckets".to_owned(), CallCount { operations: 1, attempts: 2, throttled: 1 })]);
        let (finished_at, clock_skew_seconds) = (as_of, Some(self.skew));
        writer.finish(Ending { finished_at, clock_skew_seconds, complete: self.complete, calls }).unwrap();
    }
}

fn shard(index: u32) -> Shard {
    Shard::parse(&format!("{index}/{SHARDS}")).unwrap()
}

/// A folder with one run a shard, `shards/1` and so on, each as `change` leaves it.
fn shards(change: impl Fn(u32, &mut Run)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for index in 1..=SHARDS {
        let mut run = Run::of(Some(shard(index)));
        change(index, &mut run);
        run.write(&folder.path().join(format!("shards/{index}")));
    }
    folder
}

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn locard(dir: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locard"));
    let output = command.args(args).current_dir(dir).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn merged(dir: &Path, args: &[&str]) -> Ran {
    let ran = locard(dir, &[&["merge", "shards", "--out", "merged", "--offline"], args].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran
}

/// What a run is judged as, without what tells runs apart.
fn judged(dir: &Path, run: &str) -> Value {
    let ran = locard(dir, &["evaluate", run, "--out", &format!("judged-{run}")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let bytes = fs::read(dir.join(format!("judged-{run}/results.json"))).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Every file below a folder, with its bytes.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn merged_shards_are_judged_as_one_run_and_left_as_they_are() {
    let folder = shards(|_, _| {});
    let dir = folder.path();
    Run::of(None).write(&dir.join("whole"));
    let before = content(&dir.join("shards"));
    let ran = merged(dir, &[]);
    assert_eq!(ran.stderr, "");
    assert_eq!(content(&dir.join("shards")), before);

    let (mut one, mut other) = (judged(dir, "whole"), judged(dir, "merged"));
    assert_eq!(other["run"]["partial"], false, "{}", other["run"]);
    for results in [&mut one, &mut other] {
        results.as_object_mut().unwrap().remove("run");
    }
    assert_eq!(one, other);

    let reader = SnapshotReader::open(&dir.join("merged/snapshot"), None).unwrap();
    let manifest = reader.manifest();
    assert!(ran.stdout.contains(reader.manifest_digest()), "{}", ran.stdout);
    assert_eq!(manifest.plan, Plan { caller: plan(Some(shard(1))).caller, ..plan(None) });
    assert_eq!(manifest.as_of.to_string(), "2026-11-01T12:00:00Z", "the earliest");
    assert_eq!(manifest.clock_skew_seconds, Some(-9), "the worst");
    assert_eq!(manifest.calls["s3:ListBuckets"], CallCount { operations: 4, attempts: 8, throttled: 4 });
    let origins = &manifest.merged.as_ref().unwrap().shards;
    for (origin, index) in origins.iter().zip(1..) {
        let source = SnapshotReader::open(&dir.join(format!("shards/{index}/snapshot")), None).unwrap();
        assert_eq!(origin.manifest_digest, source.manifest_digest());
        assert_eq!((origin.shard.index(), &origin.run_id), (index, &source.manifest().run_id));
    }
    assert_eq!(origins.len(), 4);
}

#[test]
fn a_shard_by_itself_is_a_part_and_says_whose_accounts_it_lacks() {
    let folder = shards(|_, _| {});
    let results = judged(&folder.path().join("shards"), "1");
    assert_eq!(results["run"]["partial_reasons"], serde_json::json!(["only the accounts of shard 1/4 were entered"]));
    let lake = results["accounts"].as_array().unwrap().iter().find(|account| account["id"] == LAKE).unwrap();
    assert_eq!((lake["status"].as_str(), lake["has_ai"].as_str()), (Some("not_assessed"), Some("unknown")));
    assert_eq!(lake["reason"], "it is in shard 3/4, and this is shard 1");
}

#[test]
fn a_missing_shard_is_named_and_only_on_request_gone_without() {
    let folder = shards(|_, _| {});
    let dir = folder.path();
    fs::remove_dir_all(dir.join("shards/3")).unwrap();
    let refused = locard(dir, &["merge", "shards", "--out", "merged", "--offline"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("shard 3 of 4 missing") && refused.stderr.contains("--allow-missing"),
        "{}",
        refused.stderr
    );
    assert!(!dir.join("merged").exists());

    let ran = merged(dir, &["--allow-missing"]);
    assert!(ran.stderr.contains("warning: shard 3 of 4 missing"), "{}", ran.stderr);
    let results = judged(dir, "merged");
    // Nor could anybody be asked whether buckets exist that only the missing shard may list.
    let across = "what workloads of one shard reach in accounts of another was not read";
    let reasons = serde_json::json!(["shard 3 of 4 missing from the merge", across]);
    assert_eq!(results["run"]["partial_reasons"], reasons);
    let lake = results["accounts"].as_array().unwrap().iter().find(|account| account["id"] == LAKE).unwrap();
    assert_eq!((lake["status"].as_str(), lake["has_ai"].as_str()), (Some("not_assessed"), Some("unknown")));
    assert_eq!(lake["reason"], "its shard, 3/4, is missing from the merge");
    assert!(results["score"]["low"].as_f64() < results["score"]["high"].as_f64());
}

/// `PROD` trains on a bucket of `LAKE`, which its own shard could not read and without AWS nobody can.
#[test]
fn what_nobody_read_across_shards_is_counted_and_unknown() {
    let folder = shards(|_, run| {
        for lines in run.estate.accounts.values_mut() {
            lines.retain(|line| !matches!(&line.fact, Fact::Bucket(_)) || line.account.as_str() != LAKE);
        }
    });
    let dir = folder.path();
    let ran = merged(dir, &[]);
    assert!(ran.stderr.contains("was not read, and is unknown in every result"), "{}", ran.stderr);
    let reader = SnapshotReader::open(&dir.join("merged/snapshot"), None).unwrap();
    assert!(reader.manifest().merged.as_ref().unwrap().unread > 0 && !reader.manifest().complete);
    let results = judged(dir, "merged");
    let expected = ["what workloads of one shard reach in accounts of another was not read"];
    assert_eq!(results["run"]["partial_reasons"], serde_json::json!(expected));
    let of_lake = |finding: &&Value| finding["account"] == LAKE;
    let unread: Vec<&Value> = results["findings"].as_array().unwrap().iter().filter(of_lake).collect();
    assert!(unread.iter().any(|finding| finding["status"] == "unknown"));
    assert!(unread.iter().all(|finding| finding["status"] != "fail"), "{unread:#?}");
}

#[test]
fn snapshots_that_are_not_the_shards_of_one_run_are_refused_with_the_reason() {
    type Change = fn(u32, &mut Run);
    let cases: [(&str, Change, &[&str]); 4] = [
        (
            "another role",
            |i, run| {
                if i == 2 {
                    run.plan.role = "Other".to_owned()
                }
            },
            &["shards/2", "role was \"LocardAudit\", is \"Other\""],
        ),
        (
            "another number",
            |i, run| {
                if i == 4 {
                    run.plan.shard = Shard::parse("4/5").ok()
                }
            },
            &["shards/4", "a shard of 5, not of 4"],
        ),
        (
            "no shard",
            |i, run| {
                if i == 3 {
                    run.plan.shard = None
                }
            },
            &["shards/3", "without --shard"],
        ),
        (
            "accounts of another",
            |i, run| {
                if i == 2 {
                    run.plan.shard = Some(shard(3));
                }
            },
            &["shard 3 is there twice", "shards/2", "shards/3"],
        ),
    ];
    for (name, change, expected) in cases {
        let folder = shards(change);
        let ran = locard(folder.path(), &["merge", "shards", "--out", "merged", "--offline", "--allow-missing"]);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
        for text in expected {
            assert!(ran.stderr.contains(text), "{name}: no `{text}` in {}", ran.stderr);
        }
        assert!(!folder.path().join("merged").exists(), "{name}");
    }
}

#[test]
fn a_tampered_shard_fails_verification_and_an_unfinished_one_is_missing_where_that_may_be() {
    let folder = shards(|_, _| {});
    let dir = folder.path();
    let file = dir.join("shards/3/snapshot").join(inventory_file(&AccountId::from(LAKE)));
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let ran = locard(dir, &["merge", "shards", "--out", "merged", "--offline"]);
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    assert!(ran.stderr.contains("shards/3") && ran.stderr.contains("was changed"), "{}", ran.stderr);

    fs::remove_file(dir.join("shards/3/snapshot/manifest.json")).unwrap();
    let ran = locard(dir, &["merge", "shards", "--out", "merged", "--offline"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("not a finished snapshot") && ran.stderr.contains("shards/3"), "{}", ran.stderr);
    let ran = locard(dir, &["merge", "shards", "--out", "merged", "--offline", "--allow-missing"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("shards/3/snapshot is not finished, and taken for missing"), "{}", ran.stderr);
}

#[test]
fn a_merge_goes_on_with_its_own_shards_only() {
    let folder = shards(|index, run| run.complete = index != 2);
    let dir = folder.path();
    let all = ["shards/1", "shards/2", "shards/3", "shards/4"];
    let merge = |shards: &[&str], more: &[&str]| {
        locard(dir, &[&["merge", "--out", "merged", "--offline"], shards, more].concat())
    };
    assert_eq!(merge(&all, &["--resume"]).code, Some(2), "there is none");
    let ran = merge(&all, &["--resume=if-begun"]);
    assert!(ran.stderr.contains("warning: shard 2 interrupted"), "{}", ran.stderr);
    let results = judged(dir, "merged");
    assert_eq!(results["run"]["partial_reasons"], serde_json::json!(["shard 2 of 4 interrupted before complete"]));

    let digest = |ran: &Ran| ran.stdout.lines().last().map(str::to_owned);
    assert_eq!(merge(&all, &[]).code, Some(2), "it is there");
    let again = merge(&all, &["--resume"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(digest(&again).is_some_and(|line| line.starts_with("sha256 ")));
    let fewer = merge(&all[1..], &["--resume", "--allow-missing"]);
    assert_eq!(fewer.code, Some(2), "{}", fewer.stderr);
    assert!(fewer.stderr.contains("begun with other snapshots"), "{}", fewer.stderr);
}
