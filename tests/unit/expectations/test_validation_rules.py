"""Each rule about a meter day is broken by the pattern it is named for; a day with many signs is given one cause."""

from collections.abc import Mapping

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from expectations.meter_profiles import METER_PROFILES_SUITE
from expectations.validated_days import PATTERNS, VALIDATED_DAYS_SUITE
from jobs.kernels.day_checks import EVIDENCE
from jobs.kernels.days_around import AROUND
from jobs.runtime.quality import with_broken_rules
from jobs.transforms.validated_days import with_patterns
from schemas import TABLES
from tests.frames import rows_like

BESIDE = {
    "interval_minutes": "int",
    "is_expected": "boolean",
    "is_twin": "boolean",
    "is_swapped": "boolean",
    "capacity_kva": "double",
    "multiplier": "double",
    "usual_daily_kwh": "double",
    "usual_max_kwh": "double",
    "usual_zero_share": "double",
    "usual_zero_run": "int",
    "usual_constant_run": "int",
}
KINDS = BESIDE | {f.name: f.dataType.simpleString() for f in from_arrow_schema(pa.schema([*AROUND, *EVIDENCE])).fields}
# a day of a household: 24 kWh, a peak of 1 kWh, registers which agree
GOOD = {
    "interval_minutes": "15", "is_expected": "true", "capacity_kva": "8", "multiplier": "1", "known_kwh": "24",
    "known_count": "96", "expected_count": "96", "register_kwh": "24", "sum_gap_kwh": "0", "sum_tolerance_kwh": "0.1",
    "sum_verdict": "1", "periods_verdict": "1", "clock_shift_minutes": "0", "longer_intervals": "0",
    "whole_factor": "0", "dial_out_of_line": "0", "longest_zero_count": "2", "longest_constant_count": "3",
    "peak_count": "1", "peak_kwh": "1", "second_kwh": "0.9", "peak_by_register_kwh": "1", "usual_max_kwh": "1.2",
    "usual_daily_kwh": "22", "usual_zero_run": "4", "usual_zero_share": "0.02", "usual_constant_run": "5",
    "is_rolled_over": "false",
}  # fmt: skip
_TOO_MUCH = {"sum_verdict": "-1", "sum_gap_kwh": "20"}
_TOO_LITTLE = {"sum_verdict": "-1", "sum_gap_kwh": "-6"}
_UNTOLD = {"sum_verdict": "0", "register_kwh": "NULL", "sum_gap_kwh": "NULL", "periods_verdict": "0"}
SPIKE = {**_TOO_MUCH, "peak_kwh": "21", "peak_by_register_kwh": "1"}

