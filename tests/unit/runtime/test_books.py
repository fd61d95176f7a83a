"""The books: what a rerun adds, which of several results holds, and what they make of tables of an earlier release."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from jobs.runtime.books import Books
from jobs.runtime.results import latest, results_of
from schemas.ops import JOB_RUNS, RULE_RESULTS
from schemas.table import Table

DAY, NEXT_DAY = date(2025, 6, 27), date(2025, 6, 28)
# as the table was before results had revisions
EARLIER = replace(
    RULE_RESULTS,
    key=("job", "run_date", "delivery_id", "rule_id", "rows_judged", "rows_broken"),
    columns=tuple(column for column in RULE_RESULTS.columns if column.name != "revision"),
)


def result(broken: int, day: date = DAY, **other: Any) -> dict[str, Any]:
    return {
        "job": "build_customer_days",
        "run_date": day,
        "table_name": "features.customer_days",
        "delivery_id": None,
        "rule_id": "CD-12",
        "severity": "warn",
        "rows_judged": 100,
        "rows_broken": broken,
        **other,
    }


def holds(books: Books, day: date = DAY) -> list[int]:
    return [row["rows_broken"] for rows in results_of(books, day).values() for row in rows]


def revisions(books: Books) -> list[tuple[int | None, int]]:
    rows = books.read(RULE_RESULTS)
    return sorted(((row["revision"], row["rows_broken"]) for row in rows), key=lambda pair: (pair[0] or 0, pair[1]))


def drop_files(books: Books, day: date) -> None:
    """Take the files of a date away, so that whoever opens one of them fails."""
    folder = books.path(RULE_RESULTS)
    actions = pa.table(DeltaTable(folder).get_add_actions(flatten=True)).to_pylist()
    gone = [action for action in actions if action["min.run_date"] == day]
    assert gone
    for action in gone:
        (folder / action["path"]).unlink()


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def test_a_row_of_a_key_is_there_once(books: Books) -> None:
    started = datetime(2025, 6, 28, 1, tzinfo=UTC)
    run = {"job": "ingest_bills", "run_date": DAY, "started_at": started, "message": "it's done"}
    for row in (run, run, {**run, "started_at": started.replace(hour=2)}):
        books.append(JOB_RUNS, [row])
    assert [row["started_at"].hour for row in sorted(books.read(JOB_RUNS), key=lambda r: r["started_at"])] == [1, 2]
    assert len(books.read(JOB_RUNS, message="it's done", run_date=DAY)) == 2
    assert not books.read(JOB_RUNS, message="x' OR 'x' = 'x")


def test_the_latest_of_several_results_holds_also_when_it_was_found_before(books: Books) -> None:
    for broken, expected in ((3, [(1, 3)]), (3, [(1, 3)]), (0, [(1, 3), (2, 0)]), (0, [(1, 3), (2, 0)])):
        books.revise(RULE_RESULTS, [result(broken)])
        assert revisions(books) == expected
    assert holds(books) == [0]
    books.revise(RULE_RESULTS, [result(3)])
    assert holds(books) == [3]
    assert revisions(books) == [(1, 3), (2, 0), (3, 3)]


def test_dates_jobs_and_deliveries_do_not_revise_each_other(books: Books) -> None:
    books.revise(RULE_RESULTS, [result(1, delivery_id="d1"), result(2, delivery_id="d2")])
    books.revise(RULE_RESULTS, [result(5, delivery_id="d2")])
    books.revise(RULE_RESULTS, [result(7, delivery_id="d2", job="other")])
    books.revise(RULE_RESULTS, [result(9, NEXT_DAY, delivery_id="d2")])
    assert sorted(holds(books)) == [1, 5, 7]
    assert holds(books, NEXT_DAY) == [9]


def test_a_table_of_an_earlier_release_reads_as_null_and_is_added_to(books: Books) -> None:
    books.append(EARLIER, [result(3), result(4, NEXT_DAY)])
    assert revisions(books) == [(None, 3), (None, 4)]
    books.revise(RULE_RESULTS, [result(3)])
    assert revisions(books) == [(None, 3), (None, 4)], "the same once more is no revision"
    books.revise(RULE_RESULTS, [result(2)])
    assert revisions(books) == [(None, 3), (None, 4), (1, 2)]
    assert (holds(books), holds(books, NEXT_DAY)) == ([2], [4])


def test_of_results_of_an_earlier_release_the_worst_stands_until_the_date_is_judged_again(books: Books) -> None:
    for broken in (0, 3, 1):
        books.append(EARLIER, [result(broken)])
    assert holds(books) == [3]
    books.revise(RULE_RESULTS, [result(1)])
    assert holds(books) == [1]


def test_which_one_holds_does_not_hang_on_the_order_of_reading() -> None:
    rows = [{**result(broken), "revision": revision} for broken, revision in ((3, None), (9, 1), (0, 2))]
    for order in (rows, rows[::-1], [rows[2], rows[0], rows[1]]):
        assert [row["rows_broken"] for row in latest(order)] == [0]


@pytest.mark.parametrize("there", [None, EARLIER])
def test_several_jobs_may_make_the_table_or_add_to_it_at_once(books: Books, there: Table | None) -> None:
    if there:
        books.append(there, [result(0, rule_id="CD-00")])
    writers = 6
    start = Barrier(writers)

    def write(number: int) -> None:
        start.wait()
        books.revise(RULE_RESULTS, [result(number, job=f"job_{number}")])

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    held = {row["job"]: row["rows_broken"] for row in books.read(RULE_RESULTS) if row["revision"]}
    assert held == {f"job_{number}": number for number in range(writers)}


def test_results_of_a_date_are_read_and_added_to_without_the_files_of_others(books: Books) -> None:
    for day in (DAY, NEXT_DAY):
        books.revise(RULE_RESULTS, [result(1, day)])
    drop_files(books, DAY)
    assert holds(books, NEXT_DAY) == [1]
    books.revise(RULE_RESULTS, [result(2, NEXT_DAY)])
    assert holds(books, NEXT_DAY) == [2]
    with pytest.raises(Exception, match=r"not found|No such file"):
        books.read(RULE_RESULTS)
