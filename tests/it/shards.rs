//! Past one machine: shards of a simulated organization, collected each by itself and merged, and runs that lie in S3.
//!
//! What merging refuses is tested without AWS in `merge`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use locard::files::{SNAPSHOT, SnapshotReader};
use locard::inventory::snapshot::Manifest;
use locard::model::ids::AccountId;
use locard::model::shard::Shard;
use locard_simulator::estate::Plan;
use locard_simulator::faults::{Kind, Plan as FaultPlan, Rule};
use locard_simulator::{Estate, Running, Settings, start};
use serde_json::Value;

const SHARDS: u32 = 8;

/// A simulated organization and a folder to run locard in.
struct Simulated {
    running: Running,
    folder: tempfile::TempDir,
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Simulated {
    fn start(accounts: usize, regions: usize) -> Self {
        let estate = Estate::generate(Plan { accounts, regions, seed: 7 }, jiff::Timestamp::now());
        let running = start(estate, Settings::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        // This server has no limits to keep to.
        fs::write(folder.path().join("locard.yaml"), "max_rate: unlimited\n").unwrap();
        Self { running, folder }
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_locard"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("AWS_") || name.starts_with("LOCARD_") {
                command.env_remove(name);
            }
        }
        let credentials = self.running.credentials();
        command
            .args(args)
            .current_dir(self.dir())
            .env("AWS_ENDPOINT_URL", self.running.url())
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_CONFIG_FILE", self.dir().join("no-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.dir().join("no-credentials"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1")
            .stdin(Stdio::null());
        command
    }

    fn try_locard(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn locard(&self, args: &[&str]) -> Ran {
        let ran = self.try_locard(args);
        assert_eq!(ran.code, 0, "locard {}: {}", args.join(" "), ran.stderr);
        ran
    }

    /// Runs of so many shards in `PLACE/1` and so on.
    fn collect_shards(&self, shards: u32, place: &str) {
        for index in 1..=shards {
            let (shard, out) = (format!("{index}/{shards}"), format!("{place}/{index}"));
            let ran = self.locard(&["collect", "--shard", &shard, "--out", &out, "--resume=if-begun"]);
            assert!(ran.stdout.starts_with(&format!("{out}/snapshot\nsha256 ")), "{}", ran.stdout);
        }
    }

    /// What a run was judged as, without what tells two runs apart: the run itself, and when each call was made.
    fn results(&self, run: &str) -> Value {
        let text = fs::read_to_string(self.dir().join(run).join("results.json")).unwrap();
        // AWS names the session in its refusals, and the session is named after the run.
        let session = regex::Regex::new("/locard-[0-9TZ]+-[0-9a-f]{8}").unwrap();
        let mut results: Value = serde_json::from_str(&session.replace_all(&text, "/locard-run")).unwrap();
        results.as_object_mut().unwrap().remove("run");
        timeless(&mut results);
        results
    }

    fn snapshot(&self, run: &str) -> SnapshotReader {
        SnapshotReader::open(&self.dir().join(run).join(SNAPSHOT), None).unwrap()
    }

    /// Judges the second run, which must come to the same results as the first.
    fn assert_same(&self, one: &str, other: &str) {
        self.locard(&["evaluate", other, "--out", other]);
        let differs = difference(&self.results(one), &self.results(other), "results");
        assert!(differs.is_none(), "{}", differs.unwrap());
    }
}

fn timeless(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.contains_key("call") {
                members.remove("at");
            }
            members.values_mut().for_each(timeless);
            // Calls of the same second are one piece of evidence, and pieces are in the order of their times.
            if let Some(Value::Array(evidence)) = members.get_mut("evidence") {
                let shown: BTreeSet<String> = evidence.iter().map(|piece| piece["call"].to_string()).collect();
                let facts = evidence.iter().filter(|piece| piece["facts"].is_object()).map(Value::to_string);
                *evidence = shown.into_iter().chain(facts.collect::<BTreeSet<_>>()).map(Value::from).collect();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(timeless),
        _ => {}
    }
}

/// Where two results differ first, for whoever has to look.
fn difference(one: &Value, other: &Value, at: &str) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let null = Value::Null;
            names.into_iter().find_map(|name| {
                difference(a.get(name).unwrap_or(&null), b.get(name).unwrap_or(&null), &format!("{at}.{name}"))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(i, (a, b))| difference(a, b, &format!("{at}[{i}]")))
        }
        _ => (one != other).then(|| format!("{at}: {one} is not {other}")),
    }
}

