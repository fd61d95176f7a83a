"""Any order, repetition and grouping of deliveries, cancellations, releases and corrections ends in the same tables.

Two bad rows are delivered first, as no order of other things changes that they are refused; the feed's declaration is
mended then, and everything else comes in any order. `ORDERS_TRIED` sets how many orders are tried.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.runtime.quarantine import Wanted, rows_in_quarantine
from schemas import QUARANTINES
from schemas.bills import BILLS
from schemas.versions import REPEATS, VERSIONS
from tests.jobs.deliveries import BILL, BILL_HEADER, deliver, text
from tests.jobs.orders import assert_all_rows_accounted_for, orders_tried
from tests.province import FIRST_DAY, Site

EXAMPLES = int(os.environ.get("ORDERS_TRIED", "2"))


def _bill(bill_id: str, yuan: str, status: str = "正常") -> str:
    return BILL.replace("B1", bill_id).replace("110.25", yuan).replace("正常", status)


# hour received, cancelled deliveries, rows; a status that is not declared is refused until it is
FIRST = {
    "a": (1, (), (_bill("B1", "100.00"), _bill("B2", "7.00", "已开"))),
    "b": (3, (), (_bill("B1", "100.000"), _bill("B2", "8.00", "已开"), _bill("B3", "9.00"))),
}
LATER = {
    # between the two, a repetition in other bytes, one that cancels, one that is cancelled before or after it comes
    "c": (2, (), (_bill("B1", "120.00"), _bill("B2", "7.50"))),
    "d": (4, (), (_bill("B1", "100.0000"), _bill("B4", "1.00"))),
    "x": (5, ("b", "e"), ()),
    "e": (6, (), (_bill("B1", "130.00"), _bill("B4", "2.00"), _bill("B5", ""))),
    "y": (7, ("d",), (_bill("B4", "1.000"),)),
}
ACTIONS = {
    "release a": {"action": "release", "delivery": "a"},
    "release b": {"action": "release", "delivery": "b"},
    "correct a": {"action": "correct", "of": "a", "set": '{"total_yuan": "6.50", "status": "issued"}'},
    "correct b": {
        "action": "correct",
        "of": "b",
        "at": "2025-07-01T01:00:00Z",
        "set": '{"total_yuan": "6.75", "status": "issued"}',
    },
}
STEPS = (*LATER, *ACTIONS)


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Settings with the feed as it is declared, and with the status that was missing."""
    folder = tmp_path_factory.mktemp("conf")
    for name, declared in (("strict", "冲红: cancelled"), ("mended", "冲红: cancelled, 已开: issued")):
        shutil.copytree(Path("conf"), folder / name)
        feed = folder / name / "feeds" / "bills.yaml"
        stated = feed.read_text(encoding="utf-8")
        assert "冲红: cancelled" in stated
        feed.write_text(stated.replace("冲红: cancelled", declared), encoding="utf-8")
    return {name: folder / name for name in ("strict", "mended")}


