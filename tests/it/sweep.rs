//! The sweep against a simulated organization: ended early and gone on with, short of time, sessions, disk and goodwill.
//!
//! What goes wrong in answers is tried in `faults`; here it is the run itself that is disturbed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use locard::finding::Status;
use locard::model::observed::Why;
use locard::results::Results;
use locard_simulator::estate::Plan as Size;
use locard_simulator::faults::{Kind, Plan, Rule};
use locard_simulator::{Estate, Running, Settings, start};
use serde_json::Value;

use crate::binary::{Ran, fresh, locard_command, results};
use crate::dice::{Dice, number};

/// A server of one test, with the organization that all have, and a folder that outlives the test.
struct Organization {
    running: Running,
    folder: PathBuf,
}

impl Organization {
    fn start(name: &str, settings: Settings) -> Self {
        Self::of(Size { accounts: 8, regions: 4, seed: 3 }, name, settings)
    }

    fn of(size: Size, name: &str, settings: Settings) -> Self {
        Self::lacking(BTreeMap::new(), size, name, settings)
    }

    /// One whose AWS does not offer some things, by region.
    fn lacking(absent: BTreeMap<String, Vec<String>>, size: Size, name: &str, settings: Settings) -> Self {
        // The same for all, the times of what it tells included.
        static NOW: LazyLock<jiff::Timestamp> = LazyLock::new(jiff::Timestamp::now);
        let mut estate = Estate::generate(size, *NOW);
        estate.absent = absent;
        Self::like(estate, name, settings)
    }

    fn like(estate: Estate, name: &str, settings: Settings) -> Self {
        let folder = fresh(Path::new(env!("CARGO_TARGET_TMPDIR")).join("sweep").join(name));
        fs::create_dir_all(&folder).unwrap();
        Self { running: start(estate, settings).unwrap(), folder }
    }

