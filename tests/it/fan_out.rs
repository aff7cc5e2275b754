//! The examples that fan out: the templates hold what cfn-lint asks, roles what locard prints, and commands what exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const TEMPLATES: [(&str, &str); 2] = [("step-functions.yaml", "TaskRole"), ("batch.yaml", "JobRole")];
const WORKFLOW: &str = "github-actions.yml";

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fan-out").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(example(name)).unwrap()
}

fn locard(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_locard")).args(args).output().unwrap();
    assert!(output.status.success(), "locard {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The interpreter that moto runs in; cfn-lint is installed with it.
fn python() -> PathBuf {
    let python = std::env::var_os("LOCARD_MOTO_PYTHON").unwrap_or_else(|| {
        panic!(
            "this test needs cfn-lint: run tests/run.sh, or\n    \
             LOCARD_MOTO_PYTHON=$(tests/setup-moto.sh) cargo test fan_out"
        )
    });
    PathBuf::from(python)
}

#[test]
fn cfn_lint_has_nothing_to_say_of_the_templates() {
    let mut lint = Command::new(python().with_file_name("cfn-lint"));
    lint.args(["--non-zero-exit-code", "informational", "--include-checks", "I", "--"]);
    let output = lint.args(TEMPLATES.map(|(name, _)| example(name))).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Actions by statement, of a policy document.
fn granted(policy: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let texts = |value: &Value| -> BTreeSet<String> {
        let all = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        all.iter().map(|action| action.as_str().unwrap().to_owned()).collect()
    };
    let statements = policy["Statement"].as_array().unwrap();
    statements.iter().map(|s| (s["Sid"].as_str().unwrap().to_owned(), texts(&s["Action"]))).collect()
}

#[test]
fn whoever_runs_locard_there_may_do_what_it_prints_and_no_more() {
    let printed = locard(&["role", "--document", "caller", "--store", "s3://bucket/prefix"]);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let read = "import json, sys\nfrom cfnlint.decode import decode\n\
                template, problems = decode(sys.argv[1])\nassert not problems, problems\nprint(json.dumps(template))";
    for (name, role) in TEMPLATES {
        let output = Command::new(python()).args(["-c", read]).arg(example(name)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let template: Value = serde_json::from_slice(&output.stdout).unwrap();
        let policies = template["Resources"][role]["Properties"]["Policies"].as_array().unwrap();
        let caller = policies.iter().find(|policy| policy["PolicyName"] == "locard-caller").unwrap();
        assert_eq!(granted(&caller["PolicyDocument"]), granted(&printed), "{name}");
    }
}

#[test]
fn the_workflow_runs_every_shard_and_then_merges() {
    let workflow: Value = serde_saphyr::from_str(&text(WORKFLOW)).unwrap();
    let shards = workflow["jobs"]["shard"]["strategy"]["matrix"]["shard"].as_array().unwrap();
    let shards: Vec<u64> = shards.iter().map(|shard| shard.as_u64().unwrap()).collect();
    assert_eq!(shards, (1..=workflow["env"]["SHARDS"].as_u64().unwrap()).collect::<Vec<_>>());
    assert_eq!(workflow["jobs"]["shard"]["strategy"]["fail-fast"], false);
    assert_eq!(workflow["jobs"]["merge"]["needs"], "shard");
    assert_eq!(
        workflow["permissions"],
        serde_json::json!({"contents": "read", "id-token": "write", "packages": "read"})
    );
    for (name, job) in workflow["jobs"].as_object().unwrap() {
        for step in job["steps"].as_array().unwrap() {
            assert!(step["uses"].is_string() != step["run"].is_string(), "{name}: {step}");
        }
    }
    for name in TEMPLATES.map(|(name, _)| name).into_iter().chain([WORKFLOW]) {
        assert!(!text(name).contains("secrets.") && !text(name).contains("AKIA"), "{name} holds a secret");
    }
}

/// Every option that an example gives a command, on the line that names the command or in `set --`, which goes to both
/// that enter accounts.
#[test]
fn the_commands_of_the_examples_exist() {
    let mut help: BTreeMap<String, String> = BTreeMap::new();
    let mut options = 0;
    for name in ["step-functions.yaml", "batch.yaml", WORKFLOW, "README.md"] {
        for line in text(name).lines().filter(|line| !line.trim_start().starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches(['`', ';'])).collect();
            let named = words.iter().position(|word| *word == "locard").and_then(|at| words.get(at + 1));
            let commands: Vec<&str> = match named {
                Some(command) if ["collect", "merge", "evaluate", "gate", "role"].contains(command) => vec![command],
                None if line.contains("set --") => vec!["collect", "merge"],
                _ => continue,
            };
            for (command, word) in commands.iter().flat_map(|command| words.iter().map(move |word| (command, word))) {
                let Some(option) = word.strip_prefix("--").filter(|option| !option.is_empty()) else { continue };
                let option = option.split(['=', '`']).next().unwrap();
                let text = help.entry((*command).to_owned()).or_insert_with(|| locard(&[command, "--help"]));
                assert!(text.contains(&format!("--{option}")), "{name}: `locard {command}` has no --{option}: {line}");
                options += 1;
            }
        }
    }
    assert!(options > 20, "{options}");
}
