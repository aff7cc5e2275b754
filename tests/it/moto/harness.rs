//! moto, an AWS in memory that no one here wrote: started, seeded, changed and recorded. Asserts nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use locard::model::ids::{AccountId, Region};
use locard::results::Results;
use serde_json::Value;

use crate::binary::{Ran, fresh, locard_command, results, without_settings};

/// Whether moto checks IAM policies once it is seeded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Iam {
    Enforced,
    Ignored,
}

/// A server of one test, with a scratch folder that outlives the test, to be looked at when it failed.
pub(super) struct Moto {
    server: Child,
    port: u16,
    pub(super) folder: PathBuf,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // A server that has already ended is as good.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Moto {
    /// Starts a server on a port the system picks; `name` is the test's and its folder's.
    pub(super) fn start(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        let log = fs::File::create(folder.join("moto.log")).unwrap();
        let server = Command::new(python())
            .arg(script("server.py"))
            .args(["--port", "0", "--until-eof"])
            .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
            .env("MOTO_RECORDER_FILEPATH", folder.join("recording.jsonl"))
            // Statics are never dropped: the pipe that closes with this process ends the server.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut moto = Self { server, port: 0, folder };
        moto.port = moto.wait_for_port();
        moto
    }

    /// The port as the server's own log tells it: whatever else listens on this machine is not ours to reset.
    fn wait_for_port(&mut self) -> u16 {
        let log = self.folder.join("moto.log");
        let began = Instant::now();
        loop {
            let text = fs::read_to_string(&log).unwrap();
            if let Some((_, after)) = text.split_once("Running on http://127.0.0.1:")
                && let Some((port, _)) = after.split_once('\n')
            {
                return port.trim().parse().unwrap();
            }
            let ended = self.server.try_wait().unwrap();
            assert!(
                ended.is_none() && began.elapsed() < Duration::from_secs(60),
                "moto does not start; see {}:\n{text}",
                log.display()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Empties the server and fills it with a scenario of `seed_org.py`.
    pub(super) fn seed(&self, scenario: &str, iam: Iam) -> Accounts {
        let credentials = self.credentials();
        let mut args = vec!["--scenario", scenario, "--credentials-file", credentials.to_str().unwrap()];
        if iam == Iam::Enforced {
            args.push("--enforce-iam");
        }
        let by_id: BTreeMap<String, String> = serde_json::from_str(&self.run_script("seed_org.py", &args)).unwrap();
        Accounts(by_id.into_iter().map(|(id, purpose)| (purpose, AccountId::new(id))).collect())
    }

    /// Lets the audit role and the auditor do exactly these actions, and has IAM enforced.
    pub(super) fn allow<'a>(&self, actions: impl IntoIterator<Item = &'a str>) {
        let args: Vec<&str> = ["allow"].into_iter().chain(actions).collect();
        self.run_script("change.py", &args);
    }

    /// Lets the auditor do these actions in its own account, and enter no other; has IAM enforced.
    pub(super) fn confine<'a>(&self, actions: impl IntoIterator<Item = &'a str>) {
        let args: Vec<&str> = ["confine"].into_iter().chain(actions).collect();
        self.run_script("change.py", &args);
    }

    /// Adds accounts and resources with names that are meant to break outputs.
    pub(super) fn add_hostile_names(&self) {
        self.run_script("change.py", &["hostile"]);
    }

    pub(super) fn start_recording(&self) {
        self.control("POST", "recorder/reset-recording");
        self.control("POST", "recorder/start-recording");
    }

    /// Every request since recording started.
    pub(super) fn recorded(&self) -> Vec<RecordedCall> {
        self.control("POST", "recorder/stop-recording");
        let recording = fs::File::open(self.folder.join("recording.jsonl")).unwrap();
        let output = Command::new(python()).arg(script("recorded.py")).stdin(recording).output().unwrap();
        lines(&succeeded("recorded.py", output)).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Where this server's runs and files go.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Who audits this server.
    pub(super) fn auditor(&self) -> Auditor {
        Auditor { url: self.url(), folder: self.folder.clone() }
    }

    /// Runs locard as the auditor.
    pub(super) fn locard(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// `locard`, not started yet.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        self.auditor().command(args)
    }

    /// `locard audit` into a folder of this name, which must succeed.
    pub(super) fn audit(&self, name: &str, args: &[&str]) -> Audit {
        self.auditor().audit(name, args)
    }

    fn credentials(&self) -> PathBuf {
        self.auditor().credentials()
    }

    fn run_script(&self, name: &str, args: &[&str]) -> String {
        let output =
            Command::new(python()).arg(script(name)).args(["--endpoint-url", &self.url()]).args(args).output().unwrap();
        succeeded(name, output)
    }

    /// One request to the control API, which has no AWS counterpart.
    fn control(&self, method: &str, path: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let request = format!(
            "{method} /moto-api/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
    }
}

/// Whoever audits the organization behind an endpoint, with the credentials and for the files of one folder.
pub(super) struct Auditor {
    pub(super) url: String,
    pub(super) folder: PathBuf,
}

impl Auditor {
    pub(super) fn credentials(&self) -> PathBuf {
        self.folder.join("auditor.ini")
    }

    /// `locard`, not started yet.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = locard_command(args);
        self.equip(&mut command);
        command
    }

    /// `locard audit` into a folder of this name, which must succeed.
    pub(super) fn audit(&self, name: &str, args: &[&str]) -> Audit {
        let folder = fresh(self.folder.join(name));
        let mut all = vec!["audit", "--endpoint-url", &self.url, "--out", folder.to_str().unwrap()];
        all.extend(args);
        let ran = Ran::from(self.command(&all).output().unwrap());
        assert_eq!(ran.code, 0, "locard audit: {}", ran.stderr);
        Audit { results: results(&folder), folder, ran }
    }

    /// The organization as boto3 reads it, written as an estate.
    pub(super) fn dump(&self, args: &[&str]) -> String {
        let mut command = Command::new(python());
        without_settings(&mut command).arg(script("dump.py")).args(["--endpoint-url", &self.url]).args(args);
        self.equip(&mut command);
        succeeded("dump.py", command.output().unwrap())
    }

    fn equip(&self, command: &mut Command) {
        command
            .env("AWS_SHARED_CREDENTIALS_FILE", self.credentials())
            .env("AWS_CONFIG_FILE", self.folder.join("no-config"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1");
    }
}

/// Account ids by purpose, `ml-prod` and so on.
pub(super) struct Accounts(BTreeMap<String, AccountId>);

impl Accounts {
    pub(super) fn id(&self, purpose: &str) -> &AccountId {
        &self.0[purpose]
    }
}

/// A request as moto received it.
#[derive(Debug, serde::Deserialize)]
pub(super) struct RecordedCall {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) account: AccountId,
    pub(super) region: Region,
}

/// A finished audit and its folder.
pub(super) struct Audit {
    pub(super) ran: Ran,
    pub(super) folder: PathBuf,
    pub(super) results: Results,
}

impl Audit {
    pub(super) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }
}

/// Runs locard without any AWS to speak to.
pub(super) fn locard_offline(args: &[&str]) -> Ran {
    Ran::from(locard_command(args).output().unwrap())
}

/// The actions that `locard role` grants, the role's trust policy left out.
pub(super) fn role_actions() -> BTreeSet<String> {
    let ran = locard_offline(&["role", "--format", "json"]);
    assert_eq!(ran.code, 0, "locard role: {}", ran.stderr);
    let mut actions = BTreeSet::new();
    gather_actions(&serde_json::from_str(&ran.stdout).unwrap(), &mut actions);
    assert!(!actions.is_empty(), "no action in: {}", ran.stdout);
    actions
}

fn gather_actions(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let trusts = members.contains_key("Principal");
            for (name, member) in members {
                match member {
                    Value::String(action) if name == "Action" && !trusts => {
                        into.insert(action.clone());
                    }
                    Value::Array(actions) if name == "Action" && !trusts => {
                        into.extend(actions.iter().map(|action| action.as_str().unwrap().to_owned()));
                    }
                    _ => gather_actions(member, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather_actions(item, into)),
        _ => {}
    }
}

fn python() -> String {
    std::env::var("LOCARD_MOTO_PYTHON").unwrap_or_else(|_| {
        panic!(
            "these tests need moto: run tests/run.sh, or\n    LOCARD_MOTO_PYTHON=$(tests/setup-moto.sh) cargo test moto"
        )
    })
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto").join(name)
}

fn succeeded(what: &str, output: Output) -> String {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}
