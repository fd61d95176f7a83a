"""The balance of a district, held against its own past, and the meters which explain that it left it."""

from datetime import date, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.kernels.district_days import PARTS, district_parts
from jobs.kernels.district_days import balances as balance
from jobs.transforms.changes import Delivered, Facts, Touched
from jobs.transforms.differences import differences
from jobs.transforms.district_days import (
    BALANCES,
    balances,
    dates_reached,
    judged_days,
    touched_keys,
    with_explanations,
)
from schemas import Table
from schemas.district_days import DISTRICT_DAYS
from schemas.meter_days import METER_DAYS
from schemas.meter_profiles import METER_PROFILES
from schemas.metering_points import METERING_POINTS
from schemas.validated_days import REVALIDATED_DAYS, VALIDATED_DAYS
from schemas.versions import VERSIONS
from tests.frames import frame, rows_of

FIRST, LAST = date(2025, 6, 1), date(2025, 6, 12)
DATES = [FIRST + timedelta(days=n) for n in range(12)]
POINTS = """
    point_id | installed_from | installed_to | meter_id | multiplier | point_kind | district_id | customer_key
    own      | 2025-01-01     |              | supply   | 100        | district   | D           |
    home     | 2025-01-01     |              | home     | 1          | customer   | D           | c1
    shop     | 2025-01-01     |              | shop     | 20         | customer   | D           | c2
    moved    | 2025-01-01     | 2025-06-10   | old      | 1          | customer   | D           | c3
    moved    | 2025-06-10     |              | new      | 1          | customer   | D           | c3
    plant    | 2025-01-01     |              | plant    | 100        | customer   | Z           | c4
    """


def facts_of(spark: SparkSession, meters: dict[str, str], points: str = POINTS, **others: str) -> Facts:
    """The story: the curve of a meter (96 values) on each date, and another one, or none, on dates which are named.

    `others` are tables drawn beside, by their names with __ for the point.
    """
    lines = ["meter_id | read_date | interval_minutes | kwh | quality | total_kwh | missing_count | estimated_count"]
    for meter, curve in meters.items():
        name, _, day = meter.partition(" ")
        of = [date(2025, 6, int(day))] if day else [d for d in DATES if f"{name} {d.day}" not in meters]
        if not curve:
            continue
        total = sum(float(value) * int(times) for value, times in (part.split("*") for part in curve.split()))
        lines += [f"{name} | {d} | 15 | {curve} | 1*96 | {total} | 0 | 0" for d in of]
    drawn = {name.replace("__", "."): text for name, text in others.items()}
    drawn |= {METERING_POINTS.name: points, VALIDATED_DAYS.name: "\n".join(lines)}

    def read(table: Table) -> DataFrame:
        text = drawn.get(table.name)
        return frame(spark, table.struct, text) if text else spark.createDataFrame([], table.struct)

    facts = Facts.of(read, "Asia/Shanghai")
    return Facts(**{**vars(facts), "validated": facts.validated.withColumn("flags", F.array().cast("array<string>"))})


# 9.6 and 192 and 4.8 kWh a day of customers, 225 supplied
QUIET = {"old 10": "", "supply": "0.0234375*96", "home": "0.1*96", "shop": "0.1*96", "old": "0.05*96", "new": "0.05*96"}


def judged(spark: SparkSession, facts: Facts) -> DataFrame:
    keys = touched_keys(Touched(everything=True), facts)
    made = balances(facts, keys, district_parts(facts.time_zone), PARTS, balance)
    profiles = frame(
        spark,
        METER_PROFILES.struct,
        """
        meter_id | week_start | daily_kwh | daily_spread_kwh
        home     | 2025-06-09 | 9.6       | 0.5
        shop     | 2025-06-09 | 9.6       | 0.2
        old      | 2025-06-09 | 4.8       | 0.2
        """,
    )
    return with_explanations(judged_days(made), facts, profiles)


def test_a_quiet_district_loses_what_it_usually_loses(spark: SparkSession) -> None:
    rows = judged(spark, facts_of(spark, QUIET))
    assert rows_of(rows.where("balance_date >= DATE'2025-06-08'"), "verdict").count(("ok",)) == 5
    [last] = rows.where(f"balance_date = DATE'{LAST}'").collect()
    assert (last.point_count, last.measured_count, last.unknown_count, last.usual_days) == (3, 3, 0, 11)
    assert (round(last.supplied_kwh, 2), round(last.counted_kwh, 2)) == (225.0, 206.4)
    assert abs(last.usual_loss_rate - 0.0826667) < 1e-6
    assert last.usual_spread == 0.003, "never below what load and weather move it by"


def test_given_a_shop_that_counts_a_third_then_its_district_jumps_and_it_is_named(spark: SparkSession) -> None:
    rows = judged(spark, facts_of(spark, {**QUIET, "shop 12": "0.0333*96", "home 12": "0.09*96"}))
    assert rows_of(rows.where("verdict = 'jump'"), "balance_date") == [(LAST,)]
    [last] = rows.where("verdict = 'jump'").collect()
    assert abs(last.jump_kwh - (0.0667 * 96 * 20 + 0.01 * 96)) < 0.01
    assert [(m.meter_id, round(m.explains_kwh, 1)) for m in last.explained_by] == [("shop", 128.1)]
    assert 0.98 < last.explained_by[0].share < 1.0
    assert rows_of(rows.where("verdict <> 'jump'"), "explained_by") == [(None,)] * 11


