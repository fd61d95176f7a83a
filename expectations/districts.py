"""What must be true of the balance of a district, and of the breaks of level which it helps to find."""

from expectations.common import present
from expectations.features import unique
from expectations.rule import Rule, Suite

_CLOSE = "0.00001"

DISTRICT_DAYS_SUITE = Suite(
    "features.district_days",
    (
        unique("DD-00", "balance_date", "district_id"),
        present("DD-01", "district_id", "a balance without a district is of nothing"),
        present("DD-02", "balance_date", "a balance without a date cannot be placed"),
        Rule(
            "DD-03",
            "abs(supplied_kwh - counted_kwh - loss_kwh) <= 0.00001 + 0.000000001 * abs(supplied_kwh)",
            "what is supplied is counted or lost",
        ),
        Rule(
            "DD-04",
            "unknown_count = 0 OR loss_kwh IS NULL",
            "with a meter unknown its energy would pass for lost",
        ),
        Rule(
            "DD-05",
            "measured_count + estimated_count + unknown_count = point_count",
            "each meter is measured, estimated or unknown",
        ),
        Rule("DD-06", f"estimated_share >= -{_CLOSE}", "no energy is estimated below none"),
        Rule(
            "DD-07",
            "verdict IN ('ok', 'jump', 'high_loss', 'negative_loss', 'not_told')",
            "no other verdict is known",
        ),
        Rule(
            "DD-08",
            "(verdict = 'jump') = (explained_by IS NOT NULL)",
            "meters explain a jump, be it none of them, and nothing else",
        ),
        Rule("DD-09", "size(explained_by) <= 5", "a list to inspect is short"),
        Rule(
            "DD-10",
            "size(hourly_supplied_kwh) = 24 AND size(hourly_counted_kwh) = 24 AND size(hourly_doubtful_kwh) = 24",
            "a clock has 24 hours, also where a date has 23 or 25",
        ),
        Rule(
            "DD-11",
            "verdict <> 'jump'",
            "the loss of a district left its own past: theft, a wrong multiplier or a customer of another district",
            severity="warn",
        ),
        Rule("DD-12", "verdict <> 'high_loss'", "a tenth and more of the supply is lost", severity="warn"),
        Rule(
            "DD-13",
            "verdict <> 'negative_loss'",
            "customers count more than was supplied: roofs feed in, or a multiplier is wrong",
            severity="warn",
        ),
        Rule("DD-14", "verdict <> 'not_told'", "too little is known of the meters for a balance", severity="warn"),
    ),
)

METER_LEVELS_SUITE = Suite(
    "features.meter_levels",
    (
        unique("ML-00", "since", "meter_id"),
        present("ML-01", "meter_id", "a break without a meter is nobody's"),
        present("ML-02", "since", "a break without a date cannot be compared with the master data"),
        Rule("ML-03", "ratio > 0 AND ratio IS NOT NULL", "levels of energy are above zero"),
        Rule("ML-04", "whole_factor = 0 OR abs(whole_factor) >= 2", "a factor of one is no break"),
        Rule("ML-05", "confidence BETWEEN 0 AND 1", "confidence is a share"),
        Rule(
            "ML-06",
            "is_explained = false OR multiplier <> multiplier_before",
            "only another multiplier explains another level",
        ),
        Rule(
            "MD-26",
            "NOT (NOT is_explained AND (whole_factor <> 0 AND coalesce(is_confirmed, true) "
            "OR ratio > 1 AND coalesce(is_confirmed, false)))",
            "the level jumps by a whole factor, or above what flows, and the master data stay: a multiplier is wrong",
            severity="warn",
        ),
        Rule(
            "MD-27",
            "NOT (whole_factor = 0 AND ratio < 1 AND NOT is_explained AND coalesce(is_confirmed, false))",
            "the level falls to a constant share while the district's loss rises by as much: energy is drawn past it",
            severity="warn",
        ),
    ),
)
