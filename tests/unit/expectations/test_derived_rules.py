"""Every rule of what is derived and published has a row that breaks it, and a good row breaks none."""

import pytest
from pyspark.sql import DataFrame, SparkSession

from expectations.districts import DISTRICT_DAYS_SUITE, METER_LEVELS_SUITE
from expectations.features import (
    AREA_LOADS_SUITE,
    CUSTOMER_DAYS_SUITE,
    CUSTOMER_MONTHS_SUITE,
    SEGMENT_SCORES_SUITE,
    USAGE_FORECASTS_SUITE,
)
from expectations.mart import (
    CUSTOMER_FORECASTS_SUITE,
    CUSTOMER_PROFILES_SUITE,
    CUSTOMER_SCORES_SUITE,
    PUBLICATIONS_SUITE,
)
from expectations.rule import Suite
from jobs.runtime.quality import broken_batch_rules, with_broken_rules
from schemas import TABLES
from tests.frames import rows_like

# what a suite judges beside the columns of its table
BESIDE = {"mart.publications": "forecasts_made int, customers_known int"}

# suite -> a good row, in SQL by column
GOOD: dict[Suite, dict[str, str]] = {
    CUSTOMER_DAYS_SUITE: {
        "customer_key": "'c'", "usage_date": "DATE'2025-06-01'", "available_at": "TIMESTAMP'2025-06-02 00:00:00'",
        "completeness": "1", "estimated_share": "0.5", "kwh": "10", "kwh_sharp": "1", "kwh_peak": "2", "kwh_flat": "3",
        "kwh_valley": "4", "load_factor": "0.5", "hourly_kwh": "array_repeat(1, 24)", "sum_check": "'ok'",
        "flags": "array()",
    },
    CUSTOMER_MONTHS_SUITE: {
        "customer_key": "'c'", "month": "'2025-06'", "available_at": "TIMESTAMP'2025-06-02 00:00:00'",
        "completeness": "1", "estimated_share": "0", "days_known": "30", "kwh": "300", "bill_count": "1",
        "bill_yuan": "100", "paid_yuan": "50", "satisfaction_mean": "4.5",
    },
    AREA_LOADS_SUITE: {
        "area_level": "'district'", "area_id": "'D'", "load_date": "DATE'2025-06-01'", "kwh": "array(1D, 0D)",
        "coverage": "array(1D, 0.95D)",
    },
    DISTRICT_DAYS_SUITE: {
        "district_id": "'D'", "balance_date": "DATE'2025-06-01'", "supplied_kwh": "100", "counted_kwh": "96",
        "loss_kwh": "4", "point_count": "3", "measured_count": "2", "estimated_count": "1", "unknown_count": "0",
        "estimated_share": "0.01", "verdict": "'ok'", "hourly_supplied_kwh": "array_repeat(4D, 24)",
        "hourly_counted_kwh": "array_repeat(3.8D, 24)", "hourly_doubtful_kwh": "array_repeat(0D, 24)",
    },
    METER_LEVELS_SUITE: {
        "meter_id": "'m'", "since": "DATE'2025-06-01'", "ratio": "1.01", "own_ratio": "1.01", "multiplier": "60",
        "multiplier_before": "20", "whole_factor": "-3", "is_explained": "true", "confidence": "0.9",
    },
    SEGMENT_SCORES_SUITE: {
        "customer_key": "'c'", "as_of_date": "DATE'2025-06-01'", "segment_id": "1", "margin": "0.5",
        "sufficiency": "'sufficient'", "model_version": "'segments/1'",
    },
    USAGE_FORECASTS_SUITE: {
        "customer_key": "'c'", "origin_date": "DATE'2025-06-01'", "forecast_date": "DATE'2025-06-02'", "p10_kwh": "1",
        "p50_kwh": "2", "p90_kwh": "3", "sufficiency": "'partial'", "model_version": "'usage_forecast/1'",
    },
    CUSTOMER_SCORES_SUITE: {
        "customer_key": "'c'", "as_of_date": "DATE'2025-06-01'", "segment_id": "1", "next_14d_p10_kwh": "1",
        "next_14d_p50_kwh": "2", "next_14d_p90_kwh": "3", "sufficiency": "'sufficient'", "reasons": "array('NEW')",
        "completeness": "1", "estimated_share": "0", "segment_model_version": "'segments/1'",
        "forecast_model_version": "'usage_forecast/1'", "data_as_of": "TIMESTAMP'2025-06-02 00:00:00'",
    },
    CUSTOMER_FORECASTS_SUITE: {
        "customer_key": "'c'", "origin_date": "DATE'2025-06-01'", "forecast_date": "DATE'2025-06-02'", "p10_kwh": "1",
        "p50_kwh": "2", "p90_kwh": "3", "model_version": "'usage_forecast/1'",
    },
    CUSTOMER_PROFILES_SUITE: {
        "customer_key": "'c'", "as_of_date": "DATE'2025-06-01'", "completeness_30d": "1", "estimated_share_30d": "0",
        "valley_share_30d": "0.5", "tier_no": "1", "arrears_yuan": "0", "complaint_count_12m": "1",
        "contact_count_12m": "2", "kwh_30d": "10", "kwh_365d": "100",
    },
    PUBLICATIONS_SUITE: {
        "as_of_date": "DATE'2025-06-01'", "forecasts_made": "28", "customers_known": "2",
        "table_rows": "map('mart.customer_scores', 2, 'mart.customer_profiles', 2, 'mart.customer_forecasts', 28)",
    },
}  # fmt: skip