def test_a_meter_of_which_nothing_is_known_leaves_the_loss_untold(spark: SparkSession) -> None:
    facts = facts_of(spark, {name: curve for name, curve in QUIET.items() if name != "home"})
    [last] = judged(spark, facts).where(f"balance_date = DATE'{LAST}'").collect()
    assert (last.loss_kwh, last.verdict, last.unknown_count, last.usual_loss_rate) == (None, "not_told", 1, None)


def test_a_new_multiplier_in_the_master_data_counts_from_its_date(spark: SparkSession) -> None:
    points = (
        POINTS.replace(
            "shop     | 2025-01-01     |              | shop     | 20 ",
            "shop     | 2025-01-01     | 2025-06-12   | shop     | 20 ",
        ).rstrip()
        + "\n    shop     | 2025-06-12     |              | shop     | 40         | customer   | D           | c2\n"
    )
    rows = judged(spark, facts_of(spark, {**QUIET, "shop 12": "0.05*96"}, points))
    [last] = rows.where(f"balance_date = DATE'{LAST}'").collect()
    assert (round(last.counted_kwh, 2), last.verdict) == (206.4, "ok")


def test_the_past_of_a_date_are_the_balanced_days_of_its_28_dates(spark: SparkSession) -> None:
    days = frame(
        spark,
        BALANCES,
        """
        district_id | balance_date | supplied_kwh | loss_kwh | loss_rate | estimated_share
        D           | 2025-05-01   | 100          | 50       | 0.5       | 0
        D           | 2025-05-20   | 100          | 5        | 0.05      | 0
        D           | 2025-05-21   | 100          | 90       | 0.9       | 0.3
        D           | 2025-05-22   | 100          |          |           | 0
        D           | 2025-05-23   | 100          | 7        | 0.07      | 0
        E           | 2025-05-23   | 100          | 70       | 0.7       | 0
        D           | 2025-06-01   | 100          | 20       | 0.2       | 0
        """,
    )
    told = judged_days(days).where("balance_date = DATE'2025-06-01'")
    assert rows_of(told, "usual_days", "usual_loss_rate", "verdict") == [(2, 0.060000000000000005, "high_loss")]
    assert rows_of(judged_days(days).where("estimated_share > 0.1"), "verdict") == [("not_told",)]


def test_a_changed_day_concerns_its_district_and_date_alone(spark: SparkSession) -> None:
    days, again = (table.name.replace(".", "__") for table in (METER_DAYS, REVALIDATED_DAYS))
    others = {
        days: "meter_id | read_date  | delivery_id\nhome | 2025-06-10 | new\nplant | 2025-06-11 | old",
        again: "meter_id | read_date | revalidation_id\nplant | 2025-06-05 | r",
    }
    facts = facts_of(spark, QUIET, **others)
    sent = Touched({"meter_days": Delivered(("new",), (date(2025, 6, 10), date(2025, 6, 11)))})
    assert rows_of(touched_keys(sent, facts), "district_id", "balance_date") == [("D", date(2025, 6, 10))]
    validated = Touched({"validated_days": Delivered(("r",), (date(2025, 6, 5),))})
    assert rows_of(touched_keys(validated, facts), "district_id", "balance_date") == [("Z", date(2025, 6, 5))]


def test_a_meter_which_is_corrected_to_another_district_concerns_both_from_then_on(spark: SparkSession) -> None:
    held = """
        point_id | installed_from | meter_id | multiplier | point_kind | district_id | customer_key | delivery_id
        home     | 2025-01-01     | home     | 1          | customer   | E           | c1           | new
        shop     | 2025-01-01     | shop     | 20         | customer   | D           | c2           | old
        """
    versions = VERSIONS[METERING_POINTS.name].name.replace(".", "__")
    before = """
        point_id | installed_from | meter_id | multiplier | point_kind | district_id | customer_key | replaced_by
        home     | 2025-01-01     | home     | 1          | customer   | D           | c1           | new
        """
    facts = facts_of(spark, QUIET, held, **{versions: before})
    keys = touched_keys(Touched({"metering_points": Delivered(("new",))}), facts)
    assert rows_of(keys.groupBy("district_id").count(), "district_id", "count") == [("D", 12), ("E", 12)]


def test_dates_after_a_changed_one_are_judged_again_as_far_as_its_profile_reaches() -> None:
    known = [FIRST + timedelta(days=n) for n in range(60)]
    assert dates_reached([FIRST], known) == known[:35]
    assert dates_reached([date(2025, 7, 30)], known) == [date(2025, 7, 30)]


def test_only_what_differs_is_written_and_what_is_not_made_goes(spark: SparkSession) -> None:
    text = """
        district_id | balance_date | verdict
        same        | 2025-06-01   | ok
        other       | 2025-06-01   | ok
        gone        | 2025-06-01   | ok
        """
    held = frame(spark, DISTRICT_DAYS.struct, text)
    made = frame(spark, DISTRICT_DAYS.struct, text.replace("gone ", "fresh").replace("other       | 2025-06-01   | ok",
                 "other       | 2025-06-01   | jump"))  # fmt: skip
    new = differences(made, held, DISTRICT_DAYS)
    assert rows_of(new, "district_id", "verdict", "keep") == [
        ("fresh", "ok", True),
        ("gone", None, False),
        ("other", "jump", True),
    ]
