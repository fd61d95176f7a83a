"""What must be true of what is derived. A broken error rule stops the job: derived rows cannot be put in quarantine."""

from expectations.common import present
from expectations.rule import FIRST_RELEASE, Rule, Suite

# derived numbers are rounded to six decimals
_CLOSE = "0.00001"


def _share(rule_id: str, column: str) -> Rule:
    return Rule(rule_id, f"{column} BETWEEN 0 AND 1", f"{column} is a share of intervals")


def unique(rule_id: str, *key: str, since: str = FIRST_RELEASE) -> Rule:
    """No two rows have the same key."""
    names = ", ".join(key)
    return Rule(
        rule_id,
        f"count(*) = count(DISTINCT {names})",
        f"two rows of one key ({names}): whoever joins the table counts twice",
        scope="batch",
        since=since,
    )


CUSTOMER_DAYS_SUITE = Suite(
    "features.customer_days",
    (
        unique("CD-00", "usage_date", "customer_key"),
        present("CD-01", "customer_key", "a day without a customer is nobody's"),
        present("CD-02", "usage_date", "a day without a date cannot be placed"),
        present("CD-03", "available_at", "without it a back-test cannot tell whether the day was known"),
        _share("CD-04", "completeness"),
        Rule("CD-05", f"estimated_share BETWEEN 0 AND completeness + {_CLOSE}", "an estimated interval is a known one"),
        Rule("CD-06", "(kwh IS NULL) = (completeness = 0)", "what is not known is null, and null is not known"),
        Rule(
            "CD-07",
            "abs(kwh_sharp + kwh_peak + kwh_flat + kwh_valley - kwh) <= 0.00001 + 0.000000001 * abs(kwh)",
            "the periods are the whole day",
        ),
        Rule("CD-08", f"load_factor <= 1 + {_CLOSE}", "mean power cannot exceed peak power"),
        Rule("CD-09", "size(hourly_kwh) = 24", "a clock has 24 hours, also where a date has 23 or 25"),
        Rule("CD-10", "sum_check IN ('ok', 'failed', 'not_checked')", "no other outcome is known"),
        Rule("CD-11", "kwh >= 0", "energy drawn is negative: an export channel in the feed?", severity="warn"),
        Rule("CD-12", "sum_check <> 'failed'", "intervals and registers disagree: to be looked at", severity="warn"),
        Rule("CD-13", "completeness >= 1", "intervals of the day are missing", severity="warn"),
        Rule(
            "CD-14",
            "NOT array_contains(flags, 'point_without_curve')",
            "a metering point of the customer sent nothing, which leaves the customer's total unknown",
            severity="warn",
        ),
    ),
)

CUSTOMER_MONTHS_SUITE = Suite(
    "features.customer_months",
    (
        unique("CM-00", "month", "customer_key"),
        present("CM-01", "customer_key", "a month without a customer is nobody's"),
        Rule("CM-02", "month RLIKE '^[0-9]{4}-(0[1-9]|1[0-2])$'", "a month is written YYYY-MM"),
        present("CM-03", "available_at", "without it a back-test cannot tell whether the month was known"),
        _share("CM-04", "completeness"),
        Rule("CM-05", f"estimated_share BETWEEN 0 AND completeness + {_CLOSE}", "an estimated interval is a known one"),
        Rule("CM-06", "days_known BETWEEN 0 AND 31", "no month is longer"),
        Rule("CM-07", "(kwh IS NULL) = (days_known = 0)", "what is not known is null, and null is not known"),
        Rule("CM-08", "bill_count > 0 OR bill_yuan IS NULL", "an amount comes from a bill"),
        Rule("CM-09", "satisfaction_mean BETWEEN 1 AND 5", "return visits are scored from 1 to 5"),
        Rule(
            "CM-10",
            "paid_yuan <= bill_yuan",
            "more was paid than billed: a bill cancelled after payment, or paid twice",
            severity="warn",
        ),
    ),
)

AREA_LOADS_SUITE = Suite(
    "features.area_loads",
    (
        unique("AL-00", "load_date", "area_level", "area_id"),
        Rule(
            "AL-01",
            "area_level IN ('province', 'prefecture', 'county', 'feeder', 'district')",
            "the hierarchy has no other level",
        ),
        present("AL-02", "area_id", "a load without an area cannot be placed"),
        Rule("AL-03", "size(kwh) = size(coverage)", "each interval has its coverage"),
        Rule("AL-04", "forall(coverage, c -> c BETWEEN 0 AND 1)", "coverage is a share of meters"),
        Rule(
            "AL-05",
            "forall(arrays_zip(kwh, coverage), i -> (i.kwh IS NULL) = (i.coverage = 0))",
            "what no meter knows is null and not zero",
        ),
        Rule(
            "AL-06",
            "array_min(coverage) >= 0.9",
            "a tenth of the meters is missing in an interval: the sum is that much too low",
            severity="warn",
        ),
    ),
)

SEGMENT_SCORES_SUITE = Suite(
    "features.segment_scores",
    (
        unique("SS-00", "as_of_date", "customer_key"),
        present("SS-01", "customer_key", "a score without a customer is nobody's"),
        present("SS-02", "model_version", "a score must name the model that made it"),
        Rule("SS-03", "sufficiency IN ('sufficient', 'partial', 'not_enough_data')", "no other word is known"),
        Rule(
            "SS-04",
            "(segment_id IS NULL) = (sufficiency = 'not_enough_data')",
            "a segment where there are not enough data, or none where there are",
        ),
        Rule("SS-05", "margin BETWEEN 0 AND 1", "the margin runs from the border to the centre"),
    ),
)

USAGE_FORECASTS_SUITE = Suite(
    "features.usage_forecasts",
    (
        unique("UF-00", "origin_date", "customer_key", "forecast_date"),
        present("UF-01", "customer_key", "a forecast without a customer is nobody's"),
        present("UF-02", "model_version", "a forecast must name the model that made it"),
        Rule("UF-03", "forecast_date > origin_date", "a forecast is of a date to come"),
        Rule("UF-04", "p10_kwh <= p50_kwh AND p50_kwh <= p90_kwh", "quantiles must be in order"),
        Rule("UF-05", "p10_kwh >= 0", "a customer who only draws energy cannot use less than none", severity="warn"),
        Rule("UF-06", "sufficiency IN ('sufficient', 'partial', 'not_enough_data')", "no other word is known"),
        Rule(
            "UF-07",
            "p50_kwh IS NOT NULL OR sufficiency = 'not_enough_data'",
            "no number where there are enough data",
        ),
    ),
)
