"""What must be true of a day of a channel beside import: as of a meter day, and which channels there are."""

from expectations.common import present, readable
from expectations.rule import Rule, Suite
from schemas.channel_days import CHANNELS

_KNOWN = ", ".join(f"'{name}'" for name in CHANNELS)

CHANNEL_DAYS_SUITE = Suite(
    "core.channel_days",
    (
        readable("CH"),
        present("CH-01", "meter_id", "a curve without a meter belongs to nobody"),
        present("CH-02", "read_date", "a curve without a date cannot be placed"),
        Rule("CH-03", "read_date <= business_date", "a reading of a day that had not ended when it was delivered"),
        Rule("CH-04", "is_known_meter", "no metering point has ever had this meter: load master data, then replay"),
        Rule("CH-05", "is_installed", "the meter is not installed anywhere on that date", severity="warn"),
        Rule(
            "CH-06",
            "channel = 'net' OR negative_count = 0",
            "what a register of one direction counts cannot be negative; only what was netted can",
        ),
        Rule(
            "CH-07",
            f"channel IS NOT NULL AND channel IN ({_KNOWN})",
            "no channel that is kept beside import; import is in core.meter_days",
        ),
        Rule("CH-08", "missing_count = 0", "intervals of the day are missing", severity="warn"),
        Rule("CH-09", "measured_count + estimated_count > 0", "the day holds no value at all", severity="warn"),
        Rule(
            "CH-20",
            "values_count = 1",
            "the delivery says two things of the day; the last of its rows is taken",
            severity="warn",
            scope="key",
        ),
        Rule(
            "CH-28",
            "conflict_count = 0",
            "an interval of the day came with two values; the last of them is taken",
            severity="warn",
        ),
    ),
)
