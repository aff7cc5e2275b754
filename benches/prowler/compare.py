#!/usr/bin/env python3
"""Audit the same simulated accounts with Prowler and with locard, and compare calls, time and findings.

Prowler runs as its documentation has it for organizations: a process an account, one after the other, with the role of
that account, its default threads, and only the checks that ask what checks of locard ask. The table of those is
OVERLAP below. Prowler is installed into a virtual environment of its own in the user's cache.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from measure import Cost, Simulator, binaries, build, fail, machine, run, say, table, verdict  # noqa: E402

ROLE = "LocardAudit"


@dataclass(frozen=True)
class Topic:
    """One question that both ask, and what each asks it of."""

    question: str
    prowler: tuple[str, ...]
    locard: tuple[str, ...]
    # What verdicts are matched by: `region` (of an account), `account`, or the `resource`'s ARN.
    by: str


OVERLAP = (
    Topic(
        "Are prompts and answers recorded?",
        ("bedrock_model_invocation_logging_enabled", "bedrock_model_invocation_logging_text_data_enabled"),
        ("bedrock-invocations-unlogged", "bedrock-unused-region-open"),
        "region",
    ),
    Topic(
        "Are management events recorded?",
        ("cloudtrail_multi_region_enabled", "cloudtrail_multi_region_enabled_logging_management_events"),
        ("api-activity-unrecorded",),
        "region",
    ),
    Topic("Are log files signed?", ("cloudtrail_log_file_validation_enabled",), ("trail-validation-off",), "resource"),
    Topic(
        "Is the use of Bedrock resources recorded?",
        ("cloudtrail_bedrock_logging_enabled",),
        ("bedrock-resource-events-unrecorded",),
        "account",
    ),
    Topic(
        "Are reads and writes of objects recorded?",
        ("cloudtrail_s3_dataevents_read_enabled", "cloudtrail_s3_dataevents_write_enabled"),
        ("bucket-object-events-unrecorded",),
        "account",
    ),
    Topic(
        "Is access to buckets logged?",
        ("s3_bucket_server_access_logging_enabled",),
        ("bucket-access-unlogged",),
        "resource",
    ),
    Topic("Are former versions kept?", ("s3_bucket_object_versioning",), ("bucket-history-off",), "resource"),
    Topic(
        "Can evidence in buckets be deleted?",
        ("s3_bucket_object_lock",),
        tuple(
            f"{source}-bucket-{how}"
            for source in ("trail", "capture", "bedrock-log", "flow-log", "access-log")
            for how in ("mutable", "unlockable")
            if (source, how) != ("access-log", "unlockable")
        ),
        "resource",
    ),
    Topic("Is traffic recorded?", ("vpc_flow_logs_enabled",), ("subnet-flows-unrecorded",), "resource"),
    Topic(
        "Are log groups kept long enough?",
        ("cloudwatch_log_group_retention_policy_specific_days_enabled",),
        tuple(f"{source}-log-group-short-lived" for source in ("trail", "bedrock", "flow", "access", "service")),
        "resource",
    ),
)

# Calls by which locard finds out whether there is AI, where and with which buckets and networks. Prowler has no such
# step: it judges every bucket, network and log group there is.
DISCOVERY = (
    "sagemaker:",
    "bedrock-agent:",
    "bedrock:List",
    "bedrock:GetImported",
    "bedrock:GetModelCustom",
    "bedrock:GetEvaluation",
    "cloudwatch:",
)
ENTRY = ("sts:", "organizations:", "account:", "ec2:DescribeRegions")


def prowler_binary() -> Path:
    """Prowler in a virtual environment of its own, made the first time."""
    requirements = HERE / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("LOCARD_PROWLER_VENV") or cache / "locard" / f"prowler-{digest}")
    installed = folder / "installed-requirements.txt"
    if not installed.is_file() or installed.read_bytes() != requirements.read_bytes():
        if not (3, 10) <= sys.version_info < (3, 14):
            fail(f"Prowler does not run on Python {sys.version.split()[0]}", "run this with Python 3.10 to 3.13")
        say(f"installing Prowler into {folder}, once; some minutes")
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", "-r", str(requirements)]
        if subprocess.run(pip, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode != 0:
            fail(f"cannot install Prowler into {folder}", "pip's messages are above")
        installed.write_bytes(requirements.read_bytes())
    return folder / "bin" / "prowler"


@dataclass
class Sweep:
    """One tool over all accounts."""

    wall: float
    cpu: float
    peak: float
    calls: Counter[str]
    # (account, region) pairs in which at least one call was made.
    places: int


def calls_of(journal: Path) -> tuple[Counter[str], int]:
    """How often each operation was called."""
    calls: Counter[str] = Counter()
    places = set()
    with journal.open() as lines:
        for line in lines:
            entry = json.loads(line)
            calls[f"{entry['service']}:{entry['operation']}"] += 1
            places.add((entry["account"], entry["region"]))
    return calls, len(places)


def locard(
    args: argparse.Namespace, folder: Path, scratch: Path, name: str, checks: Iterable[str]
) -> tuple[Sweep, dict]:
    """`locard audit` of the organization with the checks given, or with all."""
    journal, out = scratch / f"{name}.jsonl", scratch / name
    say(f"locard: {name}")
    with Simulator(folder, [*args.simulator, "--journal", str(journal)], scratch) as simulator:
        command = [folder / "locard", "audit", "--endpoint-url", simulator.url, "--role", ROLE, "--out", out]
        command += ["--no-progress", "--quiet", f"--max-rate={args.max_rate}", *(f"--check={check}" for check in checks)]
        cost = run(command, simulator.env(), scratch / f"{name}.log")
        simulator.stop()
    calls, places = calls_of(journal)
    results = json.loads((out / "results.json").read_text())
    return Sweep(cost.wall, cost.cpu, cost.peak, calls, places), results


def prowler(
    args: argparse.Namespace, folder: Path, scratch: Path, binary: Path, accounts: list[str]
) -> tuple[Sweep, list[Cost]]:
    """Prowler over the accounts, with the overlapping checks."""
    journal, out = scratch / "prowler.jsonl", scratch / "prowler"
    checks = [check for topic in OVERLAP for check in topic.prowler]
    with Simulator(folder, [*args.simulator, "--journal", str(journal)], scratch) as simulator:
        env = {**simulator.env(), "AWS_ENDPOINT_URL": simulator.url}

        def one(account: str) -> Cost:
            say(f"Prowler: {account}")
            role = f"arn:aws:iam::{account}:role/{ROLE}"
            command = [binary, "aws", "--role", role, "--checks", *checks, "--output-formats", "csv"]
            command += ["--output-directory", out, "--output-filename", account, "--no-banner", "--no-color"]
            # Exit code 1: the account could not be entered, as may be meant.
            cost = run([*command, "--ignore-exit-code-3"], env, scratch / f"prowler-{account}.log", accept=(0, 1))
            (scratch / f"prowler-{account}.out").write_text(cost.stdout)
            return cost

        with ThreadPoolExecutor(args.at_once) as pool:
            costs = list(pool.map(one, accounts))
        simulator.stop()
    calls, places = calls_of(journal)
    wall = sum(cost.wall for cost in costs) if args.at_once == 1 else max(cost.wall for cost in costs)
    return Sweep(wall, sum(cost.cpu for cost in costs), max(cost.peak for cost in costs), calls, places), costs


Verdicts = dict[str, tuple[str, str]]  # what is judged -> status, reason


def arn(text: str) -> str:
    """Prowler writes log groups with the `:*` that means their streams."""
    return text.removesuffix(":*")


def of_prowler(topic: Topic, rows: list[dict[str, str]]) -> Verdicts:
    """Its verdicts on one topic: the worst of its checks; of an account, whether any trail suffices for each check."""
    found: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["CHECK_ID"] not in topic.prowler:
            continue
        account = row["ACCOUNT_UID"]
        key = {"region": f"{account}/{row['REGION']}", "account": account, "resource": arn(row["RESOURCE_UID"])}[
            topic.by
        ]
        found[key][row["CHECK_ID"]].append((row["STATUS"].lower(), row["STATUS_EXTENDED"]))
    order = ("fail", "manual", "pass")
    verdicts = {}
    for key, checks in found.items():
        pick = max if topic.by == "account" else min
        per_check = [pick(verdicts, key=lambda verdict: order.index(verdict[0])) for verdicts in checks.values()]
        verdicts[key] = min(per_check, key=lambda verdict: order.index(verdict[0]))
    return verdicts


def of_locard(topic: Topic, results: dict) -> Verdicts:
    """locard's verdicts on one topic: the worst of its checks."""
    order = ("fail", "unknown", "pass")
    verdicts: Verdicts = {}
    for finding in results["findings"]:
        if finding["check"] not in topic.locard or finding["status"] not in order:
            continue
        account, region = finding["account"], finding["region"]
        key = {"region": f"{account}/{region}", "account": account, "resource": arn(finding["resource"])}[topic.by]
        verdict = (finding["status"], f"{finding['check']}: {finding['reason']}")
        if key not in verdicts or order.index(verdict[0]) < order.index(verdicts[key][0]):
            verdicts[key] = verdict
    return verdicts


