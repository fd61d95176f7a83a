"""The root below which a job writes: it can be written, and no other run of the same job is at work there."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from jobs.runtime.errors import UserError
from jobs.runtime.settings import PREFIX, Settings

LOCKS = "_locks"
# long enough for a run which is just ending; whoever has to wait longer wants to know it
WAIT_SECONDS = 10.0

# a job's verb says where it writes; every other one writes to the lake
_PRINTS_ONLY = ("report", "show")
_WRITES_LANDING = ("generate", "prepare", "derive")


def written_root(job: str, settings: Settings) -> tuple[Path, str] | None:
    """The root below which the job writes, and the setting which names it; None for a job that only prints."""
    verb = job.partition("_")[0]
    if verb in _PRINTS_ONLY:
        return None
    if verb in _WRITES_LANDING:
        return settings.landing.root, "landing.root"
    return settings.lake.root, "lake.root"


def check_writable(root: Path, setting: str, what: str | None = None) -> None:
    """UserError unless the root, which is made where it is not there, can be written."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe = root / f".writable-{uuid.uuid4().hex}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        variable = PREFIX + setting.replace(".", "__").upper()
        raise UserError(
            f"{root} cannot be written ({error.strerror}), {what or 'the ' + setting.replace('.', ' ')}: "
            f"set {setting} (or {variable}) to a folder which this user may write."
        ) from None


@contextmanager
def held(job: str, settings: Settings) -> Iterator[None]:
    """The job's root for this run alone. UserError where it cannot be written or another run does not let it go.

    Two runs of a job at a time would both find the same deliveries new. The lock is the operating system's: it ends
    with the process that holds it, however that ends.
    """
    found = written_root(job, settings)
    if found is None:
        yield
        return
    root, setting = found
    check_writable(root, setting)
    lock = FileLock(root / LOCKS / f"{job}.lock")
    Path(lock.lock_file).parent.mkdir(exist_ok=True)
    try:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            logging.getLogger(f"wattlake.{job}").info("waiting for another run of %s to end", job)
            lock.acquire(timeout=WAIT_SECONDS)
    except Timeout:
        raise UserError(
            f"Another run of {job} is at work on {root.resolve()}, {WAIT_SECONDS:.0f} s and longer: wait until it has "
            "ended, or end it, and run this one again."
        ) from None
    try:
        yield
    finally:
        lock.release()
