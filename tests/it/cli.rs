//! The binary from outside: commands, exit codes, and where words go.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use locard::files::{Ending, SNAPSHOT, SnapshotWriter, inventory_file};
use locard::inventory::organizations::{Account, AccountEntry, Organization};
use locard::inventory::snapshot::{Plan, SNAPSHOT_VERSION};
use locard::inventory::{Fact, Line};
use locard::model::ids::{AccountId, Region};
use locard::model::observed::Observed;
use locard::model::time::Timestamp;

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locard"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LOCARD_") {
            command.env_remove(name);
        }
    }
    command.args(args).current_dir(dir).stdin(Stdio::null());
    command
}

fn locard(dir: &Path, args: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = command(dir, args).output().unwrap();
    Ran { code: status.code(), stdout: String::from_utf8(stdout).unwrap(), stderr: String::from_utf8(stderr).unwrap() }
}

/// A folder with the snapshot of an organization of one entered account, of which nothing else is known.
fn run_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let account = AccountId::from("111122223333");
    let plan = Plan {
        snapshot_version: SNAPSHOT_VERSION,
        caller: "arn:aws:iam::111122223333:user/auditor".to_owned(),
        role: "LocardAudit".to_owned(),
        accounts: Vec::new(),
        organizational_units: Vec::new(),
        regions: Vec::new(),
        skip_regions: Vec::new(),
        operations: Vec::new(),
        ai_lookback_days: 365,
        max_described_jobs: 500,
        shard: None,
    };
    let as_of = Timestamp::parse("2026-11-23T00:00:00Z").unwrap();
    let organization = Organization {
        organization: Observed::Absent,
        accounts: vec![Account {
            id: account.clone(),
            name: Some("\u{1b}[2Jnasty".to_owned()),
            state: Some("ACTIVE".to_owned()),
            ou_path: Ok("Root".to_owned()),
            ou_ids: Vec::new(),
            selected: true,
        }],
        listed: Ok(()),
    };
    let regions = vec![Region::from("eu-west-1")];
    let entry = AccountEntry {
        session: Ok(format!("arn:aws:sts::{account}:assumed-role/LocardAudit/locard-run-1")),
        enabled_regions: Ok(regions.clone()),
        read_regions: regions,
        workloads: true,
    };
    let writer = SnapshotWriter::create(&folder.path().join(SNAPSHOT), &plan, "run-1", as_of).unwrap();
    writer.write_organization(&organization).unwrap();
    let line = Line::new(&account, None, format!("account:{account}"), Vec::new(), Fact::Account(entry));
    writer.write_lines(&inventory_file(&account), vec![line]).unwrap();
    let calls = std::collections::BTreeMap::new();
    writer.finish(Ending { finished_at: as_of, clock_skew_seconds: None, complete: true, calls }).unwrap();
    folder
}

#[test]
fn help_lists_the_commands_and_wrong_usage_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let help = locard(folder.path(), &["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for word in ["evaluate", "report", "gate", "checks", "role", "Exit codes", "130"] {
        assert!(help.stdout.contains(word), "no `{word}` in\n{}", help.stdout);
    }
    let wrong = locard(folder.path(), &["evalute"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""));
    assert!(wrong.stderr.contains("evaluate"), "{}", wrong.stderr);
    for args in
        [&["gate", ".", "--min-score", "101"][..], &["report", ".", "--format", "pdf"], &["role", "--role", "a b"]]
    {
        assert_eq!(locard(folder.path(), args).code, Some(2), "{args:?}");
    }
}

#[test]
fn a_wrong_configuration_ends_with_2_and_is_found_where_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("locard.yaml"), "requirments: {}\nroll: X\n").unwrap();
    let ran = locard(folder.path(), &["evaluate", "nowhere"]);
    assert_eq!(ran.code, Some(2));
    let expected = "\
error: locard.yaml:1:1: the configuration has no key `requirments`
help: did you mean `requirements`?
error: locard.yaml:2:1: the configuration has no key `roll`
help: did you mean `role`?
";
    assert_eq!(ran.stderr, expected);
    assert_eq!(locard(folder.path(), &["--config", "none.yaml", "evaluate", "x"]).code, Some(2));
}

