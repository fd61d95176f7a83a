"""The same rules on Spark and in Great Expectations come to the same counts, and the pages show them."""

import json
from contextlib import suppress
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from expectations.features import CUSTOMER_DAYS_SUITE
from expectations.rule import Rule, Suite
from jobs.runtime.context import Context
from jobs.runtime.errors import DataError
from jobs.runtime.quality import CATALOGUE, PAGES, compiled_suite, outcome_frame, write_pages
from schemas.features import CUSTOMER_DAYS
from schemas.ops import RULE_RESULTS
from tests.frames import frame
from tests.province import FIRST_DAY, SECOND_DAY, Site

OTHER_SUITE = Suite("mart.other", (Rule("OT-01", "customer_key IS NOT NULL", "a row without a customer is nobody's"),))
SUITES = {suite.table: suite for suite in (CUSTOMER_DAYS_SUITE, OTHER_SUITE)}


def days(spark: SparkSession) -> DataFrame:
    """Seven days: the first two are good, share a key (CD-00), and each of the others breaks what stands beside it."""
    return frame(
        spark,
        CUSTOMER_DAYS.struct,
        """
        customer_key | usage_date | available_at        | completeness | estimated_share | kwh | kwh_sharp | kwh_peak | kwh_flat | kwh_valley | load_factor | hourly_kwh | sum_check
        a            | 2025-06-01 | 2025-06-02 00:00:00 | 1            | 0               | 10  | 1         | 2        | 3        | 4          | 0.5         | 1*24       | ok
        a            | 2025-06-01 | 2025-06-02 00:00:00 | 1            | 0               | 10  | 1         | 2        | 3        | 4          | 0.5         | 1*24       | ok
                     | 2025-06-01 | 2025-06-02 00:00:00 | 1            | 0               | 10  | 1         | 2        | 3        | 4          | 0.5         | 1*24       | ok
        c            | 2025-06-01 | 2025-06-02 00:00:00 | 2            | 0               | 10  | 1         | 2        | 3        | 9          | 1.5         | 1*23       | ok
        d            | 2025-06-01 | 2025-06-02 00:00:00 | 0.5          | 0               | 10  | 1         | 2        | 3        | 4          | 0.5         | 1*24       | failed
        e            | 2025-06-01 | 2025-06-02 00:00:00 | 0.5          | 0               | -10 | -1        | -2       | -3       | -4         |             | 1*24       | failed
        f            | 2025-06-01 |                     |              | 0               | 10  |           | 2        | 3        | 4          | 0.5         |            | odd
        """,  # noqa: E501 - a row of a drawn table is a line
    )


def judge(site: Site, day: date, rows: DataFrame, suite: Suite = CUSTOMER_DAYS_SUITE) -> Context:
    """Let a job's gate judge the rows, and hand back its context, whether they passed or not."""
    ctx = site.context("build_customer_days", day)
    with suppress(DataError):
        ctx.gate(rows, suite)
    return ctx


def results(ctx: Context, table: str, day: date) -> dict[str, dict[str, Any]]:
    """What Great Expectations found for each rule of a suite on a date."""
    folder = ctx.settings.quality.docs / "validations" / Path(*table.split("."))
    [path] = (folder / day.isoformat()).rglob("*.json")
    held = json.loads(path.read_text(encoding="utf-8"))
    return {one["expectation_config"]["kwargs"]["column"]: one for one in held["results"]}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(page: Path) -> str:
    parser = _Text()
    parser.feed(page.read_text(encoding="utf-8"))
    return " ".join(" ".join(parser.parts).split())


def test_great_expectations_counts_what_spark_counts_for_every_rule(site: Site, spark: SparkSession) -> None:
    rows = days(spark).cache()
    ctx = judge(site, FIRST_DAY, rows)
    assert write_pages(ctx, SUITES).startswith("1 suites, 0 passed")
    found = results(ctx, "features.customer_days", FIRST_DAY)

    # counted on their own, without the columns into which the rules are compiled
    counted = {rule.id: rows.where(f"NOT ({rule.condition})").count() for rule in CUSTOMER_DAYS_SUITE.row_rules()}
    assert {rule: found[rule]["result"]["unexpected_count"] for rule in counted} == counted
    assert {rule: found[rule]["success"] for rule in counted} == {rule: count == 0 for rule, count in counted.items()}
    assert {found[rule]["result"]["element_count"] for rule in counted} == {7}
    assert sum(count > 0 for count in counted.values()) >= 8
    # a batch rule holds for all rows or for none
    assert (found["CD-00"]["success"], found["CD-00"]["result"]["unexpected_count"]) == (False, 7)


def test_a_page_shows_the_counts_and_one_the_reasons(site: Site, spark: SparkSession) -> None:
    ctx = judge(site, FIRST_DAY, days(spark))
    write_pages(ctx, SUITES)
    folder = (ctx.settings.quality.docs / PAGES).parent
    [page] = folder.glob("validations/features/customer_days/**/*.html")
    # CD-12 is broken by two of the seven rows
    assert "2 unexpected values found. ≈28.57% of 7 total rows." in text_of(page)
    reason = "intervals and registers disagree: to be looked at. Rule: sum_check <> 'failed'"
    assert reason in text_of(folder / "expectations/features/customer_days.html")