# row rule -> what to change in the good row so that it breaks this rule
BREAKS: dict[str, dict[str, str]] = {
    "CD-01": {"customer_key": "NULL"},
    "CD-02": {"usage_date": "NULL"},
    "CD-03": {"available_at": "NULL"},
    "CD-04": {"completeness": "1.5"},
    "CD-05": {"completeness": "0.5", "estimated_share": "0.6"},
    "CD-06": {"kwh": "NULL"},
    "CD-07": {"kwh_peak": "2.1"},
    "CD-08": {"load_factor": "1.1"},
    "CD-09": {"hourly_kwh": "array_repeat(1, 23)"},
    "CD-10": {"sum_check": "'maybe'"},
    "CD-11": {"kwh": "-10"},
    "CD-12": {"sum_check": "'failed'"},
    "CD-13": {"completeness": "0.99"},
    "CD-14": {"flags": "array('point_without_curve')"},
    "CM-01": {"customer_key": "NULL"},
    "CM-02": {"month": "'2025-13'"},
    "CM-03": {"available_at": "NULL"},
    "CM-04": {"completeness": "-0.1"},
    "CM-05": {"estimated_share": "1.1"},
    "CM-06": {"days_known": "32"},
    "CM-07": {"days_known": "0"},
    "CM-08": {"bill_count": "0"},
    "CM-09": {"satisfaction_mean": "0"},
    "CM-10": {"paid_yuan": "101"},
    "AL-01": {"area_level": "'street'"},
    "AL-02": {"area_id": "NULL"},
    "AL-03": {"coverage": "array(1D)"},
    "AL-04": {"coverage": "array(1D, 1.1D)"},
    "AL-05": {"coverage": "array(1D, 0D)"},
    "AL-06": {"coverage": "array(1D, 0.5D)"},
    "DD-01": {"district_id": "NULL"},
    "DD-02": {"balance_date": "NULL"},
    "DD-03": {"loss_kwh": "5"},
    "DD-04": {"measured_count": "1", "unknown_count": "1"},
    "DD-05": {"point_count": "4"},
    "DD-06": {"estimated_share": "-0.1"},
    "DD-07": {"verdict": "'maybe'"},
    "DD-08": {"explained_by": "array()"},
    "DD-09": {"verdict": "'jump'", "explained_by": "array_repeat(named_struct('m', 'm', 'k', 1D, 's', 1D), 6)"},
    "DD-10": {"hourly_counted_kwh": "array_repeat(3.8D, 25)"},
    "DD-11": {"verdict": "'jump'", "explained_by": "array()"},
    "DD-12": {"verdict": "'high_loss'"},
    "DD-13": {"verdict": "'negative_loss'"},
    "DD-14": {"verdict": "'not_told'"},
    "ML-01": {"meter_id": "NULL"},
    "ML-02": {"since": "NULL"},
    "ML-03": {"ratio": "0"},
    "ML-04": {"whole_factor": "1"},
    "ML-05": {"confidence": "1.1"},
    "ML-06": {"multiplier_before": "60"},
    "MD-26": {"is_explained": "false", "is_confirmed": "true", "ratio": "0.333"},
    "MD-27": {
        "is_explained": "false",
        "is_confirmed": "true",
        "whole_factor": "0",
        "ratio": "0.4",
    },
    "SS-01": {"customer_key": "NULL"},
    "SS-02": {"model_version": "NULL"},
    "SS-03": {"sufficiency": "'plenty'"},
    "SS-04": {"segment_id": "NULL"},
    "SS-05": {"margin": "2"},
    "UF-01": {"customer_key": "NULL"},
    "UF-02": {"model_version": "NULL"},
    "UF-03": {"forecast_date": "DATE'2025-06-01'"},
    "UF-04": {"p10_kwh": "5"},
    "UF-05": {"p10_kwh": "-1"},
    "UF-06": {"sufficiency": "'plenty'"},
    "UF-07": {"p50_kwh": "NULL"},
    "CS-03": {"customer_key": "NULL"},
    "CS-04": {"next_14d_p10_kwh": "5"},
    "CS-05": {"sufficiency": "'plenty'"},
    "CS-06": {"sufficiency": "'not_enough_data'"},
    "CS-07": {"reasons": "array()"},
    "CS-08": {"completeness": "2"},
    "CS-09": {"estimated_share": "-1"},
    "CS-10": {"segment_model_version": "NULL"},
    "CS-11": {"data_as_of": "NULL"},
    "CF-01": {"customer_key": "NULL"},
    "CF-02": {"model_version": "NULL"},
    "CF-03": {"forecast_date": "DATE'2025-05-01'"},
    "CF-04": {"p90_kwh": "0"},
    "CP-02": {"customer_key": "NULL"},
    "CP-03": {"completeness_30d": "2"},
    "CP-04": {"estimated_share_30d": "2"},
    "CP-05": {"valley_share_30d": "2"},
    "CP-06": {"tier_no": "0"},
    "CP-07": {"arrears_yuan": "-1"},
    "CP-08": {"complaint_count_12m": "3"},
    "CP-09": {"kwh_365d": "9"},
    "PU-01": {"table_rows": "map('mart.customer_scores', 2, 'mart.customer_profiles', 1)"},
    "PU-02": {"forecasts_made": "14"},
    "PU-03": {"customers_known": "3"},
    "PU-04": {"table_rows": "map('mart.customer_scores', 0)"},
}

