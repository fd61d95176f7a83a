"""What must be true of a meter day beside its registers, its neighbours and its own past.

The evidence is made by `kernels/day_checks.py`. A contradiction between intervals and registers has many causes, and a
day is given one of them: the rules are ordered from the most telling pattern to the least, and each holds where one
before it explains the day. What is flagged is not refused: estimation replaces the intervals which the flags condemn.
"""

from expectations.rule import Rule, Suite

# six hours
_LONG = 360

_FAILED = "sum_verdict = -1"
_DOUBTED = "(sum_verdict = -1 OR periods_verdict = -1)"
# without registers a pattern must be unlike anything in the meter's past
_UNTOLD = "sum_verdict = 0 AND dial_out_of_line = 0 AND known_count > 0"

_KW = "whole_factor * interval_minutes = 60"
# a single interval or a long run of one value can make a whole factor by chance
_FACTOR = (
    f"(whole_factor <> 0 AND NOT {_KW} AND longest_constant_count * interval_minutes < {_LONG} "
    f"AND NOT (longest_zero_count * interval_minutes >= {_LONG} AND sum_gap_kwh < 0) "
    "AND NOT (peak_count = 1 AND peak_kwh > 8 * second_kwh))"
)
_SWAPPED = "coalesce(is_swapped, false)"
_TWIN = "(coalesce(is_twin, false) AND sum_verdict <> 1)"
_WHOLE_CURVE = f"({_KW} OR {_FACTOR} OR {_SWAPPED} OR {_TWIN})"

_STUCK = (
    f"(longest_constant_count * interval_minutes >= {_LONG} AND NOT {_WHOLE_CURVE} AND ({_DOUBTED} "
    f"OR ({_UNTOLD} AND longest_constant_count > 1.5 * usual_constant_run)))"
)
_ZEROS = (
    f"(longest_zero_count * interval_minutes >= {_LONG} AND NOT {_WHOLE_CURVE} AND NOT {_STUCK} AND "
    f"(({_FAILED} AND sum_gap_kwh < 0) OR ({_UNTOLD} AND known_kwh > 0 AND longest_zero_count > 1.5 * usual_zero_run)))"
)
# leaving the peak out, the registers say for it what the rest of the date could also have
_PEAK_EXPLAINS = (
    f"({_FAILED} AND sum_gap_kwh > 0 AND peak_by_register_kwh >= -sum_tolerance_kwh "
    "AND peak_by_register_kwh - sum_tolerance_kwh "
    "<= 1.5 * peak_count * greatest(second_kwh, coalesce(usual_max_kwh, 0)) "
    "AND peak_kwh > 2 * peak_by_register_kwh)"
)
_PEAK_UNHEARD_OF = (
    f"({_UNTOLD} AND peak_kwh > 8 * peak_count * second_kwh AND peak_kwh > 2 * peak_count * usual_max_kwh)"
)
_ABOVE_CAPACITY = (
    "(capacity_kva IS NOT NULL AND sum_verdict <> 1 "
    "AND peak_kwh / peak_count * 60 / interval_minutes * multiplier > 1.3 * greatest(capacity_kva, 3))"
)
_PEAK = f"(({_PEAK_EXPLAINS} OR {_PEAK_UNHEARD_OF}) AND NOT {_WHOLE_CURVE} AND NOT {_STUCK} AND NOT {_ZEROS})"
_SPIKE = f"({_PEAK} AND peak_count = 1)"
_OVERLOAD = (
    f"(peak_count <= 12 AND {_ABOVE_CAPACITY} AND NOT {_SPIKE} AND NOT {_WHOLE_CURVE} AND NOT {_STUCK} "
    f"AND NOT {_ZEROS})"
)
_NAMED = f"({_WHOLE_CURVE} OR {_STUCK} OR {_ZEROS} OR {_SPIKE} OR {_OVERLOAD})"


def _unless(id_: str, fault: str, reason: str) -> Rule:
    return Rule(id_, f"NOT coalesce({fault}, false)", reason, severity="warn")


VALIDATED_DAYS_SUITE = Suite(
    "features.validated_days",
    (
        _unless("MD-10", _STUCK, "one value, not zero, for six hours or more: a stuck register or repeated sending"),
        _unless("MD-11", _ZEROS, "zero for six hours or more where energy was used: a gap filled with zero"),
        _unless("MD-12", _SPIKE, "one interval holds more than registers and the rest of the date allow: a spike"),
        _unless("MD-13", _OVERLOAD, "more power than the contract capacity allows, which no register confirms"),
        _unless("MD-14", f"({_FAILED} AND NOT {_NAMED})", "the intervals do not add up to what the registers moved"),
        _unless("MD-15", "dial_out_of_line <> 0", "a register reading lies outside of the readings around it"),
        _unless("MD-17", _FACTOR, "intervals and registers differ by a whole factor: a multiplier in one of them"),
        _unless("MD-18", _KW, "intervals are power in kW, sent as energy in kWh"),
        _unless(
            "MD-19",
            "(periods_verdict = -1 AND clock_shift_minutes <> 0)",
            "the energy of the time-of-use registers fits when the curve is moved: the meter's clock is wrong",
        ),
        _unless("MD-21", f"({_TWIN} AND NOT {_SWAPPED})", "the curve is that of another meter, to the last digit"),
        _unless("MD-22", "known_count = 0 AND is_expected", "an installed meter sent no value for the date"),
        _unless("MD-23", "longer_intervals > 0", "fewer values than intervals, of longer ones: wrong interval count"),
        _unless("MD-24", _SWAPPED, "the curve fits another meter's registers and that one's fits these: exchanged ids"),
        _unless(
            "MD-25",
            f"(periods_verdict = -1 AND clock_shift_minutes = 0 AND NOT {_STUCK})",
            "the energy of the periods is not that of the time-of-use registers, though the total agrees",
        ),
    ),
)
