"""What the measurements share: building, the simulated organization, processes with what they cost, and tables.

What is measured, and what of it is compared with what, is in `sweep.py` and `prowler/compare.py`. Linux only: costs of
a process come from wait4 and /proc.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
TICK = os.sysconf("SC_CLK_TCK")

# Nothing of the user's own configuration may decide where requests go or how often they are repeated.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "LOCARD_", "PROWLER_"))}


def fail(message: str, hint: str) -> NoReturn:
    """End with what went wrong and what to do about it."""
    print(f"error: {message}\nhelp: {hint}", file=sys.stderr)
    raise SystemExit(1)


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def build(profile: str) -> Path:
    """Build locard and the simulator, and return the folder their binaries are in."""
    # Nothing but binaries: each that holds the AWS SDK takes minutes to link.
    command = ["cargo", "build", "--quiet", "--locked", "--profile", profile]
    command += ["--bins", "-p", "locard", "-p", "locard-simulator"]
    say(f"+ {' '.join(command)}")
    if subprocess.run(command, check=False, cwd=ROOT, env={**os.environ, "RUST_MIN_STACK": "8388608"}).returncode != 0:
        fail("the build failed", "its messages are above")
    return binaries(profile)


def binaries(profile: str) -> Path:
    """The folder cargo leaves binaries of a profile in."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    folder = (ROOT / target) / ("debug" if profile == "dev" else profile)
    for name in ("locard", "locard-simulator"):
        if not (folder / name).is_file():
            fail(f"there is no {folder / name}", "leave out --no-build")
    return folder


@dataclass(frozen=True)
class Cost:
    """What a process took, from its start to its end."""

    wall: float  # seconds
    cpu: float  # seconds of all its threads and children, user and system
    peak: float  # MiB resident at most
    code: int
    stdout: str

    @property
    def cores(self) -> float:
        return self.cpu / self.wall


def run(command: Sequence[str | Path], env: dict[str, str], log: Path, accept: Sequence[int] = (0,)) -> Cost:
    """Run a command to its end. Its standard error goes to the log file."""
    with log.open("ab") as stderr:
        started = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr
        )
        assert process.stdout
        stdout = process.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code not in accept:
        fail(f"`{command[0]}` ended with exit code {code}", f"its messages are in {log}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, code, stdout)


class Simulator:
    """The simulated organization, in a process of its own; a context manager."""

    def __init__(self, folder: Path, arguments: Sequence[str], scratch: Path):
        self.log = scratch / "simulator.log"
        self.binary = folder / "locard-simulator"
        command = [str(self.binary), "serve", "--listen", "127.0.0.1:0", *arguments]
        with self.log.open("ab") as stderr:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        assert self.process.stdout
        self.lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()
        self.values = self._greeting()

    def _listen(self, stdout: IO[str]) -> None:
        for line in stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def _greeting(self) -> dict[str, str]:
        """Where it listens and who may call, as it prints them."""
        values: dict[str, str] = {}
        while "AWS_SECRET_ACCESS_KEY" not in values or "AWS_ENDPOINT_URL" not in values:
            try:
                line = self.lines.get(timeout=120)
            except queue.Empty:
                line = None
            if line is None:
                self.process.kill()
                fail("the simulator did not start", f"its messages are in {self.log}")
            found = re.search(r"(AWS_\w+)=(\S+)", line)
            if found:
                values[found[1]] = found[2]
        return values

    @property
    def url(self) -> str:
        return self.values["AWS_ENDPOINT_URL"]

    def env(self) -> dict[str, str]:
        """An environment whose only AWS is this one."""
        keys = {key: self.values[key] for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        regions = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")
        return {**CLEAN, **keys, **nowhere, **regions, "AWS_EC2_METADATA_DISABLED": "true"}

    def cpu(self) -> float:
        """Seconds of CPU it has taken so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def peak(self) -> float:
        """MiB it had resident at most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def counters(self) -> dict[str, Any]:
        """What it has been asked since it started or was last cleared."""
        return self._control("counters")

    def bound(self, cpu_per_call: float, cores: int) -> dict[str, Any]:
        """The least time that what it was asked could have taken; seconds of CPU a call are given."""
        return self._control(f"bound?cpu_us={round(cpu_per_call * 1e6)}&cores={cores}")

    def clear(self) -> None:
        """Forget what it has been asked."""
        urllib.request.urlopen(f"{self.url}/_simulator/clear", data=b"").close()

    def recorded(self) -> None:
        """Write down no more requests."""
        urllib.request.urlopen(f"{self.url}/_simulator/recorded", data=b"").close()

    def _control(self, asked: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/_simulator/{asked}") as answer:
            return json.load(answer)

    def stop(self) -> None:
        """End it; it writes its journal, if it was told to."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=300)

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def table(header: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Print a Markdown table whose columns line up; all columns but the first are right-aligned."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]

    def line(row: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths))
        )
        return "| " + " | ".join([first, *rest]) + " |"

    rule = (
        "| " + " | ".join("-" * width if at == 0 else "-" * (width - 1) + ":" for at, width in enumerate(widths)) + " |"
    )
    if title:
        print(f"\n### {title}\n")
    print("\n".join([line(cells[0]), rule, *map(line, cells[1:])]), flush=True)


def verdict(value: float, limit: float, at_most: bool) -> str:
    """A ratio beside the target it has to meet."""
    met = value <= limit if at_most else value >= limit
    return f"{value:.2f} ({'<=' if at_most else '>='} {limit:g}: {'met' if met else 'MISSED'})"


def machine() -> str:
    """The machine a figure was taken on."""
    names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    total = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores ({names[0] if names else 'unknown'}), {total:.0f} GiB, load {load}"
