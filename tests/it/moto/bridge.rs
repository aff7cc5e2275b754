//! The simulated organization against moto, which no one here wrote, and against boto3: whether it imitates AWS or
//! only what locard expects.
//!
//! `tests/moto/dump.py` carries an organization from one to the other, read by boto3 alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use locard::files::SnapshotReader;
use locard::finding::{Status, Truth};
use locard::model::observed::Why;
use locard::model::severity::Severity;
use locard::results::{AccountStatus, Results};
use locard_simulator::estate::{Estate, Plan};
use locard_simulator::{Running, Settings, start};
use serde::Deserialize;
use serde_json::Value;

use super::SEEDED_REGIONS;
use super::harness::{Audit, Auditor, Iam, Moto};
use crate::binary::fresh;

/// A simulated organization, and who audits it.
struct Simulated {
    auditor: Auditor,
    _running: Running,
}

impl Simulated {
    fn start(estate: Estate, folder: PathBuf) -> Self {
        let folder = fresh(folder);
        fs::create_dir_all(&folder).unwrap();
        let running = start(estate, Settings::default()).unwrap();
        let auditor = Auditor { url: running.url(), folder };
        let key = running.credentials();
        let credentials = format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            key.access_key_id, key.secret_access_key
        );
        fs::write(auditor.credentials(), credentials).unwrap();
        Self { auditor, _running: running }
    }
}

fn read(text: &str) -> Estate {
    Estate::from_yaml(text, Timestamp::now()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn regions() -> Vec<&'static str> {
    SEEDED_REGIONS.iter().flat_map(|region| ["--region", *region]).collect()
}

// --- moto and the simulator --------------------------------------------------------------------------------------

#[test]
fn the_same_organization_is_told_and_judged_the_same_by_moto_and_by_the_simulator() {
    let moto = Moto::start("bridge");
    moto.seed("every-kind", Iam::Enforced);
    let told_by_moto = moto.auditor().dump(&regions());
    let simulated = Simulated::start(read(&told_by_moto), moto.folder().join("simulated"));

    let told_by_simulator = simulated.auditor.dump(&regions());
    assert!(told_by_moto == told_by_simulator, "boto3 reads another organization:\n{}", {
        let lines = told_by_moto.lines().zip(told_by_simulator.lines()).enumerate();
        let differing = lines.filter(|(_, (moto, simulator))| moto != simulator).take(5);
        let shown = differing.map(|(at, (moto, simulator))| format!("{}: {moto} | {simulator}", at + 1));
        shown.collect::<Vec<_>>().join("\n")
    });

    let of_moto = moto.audit("run", &regions());
    let of_simulator = simulated.auditor.audit("run", &regions());
    assert_eq!(judged(&of_moto), judged(&of_simulator));
    assert_eq!(of_moto.results.questions, of_simulator.results.questions);
    for (name, audit) in [("moto", &of_moto), ("the simulator", &of_simulator)] {
        assert!(audit.results.coverage.failed.is_empty(), "{name}: {:?}", audit.results.coverage.failed);
    }
    every_difference_is_known(&of_moto, &of_simulator);
}

type Place<'a> = (&'a str, &'a str, Option<&'a str>, &'a str);

/// What each check says of each resource: status and points.
fn judged(audit: &Audit) -> BTreeMap<Place<'_>, (&'static str, [u64; 3])> {
    let findings = &audit.results.findings;
    let judged: BTreeMap<_, _> = findings
        .iter()
        .map(|f| {
            let region = f.region.as_ref().map(|region| region.as_str());
            let place = (f.check.as_str(), f.account.as_str(), region, f.resource.as_str());
            (place, (f.status.word(), [f.points.low, f.points.high, f.points.max].map(u64::from)))
        })
        .collect();
    assert_eq!(judged.len(), findings.len(), "a check judges a resource twice");
    judged
}

/// An entry of `divergences.yaml`, which says what the members mean.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Divergence {
    call: String,
    kind: String,
    #[serde(default)]
    id: String,
    at: Option<String>,
    reason: String,
}

/// One fact that the two tell differently.
#[derive(Debug)]
struct Difference {
    kind: String,
    id: String,
    at: Option<String>,
}

impl Divergence {
    fn explains(&self, difference: &Difference) -> bool {
        self.kind == difference.kind && difference.id.starts_with(&self.id) && self.at == difference.at
    }
}

