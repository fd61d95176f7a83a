"""Processes we start and later stop: each with a record of its pid and start time, a log file and a kill deadline.

A record is trusted only while the process with its pid also has its start time, so that a pid which the system has
given to somebody else meanwhile is never touched.
"""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

STOP_SECONDS = 10.0
POLL_SECONDS = 0.1
LOG_TAIL_LINES = 25
# start times are counted from the boot, whose time moves a little when the clock is set
CLOCK_SECONDS = 2.0


class ServiceError(Exception):
    """A service cannot be started or used: what is wrong and where its log is."""


@dataclass(frozen=True)
class Record:
    """What is kept of a started process, in `<run folder>/<name>.json`."""

    name: str
    pid: int
    created: float
    address: str
    log: str

    @classmethod
    def read(cls, run: Path, name: str) -> Self | None:
        """The record of this name; None where nothing was started."""
        try:
            return cls(**json.loads((run / f"{name}.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def write(self, run: Path) -> None:
        """Keep the record."""
        (run / f"{self.name}.json").write_text(json.dumps(asdict(self)), encoding="utf-8")

    def process(self) -> psutil.Process | None:
        """The running process this record is of; None when it has ended or the pid is somebody else's."""
        try:
            process = psutil.Process(self.pid)
            same = (
                abs(process.create_time() - self.created) < CLOCK_SECONDS and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return None
        return process if same else None


def running(run: Path, name: str) -> Record | None:
    """The record of a service that runs now."""
    record = Record.read(run, name)
    return record if record and record.process() else None


def records(run: Path) -> list[Record]:
    """All records of a run folder, in the order in which the processes were started."""
    found = [Record.read(run, path.stem) for path in run.glob("*.json")]
    return sorted((record for record in found if record), key=lambda record: record.created)


def start(
    run: Path, name: str, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], address: str = ""
) -> Record:
    """Start a process in a session of its own, its output going to `<run folder>/<name>.log`."""
    run.mkdir(parents=True, exist_ok=True)
    log = run / f"{name}.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    record = Record(name, child.pid, psutil.Process(child.pid).create_time(), address, str(log))
    record.write(run)
    return record


def wait_until(record: Record, is_ready: Callable[[], bool], *, seconds: float) -> None:
    """Wait until the service is ready. ServiceError with the end of its log when it ends first or takes longer."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if record.process() is None:
            raise ServiceError(f"{record.name} ended while starting.\n{tail(Path(record.log))}")
        if time.monotonic() > deadline:
            raise ServiceError(f"{record.name} was not ready after {seconds:.0f} s.\n{tail(Path(record.log))}")
        time.sleep(POLL_SECONDS)


def stop(run: Path, names: Sequence[str] | None = None) -> list[str]:
    """Stop what was started here, with everything it has started in turn. Returns the names stopped.

    All are asked to end at once; whoever has not ended after STOP_SECONDS is killed.
    """
    stopped = []
    family: list[psutil.Process] = []
    for record in reversed(records(run)):
        if names is not None and record.name not in names:
            continue
        process = record.process()
        if process:
            # taken before the parent ends: orphans could no longer be told from other people's processes
            with contextlib.suppress(psutil.NoSuchProcess):
                family += [process, *process.children(recursive=True)]
            stopped.append(record.name)
        (run / f"{record.name}.json").unlink(missing_ok=True)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.terminate()
    _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for survivor in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            survivor.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS)
    return stopped


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log file, under a line that names it."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return f"{log} is not there."
    return "\n".join([f"The end of {log}:", *text.splitlines()[-lines:]])


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port(preferred: int | None = None) -> int:
    """A free port of the loopback interface: the preferred one if it is free, else any."""
    for port in ([preferred] if preferred else []) + [0]:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServiceError("No free port on the loopback interface.")