#[test]
fn a_snapshot_is_judged_gated_and_reported_with_documented_codes() {
    let folder = run_folder();
    let dir = folder.path();
    let ran = locard(dir, &["evaluate", "snapshot", "--out", "out"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.lines().count() <= 24 && !ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    for file in ["results.json", "report.html", "report.md"] {
        assert!(dir.join("out").join(file).is_file(), "no {file}");
    }
    assert_eq!(locard(dir, &["evaluate", ".", "--out", "again", "--format", "markdown"]).code, Some(0));
    assert_eq!(fs::read(dir.join("out/results.json")).unwrap(), fs::read(dir.join("again/results.json")).unwrap());
    assert!(!dir.join("again/report.html").exists());

    // Nobody was asked about workloads, so the score may be anything, and no gate can be decided.
    let gate = locard(dir, &["gate", "out", "--min-score", "50"]);
    assert_eq!(gate.code, Some(4), "{}", gate.stdout);
    assert!(gate.stdout.contains("min_score") && gate.stdout.ends_with("gate undecided\n"), "{}", gate.stdout);
    assert_eq!(locard(dir, &["gate", "out", "--min-score", "0"]).code, Some(0));
    fs::write(dir.join("gated.yaml"), "gate: {min_score: 50}\n").unwrap();
    let gated = locard(dir, &["-q", "evaluate", "snapshot", "--out", "gated", "--config", "gated.yaml"]);
    assert_eq!((gated.code, gated.stdout.as_str()), (Some(4), "gate undecided\n"), "{}", gated.stderr);

    let report = locard(dir, &["report", "out", "--format", "json"]);
    assert_eq!(report.stdout.as_bytes(), fs::read(dir.join("out/results.json")).unwrap());
    assert_eq!(locard(dir, &["report", "snapshot", "--format", "json"]).code, Some(1), "a snapshot is no run");

    let other = run_folder();
    let snapshot = other.path().join(SNAPSHOT);
    let manifest = fs::read_to_string(snapshot.join("manifest.json")).unwrap();
    fs::write(snapshot.join("manifest.json"), manifest + "\n").unwrap();
    let kept = locard(dir, &["evaluate", snapshot.to_str().unwrap(), "--out", "out"]);
    assert_eq!(kept.code, Some(2), "another run's results are not overwritten: {}", kept.stderr);
    assert_eq!(locard(dir, &["evaluate", snapshot.to_str().unwrap(), "--out", "out", "--force"]).code, Some(0));
}

#[test]
fn no_report_outlives_its_results() {
    let folder = run_folder();
    let dir = folder.path();
    assert_eq!(locard(dir, &["evaluate", "snapshot", "--out", "out"]).code, Some(0));
    let some = ["evaluate", "snapshot", "--out", "out", "--check", "api-activity-unrecorded"];
    let refused = locard(dir, &some);
    assert!(refused.code == Some(2) && refused.stderr.contains("--force"), "{}", refused.stderr);
    let replaced = locard(dir, &[&some[..], &["--force", "--format", "markdown"]].concat());
    assert!(replaced.code == Some(0) && replaced.stderr.contains("removed: out/report.html"), "{}", replaced.stderr);
    assert!(!dir.join("out/report.html").exists());
    // Some checks again, of results that are of some.
    assert_eq!(locard(dir, &some).code, Some(0));
}

/// Who may read a report, and what a device is, `--out` leaves as they were.
#[cfg(unix)]
#[test]
fn a_report_is_written_through_what_is_no_file() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = run_folder();
    let dir = folder.path();
    assert_eq!(locard(dir, &["evaluate", "snapshot", "--out", "out"]).code, Some(0));
    let to = |path: &str| locard(dir, &["report", "out", "--format", "html", "-o", path]);
    let html = fs::read(dir.join("out/report.html")).unwrap();

    fs::write(dir.join("target.html"), "").unwrap();
    fs::set_permissions(dir.join("target.html"), PermissionsExt::from_mode(0o600)).unwrap();
    symlink("target.html", dir.join("link.html")).unwrap();
    assert_eq!(to("link.html").code, Some(0));
    assert_eq!(fs::read_link(dir.join("link.html")).unwrap(), Path::new("target.html"));
    assert_eq!(fs::read(dir.join("target.html")).unwrap(), html);
    assert_eq!(fs::metadata(dir.join("target.html")).unwrap().permissions().mode() & 0o777, 0o600);

    assert!(Command::new("mkfifo").arg(dir.join("pipe")).status().unwrap().success());
    let pipe = dir.join("pipe");
    let reader = std::thread::spawn(move || fs::read(pipe).unwrap());
    assert_eq!(to("pipe").code, Some(0));
    assert_eq!(reader.join().unwrap(), html);
    let remote = locard(dir, &["gate", "s3://bucket/run"]);
    assert!(remote.code == Some(2) && remote.stderr.contains("aws s3 cp"), "{}", remote.stderr);
}

#[test]
fn a_tampered_snapshot_ends_with_5_and_a_missing_one_with_2() {
    let folder = run_folder();
    let file = folder.path().join(SNAPSHOT).join("organization.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("Root", "Toor")).unwrap();
    let ran = locard(folder.path(), &["evaluate", "snapshot"]);
    assert_eq!(ran.code, Some(5));
    assert!(ran.stderr.contains("organization.json was changed") && ran.stderr.contains("help: "), "{}", ran.stderr);
    assert!(!folder.path().join("locard-out").exists(), "nothing is written");
    fs::write(&file, text).unwrap();
    let wrong = "0".repeat(64);
    assert_eq!(locard(folder.path(), &["evaluate", "snapshot", "--expect-digest", &wrong]).code, Some(5));
    assert_eq!(locard(folder.path(), &["evaluate", "nowhere"]).code, Some(2));
}

#[test]
fn a_broken_check_of_a_user_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("mine")).unwrap();
    assert_eq!(locard(folder.path(), &["checks", "lint", "mine"]).code, Some(2), "there is none");
    fs::write(folder.path().join("mine/own.yaml"), "id: own\nseverty: low\n").unwrap();
    let ran = locard(folder.path(), &["checks", "lint", "mine"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("own.yaml") && ran.stderr.contains("severty"), "{}", ran.stderr);
    assert_eq!(locard(folder.path(), &["checks", "show", "no-such-check"]).code, Some(2));
    assert_eq!(locard(folder.path(), &["checks", "test"]).code, Some(0));
}

#[test]
fn the_role_grants_what_the_table_of_operations_asks_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let json = locard(folder.path(), &["role"]);
    let policy: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let granted: Vec<&str> =
        statements.iter().flat_map(|s| s["Action"].as_array().unwrap()).map(|a| a.as_str().unwrap()).collect();
    assert_eq!(granted.iter().copied().collect::<std::collections::BTreeSet<_>>(), locard::role::actions());
    assert_eq!(granted.len(), locard::role::actions().len());
    assert!(statements.iter().all(|s| s["Sid"].as_str().unwrap().bytes().all(|b| b.is_ascii_alphanumeric())));
    // Of an inline policy, which may have 10,240 characters without white space.
    assert!(serde_json::to_string(&policy).unwrap().len() < 6_000);

    assert_eq!(locard(folder.path(), &["role", "--document", "trust"]).code, Some(2), "it would trust nobody");
    let args = ["role", "--document", "trust", "--principal", "arn:aws:iam::111122223333:root", "--external-id", "x-1"];
    let trust: serde_json::Value = serde_json::from_str(&locard(folder.path(), &args).stdout).unwrap();
    assert_eq!(trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"], "x-1");
    let caller = locard(folder.path(), &["role", "--document", "caller", "--role", "audit/Reader"]);
    assert!(caller.stdout.contains("\"arn:aws:iam::*:role/audit/Reader\""), "{}", caller.stdout);
    for format in ["terraform", "cloudformation"] {
        let text = locard(folder.path(), &["role", "--format", format]).stdout;
        let missing: Vec<_> = locard::role::actions().into_iter().filter(|action| !text.contains(action)).collect();
        assert!(missing.is_empty(), "{format} lacks {missing:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_went_away_is_no_failure() {
    use std::io::Read;
    let folder = tempfile::tempdir().unwrap();
    let mut run =
        command(folder.path(), &["checks", "schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(run.stdout.take());
    let mut stderr = String::new();
    run.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((run.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}
