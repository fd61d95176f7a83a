"""What must be true of what others read. A publication that breaks an error rule does not take place."""

from expectations.common import present
from expectations.features import unique
from expectations.rule import Rule, Suite

CUSTOMER_SCORES_SUITE = Suite(
    "mart.customer_scores",
    (
        unique("CS-00", "as_of_date", "customer_key"),
        Rule("CS-02", "count(*) > 0", "no customer is known on the date: nothing to publish", scope="batch"),
        present("CS-03", "customer_key", "a score without a customer is nobody's"),
        Rule(
            "CS-04",
            "next_14d_p10_kwh <= next_14d_p50_kwh AND next_14d_p50_kwh <= next_14d_p90_kwh",
            "quantiles must be in order",
        ),
        Rule("CS-05", "sufficiency IN ('sufficient', 'partial', 'not_enough_data')", "no other word is known"),
        Rule(
            "CS-06",
            "(segment_id IS NULL AND next_14d_p50_kwh IS NULL) = (sufficiency = 'not_enough_data')",
            "whoever has no score has not enough data, and the other way round",
        ),
        Rule("CS-07", "size(reasons) > 0", "a score says why it is as it is, or why there is none"),
        Rule("CS-08", "completeness BETWEEN 0 AND 1", "completeness is a share of intervals"),
        Rule("CS-09", "estimated_share BETWEEN 0 AND 1", "the estimated share is a share of intervals"),
        Rule(
            "CS-10",
            "(segment_id IS NULL OR segment_model_version IS NOT NULL) "
            "AND (next_14d_p50_kwh IS NULL OR forecast_model_version IS NOT NULL)",
            "a score must name the model that made it",
        ),
        present("CS-11", "data_as_of", "a score says how fresh its data are"),
        Rule(
            "CS-12",
            "count_if(sufficiency = 'not_enough_data') <= 0.5 * count(*)",
            "most customers have not enough data: readings or a champion are missing",
            severity="warn",
            scope="batch",
        ),
    ),
)

CUSTOMER_FORECASTS_SUITE = Suite(
    "mart.customer_forecasts",
    (
        unique("CF-00", "origin_date", "customer_key", "forecast_date"),
        present("CF-01", "customer_key", "a forecast without a customer is nobody's"),
        present("CF-02", "model_version", "a forecast must name the model that made it"),
        Rule("CF-03", "forecast_date > origin_date", "a forecast is of a date to come"),
        Rule("CF-04", "p10_kwh <= p50_kwh AND p50_kwh <= p90_kwh", "quantiles must be in order"),
        Rule("CF-05", "count(DISTINCT model_version) <= 1", "one champion makes a publication", scope="batch"),
        Rule(
            "CF-06",
            "count(*) > 0",
            "no forecast was made for the date: is there a champion, and did score_usage_forecast run?",
            severity="warn",
            scope="batch",
        ),
    ),
)

CUSTOMER_PROFILES_SUITE = Suite(
    "mart.customer_profiles",
    (
        unique("CP-00", "as_of_date", "customer_key"),
        Rule("CP-01", "count(*) > 0", "no customer is known on the date: nothing to publish", scope="batch"),
        present("CP-02", "customer_key", "a profile without a customer is nobody's"),
        Rule("CP-03", "completeness_30d BETWEEN 0 AND 1", "completeness is a share of intervals"),
        Rule("CP-04", "estimated_share_30d BETWEEN 0 AND 1", "the estimated share is a share of intervals"),
        Rule("CP-05", "valley_share_30d BETWEEN 0 AND 1", "a share of the energy"),
        Rule("CP-06", "tier_no >= 1", "the first step begins at nothing"),
        Rule("CP-07", "arrears_yuan >= 0", "what is owed cannot be less than nothing"),
        Rule("CP-08", "complaint_count_12m <= contact_count_12m", "a complaint is a contact"),
        Rule(
            "CP-09",
            "kwh_365d >= kwh_30d - 0.001",
            "the last 30 days are part of the last 365: build_customer_months is behind build_customer_days",
            severity="warn",
        ),
    ),
)

PUBLICATIONS_SUITE = Suite(
    "mart.publications",
    (
        Rule(
            "PU-01",
            "table_rows['mart.customer_profiles'] = table_rows['mart.customer_scores']",
            "profiles and scores of the date are not of the same customers: which is a defect of the job",
        ),
        Rule(
            "PU-02",
            "table_rows['mart.customer_forecasts'] = forecasts_made",
            "forecasts made for the date are left out of the publication",
        ),
        Rule(
            "PU-03",
            "table_rows['mart.customer_scores'] = customers_known",
            "every customer known on the date has a score, also without data",
        ),
        Rule("PU-04", "table_rows['mart.customer_scores'] > 0", "nothing to publish"),
    ),
)
