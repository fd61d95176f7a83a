"""Look at the embedded Airflow as a person does: `python deploy/look.py --env demo --date 2025-06-30 --shots docs/img`.

A headless Chromium signs in, sees every DAG, opens the graph of the tables, starts a DAG with a date in the form, and
watches it succeed. Needs `chromium` and `chromedriver` (Debian: chromium, chromium-driver). Exit code 1 with a
picture of the page when something is not there.
"""

import base64
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date as Date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import airflow_home
import httpx
import typer
from children import ServiceError, free_port, listens, running, start, stop, wait_until
from run_dags import FEATURES, INGEST, SCORES, TRAIN, Airflow
from services import Env, Place

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1600,1000", "--lang=en"),
]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
PAGE_SECONDS = 60.0
RUN_SECONDS = 300.0
POLL_SECONDS = 0.3
ENTER = "\ue007"
STARTED = "ingest_service"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class NotThereError(Exception):
    """Something a person would look for is not on the page."""


class Browser:
    """A browser window, steered by the W3C WebDriver protocol."""

    def __init__(self, driver: str, profile: Path) -> None:
        """Opens the window with an empty profile."""
        self.http = httpx.Client(base_url=driver, timeout=120)
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        self.session = self._call("POST", "/session", {"capabilities": capabilities})["sessionId"]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.http.request(method, path, json=body if method == "POST" else None).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise NotThereError(f"{path}: {answer['message'].splitlines()[0]}")
        return answer

    def _do(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._call(method, f"/session/{self.session}{path}", body)

    def open(self, address: str) -> None:
        """Go to a page."""
        self._do("POST", "/url", {"url": address})

    def find(self, selector: str) -> str:
        """The element which the CSS selector names, waited for."""
        return self._find("css selector", selector)

    def find_xpath(self, path: str) -> str:
        """The element which the path names, waited for."""
        return self._find("xpath", path)

    def _find(self, using: str, value: str) -> str:
        found = self.wait(value, lambda: self._do("POST", "/element", {"using": using, "value": value}))
        return str(found[ELEMENT])

    def click(self, element: str) -> None:
        """Click on it."""
        self._do("POST", f"/element/{element}/click", {})

    def type(self, element: str, text: str) -> None:
        """Type into it."""
        self._do("POST", f"/element/{element}/value", {"text": text})

    def text(self) -> str:
        """All text of the page."""
        return str(self._do("POST", "/execute/sync", {"script": "return document.body.innerText", "args": []}))

    def shows(self, *texts: str, seconds: float = PAGE_SECONDS) -> None:
        """Wait until the page shows all these texts."""
        for text in texts:
            self.wait(text, lambda text=text: text in self.text(), seconds=seconds)  # type: ignore[misc]

    def wait(self, what: str, look: Callable[[], Any], *, seconds: float = PAGE_SECONDS) -> Any:
        """What the look returns as soon as it returns something. NotThereError after a while."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if found := look():
                    return found
            except NotThereError:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise NotThereError(f"The page does not show {what!r}.")
            time.sleep(POLL_SECONDS)

    def shoot(self, path: Path) -> None:
        """A picture of the window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._do("GET", "/screenshot")))

    def close(self) -> None:
        """Close the window."""
        self._do("DELETE", "")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser of our own with an empty profile; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="wattlake-look-") as folder:
        run = Path(folder)
        port = free_port()
        record = start(run, "chromedriver", ["chromedriver", f"--port={port}"], cwd=run, env=os.environ)
        try:
            wait_until(record, lambda: listens(port), seconds=PAGE_SECONDS)
            window = Browser(f"http://127.0.0.1:{port}", run / "profile")
            yield window
            window.close()
        finally:
            stop(run)


def look(window: Browser, airflow: Airflow, address: str, password: str, day: str, shots: Path) -> None:
    """The walk through the pages."""
    window.open(address)
    window.type(window.find("input[name=username]"), airflow_home.USER)
    window.type(window.find("input[name=password]"), password + ENTER)
    window.shows("Dags")
    window.open(f"{address}/dags")
    window.shows(*INGEST, FEATURES, TRAIN, SCORES)
    window.shoot(shots / "dags.png")

    window.open(f"{address}/assets/{airflow.asset_id('features.customer_days')}")
    window.shows("core.meter_days", FEATURES, SCORES)
    time.sleep(2)  # the graph moves to its place
    window.shoot(shots / "tables.png")

    known = set(airflow.latest_runs(STARTED))
    window.open(f"{address}/dags/{STARTED}")
    window.click(window.find_xpath("//button[normalize-space(.)='Trigger']"))
    window.shows("Business date")
    # typed as a person does, into a field that shows mm/dd/yyyy
    window.type(window.find("input[type=date]"), Date.fromisoformat(day).strftime("%m%d%Y"))
    window.shoot(shots / "trigger.png")
    window.click(window.find_xpath("//*[@role='dialog']//button[normalize-space(.)='Trigger']"))
    [run_id] = window.wait("the new run", lambda: set(airflow.latest_runs(STARTED)) - known)
    window.open(f"{address}/dags/{STARTED}/runs/{quote(run_id)}")
    window.shows("Success", seconds=RUN_SECONDS)
    window.shoot(shots / "run.png")


@app.command(help=__doc__)
def main(
    date: Annotated[str, typer.Option(help="Date for the run that is started by the form")],
    env: Env = "demo",
    shots: Annotated[Path, typer.Option(help="Folder for the pictures")] = Path("docs/img"),
) -> None:
    """Look."""
    place = Place(env)
    record = running(place.run, "airflow-api")
    if record is None:
        typer.echo(f"Airflow of {env} does not run: python deploy/services.py up --env {env}", err=True)
        raise typer.Exit(1)
    password = place.secret("airflow.password")
    airflow = Airflow(record.address, password)
    with browser() as window:
        try:
            look(window, airflow, record.address, password, Date.fromisoformat(date).isoformat(), shots)
        except (NotThereError, ServiceError) as error:
            window.shoot(shots / "not-there.png")
            typer.echo(f"{error}\n{window.text()[:2000]}", err=True)
            raise typer.Exit(1) from None
    typer.echo(f"Signed in, saw every DAG, started {STARTED} for {date} and saw it succeed. Pictures: {shots}")


if __name__ == "__main__":
    app()
