"""Stories about what comes in one after the other, through the real jobs: `deliveries/<story>`.

`steps.csv` says what happens, step by step: a metering point (`kwh` is its multiplier, `date` the installation of its
meter), a curve, the cancellation of a delivery, the release of one from quarantine. A row of a point or a curve is a
delivery; curves of one name come in one. `then.csv` says what is known of a meter's date after a step and until a later
step says otherwise: the delivery that holds, those which gave way, the state of its rows in quarantine, and after
validation the meter's energy with its measured and estimated intervals and flags, and the customer's energy; a column
it does not have is not looked at.

All stories share one lake, each with names of its own, and a step of all of them is one run of the jobs.
"""

import csv
import re
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.runtime.errors import UserError
from schemas import QUARANTINES
from schemas.features import CUSTOMER_DAYS
from schemas.meter_days import METER_DAYS
from schemas.metering_points import METERING_POINTS
from schemas.table import Table
from schemas.validated_days import VALIDATED_DAYS
from schemas.versions import VERSIONS
from tests.jobs.deliveries import CURVE_HEADER, POINT_HEADER, deliver, text
from tests.province import FIRST_DAY, VALIDATE, Site

FOLDER = Path(__file__).parent / "deliveries"
STORIES = sorted(path.name for path in FOLDER.iterdir())
Row = dict[str, str]
# by meter and date
State = dict[tuple[str, str], Row]
_TOLD = ("holds", "gave_way", "quarantine", "kwh", "measured", "estimated", "customer_kwh", "flags")


