"""What must be true of a meter day beside its registers, its neighbours and its own past.

The evidence is made by `kernels/day_checks.py`. A contradiction between intervals and registers has many causes, and a
day is given one of them: the rules are ordered from the most telling pattern to the least, and each holds where one
before it explains the day (`PATTERNS`). What is flagged is not refused: estimation replaces the intervals which the
flags condemn.
"""

from expectations.rule import Rule, Suite

# six hours
_LONG = 360

_FAILED = "sum_verdict = -1"
_DOUBTED = "(sum_verdict = -1 OR periods_verdict = -1)"
# without registers a pattern must be unlike anything in the meter's past
_UNTOLD = "sum_verdict = 0 AND dial_out_of_line = 0 AND known_count > 0"

# What a day looks like, a Boolean column each (null counts as false), in the order in which they are worked out: each
# may name those before it.
PATTERNS: tuple[tuple[str, str], ...] = (
    ("is_in_kw", "whole_factor * interval_minutes = 60"),
    # a single interval or a long run of one value can make a whole factor by chance
    (
        "is_by_a_factor",
        f"whole_factor <> 0 AND NOT is_in_kw AND longest_constant_count * interval_minutes < {_LONG} "
        f"AND NOT (longest_zero_count * interval_minutes >= {_LONG} AND sum_gap_kwh < 0) "
        "AND NOT (peak_count = 1 AND peak_kwh > 8 * second_kwh)",
    ),
    ("is_exchanged", "is_swapped"),
    ("is_of_another", "is_twin AND sum_verdict <> 1"),
    ("is_wrong_whole", "is_in_kw OR is_by_a_factor OR is_exchanged OR is_of_another"),
    (
        "is_stuck",
        # a total that agrees says little of values which are all the same: it is right by chance
        f"longest_constant_count * interval_minutes >= {_LONG} AND NOT is_wrong_whole AND ({_DOUBTED} "
        "OR longest_constant_count > 1.5 * usual_constant_run)",
    ),
    (
        "is_filled_with_zeros",
        f"longest_zero_count * interval_minutes >= {_LONG} AND NOT is_wrong_whole AND NOT is_stuck AND "
        # a meter which is zero for as long on a usual day, all its zeros taken together, may be so again
        f"(({_FAILED} AND sum_gap_kwh < 0 AND longest_zero_count > coalesce(usual_zero_share, 0) * expected_count) "
        f"OR ({_UNTOLD} AND known_kwh > 0 AND longest_zero_count > 1.5 * usual_zero_run))",
    ),
    (
        # leaving the peak out, the registers say for it what the rest of the date could also have
        "is_peak_false",
        f"({_FAILED} AND sum_gap_kwh > 0 AND peak_by_register_kwh >= -sum_tolerance_kwh "
        "AND peak_by_register_kwh - sum_tolerance_kwh "
        "<= 1.5 * peak_count * greatest(second_kwh, coalesce(usual_max_kwh, 0)) "
        "AND peak_kwh > 2 * peak_by_register_kwh) "
        f"OR ({_UNTOLD} AND peak_kwh > 8 * peak_count * second_kwh AND peak_kwh > 2 * peak_count * usual_max_kwh)",
    ),
    (
        "is_spike",
        "is_peak_false AND peak_count = 1 AND NOT is_wrong_whole AND NOT is_stuck AND NOT is_filled_with_zeros",
    ),
    (
        "is_above_capacity",
        "peak_count <= 12 AND capacity_kva IS NOT NULL AND sum_verdict <> 1 "
        "AND peak_kwh / peak_count * 60 / interval_minutes * multiplier > 1.3 * greatest(capacity_kva, 3) "
        "AND NOT is_spike AND NOT is_wrong_whole AND NOT is_stuck AND NOT is_filled_with_zeros",
    ),
    (
        "is_explained",
        "is_wrong_whole OR is_stuck OR is_filled_with_zeros OR is_spike OR is_above_capacity",
    ),
)


def _unless(id_: str, fault: str, reason: str) -> Rule:
    return Rule(id_, f"NOT coalesce({fault}, false)", reason, severity="warn")


VALIDATED_DAYS_SUITE = Suite(
    "features.validated_days",
    (
        _unless(
            "MD-10", "is_stuck", "one value, not zero, for six hours or more: a stuck register or repeated sending"
        ),
        _unless(
            "MD-11", "is_filled_with_zeros", "zero for six hours or more where energy was used: a gap filled with zero"
        ),
        _unless("MD-12", "is_spike", "one interval holds more than registers and the rest of the date allow: a spike"),
        _unless(
            "MD-13", "is_above_capacity", "more power than the contract capacity allows, which no register confirms"
        ),
        _unless("MD-14", f"{_FAILED} AND NOT is_explained", "the intervals do not add up to what the registers moved"),
        _unless("MD-15", "dial_out_of_line <> 0", "a register reading lies outside of the readings around it"),
        _unless(
            "MD-16", "is_rolled_over", "the dial went from its last figure to zero: what it moved counts across zero"
        ),
        _unless(
            "MD-17", "is_by_a_factor", "intervals and registers differ by a whole factor: a multiplier in one of them"
        ),
        _unless("MD-18", "is_in_kw", "intervals are power in kW, sent as energy in kWh"),
        _unless(
            "MD-19",
            "periods_verdict = -1 AND clock_shift_minutes <> 0",
            "the energy of the time-of-use registers fits when the curve is moved: the meter's clock is wrong",
        ),
        _unless("MD-21", "is_of_another AND NOT is_exchanged", "the curve is that of another meter, to the last digit"),
        _unless("MD-22", "known_count = 0 AND is_expected", "an installed meter sent no value for the date"),
        _unless("MD-23", "longer_intervals > 0", "fewer values than intervals, of longer ones: wrong interval count"),
        _unless(
            "MD-24", "is_exchanged", "the curve fits another meter's registers and that one's fits these: exchanged ids"
        ),
        _unless(
            "MD-25",
            "periods_verdict = -1 AND clock_shift_minutes = 0 AND NOT is_stuck",
            "the energy of the periods is not that of the time-of-use registers, though the total agrees",
        ),
    ),
)