/// Every file below a folder.
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
fn eight_shards_merge_to_the_results_of_one_run() {
    let aws = Simulated::start(24, 2);
    aws.locard(&["audit", "--out", "one"]);
    aws.collect_shards(SHARDS, "shards");
    let before = content(&aws.dir().join("shards"));
    let ran = aws.locard(&["merge", "shards", "--out", "merged"]);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    assert_eq!(content(&aws.dir().join("shards")), before, "sealed snapshots stay as they are");
    aws.assert_same("one", "merged");

    // The merge has read something, or this has tested nothing: no shard alone could.
    let (one, merged) = (aws.snapshot("one"), aws.snapshot("merged"));
    let (one, merged) = (one.manifest(), merged.manifest());
    assert!(merged.complete && merged.plan == one.plan, "{:?}", merged.plan);
    let provenance = merged.merged.as_ref().unwrap();
    assert!(provenance.completed_by.is_some() && provenance.unread == 0);
    let described = |manifest: &Manifest| manifest.calls["s3:GetBucketVersioning"].operations;
    let shards: Vec<_> = (1..=SHARDS).map(|index| aws.snapshot(&format!("shards/{index}"))).collect();
    let called = shards.iter().filter(|shard| shard.manifest().calls.contains_key("s3:GetBucketVersioning"));
    let by_shards: u64 = called.map(|shard| described(shard.manifest())).sum();
    assert!(by_shards < described(merged), "all buckets were read inside their shards");
    assert_eq!(described(merged), described(one), "nothing was read twice");
    for (shard, index) in shards.iter().zip(1..) {
        assert!(shard.accounts().iter().all(|account| Shard::of_account(account, SHARDS).index() == index));
    }

    // Credentials come later: what was left is read then, and the result is again that of one run.
    let mut offline = aws.command(&["merge", "shards", "--out", "late"]);
    let ran = offline.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").output().unwrap();
    let stderr = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.success(), "{stderr}");
    assert!(stderr.contains("merging as with --offline") && stderr.contains("was not read"), "{stderr}");
    assert!(!aws.snapshot("late").manifest().complete);
    aws.locard(&["merge", "shards", "--out", "late", "--resume"]);
    aws.assert_same("one", "late");

    // A shard is gone: refused, and on request its accounts are unknown and nothing else is claimed of them.
    let first = aws.snapshot("one").accounts()[0].clone();
    let gone = Shard::of_account(&first, SHARDS).index();
    fs::remove_dir_all(aws.dir().join(format!("shards/{gone}"))).unwrap();
    let refused = aws.try_locard(&["merge", "shards", "--out", "part"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("shard {gone} of 8 missing")), "{}", refused.stderr);
    aws.locard(&["merge", "shards", "--out", "part", "--allow-missing"]);
    aws.locard(&["evaluate", "part", "--out", "part"]);
    let (whole, part) = (aws.results("one"), aws.results("part"));
    let accounts = part["accounts"].as_array().unwrap();
    let account = accounts.iter().find(|account| account["id"] == first.as_str()).unwrap();
    assert_eq!((account["status"].as_str(), account["has_ai"].as_str()), (Some("not_assessed"), Some("unknown")));
    let bound = |results: &Value, name: &str| results["score"][name].as_f64().unwrap();
    assert!(bound(&part, "low") <= bound(&whole, "low") && bound(&whole, "high") <= bound(&part, "high"));
}