fn every_difference_is_known(of_moto: &Audit, of_simulator: &Audit) {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/moto/divergences.yaml")).unwrap();
    let known: Vec<Divergence> = serde_saphyr::from_str(&text).unwrap();
    let (moto, simulator) = (facts(of_moto), facts(of_simulator));
    let mut differences = Vec::new();
    for key in moto.keys().chain(simulator.keys()).collect::<BTreeSet<_>>() {
        let [_, kind, id] = key;
        let mut differs = |at: Option<String>| differences.push(Difference { kind: kind.clone(), id: id.clone(), at });
        match (moto.get(key), simulator.get(key)) {
            (Some(moto), Some(simulator)) => compare(moto, simulator, "", &mut |at| differs(Some(at))),
            (None, _) => differs(None),
            (Some(_), None) => differs(Some("the simulator does not tell it".to_owned())),
        }
    }
    let unknown: Vec<_> = differences.iter().filter(|it| !known.iter().any(|known| known.explains(it))).collect();
    assert!(
        unknown.is_empty(),
        "{} facts differ for no known reason: {:#?}",
        unknown.len(),
        &unknown[..unknown.len().min(5)]
    );
    for divergence in &known {
        let holds = differences.iter().any(|difference| divergence.explains(difference));
        assert!(holds, "no longer so, take it off the list: {} ({})", divergence.call, divergence.reason);
    }
}

/// Every fact of a snapshot by account, kind and id; without what is of the run alone.
fn facts(audit: &Audit) -> BTreeMap<[String; 3], Value> {
    let reader = SnapshotReader::open(&audit.folder.join("snapshot"), None).unwrap();
    let run = reader.manifest().run_id.clone();
    let mut facts = BTreeMap::new();
    for account in reader.accounts() {
        for line in &reader.account(&account).unwrap().lines {
            let text = serde_json::to_string(line).unwrap().replace(&run, "RUN");
            let mut value: Value = serde_json::from_str(&text).unwrap();
            without_times(&mut value);
            let region = line.region.as_ref().map_or("", |region| region.as_str());
            let key = [format!("{account} {region}"), line.kind.clone(), line.id.as_str().to_owned()];
            facts.insert(key, value);
        }
    }
    facts
}

/// When something was read differs from run to run.
fn without_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| name != "reads" && name != "read");
            members.values_mut().for_each(without_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// Names every member that differs.
fn compare(one: &Value, other: &Value, at: &str, differs: &mut impl FnMut(String)) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for name in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                match (one.get(name), other.get(name)) {
                    (Some(one), Some(other)) => compare(one, other, &at, differs),
                    _ => differs(at),
                }
            }
        }
        _ if one == other => {}
        _ => differs(at.to_owned()),
    }
}

// --- the estate of the demo --------------------------------------------------------------------------------------

#[test]
fn every_account_of_the_demo_tells_the_story_it_is_named_after() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/estate.yaml")).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto/demo");
    let simulated = Simulated::start(read(&text), folder);
    let audit = simulated.auditor.audit("run", &[]);
    let Results { accounts, findings, coverage, .. } = &audit.results;
    let account = |name: &str| accounts.iter().find(|account| account.name.as_deref() == Some(name)).unwrap();
    let of = |name: &str| {
        let id = account(name).id.clone();
        findings.iter().filter(move |finding| finding.account == id)
    };
    let says = |name: &str, check: &str| {
        of(name).find(|f| f.check == check && f.status != Status::Pass).unwrap_or_else(|| panic!("{check} of {name}"))
    };

    let severe = of("everything-recorded-and-locked")
        .filter(|f| f.status == Status::Unknown || (f.status == Status::Fail && f.severity > Severity::Low));
    assert_eq!(severe.map(|f| (&f.check, &f.resource)).collect::<Vec<_>>(), []);
    let sampled = says("half-recorded", "endpoint-capture-incomplete");
    assert!(sampled.status == Status::Fail && sampled.points.low > 0, "{sampled:?}");
    for check in ["endpoint-capture-incomplete", "bedrock-invocations-unlogged", "subnet-flows-unrecorded"] {
        let finding = says("nothing-recorded", check);
        assert!(finding.status == Status::Fail && finding.points.high == 0, "{finding:?}");
    }
    let shared = says("data-lake-that-others-train-on", "bucket-history-off");
    assert!(shared.counts_for.contains(&account("half-recorded").id), "{shared:?}");
    assert_eq!(account("serverless-endpoint").has_ai, Truth::True);
    assert!(!of("serverless-endpoint").any(|f| f.check == "endpoint-capture-incomplete" && f.status == Status::Fail));
    assert_eq!(says("base-models-only", "bedrock-invocations-unlogged").status, Status::Fail);
    assert_eq!(says("logs-to-a-deleted-bucket", "bedrock-logging-undeliverable").status, Status::Fail);
    for check in ["bedrock-log-bucket-mutable", "bedrock-log-bucket-key-unusable"] {
        assert_eq!(says("lock-that-locks-nothing", check).status, Status::Fail);
    }
    for name in ["not-enrolled", "closed"] {
        assert_eq!(account(name).status, AccountStatus::NotAssessed, "{name}");
    }
    assert_eq!(account("no-ai").has_ai, Truth::False);

    assert!(coverage.failed.is_empty(), "{:?}", coverage.failed);
    let refused = account("region-refused-by-policy");
    for denied in coverage.denied.iter().filter(|denied| denied.account != account("not-enrolled").id) {
        assert_eq!((&denied.account, denied.why), (&refused.id, Why::DeniedByScp), "{denied:?}");
    }
    assert_eq!(refused.status, AccountStatus::Partly);
}

