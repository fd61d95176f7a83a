"""Every rule of class profiles has a row that breaks it, and a good row breaks none."""

from collections.abc import Mapping

from pyspark.sql import SparkSession

from expectations.reference import CLASS_PROFILES_SUITE
from jobs.runtime.quality import with_broken_rules
from schemas.reference import CLASS_PROFILES
from tests.frames import rows_like

KINDS = {"unreadable": "array<string>"} | {f.name: f.dataType.simpleString() for f in CLASS_PROFILES.struct.fields}
GOOD = {
    "usage_class": "'residential'", "valid_from": "DATE'2025-01-01'", "day_type": "'working'", "start_minute": "1425",
    "interval_minutes": "15", "share": "0.01",
}  # fmt: skip
# name -> what differs from the good row, and the rules it then breaks
ROWS: dict[str, tuple[Mapping[str, str], set[str]]] = {
    "good": ({}, set()),
    "nothing used": ({"share": "0"}, set()),
    "hours": ({"start_minute": "1380", "interval_minutes": "60"}, set()),
    "not readable": ({"unreadable": "array('x')"}, {"LP-00"}),
    "no class": ({"usage_class": "NULL"}, {"LP-01"}),
    "no date": ({"valid_from": "NULL"}, {"LP-02"}),
    "no day type": ({"day_type": "NULL"}, {"LP-03"}),
    "another day type": ({"day_type": "'saturday'"}, {"LP-03"}),
    "no begin": ({"start_minute": "NULL"}, {"LP-04"}),
    "no length": ({"interval_minutes": "NULL"}, {"LP-05"}),
    "no time": ({"interval_minutes": "0"}, {"LP-05"}),
    "backwards": ({"interval_minutes": "-15"}, {"LP-05"}),
    "does not fill a day": ({"interval_minutes": "50", "start_minute": "0"}, {"LP-05"}),
    "between intervals": ({"start_minute": "20"}, {"LP-06"}),
    "after the day": ({"start_minute": "1440"}, {"LP-06"}),
    "before the day": ({"start_minute": "-15"}, {"LP-06"}),
    "below zero": ({"share": "-0.01"}, {"LP-07"}),
    "no share": ({"share": "NULL"}, {"LP-07"}),
    "no number": ({"share": "double('NaN')"}, {"LP-07"}),
    "beyond number": ({"share": "double('infinity')"}, {"LP-07"}),
    "unknown class": ({"usage_class": "'commercial'"}, {"LP-08"}),
}


def test_a_row_breaks_the_rules_it_is_named_for_and_no_other(spark: SparkSession) -> None:
    drawn = rows_like(spark, KINDS, GOOD, {name: changed for name, (changed, _) in ROWS.items()})
    judged = with_broken_rules(drawn, CLASS_PROFILES_SUITE, "_errors", "_warns").collect()
    assert {row.row_name: {*row["_errors"], *row["_warns"]} for row in judged} == {
        name: rules for name, (_, rules) in ROWS.items()
    }


def test_every_rule_has_a_row_that_breaks_it() -> None:
    assert {rule.id for rule in CLASS_PROFILES_SUITE.rules} == set().union(*(rules for _, rules in ROWS.values()))