#[test]
fn a_merge_that_met_errors_goes_on_to_the_results_of_one_run() {
    let aws = Simulated::start(24, 1);
    aws.locard(&["audit", "--out", "one"]);
    aws.collect_shards(4, "shards");
    let rules = vec![Rule { service: Some("s3".to_owned()), ..Rule::new(Kind::Malformed) }];
    aws.running.set_faults(FaultPlan { seed: 1, rules });
    let ran = aws.locard(&["merge", "shards", "--out", "merged"]);
    assert!(ran.stderr.contains("came to nothing for reasons that may pass"), "{}", ran.stderr);
    aws.running.set_faults(FaultPlan::default());
    let merged = aws.locard(&["merge", "shards", "--out", "merged", "--resume"]);
    assert!(!merged.stderr.contains("warning"), "{}", merged.stderr);
    aws.assert_same("one", "merged");
    // Repeated, it is what it was, and so is its judgement.
    assert_eq!(aws.locard(&["merge", "shards", "--out", "merged", "--resume"]).stdout, merged.stdout);
    aws.locard(&["evaluate", "merged", "--out", "merged"]);
    // Nor is it less because nobody may ask this time.
    assert_eq!(aws.locard(&["merge", "shards", "--out", "merged", "--resume", "--offline"]).stdout, merged.stdout);
    // Other shards break no seal.
    let wrong = aws.try_locard(&["merge", "one", "--out", "merged", "--resume"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    aws.collect_shards(2, "two");
    let wrong = aws.try_locard(&["merge", "two", "--out", "merged", "--resume"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("begun with other snapshots"), "{}", wrong.stderr);
    aws.locard(&["evaluate", "merged", "--out", "merged"]);

    // Whoever has credentials is told that they came to nothing.
    let nowhere = ["merge", "shards", "--out", "nowhere", "--endpoint-url", "http://127.0.0.1:1"];
    let ran = aws.try_locard(&nowhere);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("sealed as incomplete") && ran.stderr.contains("--offline"), "{}", ran.stderr);
    aws.locard(&["merge", "shards", "--out", "nowhere", "--resume"]);
    aws.assert_same("one", "nowhere");

    // A shard that was never finished is as good as missing, if that is wanted.
    fs::remove_file(aws.dir().join("shards/2/snapshot/manifest.json")).unwrap();
    let refused = aws.try_locard(&["merge", "shards", "--out", "part"]);
    assert!(refused.code == 1 && refused.stderr.contains("--allow-missing"), "{}", refused.stderr);
    let ran = aws.locard(&["merge", "shards", "--out", "part", "--allow-missing"]);
    assert!(ran.stderr.contains("taken for missing") && ran.stderr.contains("shard 2 of 4 missing"), "{}", ran.stderr);
}

#[test]
fn a_shard_may_be_empty_and_has_a_number() {
    let aws = Simulated::start(3, 1);
    let listed = aws.running.estate().listed();
    let taken: BTreeSet<u32> =
        listed.iter().map(|listed| Shard::of_account(&AccountId::from(listed.id.as_str()), 9).index()).collect();
    let empty = (1..=9).find(|index| !taken.contains(index)).unwrap();
    let ran = aws.locard(&["collect", "--shard", &format!("{empty}/9"), "--out", "empty"]);
    assert!(ran.stderr.contains(&format!("no active account is in shard {empty}/9")), "{}", ran.stderr);
    assert_eq!(aws.snapshot("empty").accounts(), []);
    for bad in ["0/8", "9/8", "1/10001"] {
        assert_eq!(aws.try_locard(&["collect", "--shard", bad, "--out", "bad"]).code, 2, "{bad}");
    }
}

#[test]
fn a_run_in_s3_is_collected_judged_and_merged_as_in_a_folder() {
    let aws = Simulated::start(9, 2);
    let estate = aws.running.estate();
    let bucket = estate.account(&estate.caller).unwrap().buckets.keys().next().unwrap().clone();
    let store = format!("s3://{bucket}/locard/2026-q1");
    let place = |name: &str| format!("{store}/{name}");

    let ran = aws.locard(&["audit", "--out", &place("one")]);
    assert!(ran.stderr.contains(&format!("{store}/one/results.json")), "{}", ran.stderr);
    // From another region than the bucket's, and only from whose it is.
    let output = aws.command(&["evaluate", &place("one"), "--out", "one"]).env("AWS_REGION", "us-east-2").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let refused = aws.try_locard(&["evaluate", &place("one"), "--out", "no", "--bucket-owner", "000000000000"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    let again = aws.try_locard(&["collect", "--out", &place("one")]);
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(again.stderr.contains("already holds a finished snapshot"), "{}", again.stderr);

    aws.collect_shards(3, &place("shards"));
    aws.collect_shards(3, &place("shards"));
    aws.locard(&["merge", &place("shards"), "--out", &place("merged")]);
    aws.locard(&["evaluate", &place("merged"), "--out", &place("merged")]);
    let other = aws.try_locard(&["evaluate", &place("one"), "--out", &place("merged")]);
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(
        other.stderr.contains("the results of another run") && other.stderr.contains("--force"),
        "{}",
        other.stderr
    );
    aws.locard(&["evaluate", &place("merged"), "--out", "merged"]);
    let differs = difference(&aws.results("one"), &aws.results("merged"), "results");
    assert!(differs.is_none(), "{}", differs.unwrap());

    let nowhere = aws.try_locard(&["collect", "--out", "s3://no-such-bucket-anywhere/x"]);
    assert_eq!(nowhere.code, 1, "{}", nowhere.stderr);
    let expected = "error: cannot list s3://no-such-bucket-anywhere/x: NoSuchBucket";
    assert!(nowhere.stderr.starts_with(expected) && nowhere.stderr.contains("help: "), "{}", nowhere.stderr);
}

/// Where it asks again and fails, a merge keeps what a shard had read.
#[test]
fn a_merge_loses_nothing_that_a_shard_knew() {
    let aws = Simulated::start(24, 1);
    let fail = |rules: Vec<Rule>| aws.running.set_faults(FaultPlan { seed: 1, rules });
    fail(vec![Rule { operation: Some("GetBucketPolicy".to_owned()), ..Rule::new(Kind::Malformed) }]);
    aws.collect_shards(4, "shards");
    // How much each line leaves unknown; of lines of the same thing, the least.
    let lacks = |run: &str| {
        let reader = aws.snapshot(run);
        let mut lacks: BTreeMap<(String, String), usize> = BTreeMap::new();
        for line in reader.accounts().into_iter().flat_map(|account| reader.account(&account).unwrap().lines) {
            let reasons = line.unknowns().len();
            let least = lacks.entry((line.kind, line.id.0)).or_insert(reasons);
            *least = reasons.min(*least);
        }
        lacks
    };
    aws.locard(&["merge", "shards", "--out", "offline", "--offline"]);
    let deny = |service: &str| Rule { service: Some(service.to_owned()), ..Rule::new(Kind::Denied) };
    fail(["s3", "logs", "kms"].map(deny).into());
    aws.locard(&["merge", "shards", "--out", "denied"]);
    fail(Vec::new());
    aws.locard(&["merge", "shards", "--out", "merged"]);
    let (offline, denied, merged) = (lacks("offline"), lacks("denied"), lacks("merged"));
    for (line, before) in &offline {
        let (worse, better) = (denied.get(line), merged.get(line));
        assert!(worse.is_some_and(|after| after <= before), "{line:?} lacked {before} and now {worse:?}");
        assert!(better.is_some_and(|after| after <= before), "{line:?} lacked {before} and now {better:?}");
    }
    let sum = |all: &BTreeMap<(String, String), usize>| offline.keys().map(|line| all[line]).sum::<usize>();
    assert!(sum(&merged) < sum(&offline), "what had failed was not asked for again");
}

/// The machine dies: what it has put into the bucket is gone on with by another one.
#[test]
fn a_run_in_s3_that_was_killed_goes_on_elsewhere() {
    let aws = Simulated::start(9, 1);
    let estate = aws.running.estate();
    let bucket = estate.account(&estate.caller).unwrap().buckets.keys().next().unwrap().clone();
    let store = format!("s3://{bucket}/killed");
    let mut killed = aws.command(&["collect", "--out", &store, "--work-dir", "lost"]);
    let mut killed = killed.stderr(Stdio::null()).spawn().unwrap();
    // Some accounts are there, and the journal that is put with the run's beginning does not name them yet.
    let began = std::time::Instant::now();
    while !aws.dir().join("lost/snapshot/accounts").exists() {
        assert!(began.elapsed().as_secs() < 120 && killed.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(aws.try_locard(&["collect", "--out", &store]).code, 2, "it has begun");
    aws.locard(&["collect", "--out", &store, "--resume"]);
    aws.locard(&["evaluate", &store, "--out", "resumed"]);
    aws.locard(&["audit", "--out", "one"]);
    let differs = difference(&aws.results("one"), &aws.results("resumed"), "results");
    assert!(differs.is_none(), "{}", differs.unwrap());
}

/// What a bucket refuses stays on this machine, and is gone on with from there; what it takes is put whatever it refuses.
#[test]
fn a_run_that_its_bucket_does_not_take_whole_is_kept_here() {
    let aws = Simulated::start(9, 1);
    let estate = aws.running.estate();
    let bucket = estate.account(&estate.caller).unwrap().buckets.keys().next().unwrap().clone();
    let store = format!("s3://{bucket}/refused");
    // Attempts that fail for good; what is begun is taken.
    let refused =
        Rule { operation: Some("PutObject".to_owned()), from: Some(2), times: Some(12), ..Rule::new(Kind::Error500) };
    aws.running.set_faults(FaultPlan { seed: 1, rules: vec![refused] });
    let ran = aws.try_locard(&["collect", "--out", &store]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let Some(kept) = ran.stderr.split("--work-dir ").nth(1).and_then(|rest| rest.lines().next()) else {
        panic!("no folder is named: {}", ran.stderr)
    };
    aws.running.set_faults(FaultPlan { seed: 1, rules: Vec::new() });
    let before = aws.running.journal().entries().len();
    aws.locard(&["collect", "--out", &store, "--resume", "--work-dir", kept]);
    let asked = aws.running.journal().entries();
    let lists = |from: usize, to: usize| {
        asked[from..to]
            .iter()
            .filter(|entry| entry.service == "sagemaker" && entry.operation.starts_with("List"))
            .count()
    };
    let (first, again) = (lists(0, before), lists(before, asked.len()));
    std::fs::remove_dir_all(kept).unwrap();
    aws.locard(&["evaluate", &store, "--out", "resumed"]);
    aws.locard(&["audit", "--out", "one"]);
    let differs = difference(&aws.results("one"), &aws.results("resumed"), "results");
    assert!(differs.is_none(), "{}", differs.unwrap());
    assert!(again < first / 4, "{again} of {first} lists were asked for again");
}