// --- boto3 and the simulator -------------------------------------------------------------------------------------

#[test]
fn boto3_reads_every_member_that_a_made_up_estate_says() {
    // The last of the accounts that come first in every organization lacks permissions that boto3 needs here.
    let plan = Plan { accounts: 13, regions: 2, seed: 3 };
    let estate = Estate::generate(plan, Timestamp::now());
    let text = estate.to_yaml().unwrap().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto/boto3");
    let simulated = Simulated::start(estate, folder);
    let dumped: Value = serde_json::from_str(&simulated.auditor.dump(&[])).unwrap();
    let written: Value = serde_saphyr::from_str(&text).unwrap();

    let (mut kinds, mut missing) = (BTreeSet::new(), Vec::new());
    for account in written["accounts"].as_array().unwrap() {
        let found = dumped["accounts"].as_array().unwrap().iter().find(|it| it["id"] == account["id"]).unwrap();
        if found.get("role").is_some() {
            assert!(account.get("role").is_some(), "{} could not be entered", account["id"]);
            continue;
        }
        for member in ["name", "email", "state", "joined_by", "unit", "regions", "buckets"] {
            missing.extend(told(&account[member], &found[member], &format!("{} {member}", account["id"])).err());
        }
        for (kind, written, read) in resources(account, found) {
            let path = format!("{} {kind}", account["id"]);
            missing.extend(told(written, read, &path).err());
            kinds.insert(kind);
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(kinds.len() >= 32, "only {kinds:?} are there to be read");
}

/// Resources as written and as read, by kind. No one reads VPCs.
fn resources<'a>(account: &'a Value, found: &'a Value) -> Vec<(String, &'a Value, &'a Value)> {
    let mut resources = Vec::new();
    for (region, services) in account["resources"].as_object().unwrap() {
        for (service, kinds) in services.as_object().unwrap() {
            for (kind, written) in kinds.as_object().unwrap().iter().filter(|(kind, _)| *kind != "vpcs") {
                resources.push((format!("{service} {kind}"), written, &found["resources"][region][service][kind]));
            }
        }
    }
    resources
}

/// Whether what is written was read, whatever else was; else what was not.
fn told(written: &Value, read: &Value, path: &str) -> Result<(), String> {
    let same = |same: bool| if same { Ok(()) } else { Err(format!("{path}: {written} was read as {read}")) };
    match (written, read) {
        (Value::Object(members), Value::Object(_)) => {
            members.iter().try_for_each(|(name, member)| told(member, &read[name], &format!("{path}.{name}")))
        }
        // Lists may come in another order.
        (Value::Array(written), Value::Array(read)) => {
            same(written.len() <= read.len())?;
            written.iter().try_for_each(|item| {
                let mut results = read.iter().map(|other| told(item, other, path));
                let found = results.any(|result| result.is_ok());
                if found { Ok(()) } else { Err(format!("{path}: {item} was not read")) }
            })
        }
        // Documents are written as such and read as text; some settings have a short form; ages become times.
        (Value::Object(_), Value::String(text)) => {
            same(serde_json::from_str::<Value>(text).ok().as_ref() == Some(written))
        }
        (Value::String(short), Value::Object(_)) => same(read.to_string().contains(short)),
        (Value::String(age), Value::String(_)) if is_age(age) => Ok(()),
        _ => same(written == read),
    }
}

fn is_age(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
}
