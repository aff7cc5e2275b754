//! Snapshots on disk: what is written comes back, what was altered is refused, what was interrupted goes on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use locard::files::{Ending, SNAPSHOT, SnapshotError, SnapshotReader, SnapshotWriter, inventory_file, reached_file};
use locard::inventory::kms::{Key, KeyState};
use locard::inventory::organizations::Organization;
use locard::inventory::snapshot::{Manifest, Plan, SNAPSHOT_VERSION};
use locard::inventory::{Fact, Line};
use locard::model::hash::sha256;
use locard::model::ids::{AccountId, Region};
use locard::model::observed::{Observed, Unknown, Why};
use locard::model::time::Timestamp;

fn account() -> AccountId {
    AccountId::from("012345678901")
}

fn plan() -> Plan {
    Plan {
        snapshot_version: SNAPSHOT_VERSION,
        caller: "arn:aws:iam::111122223333:user/auditor".to_owned(),
        role: "LocardAudit".to_owned(),
        accounts: Vec::new(),
        organizational_units: Vec::new(),
        regions: Vec::new(),
        skip_regions: Vec::new(),
        operations: vec!["kms:DescribeKey".to_owned()],
        ai_lookback_days: 365,
        max_described_jobs: 500,
        shard: None,
    }
}

fn as_of() -> Timestamp {
    Timestamp::parse("2026-11-23T00:00:00Z").unwrap()
}

fn key(reference: &str) -> Line {
    let state = KeyState { arn: reference.to_owned(), state: "Enabled".to_owned(), manager: None };
    let fact = Fact::Key(Key { reference: reference.to_owned(), state: Ok(state) });
    Line::new(&account(), Some(&Region::from("eu-west-1")), reference, Vec::new(), fact)
}

fn ending() -> Ending {
    Ending { finished_at: as_of(), clock_skew_seconds: Some(-2), complete: true, calls: BTreeMap::new() }
}

fn organization() -> Organization {
    let unknown = Unknown::new("organizations:DescribeOrganization", Why::Denied);
    Organization { organization: Observed::Unknown(unknown), accounts: Vec::new(), listed: Ok(()) }
}

fn begin(dir: &Path) -> SnapshotWriter {
    SnapshotWriter::create(dir, &plan(), "run-1", as_of()).unwrap()
}

/// A sealed snapshot of one account, below a fresh folder, and its digest.
fn sealed() -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join(SNAPSHOT);
    let writer = begin(&dir);
    writer.write_organization(&organization()).unwrap();
    writer.write_lines(&inventory_file(&account()), vec![key("b"), key("a")]).unwrap();
    writer.write_lines(&reached_file(&account()), vec![key("c")]).unwrap();
    let digest = writer.finish(ending()).unwrap();
    (folder, dir, digest)
}

fn problems(result: Result<SnapshotReader, SnapshotError>) -> Vec<String> {
    match result {
        Err(SnapshotError::Verification { problems, .. }) => problems,
        other => panic!("verification should fail: {other:?}"),
    }
}

/// Changes the manifest and sets the digests in it right again, as one who forges a snapshot would.
fn forge(dir: &Path, change: impl FnOnce(&mut Manifest)) {
    let path = dir.join("manifest.json");
    let mut manifest: Manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

#[test]
fn a_snapshot_comes_back_as_it_was_written() {
    let (_folder, dir, digest) = sealed();
    let reader = SnapshotReader::open(&dir, Some(&digest.to_uppercase())).unwrap();
    assert_eq!(reader.manifest_digest(), digest);
    assert_eq!(reader.manifest_digest(), sha256(&fs::read(dir.join("manifest.json")).unwrap()));
    assert_eq!(reader.organization().unwrap(), organization());
    assert_eq!(reader.accounts(), [account()]);
    assert_eq!(reader.account(&account()).unwrap().lines, [key("a"), key("b"), key("c")], "sorted, both passes");
    let never_begun = reader.account(&AccountId::from("999999999999")).unwrap();
    assert_eq!(never_begun.entry().unwrap_err().why, Why::NotCollected);

    let (_other_folder, other, _) = sealed();
    let file = inventory_file(&account());
    assert_eq!(fs::read(dir.join(&file)).unwrap(), fs::read(other.join(&file)).unwrap(), "equal facts, equal bytes");
    #[cfg(unix)]
    for name in [".", "accounts", &file, "manifest.json", "journal.jsonl"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} is nobody else's business");
    }
}