def findings(results: dict, out: Path) -> None:
    """What each found that the other did not."""
    rows = []
    for file in sorted(out.glob("*.csv")):
        with file.open(newline="") as lines:
            rows += list(csv.DictReader(lines, delimiter=";"))
    pairs = (
        ("fail", "fail"),
        ("pass", "pass"),
        ("fail", "pass"),
        ("pass", "fail"),
        ("fail", ""),
        ("pass", ""),
        ("", "fail"),
        ("", "pass"),
    )
    counts, examples = [], []
    for topic in OVERLAP:
        theirs, ours = of_prowler(topic, rows), of_locard(topic, results)
        by_pair: dict[tuple[str, str], list[str]] = defaultdict(list)
        for key in sorted(theirs | ours):
            by_pair[theirs.get(key, ("", ""))[0], ours.get(key, ("", ""))[0]].append(key)
        rest = sum(len(keys) for pair, keys in by_pair.items() if pair not in pairs)
        counts.append([topic.question, *(len(by_pair[pair]) for pair in pairs), rest])
        for pair in (("fail", "pass"), ("pass", "fail"), ("", "fail")):
            for key in by_pair[pair][:2]:
                said = "; ".join(
                    f"{tool} {status.upper()}: {' '.join(reason.split())}"
                    for tool, (status, reason) in (
                        ("Prowler", theirs.get(key, ("", ""))),
                        ("locard", ours.get(key, ("", ""))),
                    )
                    if status
                )
                examples.append(f"- {topic.question} `{key}`: {said}")
    header = ["Prowler / locard", *(f"{theirs or '-'} / {ours or '-'}" for theirs, ours in pairs), "other"]
    table(header, counts, "Verdicts by what is judged (`-`: has none)")
    print("\nWhere they differ, two of a kind:\n")
    print("\n".join(examples))
    beyond = Counter(
        finding["check"]
        for finding in results["findings"]
        if finding["status"] == "fail" and not any(finding["check"] in topic.locard for topic in OVERLAP)
    )
    table(["locard's other checks", "fail"], beyond.most_common(), "Gaps that none of Prowler's checks asks for")


