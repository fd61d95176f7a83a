"""A rerun changes nothing (law 2), and nothing is lost (law 1)."""

from schemas.mart import CUSTOMER_FORECASTS, CUSTOMER_PROFILES, CUSTOMER_SCORES, PUBLICATIONS
from schemas.ops import CONSUMPTIONS, DELIVERIES, RECONCILIATION
from tests.province import BUILD, FIRST_DAY, INGEST, PUBLISH, SCORE, SECOND_DAY, Site


def test_every_job_again_for_the_same_date_leaves_the_same_rows(province: Site) -> None:
    layers = ("core", "features", "mart", "quarantine", "vault", "ops")
    before = province.fingerprints(*layers)
    assert before["ops.rule_results"][0] > 200
    assert before["mart.customer_scores"][0] > 200
    for job in (*INGEST, *BUILD, *SCORE, *PUBLISH):
        province.run(job, SECOND_DAY)
    assert province.fingerprints(*layers) == before


def test_features_made_again_from_scratch_are_those_made_day_by_day(province: Site) -> None:
    before = province.fingerprints("features")
    books = province.context("look", SECOND_DAY).books
    table = books.path(CONSUMPTIONS)
    aside = table.with_name("consumptions_aside")
    table.rename(aside)
    try:
        for job in BUILD:
            province.run(job, SECOND_DAY)
    finally:
        import shutil

        shutil.rmtree(table, ignore_errors=True)
        aside.rename(table)
    after = province.fingerprints("features")
    for name in ("features.customer_days", "features.customer_months", "features.area_loads", "features.district_days"):
        assert after[name] == before[name], name


def test_rows_of_every_delivery_add_up(province: Site) -> None:
    books = province.context("look", SECOND_DAY).books
    deliveries = books.read(DELIVERIES)
    reconciled = {(row["feed"], row["delivery_id"]): row for row in books.read(RECONCILIATION)}
    assert len(deliveries) >= 16
    for delivery in deliveries:
        row = reconciled[delivery["feed"], delivery["delivery_id"]]
        parts = ("accepted", "superseding", "duplicate", "quarantined")
        assert row["rows_read"] == sum(row[f"rows_{part}"] for part in parts)


def test_a_publication_is_whole_and_names_what_it_rests_on(province: Site) -> None:
    lake = province.context("look", SECOND_DAY).lake
    announced = {row.as_of_date: row for row in lake.read(PUBLICATIONS).collect()}
    assert set(announced) == {FIRST_DAY, SECOND_DAY}
    scores = lake.read(CUSTOMER_SCORES).where(f"as_of_date = DATE'{SECOND_DAY}'")
    profiles = lake.read(CUSTOMER_PROFILES).where(f"as_of_date = DATE'{SECOND_DAY}'")
    forecasts = lake.read(CUSTOMER_FORECASTS).where(f"origin_date = DATE'{SECOND_DAY}'")
    assert scores.count() == profiles.count() == scores.select("customer_key").distinct().count()
    assert forecasts.where("p10_kwh > p50_kwh OR p50_kwh > p90_kwh").isEmpty()
    told = scores.where("sufficiency <> 'not_enough_data'")
    assert told.count() > 100
    assert told.where("forecast_model_version IS NULL OR data_as_of IS NULL").isEmpty()
    assert scores.where("size(reasons) = 0").isEmpty()