#[test]
fn what_was_altered_fails_verification_by_name() {
    let file = inventory_file(&account());
    let (_folder, dir, digest) = sealed();
    assert!(problems(SnapshotReader::open(&dir, Some(&"0".repeat(64))))[0].contains(&digest));

    let mut bytes = fs::read(dir.join(&file)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(dir.join(&file), &bytes).unwrap();
    fs::write(dir.join("accounts/notes.txt"), "x").unwrap();
    fs::remove_file(dir.join("organization.json")).unwrap();
    let expected = [
        "accounts/012345678901/inventory.jsonl.zst was changed",
        "accounts/notes.txt was added",
        "organization.json is missing",
    ];
    assert_eq!(problems(SnapshotReader::open(&dir, None)), expected);

    let (_folder, dir, _) = sealed();
    let reader = SnapshotReader::open(&dir, None).unwrap();
    fs::write(dir.join(&file), &bytes).unwrap();
    assert!(reader.account(&account()).unwrap_err().is_verification(), "changed after it was opened");
}

#[test]
fn a_forged_manifest_is_refused() {
    type Forgery = fn(&mut Manifest);
    let cases: [(&str, Forgery, &str); 5] = [
        ("step up", |m| drop(m.files.insert("../secret".into(), "0".repeat(64))), "names \"../secret\""),
        ("root", |m| drop(m.files.insert("/etc/passwd".into(), "0".repeat(64))), "names \"/etc/passwd\""),
        ("plan", |m| m.plan.regions.push(Region::from("eu-west-1")), "another plan"),
        ("time", |m| m.as_of = Timestamp::from_unix(0), "contradict"),
        ("journal", |m| drop(m.files.remove("journal.jsonl")), "journal.jsonl was added"),
    ];
    for (name, change, expected) in cases {
        let (_folder, dir, _) = sealed();
        forge(&dir, change);
        let found = problems(SnapshotReader::open(&dir, None));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{name}: {found:?}");
    }
    let (_folder, dir, _) = sealed();
    forge(&dir, |m| m.snapshot_version += 1);
    assert!(matches!(SnapshotReader::open(&dir, None), Err(SnapshotError::TooNew { .. })));
    fs::remove_file(dir.join("manifest.json")).unwrap();
    assert!(matches!(SnapshotReader::open(&dir, None), Err(SnapshotError::Unsealed { .. })));
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_snapshot_is_not_followed() {
    let (_folder, dir, _) = sealed();
    let file = dir.join("organization.json");
    let outside = dir.with_file_name("outside.json");
    fs::rename(&file, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &file).unwrap();
    assert_eq!(problems(SnapshotReader::open(&dir, None)), ["organization.json is not a regular file"]);
}

/// Damage that the seal itself covers: a writer gone wrong, or a snapshot made by other hands.
#[test]
fn damaged_content_is_named_by_file_and_line() {
    let good = serde_json::to_string(&key("a")).unwrap();
    let compressed = zstd::encode_all(format!("{good}\n").repeat(1000).as_bytes(), 3).unwrap();
    let whole = |text: String| zstd::encode_all(text.as_bytes(), 3).unwrap();
    let cases = [
        ("truncated", compressed[..compressed.len() / 2].to_vec(), None, ""),
        ("not JSON", whole(format!("{good}\n{{]\n")), Some(2), "key must be a string"),
        ("no end", whole(good.clone()), Some(1), "does not end"),
        (
            "another kind",
            whole(good.replace("\"kind\":\"key\"", "\"kind\":\"trail\"") + "\n"),
            Some(1),
            "`trail` holds a key",
        ),
        ("a bomb", whole("x".repeat(17 << 20)), Some(1), "longer than 16 MiB"),
        ("plain text", good.clone().into_bytes(), Some(1), ""),
    ];
    for (name, bytes, at, expected) in cases {
        let (_folder, dir, _) = sealed();
        let file = inventory_file(&account());
        let journal = dir.join("journal.jsonl");
        let old = sha256(&fs::read(dir.join(&file)).unwrap());
        let told = fs::read_to_string(&journal).unwrap().replace(&old, &sha256(&bytes));
        fs::write(dir.join(&file), &bytes).unwrap();
        fs::write(&journal, &told).unwrap();
        forge(&dir, |m| {
            m.files.insert(file, sha256(&bytes));
            m.files.insert("journal.jsonl".into(), sha256(told.as_bytes()));
        });
        let error = SnapshotReader::open(&dir, None).unwrap().account(&account()).unwrap_err();
        let SnapshotError::Unreadable { path, line, message } = &error else { panic!("{name}: {error:?}") };
        assert!(path.ends_with("inventory.jsonl.zst") && message.contains(expected), "{name}: {error}");
        assert!(line.is_some() && (at.is_none() || *line == at), "{name}: {error}");
    }
}

#[test]
fn an_interrupted_run_goes_on_and_only_with_its_own_plan() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join(SNAPSHOT);
    let (first, second) = (inventory_file(&account()), reached_file(&account()));
    let writer = begin(&dir);
    writer.write_lines(&first, vec![key("a")]).unwrap();
    writer.write_lines(&second, vec![key("b")]).unwrap();
    assert!(matches!(SnapshotWriter::resume(&dir, &plan()), Err(SnapshotError::Busy { .. })));
    drop(writer);
    // The kill: half a file, half a journal line, and a file that reached the disk but not the journal.
    fs::write(dir.join("accounts/012345678901/x.jsonl.zst.partial"), "half").unwrap();
    fs::write(dir.join("organization.json"), "{}").unwrap();
    let mut journal = fs::read(dir.join("journal.jsonl")).unwrap();
    journal.extend_from_slice(b"{\"event\":\"written\",\"fi");
    fs::write(dir.join("journal.jsonl"), journal).unwrap();
    fs::write(dir.join(&second), "bit rot").unwrap();

    assert!(matches!(SnapshotReader::open(&dir, None), Err(SnapshotError::Unsealed { .. })));
    let create = SnapshotWriter::create(&dir, &plan(), "run-2", as_of());
    assert!(matches!(create, Err(SnapshotError::Exists { finished: false, .. })));
    let other = Plan { role: "Other".to_owned(), operations: vec!["s3:ListBuckets".to_owned()], ..plan() };
    let refused = SnapshotWriter::resume(&dir, &other).err().unwrap().to_string();
    assert!(refused.contains("role was \"LocardAudit\", is \"Other\""), "{refused}");
    assert!(refused.contains("operations have \"s3:ListBuckets\" instead of \"kms:DescribeKey\""), "{refused}");

    let writer = SnapshotWriter::resume(&dir, &plan()).unwrap();
    assert_eq!((writer.run_id(), writer.as_of()), ("run-1", as_of()));
    assert!(writer.done(&first) && !writer.done(&second) && !writer.done("organization.json"));
    assert_eq!(writer.read(&first).unwrap(), [key("a")]);
    assert!(writer.read(&second).is_err());
    writer.write_lines(&second, vec![key("b")]).unwrap();
    let digest = writer.finish(Ending { complete: false, ..ending() }).unwrap();
    drop(writer);
    let reader = SnapshotReader::open(&dir, Some(&digest)).unwrap();
    assert!(!reader.manifest().complete);
    assert_eq!(reader.account(&account()).unwrap().lines, [key("a"), key("b")]);

    let create = SnapshotWriter::create(&dir, &plan(), "run-2", as_of());
    assert!(matches!(create, Err(SnapshotError::Exists { finished: true, .. })));
    let writer = SnapshotWriter::resume(&dir, &plan()).unwrap();
    assert!(writer.done(&first) && writer.done(&second), "what a sealed run has is kept");
    writer.finish(ending()).unwrap();
    assert!(SnapshotReader::open(&dir, None).unwrap().manifest().complete);
}

#[test]
fn a_snapshot_that_nothing_came_of_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join(SNAPSHOT);
    let writer = begin(&dir);
    writer.write_lines(&inventory_file(&account()), vec![key("a")]).unwrap();
    writer.discard().unwrap();
    assert!(!dir.exists() && folder.path().exists());
}