def test_the_index_names_the_suites_with_their_dates_and_other_dates_pages_stay(
    site: Site, spark: SparkSession
) -> None:
    judge(site, FIRST_DAY, days(spark))
    first = judge(site, FIRST_DAY, days(spark), OTHER_SUITE)
    write_pages(first, SUITES)
    site_folder = (first.settings.quality.docs / PAGES).parent
    [of_first_day] = site_folder.glob("validations/features/customer_days/2025-06-27/**/*.html")
    stamp = of_first_day.stat().st_mtime_ns

    write_pages(judge(site, SECOND_DAY, days(spark)), SUITES)
    assert of_first_day.stat().st_mtime_ns == stamp, "what did not change is not rendered again"
    index = text_of(site_folder / PAGES.name)
    for expected in ("features.customer_days", "mart.other", "2025-06-27", "2025-06-28"):
        assert expected in index
    # not judged on the second day, and its rules can still be read
    assert (site_folder / "expectations/mart/other.html").exists()


def test_of_a_date_which_was_judged_twice_the_later_result_is_shown(site: Site, spark: SparkSession) -> None:
    rows = days(spark).cache()
    good = rows.where("customer_key = 'a'").limit(1)
    # the worse result comes first, then the better one, then the worse one again
    for judged, broken in ((rows, 2), (good, 0), (rows, 2)):
        ctx = judge(site, FIRST_DAY, judged)
        write_pages(ctx, SUITES)
        found = results(ctx, "features.customer_days", FIRST_DAY)["CD-12"]["result"]
        assert (found["element_count"], found["unexpected_count"]) == (judged.count(), broken)
        catalogue = text_of(ctx.settings.quality.docs / CATALOGUE)
        assert f"{judged.count()} rows read" in catalogue
    # and a rerun adds nothing to the books
    held = len(ctx.books.read(RULE_RESULTS))
    judge(site, FIRST_DAY, rows)
    assert len(ctx.books.read(RULE_RESULTS)) == held


def test_the_index_leads_to_the_catalogue_of_all_rules(site: Site, spark: SparkSession) -> None:
    judge(site, FIRST_DAY, days(spark), OTHER_SUITE)
    ctx = judge(site, SECOND_DAY, days(spark))
    write_pages(ctx, SUITES)
    docs = ctx.settings.quality.docs
    assert f'href="{CATALOGUE.name}"' in (docs / PAGES).read_text(encoding="utf-8")
    shown = text_of(docs / CATALOGUE)
    for suite in SUITES.values():
        for rule in suite.rules:
            assert f"{rule.id} {' '.join(rule.condition.split())} {rule.reason} {rule.severity}" in shown
    assert "2025-06-27 7 rows read" in shown
    # two of the seven rows break CD-12, none breaks CD-02
    assert "warn row 0.1.0 2 28.57%" in shown
    assert "CD-02 usage_date IS NOT NULL a day without a date cannot be placed error row 0.1.0 0" in shown


def test_results_which_are_no_longer_kept_leave_the_pages_too(site: Site, spark: SparkSession) -> None:
    for day in (FIRST_DAY, SECOND_DAY):
        ctx = judge(site, day, days(spark))
        quality = ctx.settings.quality.model_copy(update={"keep_validations": 1})
        ctx.settings = ctx.settings.model_copy(update={"quality": quality})
        write_pages(ctx, SUITES)
    pages = (ctx.settings.quality.docs / PAGES).parent.glob("validations/**/*.html")
    assert [page.relative_to(page.parents[3]).parts[1] for page in pages] == ["2025-06-28"]
    assert "2025-06-27" not in text_of(ctx.settings.quality.docs / PAGES)


def test_without_any_judged_suite_nothing_is_written(site: Site) -> None:
    ctx = site.context("write_quality_pages", FIRST_DAY)
    assert write_pages(ctx, SUITES) == "no suite was judged for 2025-06-27"
    assert not ctx.settings.quality.docs.exists()


def test_a_rule_goes_over_with_its_severity_its_condition_and_its_reason() -> None:
    compiled = {one.column: one for one in compiled_suite(CUSTOMER_DAYS_SUITE).expectations}
    assert list(compiled) == [rule.id for rule in CUSTOMER_DAYS_SUITE.rules]
    assert (compiled["CD-01"].severity, compiled["CD-12"].severity) == ("critical", "warning")
    assert compiled["CD-12"].meta == {"condition": "sum_check <> 'failed'", "scope": "row"}
    assert compiled["CD-12"].notes.startswith("intervals and registers disagree")


@pytest.mark.parametrize(("broken", "held"), [(0, True), (1, False)])
def test_outcomes_of_several_deliveries_are_added_up(broken: int, held: bool) -> None:
    suite = Suite(
        "t", (Rule("T-01", "x > 0", "more than nothing"), Rule("T-02", "count(*) > 0", "some rows", scope="batch"))
    )
    counts = [
        {"rule_id": "T-01", "rows_judged": 4, "rows_broken": 1},
        {"rule_id": "T-01", "rows_judged": 6, "rows_broken": 2},
        {"rule_id": "T-02", "rows_judged": 1, "rows_broken": broken},
    ]
    outcomes = outcome_frame(suite, counts)
    assert len(outcomes) == 10
    assert (~outcomes["T-01"]).sum() == 3
    assert set(outcomes["T-02"]) == {held}