def _rows(story: str, name: str) -> list[Row]:
    with (FOLDER / story / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _own(story: str, name: str) -> str:
    return f"{story}.{name}"


def _curve(cells: str) -> list[str]:
    """`0.25`, or `0.25*40 -*56` where `-` is missing."""
    parts = [re.fullmatch(r"([-\d.]+)(?:\*(\d+))?", part) for part in cells.split()]
    assert all(parts), cells
    values = [part[1].replace("-", "") for part in parts if part for _ in range(int(part[2] or 96))]
    assert len(values) == 96, cells
    return values


def _play(site: Site, step: int) -> None:
    landing = site.home / "landing"
    told = [(story, row) for story in STORIES for row in _rows(story, "steps.csv") if int(row["step"]) == step]
    curves: dict[tuple[str, str], list[str]] = {}
    for story, row in told:
        name, meter = _own(story, row["name"]), _own(story, row["meter"])
        received_at = row["received_at"].replace(" ", "T") + ":00+08:00"
        if row["action"] == "point":
            customer = f"{STORIES.index(story):08d}{row['meter'][1:]:0>2}"
            line = f"{meter},{customer},{meter},{row['kwh']},{row['date']},,T1,F1,县一,市一,交流220V"
            files = {"p.csv": text(POINT_HEADER, line)}
            deliver(landing, "metering_points", files, delivery_id=name, received_at=received_at)
        elif row["action"] == "curve":
            line = ",".join([meter, row["date"], "正向有功", *_curve(row["kwh"])])
            curves.setdefault((name, received_at), []).append(line)
        elif row["action"] == "cancel":
            of = f"{name}.cancelled"
            deliver(landing, "meter_days", {}, delivery_id=of, received_at=received_at, cancels=[name])
    for (name, received_at), lines in curves.items():
        files = {"m.csv": text(CURVE_HEADER, *lines)}
        deliver(landing, "meter_days", files, delivery_id=name, received_at=received_at)
    site.run("ingest_metering_points")
    site.run("ingest_meter_days")
    for story, row in told:
        if row["action"] == "release":
            asked = {"table": METER_DAYS.name, "action": "release", "delivery": _own(story, row["name"])}
            said = {"reason": story, "user": "li.wei", "at": "2025-07-01T08:00:00+08:00"}
            assert "1 accepted" in site.run("replay_quarantine", FIRST_DAY, **asked, **said)
    for job in (*VALIDATE, "build_customer_days"):
        site.run(job)


def _found(site: Site) -> dict[str, State]:
    """By story: all that is known of its meters' dates for which something was delivered, as text."""
    lake = site.context("look", FIRST_DAY).lake
    key = ["meter_id", "read_date"]

    def read(table: Table, **columns: str) -> DataFrame:
        rows = lake.read(table) if lake.exists(table) else site.spark.createDataFrame([], table.struct)
        return rows.select(*key, *(F.expr(sql).alias(name) for name, sql in columns.items()))

    gave_way = read(VERSIONS[METER_DAYS.name], told="struct(received_at, delivery_id)")
    owners = lake.read(METERING_POINTS).select("meter_id", "customer_key")
    customers = lake.read(CUSTOMER_DAYS).withColumnRenamed("usage_date", "read_date").join(owners, "customer_key")
    parts = [
        read(METER_DAYS, holds="delivery_id"),
        gave_way.groupBy(*key).agg(F.array_sort(F.collect_list("told"))["delivery_id"].alias("gave_way")),
        read(QUARANTINES[METER_DAYS.name], quarantine="quarantine_status"),
        read(VALIDATED_DAYS, kwh="total_kwh", measured="measured_count", estimated="estimated_count", flags="flags"),
        customers.selectExpr(*key, "kwh AS customer_kwh"),
    ]
    known = parts[0]
    for part in parts[1:]:
        known = known.join(part, key, "full")
    found: dict[str, State] = {story: {} for story in STORIES}
    for row in known.where("holds IS NOT NULL OR gave_way IS NOT NULL OR quarantine IS NOT NULL").collect():
        story, meter = row.meter_id.split(".")

        def told(value: object, story: str = story) -> str:
            if isinstance(value, list):
                return " ".join(told(one) for one in value)
            if isinstance(value, float):
                return f"{value:g}"
            return "" if value is None else str(value).removeprefix(story + ".")

        found[story][meter, str(row.read_date)] = {name: told(row[name]) for name in _TOLD}
    return found


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> tuple[Site, list[dict[str, State]]]:
    """The lake after the last step, and what was known after each."""
    site = Site(tmp_path_factory.mktemp("stories"), spark)
    known = []
    for step in range(1, 1 + max(int(row["step"]) for story in STORIES for row in _rows(story, "steps.csv"))):
        _play(site, step)
        known.append(_found(site))
    return site, known


@pytest.mark.parametrize("story", STORIES)
def test_what_is_known_after_each_step_is_as_told(played: tuple[Site, list[dict[str, State]]], story: str) -> None:
    _, known = played
    expected: State = {}
    for step, found in enumerate(known, start=1):
        told = _rows(story, "then.csv")
        names = [name for name in _TOLD if name in told[0]]
        for row in told:
            if int(row["step"]) == step:
                expected[row["meter"], row["date"]] = {name: row[name] for name in names}
        seen = {key: {name: row[name] for name in names} for key, row in found[story].items()}
        assert seen == expected, f"after step {step}"


def test_a_day_is_explained_with_every_version_and_who_read_it(
    played: tuple[Site, list[dict[str, State]]], capsys: pytest.CaptureFixture[str]
) -> None:
    site, _ = played
    story = "a_correction_then_an_older_value"
    said = site.run("explain_day", date(2025, 6, 25), meter=_own(story, "m1"))
    assert said.startswith("3 version(s) delivered")
    out = capsys.readouterr().out
    # long ids are wrapped in their columns; what became of a version begins its cell
    assert (out.count("gave way"), out.count("holds")) == (2, 1)
    assert "build_validated_days" in out
    assert "96 measured by the meter" in out


def test_a_day_nobody_knows_is_not_explained(played: tuple[Site, list[dict[str, State]]]) -> None:
    site, _ = played
    with pytest.raises(UserError, match="Nothing is known of meter"):
        site.run("explain_day", FIRST_DAY, meter="x' OR '1'='1")
    with pytest.raises(UserError, match="--key meter="):
        site.run("explain_day", FIRST_DAY)
