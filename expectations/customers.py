"""What must be true of customers and metering points."""

from expectations.common import present, readable
from expectations.rule import Rule, Suite

CUSTOMERS_SUITE = Suite(
    "core.customers",
    (
        readable("CU"),
        present("CU-01", "customer_key", "a customer without a number cannot be told apart"),
        present("CU-02", "valid_from", "the row must say from when it holds"),
        present("CU-03", "usage_class", "price and segment depend on the usage class"),
        Rule("CU-04", "contract_capacity_kva > 0", "a contract has a capacity above zero", severity="warn"),
        Rule("CU-05", "tariff_code IS NOT NULL", "a bill cannot be checked without a tariff", severity="warn"),
    ),
)

METERING_POINTS_SUITE = Suite(
    "core.metering_points",
    (
        readable("MP"),
        present("MP-01", "point_id", "a point without a number cannot be told apart"),
        present("MP-02", "installed_from", "the row must say from when the meter is installed"),
        present("MP-03", "meter_id", "a point without a meter measures nothing"),
        Rule(
            "MP-04",
            "coalesce(point_kind, 'customer') <> 'customer' OR customer_key IS NOT NULL",
            "a point belongs to a customer, unless it is the meter of a district or a channel of no use",
        ),
        Rule("MP-05", "multiplier > 0 AND multiplier <= 100000", "a CT x PT ratio lies between 0 and 100,000"),
        Rule("MP-06", "installed_to > installed_from", "a meter is not removed before it was installed"),
        Rule("MP-07", "district_id IS NOT NULL", "losses are balanced by transformer district", severity="warn"),
        Rule(
            "MP-08",
            "coalesce(point_kind, 'customer') <> 'district' OR district_id IS NOT NULL",
            "the meter of a district names its district",
        ),
    ),
)