# name -> what differs from the good day, and the rules it then breaks
DAYS: dict[str, tuple[Mapping[str, str], set[str]]] = {
    "good": ({}, set()),
    "good without registers": (_UNTOLD, set()),
    "stuck, by the registers": ({**_TOO_LITTLE, "longest_constant_count": "24"}, {"MD-10"}),
    "stuck, by its past": ({**_UNTOLD, "longest_constant_count": "24"}, {"MD-10"}),
    "as constant as always": ({**_UNTOLD, "longest_constant_count": "24", "usual_constant_run": "30"}, set()),
    "as constant as always, and the registers agree": (
        {"longest_constant_count": "24", "usual_constant_run": "30"},
        set(),
    ),
    "constant as never before, though the registers agree": ({"longest_constant_count": "24"}, {"MD-10"}),
    "stuck for less than six hours": ({**_TOO_LITTLE, "longest_constant_count": "23"}, {"MD-14"}),
    "zeros, by the registers": ({**_TOO_LITTLE, "longest_zero_count": "24"}, {"MD-11"}),
    "zeros, by the registers, of a meter without a past": (
        {**_TOO_LITTLE, "longest_zero_count": "24", "usual_zero_share": "NULL"},
        {"MD-11"},
    ),
    "as many zeros as on other days": (
        {**_TOO_LITTLE, "longest_zero_count": "34", "usual_zero_share": "0.55"},
        {"MD-14"},
    ),
    "more zeros than on other days": (
        {**_TOO_LITTLE, "longest_zero_count": "60", "usual_zero_share": "0.55"},
        {"MD-11"},
    ),
    "zeros, by its past": ({**_UNTOLD, "longest_zero_count": "24"}, {"MD-11"}),
    "on holiday": ({**_UNTOLD, "longest_zero_count": "96", "known_kwh": "0"}, set()),
    "spike": (SPIKE, {"MD-12"}),
    "spike, by its past": ({**_UNTOLD, "peak_kwh": "21"}, {"MD-12"}),
    "spike above capacity is a spike": ({**SPIKE, "peak_kwh": "100", "sum_gap_kwh": "99"}, {"MD-12"}),
    "above capacity": ({**_UNTOLD, "peak_kwh": "7", "peak_count": "2"}, {"MD-13"}),
    "above capacity, which the registers confirm": ({"peak_kwh": "7", "peak_count": "2"}, set()),
    "does not add up": (_TOO_LITTLE, {"MD-14"}),
    "misread dial": ({**_UNTOLD, "dial_out_of_line": "-1"}, {"MD-15"}),
    "rolled over": ({"is_rolled_over": "true"}, {"MD-16"}),
    "multiplier": ({**_TOO_MUCH, "whole_factor": "40"}, {"MD-17"}),
    "multiplier, stuck as well": ({**_TOO_MUCH, "whole_factor": "40", "longest_zero_count": "30"}, {"MD-17"}),
    "power": ({**_TOO_MUCH, "whole_factor": "4"}, {"MD-18"}),
    "clock": ({"periods_verdict": "-1", "clock_shift_minutes": "120"}, {"MD-19"}),
    "twin": ({**_TOO_LITTLE, "is_twin": "true"}, {"MD-21"}),
    "twin whose registers agree": ({"is_twin": "true"}, set()),
    "nothing sent": ({**_UNTOLD, "known_count": "0", "known_kwh": "0"}, {"MD-22"}),
    "nothing sent, nothing expected": (
        {**_UNTOLD, "known_count": "0", "known_kwh": "0", "is_expected": "false"},
        set(),
    ),
    "hours in the places of quarters": ({"longer_intervals": "24"}, {"MD-23"}),
    "exchanged": ({**_TOO_LITTLE, "is_swapped": "true", "is_twin": "true"}, {"MD-24"}),
    "periods": ({"periods_verdict": "-1"}, {"MD-25"}),
}


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[str, set[str]]:
    """The rules which each of the days breaks."""
    drawn = rows_like(spark, KINDS, GOOD, {name: changed for name, (changed, _) in DAYS.items()})
    rows = with_patterns(drawn, PATTERNS)
    judged = with_broken_rules(rows, VALIDATED_DAYS_SUITE, "_errors", "_warns")
    return {row.row_name: {*row["_errors"], *row["_warns"]} for row in judged.collect()}


@pytest.mark.parametrize("name", DAYS)
def test_a_day_breaks_the_rule_of_its_cause_and_no_other(found: dict[str, set[str]], name: str) -> None:
    assert found[name] == DAYS[name][1]


def test_every_rule_has_a_day_that_breaks_it() -> None:
    assert {rule.id for rule in VALIDATED_DAYS_SUITE.rules} == set().union(*(rules for _, rules in DAYS.values()))


def test_every_rule_of_profiles_is_broken_by_its_row_and_by_no_good_one(spark: SparkSession) -> None:
    good = {
        "meter_id": "'m'", "week_start": "DATE'2025-06-02'", "interval_minutes": "15", "days": "28",
        "dropped_days": "0", "working_kwh": "array_repeat(0.25, 96)", "other_kwh": "array_repeat(0.25, 96)",
        "spread_kwh": "array_repeat(0.1, 24)", "highest_kwh": "1", "daily_kwh": "24", "clock_shift_minutes": "0",
    }  # fmt: skip
    breaks = {
        "PR-01": {"meter_id": "NULL"},
        "PR-02": {"week_start": "DATE'2025-06-03'"},
        "PR-03": {"working_kwh": "array_repeat(0.25, 95)"},
        "PR-04": {"days": "29"},
        "PR-05": {"highest_kwh": "-1"},
        "MD-29": {"clock_shift_minutes": "-60"},
    }
    kinds = {f.name: f.dataType.simpleString() for f in TABLES[METER_PROFILES_SUITE.table].struct}
    drawn = rows_like(spark, kinds, good, {"good": {}, **breaks})
    judged = with_broken_rules(drawn, METER_PROFILES_SUITE, "_errors", "_warns")
    found = {row.row_name: {*row["_errors"], *row["_warns"]} for row in judged.collect()}
    assert found == {"good": set(), **{rule: {rule} for rule in breaks}}