# batch rule -> the rows of a batch which breaks it, each as a change of the good row
BREAKS_BATCH: dict[str, list[dict[str, str]]] = {
    **{f"{prefix}-00": [{}, {}] for prefix in ("CD", "CM", "AL", "DD", "ML", "SS", "UF", "CS", "CF", "CP")},
    "CS-02": [],
    "CS-12": [{"sufficiency": "'not_enough_data'"}],
    "CF-05": [{}, {"model_version": "'usage_forecast/2'", "forecast_date": "DATE'2025-06-03'"}],
    "CF-06": [],
    "CP-01": [],
}

SUITES = tuple(GOOD)


def frame_of(spark: SparkSession, suite: Suite, rows: dict[str, dict[str, str]]) -> DataFrame:
    """A row for each name: the good row with some columns changed."""
    kinds = {f.name: f.dataType.simpleString() for f in TABLES[suite.table].struct}
    kinds |= dict(column.split() for column in BESIDE.get(suite.table, "").split(", ") if column)
    return rows_like(spark, kinds, GOOD[suite], rows)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.table)
def test_every_row_rule_is_broken_by_its_row_and_by_no_good_one(spark: SparkSession, suite: Suite) -> None:
    ids = [rule.id for rule in suite.row_rules()]
    rows = frame_of(spark, suite, {"good": {}, **{rule_id: BREAKS[rule_id] for rule_id in ids}})
    judged = with_broken_rules(rows, suite, "_errors", "_warns").select("row_name", "_errors", "_warns").collect()
    broken = {row.row_name: {*row["_errors"], *row["_warns"]} for row in judged}
    assert broken.pop("good") == set()
    assert {name for name, found in broken.items() if name not in found} == set()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.table)
def test_every_batch_rule_is_broken_by_its_batch_and_by_no_good_one(spark: SparkSession, suite: Suite) -> None:
    good = frame_of(spark, suite, {"good": {}})
    assert broken_batch_rules(good, suite) == []
    for rule in suite.batch_rules():
        changes = BREAKS_BATCH[rule.id]
        drawn = {str(number): change for number, change in enumerate(changes)}
        rows = frame_of(spark, suite, drawn) if drawn else good.limit(0)
        assert rule in broken_batch_rules(rows, suite), rule.id


def test_no_id_is_used_twice() -> None:
    ids = [rule.id for suite in SUITES for rule in suite.rules]
    assert len(ids) == len(set(ids))