class _Story:
    """One order of events on a site of its own."""

    def __init__(self, site: Site, conf: dict[str, Path]) -> None:
        self.site, self.conf = site, conf

    def land(self, name: str) -> None:
        hour, cancels, rows = (FIRST | LATER)[name]
        deliver(
            self.site.home / "landing",
            "bills",
            {f"{name}.csv": text(BILL_HEADER, *rows)} if rows else {},
            delivery_id=name,
            received_at=f"2025-06-28T{hour:02d}:00:00+08:00",
            cancels=cancels,
        )

    def ingest(self, declared: str = "mended") -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WATTLAKE_CONF", str(self.conf[declared]))
            self.site.run("ingest_bills")

    def act(self, name: str) -> None:
        asked = {"table": "core.bills", "reason": name, "user": "u", "at": "2025-07-01T00:00:00Z", **ACTIONS[name]}
        if of := asked.pop("of", None):
            lake = self.site.context("look", FIRST_DAY).lake
            asked["row"] = rows_in_quarantine(lake, BILLS, Wanted(delivery=of))[0]["quarantine_id"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WATTLAKE_CONF", str(self.conf["mended"]))
            self.site.run("replay_quarantine", FIRST_DAY, **asked)

    def tell(self, first: Sequence[str], steps: Sequence[str], runs_after: Sequence[bool]) -> None:
        """Deliver the first ones, then take the steps; what is landed is ingested at some of them and at the end."""
        for name in first:
            self.land(name)
        self.ingest("strict")
        for step, is_run in zip(steps, runs_after, strict=True):
            if step in LATER:
                self.land(step)
                if is_run:
                    self.ingest()
            else:
                self.act(step)
        self.ingest()

    def tables(self) -> dict[str, list[tuple[str, ...]]]:
        lake = self.site.context("look", FIRST_DAY).lake
        value = ("bill_id", "total_yuan", "received_at", "delivery_id")
        looked_at = {
            "core": (BILLS, value),
            "versions": (VERSIONS[BILLS.name], (*value, "replaced_at", "replaced_by")),
            "repeats": (REPEATS[BILLS.name], value),
            "quarantine": (QUARANTINES[BILLS.name], (*value, "quarantine_status", "settled_by", "broken_rules")),
        }
        return {
            layer: sorted(tuple(map(str, row)) for row in lake.read(table).select(*names).collect())
            for layer, (table, names) in looked_at.items()
        }


@pytest.fixture(scope="module")
def expected(
    tmp_path_factory: pytest.TempPathFactory, spark: SparkSession, conf: dict[str, Path]
) -> dict[str, list[tuple[str, ...]]]:
    story = _Story(Site(tmp_path_factory.mktemp("expected"), spark), conf)
    story.tell("ab", STEPS, [True] * len(STEPS))
    return story.tables()


def test_the_expected_tables_are_those_a_person_would_work_out(expected: dict[str, list[tuple[str, ...]]]) -> None:
    assert [(row[0], row[1], row[3][:5]) for row in expected["core"]] == [
        ("B1", "120.00", "c"),
        ("B2", "6.75", "edit-"),
        ("B4", "1.00", "y"),
    ]
    versions = {(row[0], row[1], row[3][:5], row[5][:5]) for row in expected["versions"]}
    assert (
        versions
        == {
            ("B1", "100.00", "a", "c"),
            ("B1", "100.00", "b", "x"),
            ("B1", "100.00", "d", "y"),
            ("B1", "130.00", "e", "x"),
            ("B2", "7.00", "a", "c"),
            ("B2", "7.50", "c", "edit-"),
            ("B2", "8.00", "b", "x"),
            ("B2", "6.50", "edit-", "edit-"),
            ("B3", "9.00", "b", "x"),
            ("B4", "1.00", "d", "y"),
            ("B4", "2.00", "e", "x"),
        }
        or expected["versions"] == []
    )
    assert sorted((row[3], row[4]) for row in expected["quarantine"]) == [
        ("a", "corrected"),
        ("b", "corrected"),
        ("e", "cancelled"),
    ]


@orders_tried(EXAMPLES)
@given(data=st.data())
def test_any_order_ends_in_the_same_tables(
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
    spark: SparkSession,
    conf: dict[str, Path],
    expected: dict[str, list[tuple[str, ...]]],
) -> None:
    first = data.draw(st.permutations("ab"))
    again = data.draw(st.lists(st.sampled_from(STEPS), max_size=3))
    steps = data.draw(st.permutations([*STEPS, *again]))
    runs_after = data.draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps)))
    home = tmp_path_factory.mktemp("story")
    story = _Story(Site(home, spark), conf)
    story.tell(first, steps, runs_after)
    assert story.tables() == expected
    assert_all_rows_accounted_for(story.site)
    shutil.rmtree(home)