    /// `locard`, for this organization, not started yet.
    fn command(&self, program: Command, args: &[&str]) -> Command {
        let credentials = self.running.credentials();
        let mut command = program;
        command
            .args(args)
            .args([
                "--endpoint-url",
                &self.running.url(),
                "--format",
                "json",
                "--no-progress",
                "--max-rate",
                "unlimited",
            ])
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_CONFIG_FILE", self.folder.join("no-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.folder.join("no-credentials"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1");
        command
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `locard audit` into a folder of this name.
    fn audit(&self, name: &str, args: &[&str]) -> Ran {
        let out = self.out(name);
        let all = [&["audit", "--out", out.to_str().unwrap()], args].concat();
        Ran::from(self.command(locard_command(&[]), &all).output().unwrap())
    }

    /// Whether there is a snapshot to go on with.
    fn is_begun(&self, name: &str) -> bool {
        self.out(name).join("snapshot/journal.jsonl").exists()
    }

    /// `locard audit`, which goes on with what there is, as a process that runs.
    fn begin_or_go_on(&self, name: &str) -> Child {
        let out = self.out(name);
        let mut args = vec!["audit", "--out", out.to_str().unwrap()];
        args.extend(self.is_begun(name).then_some("--resume"));
        self.command(locard_command(&[]), &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The snapshot goes on and becomes what it would have been.
    fn goes_on(&self, name: &str) {
        let resumed = self.audit(name, &["--resume"]);
        assert_eq!(resumed.code, 0, "{}", resumed.stderr);
        assert!(!results(&self.out(name)).run.partial);
        assert_same(&self.out(name), &UNDISTURBED);
    }

    /// Waits until so many files are in the journal of the snapshot.
    fn wait_for_files(&self, name: &str, files: usize) {
        let journal = self.out(name).join("snapshot/journal.jsonl");
        let began = Instant::now();
        while fs::read_to_string(&journal).map_or(0, |text| text.lines().count()) <= files {
            assert!(began.elapsed() < Duration::from_secs(120), "nothing is in {}", journal.display());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn manifest(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.out(name).join("snapshot/manifest.json")).unwrap()).unwrap()
    }
}

/// Slow enough to be caught in the middle.
fn slow() -> Settings {
    Settings { latency: Duration::from_millis(250), ..Settings::default() }
}

/// The results of a run that nothing disturbs.
static UNDISTURBED: LazyLock<PathBuf> = LazyLock::new(|| {
    let organization = Organization::start("undisturbed", Settings::default());
    let ran = organization.audit("run", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    organization.out("run")
});

/// Everything the results say, but for which run says it and when it was read.
fn timeless(folder: &Path) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("at");
                members.values_mut().for_each(strip);
                // In the order of reading, and one entry for calls that were answered in the same second.
                if let Some(Value::Array(evidence)) = members.get_mut("evidence") {
                    evidence.sort_by_cached_key(Value::to_string);
                    evidence.dedup();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let text = fs::read_to_string(folder.join("results.json")).unwrap();
    // AWS names the session in its refusals, and the session is named after the run.
    let session = regex::Regex::new("/locard-[0-9TZ]+-[0-9a-f]{8}").unwrap();
    let mut value = serde_json::from_str(&session.replace_all(&text, "/locard-run")).unwrap();
    strip(&mut value);
    value.as_object_mut().unwrap().remove("run");
    value
}

fn assert_same(folder: &Path, other: &Path) {
    let (one, two) = (timeless(folder), timeless(other));
    for (key, value) in one.as_object().unwrap() {
        let before = &two[key];
        if let (Value::Array(values), Value::Array(others)) = (value, before) {
            let odd = values.iter().zip(others).find(|(one, two)| one != two);
            let odd = odd.map(|(one, two)| format!("{one}\n{two}"));
            assert!(odd.is_none() && values.len() == others.len(), "{key}:\n{}", odd.unwrap_or_default());
        }
        assert_eq!(value, before, "{key}");
    }
}

/// Each finding says what it says undisturbed, or that it is unknown; a finding may be missing, and so may what it is
/// about.
fn assert_nothing_flips(results: &Results) {
    let undisturbed = crate::binary::results(&UNDISTURBED);
    let statuses: BTreeMap<&str, Status> =
        undisturbed.findings.iter().map(|finding| (finding.id.as_str(), finding.status)).collect();
    for finding in results.findings.iter().filter(|finding| finding.status != Status::Unknown) {
        let before = statuses.get(finding.id.as_str());
        assert_eq!(before, Some(&finding.status), "{} {} {}", finding.check, finding.resource, finding.reason);
    }
    let (now, then) = (&results.score, &undisturbed.score);
    assert!(now.low <= then.low + 1e-9 && now.high >= then.high - 1e-9, "{now:?} does not hold {then:?}");
}

#[test]
fn a_run_ends_in_time_and_judges_what_it_has() {
    let organization = Organization::start("in-time", slow());
    let began = Instant::now();
    let ran = organization.audit("run", &["--max-duration", "4s"]);
    let took = began.elapsed();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("time is up"), "{}", ran.stderr);
    assert_eq!(organization.manifest("run")["complete"], false);
    let partly = results(&organization.out("run"));
    assert!(partly.run.partial && !partly.run.partial_reasons.is_empty());
    assert_nothing_flips(&partly);
    organization.goes_on("run");
    // Collecting alone is bounded; judging comes on top.
    eprintln!("ended after {took:?}");
}

#[test]
fn time_runs_from_the_first_call() {
    let organization = Organization::start("nobody-answers", Settings::default());
    organization.running.set_faults(Plan { seed: 1, rules: vec![Rule { seconds: Some(60.0), ..rule(Kind::Hang) }] });
    let began = Instant::now();
    let ran = organization.audit("run", &["--max-duration", "2s"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("the time was up before anything was read"), "{}", ran.stderr);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(!organization.is_begun("run"));
}

/// One account with more to describe, and more that this reaches, than a run has time for.
fn large(endpoints: usize) -> Estate {
    let (mut buckets, mut listed, mut configs, mut subnets) =
        (String::new(), String::new(), String::new(), String::new());
    for number in 0..endpoints {
        buckets += &format!("      capture-{number}: {{region: eu-west-1, versioning: Enabled}}\n");
        listed += &format!("            - {{EndpointName: e{number}}}\n");
        configs += &format!(
            "            - {{EndpointConfigName: e{number}, ProductionVariants: [{{VariantName: all, ModelName: m}}], \
             DataCaptureConfig: {{EnableCapture: true, InitialSamplingPercentage: 100, \
             DestinationS3Uri: \"s3://capture-{number}/c\", CaptureOptions: [{{CaptureMode: Input}}]}}}}\n"
        );
        subnets += &format!("            - {{SubnetId: subnet-{number}, VpcId: vpc-0}}\n");
    }
    let estate = format!(
        "organization: {{id: o-example123, root: r-exam, management: \"111122223333\"}}
regions: [us-east-1, eu-west-1]
accounts:
  - id: \"111122223333\"
    name: large
    buckets:
{buckets}    resources:
      eu-west-1:
        sagemaker:
          models:
            - {{ModelName: m, PrimaryContainer: {{ModelDataUrl: \"s3://capture-0/m\"}}}}
          endpoint_configs:
{configs}          endpoints:
{listed}        ec2:
          subnets:
{subnets}"
    );
    Estate::from_yaml(&estate, jiff::Timestamp::now()).unwrap()
}

#[test]
fn an_account_too_large_for_one_window_is_read_in_several() {
    let settings = || Settings { latency: Duration::from_millis(60), ..Settings::default() };
    let organization = Organization::like(large(60), "windows", settings());
    assert_eq!(organization.audit("whole", &[]).code, 0);
    let whole = results(&organization.out("whole"));
    let share = |name: &str| results(&organization.out(name)).coverage.share;
    let mut shares = Vec::new();
    loop {
        let resume: &[&str] = if shares.is_empty() { &[] } else { &["--resume"] };
        let ran = organization.audit("run", &[&["--max-duration", "2s"], resume].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        shares.push(share("run"));
        if organization.manifest("run")["complete"] == true {
            break;
        }
        assert!(shares.len() < 20, "no end: {shares:?}");
    }
    assert!(shares.len() > 2, "one window was enough: {shares:?}");
    eprintln!("in {} windows", shares.len());
    assert_eq!(shares.last(), Some(&whole.coverage.share));
    // Since when there are events counts from the start of each run.
    let (run, whole) = (timeless(&organization.out("run")), timeless(&organization.out("whole")));
    for member in ["findings", "coverage", "score", "accounts"] {
        assert_eq!(run[member], whole[member], "{member}");
    }
}

/// As for the AWS CLI; else another organization would be audited than the one that was named.
#[test]
fn a_profile_that_is_named_comes_before_credentials_in_the_environment() {
    let organization = Organization::start("profile", Settings::default());
    let config = organization.out("config");
    fs::write(&config, "[profile wrong]\naws_access_key_id = AKIAWRONG\naws_secret_access_key = wrong\n").unwrap();
    for (profile, said) in [("wrong", "does not know these credentials"), ("missing", "missing")] {
        let args = ["audit", "--profile", profile, "--out", "never"];
        let mut command = organization.command(locard_command(&[]), &args);
        let ran = Ran::from(command.env("AWS_CONFIG_FILE", &config).output().unwrap());
        assert!(ran.code == 1 && ran.stderr.contains(said), "{}", ran.stderr);
    }
    // One that names a role needs to know where to ask for it.
    let text = "[profile base]\naws_access_key_id = AKIAWRONG\naws_secret_access_key = wrong\n\
                [profile role]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = base\n";
    fs::write(&config, text).unwrap();
    let mut command = organization.command(locard_command(&[]), &["audit", "--profile", "role", "--out", "never"]);
    command.env("AWS_CONFIG_FILE", &config).env("HTTPS_PROXY", "http://127.0.0.1:9").env_remove("AWS_REGION");
    let ran = Ran::from(command.output().unwrap());
    assert!(ran.code == 1 && ran.stderr.contains("tunnel error"), "{}", ran.stderr);
}

/// AWS has neither Bedrock's agents nor evaluations in us-west-1, and both in us-east-1.
#[test]
fn what_a_region_lacks_is_none_only_where_aws_does_not_offer_it() {
    let size = Size { accounts: 8, regions: 4, seed: 3 };
    let unknown = |region: &str| {
        let parts = ["bedrock-agent", "bedrock:ListEvaluationJobs"].map(str::to_owned).to_vec();
        let absent = BTreeMap::from([(region.to_owned(), parts)]);
        let organization = Organization::lacking(absent, size, &format!("lacking-{region}"), Settings::default());
        let ran = organization.audit("out", &[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let results = results(&organization.out("out"));
        let of_region =
            results.findings.iter().filter(|finding| finding.region.as_ref().is_some_and(|r| r.as_str() == region));
        of_region.filter(|finding| finding.status == Status::Unknown).count()
    };
    assert_eq!(unknown("us-west-1"), 0);
    assert!(unknown("us-east-1") > 0);
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_signal_ends_a_run_soon_and_leaves_what_can_be_gone_on_with() {
    for (name, signal) in [("interrupted", "-INT"), ("terminated", "-TERM")] {
        let organization = Organization::start(name, slow());
        let mut run = organization.begin_or_go_on("run");
        organization.wait_for_files("run", 2);
        send(signal, &run);
        let began = Instant::now();
        assert_eq!(run.wait().unwrap().code(), Some(130));
        // Five seconds on a machine of its own; what else runs here may take the cores. Undisturbed it would go on for longer.
        assert!(began.elapsed() < Duration::from_secs(15), "{signal}: {:?}", began.elapsed());
        assert_eq!(organization.manifest("run")["complete"], false);
        assert!(!organization.out("run/results.json").exists());
        organization.goes_on("run");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let hang = Rule { seconds: Some(30.0), ..rule(Kind::Hang) };
    let faults = Plan { seed: 1, rules: vec![Rule { service: Some("sagemaker".to_owned()), ..hang }] };
    let organization = Organization::start("twice", Settings { faults, ..Settings::default() });
    let mut run = organization.begin_or_go_on("run");
    let began = Instant::now();
    while organization.running.journal().counters().requests < 60 {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is asked");
        std::thread::sleep(Duration::from_millis(20));
    }
    send("-INT", &run);
    std::thread::sleep(Duration::from_millis(300));
    send("-INT", &run);
    let began = Instant::now();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn sessions_that_end_during_the_run_are_renewed() {
    let longest_session = Some(Duration::from_secs(3));
    let settings = Settings { longest_session, latency: Duration::from_millis(150), ..Settings::default() };
    let organization = Organization::start("sessions", settings);
    let ran = organization.audit("run", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_same(&organization.out("run"), &UNDISTURBED);
    let entered: BTreeMap<String, usize> =
        organization.running.journal().entries().into_iter().filter_map(|entry| entry.enters).fold(
            BTreeMap::new(),
            |mut counts, account| {
                *counts.entry(account).or_default() += 1;
                counts
            },
        );
    // Two sessions an account in the first pass, one in the second.
    assert!(entered.values().any(|times| *times > 3), "{entered:?}");
}

fn rule(kind: Kind) -> Rule {
    Rule {
        kind,
        service: None,
        operation: None,
        account: None,
        region: None,
        probability: 1.0,
        times: None,
        from: None,
        seconds: None,
    }
}

#[test]
fn a_throttled_account_slows_nobody_else() {
    let organization = Organization::start("throttled", Settings::default());
    let undisturbed = results(&UNDISTURBED);
    let victim = &undisturbed.accounts.iter().find(|account| account.scored).unwrap().id;
    let account = Some(victim.to_string());
    let service = Some("sagemaker|bedrock".to_owned());
    let rules = vec![Rule { account, service, ..rule(Kind::Throttle) }];
    organization.running.set_faults(Plan { seed: 1, rules });
    let ran = organization.audit("run", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let throttled = results(&organization.out("run"));
    assert_nothing_flips(&throttled);
    let whys: BTreeSet<Why> = throttled.coverage.failed.iter().map(|failure| failure.why).collect();
    assert_eq!(whys, BTreeSet::from([Why::Throttled]));
    assert!(throttled.coverage.failed.iter().all(|failure| failure.account == *victim));
    // Every other account was done before the throttled one gave up.
    let entries = organization.running.journal().entries();
    let last = |of_victim: bool, pass: &[&str]| {
        let entries = entries.iter().filter(|entry| (entry.account == victim.as_str()) == of_victim);
        entries.filter(|entry| pass.contains(&entry.service.as_str())).map(|entry| entry.answered).max().unwrap()
    };
    let services = ["sagemaker", "bedrock", "bedrock-agent", "cloudtrail"];
    assert!(last(false, &services) < last(true, &services));
    // It was asked less and less, and not five times as often.
    let asked = |account: &str| entries.iter().filter(|entry| entry.account == account).count();
    eprintln!("{} requests to the throttled account", asked(victim.as_str()));
}

#[test]
fn credentials_that_end_during_the_run_end_it() {
    let organization = Organization::start("credentials", Settings::default());
    let rules = vec![Rule { operation: Some("AssumeRole".to_owned()), ..rule(Kind::ExpiredSession) }];
    organization.running.set_faults(Plan { seed: 1, rules });
    let ran = organization.audit("run", &[]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("no longer takes the caller's credentials"), "{}", ran.stderr);
    assert_eq!(organization.manifest("run")["complete"], false);
    organization.running.set_faults(Plan::default());
    organization.goes_on("run");
}

/// Nobody is told to be shut out because nobody could ask: accounts wait until the door answers again.
#[test]
fn accounts_wait_while_nobody_answers_at_the_door() {
    let organization = Organization::of(Size { accounts: 60, regions: 1, seed: 3 }, "shut", Settings::default());
    let config = organization.folder.join("impatient.yaml");
    fs::write(&config, "timeouts: {connect: 1, read: 1, attempt: 1, operation: 1}\n").unwrap();
    let args = ["--config", config.to_str().unwrap()];
    assert_eq!(organization.audit("clean", &[]).code, 0);
    let rules = vec![Rule { operation: Some("AssumeRole".to_owned()), ..rule(Kind::Hang) }];
    organization.running.set_faults(Plan { seed: 1, rules });
    let ran = std::thread::scope(|scope| {
        let run = scope.spawn(|| organization.audit("run", &args));
        std::thread::sleep(Duration::from_secs(7));
        organization.running.set_faults(Plan::default());
        run.join().unwrap()
    });
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("came to nothing for reasons that may pass"), "{}", ran.stderr);
    let shut_out =
        |results: &Results| results.coverage.failed.iter().filter(|failure| failure.call == "sts:AssumeRole").count();
    let lost = shut_out(&results(&organization.out("run")));
    assert!((1..=20).contains(&lost), "{lost} of 60 accounts were not waited for");
    let resumed = organization.audit("run", &["--resume"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert_same(&organization.out("run"), &organization.out("clean"));
}

#[test]
fn a_list_of_accounts_that_breaks_off_takes_the_place_of_no_whole_one() {
    let organization = Organization::of(Size { accounts: 60, regions: 1, seed: 3 }, "list", Settings::default());
    assert_eq!(organization.audit("run", &[]).code, 0);
    let clean = timeless(&organization.out("run"));
    let rules = vec![Rule { operation: Some("ListAccounts".to_owned()), ..rule(Kind::EndlessToken) }];
    organization.running.set_faults(Plan { seed: 1, rules });
    let ran = organization.audit("run", &["--resume"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("the list of accounts broke off"), "{}", ran.stderr);
    let results = results(&organization.out("run"));
    assert!(results.run.partial && results.accounts.len() == 60, "{:?}", results.run.partial_reasons);
    organization.running.set_faults(Plan::default());
    assert_eq!(organization.audit("run", &["--resume"]).code, 0);
    assert!(timeless(&organization.out("run")) == clean);
}

/// The caller's account alone says nothing of an organization that nobody could list.
#[test]
fn no_gate_passes_where_the_organization_could_not_be_listed() {
    let organization = Organization::of(Size { accounts: 6, regions: 1, seed: 3 }, "unlisted", Settings::default());
    let gate = |name: &str| {
        let out = organization.out(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_locard"));
        let args = ["gate", out.to_str().unwrap(), "--min-score", "0"];
        Ran::from(command.args(args).current_dir(&organization.folder).output().unwrap()).code
    };
    let denied = |operation: &str| {
        let rules = vec![Rule { operation: Some(operation.to_owned()), ..rule(Kind::Denied) }];
        organization.running.set_faults(Plan { seed: 1, rules });
    };
    denied("ListAccounts");
    let ran = organization.audit("one", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("only the caller's account is assessed"), "{}", ran.stderr);
    assert_eq!(results(&organization.out("one")).run.mode, "single_account");
    assert_eq!(gate("one"), 4);
    // What the organization is called does not matter where its accounts are known.
    denied("DescribeOrganization");
    assert_eq!(organization.audit("nameless", &[]).code, 0);
    let nameless = results(&organization.out("nameless"));
    assert_eq!((nameless.run.mode.as_str(), nameless.accounts.len()), ("organization", 6));
    assert_eq!(gate("nameless"), 0);
}

#[test]
fn a_selection_that_nothing_meets_leaves_the_folder_free() {
    let organization = Organization::of(Size { accounts: 6, regions: 1, seed: 3 }, "typo", Settings::default());
    for wrong in [["--account", "999999999999"], ["--ou", "Nope"], ["--region", "mars-1"]] {
        let ran = organization.audit("run", &wrong);
        assert_eq!(ran.code, 1, "{wrong:?}: {}", ran.stderr);
        assert!(!organization.out("run").join("snapshot").exists(), "{wrong:?}");
    }
    assert_eq!(organization.audit("run", &[]).code, 0);
}

/// Files that may not grow beyond some kilobytes are as good as a full disk: the journal is among those that are cut off.
#[test]
fn a_full_disk_keeps_what_is_complete() {
    let organization = Organization::start("full", Settings::default());
    let mut shell = Command::new("sh");
    // The signal that comes with the error would end the process, as no full disk does.
    let script = "trap '' XFSZ; ulimit -f 6; exec \"$0\" \"$@\"";
    shell.args(["-c", script, env!("CARGO_BIN_EXE_locard")]);
    let out = organization.out("run");
    let ran = Ran::from(organization.command(shell, &["audit", "--out", out.to_str().unwrap()]).output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot keep the snapshot") && ran.stderr.contains("--resume"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    organization.goes_on("run");
}

/// `LOCARD_KILLS` runs, from seed `LOCARD_FIRST_KILL` on, each killed up to three times, at any moment from the start of
/// the process to the last report.
#[test]
fn a_run_that_is_killed_goes_on_to_the_same_results() {
    let organization =
        Organization::start("killed", Settings { latency: Duration::from_millis(15), ..Settings::default() });
    let began = Instant::now();
    let whole = organization.audit("whole", &[]);
    let takes = u64::try_from(began.elapsed().as_millis()).unwrap();
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let first = number("LOCARD_FIRST_KILL", 1);
    for seed in first..first + number("LOCARD_KILLS", 5) {
        let (mut dice, name) = (Dice(seed), format!("run-{seed}"));
        fresh(organization.out(&name));
        let mut moments = Vec::new();
        for _ in 0..dice.between(1, 3) {
            let moment = Duration::from_millis(dice.between(0, takes));
            moments.push(moment);
            let mut run = organization.begin_or_go_on(&name);
            std::thread::sleep(moment);
            // One that was faster is done, which is as good.
            let _ = run.kill();
            run.wait().unwrap();
        }
        let files =
            || fs::read_dir(organization.out(&name)).into_iter().flatten().flatten().map(|file| file.file_name());
        eprintln!("seed {seed}: killed after {moments:?}, leaving {:?}", files().collect::<Vec<_>>());
        match organization.is_begun(&name) {
            true => organization.goes_on(&name),
            false => {
                let ran = organization.audit(&name, &[]);
                assert_eq!(ran.code, 0, "{}", ran.stderr);
                assert_same(&organization.out(&name), &UNDISTURBED);
            }
        }
    }
}
