"""The command line: `wattlake <job> --date YYYY-MM-DD [--env NAME] [--key name=value …]`.

A user's error prints one line and exits 2; data that do not allow the job exit 3; a crash shows its trace and exits 1.
"""

import ast
import importlib
import logging
import os
import sys
import time
import traceback
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

import jobs
from jobs.runtime.context import Context
from jobs.runtime.errors import DataError, UserError
from jobs.runtime.roots import held
from jobs.runtime.settings import load_settings

CRASH, USER, DATA = 1, 2, 3

HELP = """Customer analytics lakehouse for provincial power companies.

Run a job:        wattlake JOB --date YYYY-MM-DD [--env NAME] [--key name=value ...]
List the jobs:    wattlake jobs
Look at tables:   wattlake tables [TABLE] [--rows N] [--env NAME]
Refused rows:     wattlake quarantine list|show|release|correct|drop --help
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(soft_wrap=True)


def job_files() -> dict[str, Path]:
    """Jobs by name: every module directly in `jobs` that is not private."""
    folder = Path(jobs.__file__).parent
    return {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}


def first_line(path: Path) -> str:
    """First docstring line of a job, read without importing it."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


@app.command(help=HELP)
def command(
    name: Annotated[str, typer.Argument(help="A job, or `jobs`, or `tables`.", metavar="JOB")],
    table: Annotated[str | None, typer.Argument(help="With `tables`: the table to look at.")] = None,
    run_date: Annotated[
        str | None, typer.Option("--date", help="The run's date, YYYY-MM-DD: the job's only clock.")
    ] = None,
    env: Annotated[str | None, typer.Option("--env", envvar="WATTLAKE_ENV", help="Settings conf/NAME.yaml.")] = None,
    key: Annotated[list[str] | None, typer.Option("--key", help="An option of the job, as name=value.")] = None,
    rows: Annotated[int, typer.Option("--rows", help="With `tables`: rows shown.")] = 10,
) -> None:
    """Run a job, list the jobs, or look at tables."""
    if name == "jobs":
        list_jobs()
    elif name == "tables":
        from jobs.runtime.preview import show_tables

        show_tables(load_settings(env), table, rows, console)
    else:
        run_job(name, _date(run_date), env, _options(key or []))


def list_jobs() -> None:
    """Print every job with the first line of its docstring."""
    grid = Grid("job", "what it does", box=None, header_style="bold")
    for job, path in job_files().items():
        grid.add_row(job, first_line(path))
    console.print(grid)


def run_job(name: str, run_date: date, env: str | None, options: dict[str, str]) -> None:
    """Run one job and enter it in the books, however it ends."""
    if name not in job_files():
        raise UserError(f"Unknown job {name!r}. `wattlake jobs` lists them.")
    ctx = Context(job=name, date=run_date, settings=load_settings(env), env=env, options=options)
    # before all else: the end of a run drops what is staged, and must not do so under another one
    with held(name, ctx.settings):
        _run_and_enter(ctx)


def _run_and_enter(ctx: Context) -> None:
    module = importlib.import_module(f"jobs.{ctx.job}")
    started, clock = datetime.now(UTC), time.perf_counter()
    outcome, message = "failed", ""
    try:
        message = str(module.run(ctx))
        outcome = "done"
        console.print(f"{ctx.job} {ctx.date}: {message} ({time.perf_counter() - clock:.1f} s)", highlight=False)
    except DataError as error:
        outcome, message = "refused", str(error)
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        raise
    finally:
        ctx.close(started, time.perf_counter() - clock, outcome, message[:2000])


def _date(text: str | None) -> date:
    if text is None:
        raise UserError("A job needs its date: --date YYYY-MM-DD.")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is not a date: give --date as YYYY-MM-DD.") from None


def _options(pairs: list[str]) -> dict[str, str]:
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UserError(f"--key takes name=value, not {pair!r}.")
        options[name] = value
    return options


def main() -> None:
    """Entry point of the console script and of `python -m jobs`."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("wattlake").setLevel(logging.INFO)
    # SQL errors are logged by Spark's client in full before they are raised; once is enough
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    logging.getLogger("pyspark").setLevel(logging.ERROR)
    os.umask(0o027)
    code = 0
    try:
        if sys.argv[1:2] == ["quarantine"]:
            from jobs.runtime.quarantine_cli import quarantine_app

            quarantine_app(sys.argv[2:], prog_name="wattlake quarantine", standalone_mode=False)
        else:
            app(standalone_mode=False)
    except UserError as error:
        print(f"wattlake: {error}", file=sys.stderr)  # noqa: T201 - the one line a user reads
        code = USER
    except DataError as error:
        print(f"wattlake: {error}", file=sys.stderr)  # noqa: T201
        code = DATA
    except typer.Exit as error:
        code = error.exit_code
    except Exception as error:
        if hasattr(error, "format_message"):  # a wrong option, in the words of the option parser
            print(f"wattlake: {error.format_message()}", file=sys.stderr)  # noqa: T201
            code = USER
        else:
            traceback.print_exc()
            code = CRASH
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.argv[1:2] == ["quarantine"]:
        # a thread of Arrow which still reads ahead when the interpreter is taken down would abort the process
        os._exit(code)
    raise SystemExit(code)
