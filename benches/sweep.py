#!/usr/bin/env python3
"""Sweep simulated organizations, judge and report them, and print what that takes as Markdown tables.

Every ratio is of two figures of the same run on the same machine. `--quick` takes a minute and proves that it works;
what `docs/benchmarks.md` says was measured without it.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import os
import queue
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from measure import CLEAN, Cost, Simulator, binaries, build, machine, run, say, table, verdict

ROLE = "LocardAudit"
CORES = os.cpu_count() or 1

# No latency and no limits: then nothing but CPU takes time, and locard holds back as little as it can.
UNBOUND_SIMULATOR = ("--latency=0ms", "--limits=none")
UNBOUND_LOCARD = ("--max-rate=unlimited",)


class Lab:
    """Binaries, sizes, and what one measurement leaves for the next."""

    def __init__(self, args: argparse.Namespace, folder: Path, scratch: Path):
        self.args = args
        self.folder = folder
        self.scratch = scratch
        self.locard = folder / "locard"
        self.log = scratch / "locard.log"
        # Snapshots by number of accounts, and what collecting them took.
        self.collected: dict[int, Cost] = {}

    def simulate(self, accounts: int, *more: str) -> Simulator:
        size = (f"--accounts={accounts}", f"--regions={self.args.regions}", f"--seed={self.args.seed}")
        return Simulator(self.folder, [*size, *more], self.scratch)

    def collect(self, simulator: Simulator, out: Path, *more: str) -> Cost:
        shutil.rmtree(out, ignore_errors=True)
        command = [self.locard, "collect", "--endpoint-url", simulator.url, "--role", ROLE, "--out", out]
        return run([*command, "--no-progress", "--quiet", *more], simulator.env(), self.log)

    def snapshot(self, accounts: int) -> Path:
        """A snapshot of so many accounts, collected when first asked for."""
        out = self.scratch / f"run-{accounts}"
        if accounts not in self.collected:
            say(f"collecting {accounts} accounts")
            with self.simulate(accounts, *UNBOUND_SIMULATOR) as simulator:
                self.collected[accounts] = self.collect(simulator, out, *UNBOUND_LOCARD)
        return out / "snapshot"

    def evaluate(self, accounts: int) -> tuple[Cost, Path]:
        snapshot = self.snapshot(accounts)
        out = self.scratch / f"judged-{accounts}"
        shutil.rmtree(out, ignore_errors=True)
        return run([self.locard, "evaluate", snapshot, "--out", out, "--quiet"], CLEAN, self.log), out

    def report(self, judged: Path) -> Cost:
        return run([self.locard, "report", judged, "--format", "html"], CLEAN, self.log)


def against_the_bound(lab: Lab) -> None:
    """A sweep as it would be on AWS, against the least time it could have taken."""
    args, accounts = lab.args, lab.args.accounts
    say(f"sweeping {accounts} accounts with {args.latency} latency and published limits")
    with lab.simulate(accounts, f"--latency={args.latency}", "--limits=published") as simulator:
        # The bound takes the limits as a whole, so locard may too.
        cost = lab.collect(simulator, lab.scratch / "bounded", f"--max-rate={args.max_rate}")
        simulator_cpu = simulator.cpu()
        seen = simulator.counters()
        calls = seen["requests"]
        # Both share the cores, so both are part of what a call costs on this machine.
        bound = simulator.bound((cost.cpu + simulator_cpu) / calls, CORES)
    rows = [
        ["wall", f"{cost.wall:.1f} s"],
        ["from the first call to the last", f"{bound['taken_seconds']:.1f} s"],
        ["calls", f"{calls}, {seen['throttled']} throttled, at most {seen['most_in_flight']} under way"],
        ["CPU of locard", f"{cost.cpu:.1f} s, {cost.cpu / calls * 1e6:.0f} us a call"],
        ["CPU of the simulator", f"{simulator_cpu:.1f} s, {simulator_cpu / calls * 1e6:.0f} us a call"],
        ["peak memory of locard", f"{cost.peak:.0f} MiB"],
        ["bound by depth", f"{bound['depth_seconds']:.1f} s, {bound['depth']} calls"],
        ["bound by rates", f"{bound['rate_seconds']:.1f} s, {bound['bucket_calls']} calls"],
        ["bound by CPU", f"{bound['cpu_seconds']:.1f} s, over {CORES} cores"],
        ["term that binds", bound["binds"]],
        ["wall / bound", verdict(cost.wall / bound["seconds"], 1.3, at_most=True)],
    ]
    title = f"{accounts} accounts x {args.regions} regions, {args.latency} latency, published limits"
    table([title, ""], rows, "Against the lower bound")
    print(f"\n- deepest: {' > '.join(bound['chain'])}\n- fullest bucket: {bound['bucket'] or 'none'}")


def against_a_bare_client(lab: Lab) -> None:
    """Calls a second against a client that signs and sends and does nothing else, alternately on the same simulator.

    It makes the very requests of the sweep, and then lists only, which cost the simulator less to answer."""
    accounts = lab.args.throughput_accounts
    out = lab.scratch / "throughput"
    recording = lab.scratch / "requests.jsonl"
    lists = ("--accounts", str(accounts), "--regions", str(lab.args.regions))
    rows = []
    ratios: list[list[float]] = []
    with lab.simulate(accounts, *UNBOUND_SIMULATOR, f"--record={recording}") as simulator:

        def bare(*what: str) -> tuple[float, list[float]]:
            """Calls a second, and the CPU a call takes here and in the simulator."""
            # Reading the counters costs the simulator too.
            before = simulator.cpu()
            command = [lab.folder / "locard-simulator", "bare", "--endpoint-url", simulator.url, *what]
            command += ["--at-a-time", str(lab.args.connections), "--threads", str(CORES)]
            done = run(command, simulator.env(), lab.log)
            sent, seconds, own = map(float, re.search(r"(\d+) calls, .* ([\d.]+) s, .*, (\d+) us", done.stdout).groups())
            return sent / seconds, [own, (simulator.cpu() - before) / sent * 1e6]

        say(f"throughput of {accounts} accounts, {lab.args.rounds} rounds")
        # The first sweep builds the accounts inside the simulator and is not counted. Each has a folder of its own: file
        # systems are slow to make files where some were just deleted.
        lab.collect(simulator, out / "first", *UNBOUND_LOCARD)
        simulator.recorded()
        for at in range(lab.args.rounds):
            simulator.clear()
            started = simulator.cpu()
            swept = lab.collect(simulator, out / str(at), *UNBOUND_LOCARD)
            costs = [swept.cpu, simulator.cpu() - started]
            calls = simulator.counters()["requests"]
            rate = calls / swept.wall
            (same, same_costs), (listed, list_costs) = bare("--replay", str(recording)), bare(*lists)
            ratios.append([rate / same, rate / listed])
            each = [*(cpu / calls * 1e6 for cpu in costs), *same_costs, *list_costs]
            row = [f"{rate:.0f}", f"{same:.0f}", f"{listed:.0f}", *(f"{ratio:.2f}" for ratio in ratios[-1])]
            rows.append([at + 1, calls, *row, " + ".join(f"{cost:.0f}" for cost in each)])
    header = ["round", "calls", "locard /s", "bare /s", "bare, lists /s", "ratio", "ratio to lists", "CPU us a call"]
    table(header, rows, f"{accounts} accounts x {lab.args.regions} regions, no latency, no limits")
    same, listed = (statistics.median(ratio) for ratio in zip(*ratios))
    print("\n- CPU: locard + the simulator, then the bare client with the same calls + the simulator, then with lists")
    print(f"- calls a second of locard, start to end, over a bare client's, same calls: {verdict(same, 0.5, at_most=False)}")
    print(f"- over a bare client's that only lists: {listed:.2f}")


def memory(lab: Lab) -> None:
    """Peak memory of collect (the median of some sweeps), evaluate and report, each alone, at two sizes."""
    small, large = lab.args.accounts, lab.args.large
    peaks: dict[str, list[float]] = {"collect": [], "evaluate": [], "report": []}
    for accounts in (small, large):
        lab.snapshot(accounts)
        say(f"memory at {accounts} accounts")
        judged, out = lab.evaluate(accounts)
        # Large accounts that happen to be read at the same time make a sweep's peak: no two sweeps have the same.
        collected = [lab.collected[accounts].peak]
        for _ in range(lab.args.rounds - 1):
            with lab.simulate(accounts, *UNBOUND_SIMULATOR) as simulator:
                collected.append(lab.collect(simulator, lab.scratch / "again", *UNBOUND_LOCARD).peak)
        say("collect, MiB: " + ", ".join(f"{peak:.0f}" for peak in collected))
        peaks["collect"].append(statistics.median(collected))
        peaks["evaluate"].append(judged.peak)
        peaks["report"].append(lab.report(out).peak)
    rows = [
        [
            f"locard {name}",
            f"{at_small:.0f}",
            f"{at_large:.0f}",
            verdict(at_small, 300, True),
            verdict(at_large / at_small, 1.2, True),
        ]
        for name, (at_small, at_large) in peaks.items()
    ]
    header = ["peak MiB", f"{small} accounts", f"{large} accounts", "smaller", "larger / smaller"]
    table(header, rows, "Memory")


def judging(lab: Lab) -> None:
    """Seconds and findings a second of evaluate, over sizes."""
    rows = []
    for accounts in sorted({lab.args.small, lab.args.accounts, lab.args.large}):
        cost, out = min((lab.evaluate(accounts) for _ in range(lab.args.rounds)), key=lambda judged: judged[0].wall)
        rows_judged, others = findings_in(out / "results.json")
        rows.append(
            [
                accounts,
                f"{cost.wall:.2f}",
                f"{cost.cpu:.2f}",
                rows_judged + others,
                f"{(rows_judged + others) / cost.wall:.0f}",
                f"{cost.wall / accounts * 1000:.2f}",
                f"{cost.cpu / accounts * 1000:.2f}",
                f"{(out / 'results.json').stat().st_size / 1e6:.1f}",
            ]
        )
    header = [
        "accounts",
        "wall s",
        "CPU s",
        "findings",
        "findings /s",
        "wall ms an account",
        "CPU ms an account",
        "results.json MB",
    ]
    table(header, rows, f"evaluate, best of {lab.args.rounds}; findings that do not apply are counted")
    first, last = rows[0], rows[-1]
    print(f"\n- CPU an account, {last[0]} over {first[0]} accounts: {float(last[6]) / float(first[6]):.2f} (linear: 1)")


def findings_in(results: Path) -> tuple[int, int]:
    """Findings with a row each, and those that do not apply, which are counts."""
    document = json.loads(results.read_text())
    return len(document["findings"]), sum(document["not_applicable"].values())


def reports(lab: Lab) -> None:
    """Size of the report, and how long a browser takes to show it."""
    accounts = lab.args.accounts
    _, out = lab.evaluate(accounts)
    page = out / "report.html"
    rows = [["report.html", verdict(page.stat().st_size / 1e6, 5, at_most=True) + " MB"]]
    rows += [[name, f"{(out / name).stat().st_size / 1e6:.2f} MB"] for name in ("report.md", "results.json")]
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser:
        loads = [load(browser, page, lab.scratch) for _ in range(5)]
        rows.append(
            [
                "until laid out and painted in Chromium, median of 5",
                verdict(statistics.median(loads) / 1000, 1, True) + " s",
            ]
        )
    else:
        rows.append(["until laid out and painted in Chromium", "no Chromium on this machine"])
    table([f"{accounts} accounts", ""], rows, "Report")


# Served beside the report, so that it may look inside: the report itself is measured as it is.
FRAME = """<!doctype html><body style="margin:0"><script>
const frame = document.createElement("iframe");
frame.style = "width:100vw;height:100vh;border:0";
const started = performance.now();
frame.onload = () => {
  frame.contentDocument.documentElement.getBoundingClientRect();
  requestAnimationFrame(() => requestAnimationFrame(() => fetch("/took/" + (performance.now() - started))));
};
frame.src = "report.html";
document.body.append(frame);
</script>"""


def load(browser: str, page: Path, scratch: Path) -> float:
    """Milliseconds from asking for the report to its second frame."""
    folder = scratch / "served"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(page, folder / "report.html")
    (folder / "frame.html").write_text(FRAME)
    answers: queue.Queue[float] = queue.Queue()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/took/"):
                answers.put(float(self.path.removeprefix("/took/")))
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command += [
            "--window-size=1280,900",
            "--remote-debugging-port=0",
            f"http://127.0.0.1:{server.server_address[1]}/frame.html",
        ]
        shown = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return answers.get(timeout=60)
        except queue.Empty:
            return float("nan")
        finally:
            shown.terminate()
            shown.wait(timeout=60)
            server.shutdown()


PARTS: dict[str, Callable[[Lab], None]] = {
    "bound": against_the_bound,
    "throughput": against_a_bare_client,
    "memory": memory,
    "judging": judging,
    "reports": reports,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)}; default all")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work at all?")
    parser.add_argument("--accounts", type=int, default=1000, help="accounts of the organization (default 1000)")
    parser.add_argument("--small", type=int, default=100, help="accounts of the smallest that is judged (default 100)")
    parser.add_argument("--large", type=int, default=5000, help="accounts of the largest (default 5000)")
    parser.add_argument(
        "--throughput-accounts", type=int, default=300, help="accounts of a round of throughput (default 300)"
    )
    parser.add_argument("--regions", type=int, default=17, help="enabled regions of each account (default 17)")
    parser.add_argument("--seed", type=int, default=1, help="which organization to make up")
    parser.add_argument("--latency", default="60ms", help="of every answer, against the bound (default 60ms)")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions where the median or best counts (default 3)")
    parser.add_argument("--connections", type=int, default=64, help="of the bare client at a time (default 64)")
    parser.add_argument("--max-rate", default="100%", help="of locard, against the bound (default 100%%)")
    parser.add_argument("--profile", default="fast", help="cargo profile (default fast)")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    parser.add_argument("--keep", type=Path, help="folder for snapshots, reports and journals; default: none are kept")
    args = parser.parse_args()
    unknown = sorted(set(args.parts) - PARTS.keys())
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if args.quick:
        args.small, args.accounts, args.large, args.throughput_accounts, args.rounds = 10, 50, 100, 10, 1
    folder = binaries(args.profile) if args.no_build else build(args.profile)
    print(f"{machine()}, profile {args.profile}, {args.regions} regions an account")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = args.keep or Path(temporary)
        scratch.mkdir(parents=True, exist_ok=True)
        lab = Lab(args, folder, scratch)
        for name in args.parts or PARTS:
            PARTS[name](lab)


if __name__ == "__main__":
    main()
