//! A simulated organization of its own for a test, and the binary run against it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use locard_simulator::faults::Plan;
use locard_simulator::journal::Entry;
use locard_simulator::{Estate, Running, Settings, start};

use crate::binary::{Ran, fresh, locard_command};

/// Seconds that a run under faults waits for AWS, `LOCARD_FAULT_SECONDS` on a machine that has much else to do. What is
/// slow on purpose takes several times as long.
pub(crate) fn patience() -> f64 {
    std::env::var("LOCARD_FAULT_SECONDS").map_or(1.0, |text| text.parse().unwrap())
}

/// A server and a scratch folder, which outlives the test, to be looked at when it failed.
pub(crate) struct Lab {
    running: Running,
    pub(crate) folder: PathBuf,
}

impl Lab {
    /// `name` is the test's and its folder's.
    pub(crate) fn start(name: &str, settings: Settings) -> Self {
        let folder = fresh(Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulated").join(name));
        fs::create_dir_all(&folder).unwrap();
        let seconds = patience();
        let timeouts =
            format!("connect: {seconds}, read: {seconds}, attempt: {seconds}, operation: {seconds}, attempts: 2");
        fs::write(folder.join("impatient.yaml"), format!("timeouts: {{{timeouts}}}\n")).unwrap();
        fs::write(folder.join("patient.yaml"), "").unwrap();
        let estate =
            Estate::from_yaml(&estate(), jiff::Timestamp::now()).unwrap_or_else(|problems| panic!("{problems}"));
        Self { running: start(estate, settings).unwrap(), folder }
    }

    /// What goes wrong from now on; the journal begins anew.
    pub(crate) fn set_faults(&self, plan: Plan) {
        self.running.journal().clear();
        self.running.set_faults(plan);
    }

    /// Every request since then.
    pub(crate) fn journal(&self) -> Vec<Entry> {
        self.running.journal().entries()
    }

    /// `locard audit` into a folder of this name with `patient.yaml` or `impatient.yaml`, not started yet.
    pub(crate) fn command(&self, name: &str, config: &str, args: &[&str]) -> Command {
        let (url, config, out) = (self.running.url(), self.folder.join(config), self.folder.join(name));
        let mut all =
            vec!["audit", "--endpoint-url", &url, "--format", "json", "--no-progress", "--max-rate", "unlimited"];
        all.extend(["--config", config.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        all.extend(args);
        let credentials = self.running.credentials();
        let mut command = locard_command(&all);
        command
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_CONFIG_FILE", self.folder.join("no-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.folder.join("no-credentials"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1");
        command
    }

    /// `locard audit` into a new folder of this name, and how long it took. One that does not end is ended: exit -1.
    pub(crate) fn audit(&self, name: &str, config: &str, args: &[&str], longest: Duration) -> (Ran, Duration) {
        fresh(self.folder.join(name));
        let (out, err) = (self.folder.join(format!("{name}.out")), self.folder.join(format!("{name}.err")));
        let mut command = self.command(name, config, args);
        command.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
        let began = Instant::now();
        let mut child = command.spawn().unwrap();
        let code = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code().unwrap_or(-1);
            }
            if began.elapsed() > longest {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let text = |path| fs::read_to_string(path).unwrap();
        (Ran { code, stdout: text(&out), stderr: text(&err) }, began.elapsed())
    }
}

/// The estate of this folder, and what is tedious to write: lists of more than one page.
fn estate() -> String {
    let mut text = include_str!("estate.yaml").to_owned();
    for number in 0..12 {
        text += &format!(
            "\n  - {{id: \"2000000000{number:02}\", name: closed-{number}, state: SUSPENDED, role: {{missing: true}}}}"
        );
    }
    // One more account, whose guardrails take two pages and whose log groups, that begin with the name of a reached
    // one, take two as well.
    text += "\n  - id: \"100000000012\"\n    name: many\n    unit: Workloads\n    resources:\n      us-east-1:\n";
    text += "        sagemaker: {processing_jobs: [{ProcessingJobName: prepare, ProcessingInputs: []}]}\n";
    text += "        logs:\n          groups:\n";
    text += "            - {logGroupName: /aws/sagemaker/ProcessingJobs, retentionInDays: 400}\n";
    for number in 0..60 {
        text += &format!("            - {{logGroupName: /aws/sagemaker/ProcessingJobs-{number:02}}}\n");
    }
    text += "        bedrock:\n          guardrails:\n";
    for number in 0..101 {
        text += &format!("            - {{guardrailId: gr{number:010}, name: guardrail-{number}}}\n");
    }
    text
}
