"""What must be true of a register reading."""

from expectations.common import present, readable
from expectations.rule import Rule, Suite

REGISTER_READINGS_SUITE = Suite(
    "core.register_readings",
    (
        readable("RR"),
        present("RR-01", "meter_id", "a reading without a meter belongs to nobody"),
        present("RR-02", "read_date", "a reading without a date cannot be placed"),
        Rule("RR-03", "coalesce(reading_kwh, day_kwh) IS NOT NULL", "the row holds no value"),
        Rule("RR-04", "reading_kwh >= 0", "a dial cannot be below zero"),
        Rule("RR-05", "read_date <= business_date", "a reading of a day that had not ended when it was delivered"),
    ),
)