def calls(sweeps: dict[str, Sweep], places: int) -> None:
    """Calls by operation, for an account and region."""
    seen = set().union(*(sweep.calls for sweep in sweeps.values()))

    def group(call: str) -> int:
        return 0 if call.startswith(ENTRY) else 1 if call.startswith(DISCOVERY) else 2

    def row(name: str, chosen: Iterable[str]) -> list[str]:
        chosen = list(chosen)
        return [name, *(f"{sum(sweep.calls[call] for call in chosen) / places:.2f}" for sweep in sweeps.values())]

    rows = [row(call, [call]) for call in sorted(seen, key=lambda call: (group(call), call))]
    for at, name in enumerate(("entering accounts", "finding AI workloads", "reading evidence")):
        rows.append(row(f"**{name}**", (call for call in seen if group(call) == at)))
    rows.append(row("**all**", seen))
    table(["operation", *sweeps], rows, f"Calls an account and region ({places} of them)")
    # Prowler's reads of Bedrock are evidence of its checks, not a search for workloads.
    evidence = [
        sum(n for call, n in sweep.calls.items() if group(call) == 2 or (name == "Prowler" and group(call) == 1))
        for name, sweep in sweeps.items()
    ]
    totals = [sum(sweep.calls.values()) for sweep in sweeps.values()]
    names = list(sweeps)
    print()
    for at in range(1, len(names)):
        print(
            f"- {names[at]}: {verdict(evidence[0] / evidence[at], 3, at_most=False)} times fewer calls for evidence;"
            f" {totals[0] / totals[at]:.2f} times fewer in all, its search for AI workloads included"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--accounts", type=int, default=10, help="accounts to audit (default 10)")
    parser.add_argument("--regions", type=int, default=17, help="enabled regions of each (default 17)")
    parser.add_argument("--seed", type=int, default=1, help="which organization to make up")
    parser.add_argument("--latency", default="60ms", help="of every answer (default 60ms)")
    parser.add_argument("--limits", default="published", help="published or none (default published)")
    parser.add_argument("--max-rate", default="unlimited", help="of locard; Prowler keeps to none (default unlimited)")
    parser.add_argument("--at-once", type=int, default=1, help="Prowler processes at a time (default 1)")
    parser.add_argument("--profile", default="fast", help="cargo profile (default fast)")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    parser.add_argument("--keep", type=Path, help="folder for reports and journals; default: none are kept")
    args = parser.parse_args()
    args.simulator = [f"--accounts={args.accounts}", f"--regions={args.regions}", f"--seed={args.seed}"]
    args.simulator += [f"--latency={args.latency}", f"--limits={args.limits}"]
    folder = binaries(args.profile) if args.no_build else build(args.profile)
    binary = prowler_binary()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = args.keep or Path(temporary)
        scratch.mkdir(parents=True, exist_ok=True)
        compare(args, folder, scratch, binary)


def compare(args: argparse.Namespace, folder: Path, scratch: Path, binary: Path) -> None:
    whole, results = locard(args, folder, scratch, "locard-whole", [])
    overlapping, _ = locard(
        args, folder, scratch, "locard-overlapping", (check for topic in OVERLAP for check in topic.locard)
    )
    accounts = [account["id"] for account in results["accounts"]]
    theirs, costs = prowler(args, folder, scratch, binary, accounts)
    print(
        f"{args.accounts} accounts x {args.regions} regions, {args.latency} latency, limits {args.limits}; {machine()}"
    )
    sweeps = {"Prowler": theirs, "locard, overlapping checks": overlapping, "locard, all checks": whole}
    rows = [
        [
            name,
            f"{sweep.wall:.1f}",
            f"{sweep.cpu:.1f}",
            f"{sweep.peak:.0f}",
            sum(sweep.calls.values()),
            f"{theirs.wall / sweep.wall:.1f}",
        ]
        for name, sweep in sweeps.items()
    ]
    table(["", "wall s", "CPU s", "peak MiB", "calls", "times faster"], rows, "Time")
    at_best = max(*(cost.wall for cost in costs), theirs.cpu / (os.cpu_count() or 1))
    print(
        f"\n- locard, overlapping checks: {verdict(theirs.wall / overlapping.wall, 20, at_most=False)} times faster;"
        f" {at_best / overlapping.wall:.1f} times if all Prowler processes ran at once ({at_best:.0f} s: the slowest"
        " account, or all their CPU over the cores)"
    )
    calls(sweeps, args.accounts * args.regions)
    findings(results, scratch / "prowler")


if __name__ == "__main__":
    main()
