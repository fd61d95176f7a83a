"""Every rule of channel days has a row that breaks it, and a good row of each channel breaks none."""

from pyspark.sql import SparkSession

from expectations.channel_days import CHANNEL_DAYS_SUITE
from jobs.runtime.quality import with_broken_rules
from schemas.channel_days import CHANNEL_DAYS, CHANNELS
from tests.frames import rows_like

# what is judged beside the columns of the table
BESIDE = {
    **dict.fromkeys(("negative_count", "conflict_count"), "int"),
    **dict.fromkeys(("is_known_meter", "is_installed"), "boolean"),
    "unreadable": "array<string>",
    "business_date": "date",
}
KINDS = {c.name: c.type.simpleString() for c in CHANNEL_DAYS.columns if c.name != "flags"} | BESIDE
GOOD = {
    "meter_id": "'m'", "read_date": "DATE'2025-06-01'", "business_date": "DATE'2025-06-01'", "channel": "'export'",
    "is_known_meter": "true", "is_installed": "true", "measured_count": "90", "estimated_count": "6",
    "missing_count": "0", "negative_count": "0", "conflict_count": "0", "unreadable": "array()",
}  # fmt: skip
BROKEN = {
    "CH-00": {"unreadable": "array('value')"},
    "CH-01": {"meter_id": "NULL"},
    "CH-02": {"read_date": "NULL"},
    "CH-03": {"read_date": "DATE'2025-06-02'"},
    "CH-04": {"is_known_meter": "false"},
    "CH-05": {"is_installed": "false"},
    "CH-06": {"channel": "'total'", "negative_count": "1"},
    "CH-07": {"channel": "'import'"},
    "CH-08": {"missing_count": "1"},
    "CH-09": {"measured_count": "0", "estimated_count": "0"},
    "CH-28": {"conflict_count": "1"},
}
ALSO = {
    "no channel": ({"channel": "NULL"}, ["CH-07"]),
    "negative reactive energy": ({"channel": "'reactive_import'", "negative_count": "1"}, ["CH-06"]),
    "what was netted may be negative": ({"channel": "'net'", "negative_count": "1"}, []),
    **{name: ({"channel": f"'{name}'"}, []) for name in CHANNELS},
}


def test_each_rule_is_broken_by_its_row_alone(spark: SparkSession) -> None:
    wanted = {**{rule: [rule] for rule in BROKEN}, **{name: rules for name, (_, rules) in ALSO.items()}}
    changed = {**BROKEN, **{name: changes for name, (changes, _) in ALSO.items()}}
    judged = with_broken_rules(rows_like(spark, KINDS, GOOD, changed), CHANNEL_DAYS_SUITE).collect()
    assert {row.row_name: [*row.broken_rules, *row.flags] for row in judged} == wanted
    # of two values in one delivery tell the rows of a key together: tests/jobs/test_channel_days.py
    assert BROKEN.keys() == {rule.id for rule in CHANNEL_DAYS_SUITE.row_rules()}
