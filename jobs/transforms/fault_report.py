"""How the faults of a generated province came out: the ledger of what was injected against what the tables say.

Two kinds of classes. What is wrong with a value must be *flagged*: a rule speaks on the meter day. What is right but
came in an odd way (twice, late, corrected, through another meter) must *come out right*: it is compared with the
truth, which only the generator knows. What is both is judged as the fault and not as the odd way; it counts as mixed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from jobs.transforms.metering import customers_points

# a clock so little wrong that what moved between the periods of the registers is less than these show for sure
SLIGHT = "slight_shift"
# a theft or a wrong multiplier which began too shortly before the last search of levels to be told from chance
YOUNG = "young_break"
_YOUNGER_THAN_DAYS = 8
# class -> rules whose reason is the fault's own
NAMED_BY = {
    "missing_points": ("MD-08",),
    "spike": ("MD-12", "MD-13"),
    "stuck": ("MD-10",),
    "zero_run": ("MD-11",),
    "negative": ("MD-06",),
    "text_value": ("MD-00",),
    "unknown_meter": ("MD-04",),
    "future_row": ("MD-03",),
    "missing_day": ("MD-22",),
    "kw_as_kwh": ("MD-18",),
    "wrong_multiplier": ("MD-13", "MD-26"),
    "shifted_clock": ("MD-19", "MD-29"),
    SLIGHT: ("MD-19", "MD-29"),
    "identical_curves": ("MD-21",),
    "swapped_ids": ("MD-24",),
    "above_capacity": ("MD-13",),
    "sum_gap": ("MD-14",),
    "conflicting_row": ("MD-20",),
    "register_backwards": ("MD-15", "MD-25"),
    "register_jump": ("MD-15", "MD-25"),
    "wrong_interval_count": ("MD-23",),
    # before its installation is in the master data a meter is one that nobody knows
    "not_installed": ("MD-04", "MD-05"),
    "theft": ("MD-27",),
    YOUNG: ("MD-13", "MD-26", "MD-27"),
}
# a first delivery which is wrong, and whose correction has not come yet
AWAITED = "correction_awaited"
_SPEAKS = "any rule speaks on the meter day"
# speaks of a week or two at once: it tells the classes which it names, and not that something else is wrong with a day
_OF_WEEKS = ("MD-29",)
# what is wrong from a date on, and by the rules of one date in it
_LASTING = ("wrong_multiplier", "theft")
_OF_LEVEL = (*_LASTING, YOUNG)
# a break of level is dated so many days off where the first days of the new level say little
_DATED_OFF_DAYS = 3
COUNTS_AS_DETECTED = {
    **dict.fromkeys(NAMED_BY, _SPEAKS),
    "unknown_meter": "the row is in quarantine",
    "future_row": "the row is in quarantine",
    **dict.fromkeys(
        _OF_LEVEL, f"a rule that names it speaks on any day of the meter since, or {_DATED_OFF_DAYS} before"
    ),
    AWAITED: f"until then, {_SPEAKS}",
    "stamp_2400": "right: held under the date which it ends, with the true energy",
    "duplicated_row": "right: held once, with the true energy, and counted as duplicate",
    "late": "right: held as the late delivery brought it; curves with the true energy",
    "correction": "right: the true energy holds, the row before it is kept as a version",
    "swapped_meter": "right: the customer's energy of the date is the true one, registers agree",
    "multiplier_change": "right: the customer's energy of the date is the true one, registers agree",
    "roll_over": "right: the customer's energy of the date is the true one, registers agree",
    "duplicated_delivery": "right: nothing of it was taken; named: in the ledger as duplicate",
    "truncated_file": "right: refused whole, and loaded when it came whole; named: for its checksum",
}
# of a meter day's energy, dial kWh: what single precision and the source's last digit leave open
_CLOSE_KWH = 0.001
_CLOSE_SHARE = 0.00001

_METER_DAY = ["meter_id", "read_date"]


@dataclass(frozen=True)
class Recorded:
    """The tables to look at, as they are in the lake."""

    meter_days: DataFrame
    validated: DataFrame
    levels: DataFrame
    profiles: DataFrame
    versions: DataFrame
    quarantined: DataFrame
    readings: DataFrame
    points: DataFrame
    customer_days: DataFrame
    deliveries: DataFrame
    reconciliation: DataFrame


def fault_table(
    notes: DataFrame, truth: DataFrame, held: Recorded, said: DataFrame, key_of: DataFrame, searched_on: date
) -> DataFrame:
    """A class: fault, injected, mixed, detected, to_name, named_right, wrongly_flagged, clean.

    Null where nothing can name it.

    notes and truth: the generator's ledger. Injected are meter days; for what lasts from a date on (changes of meters
    and multipliers, roll-overs) the dates on which it begins; for deliveries, deliveries. Clean are meter days of
    customers without any fault on that date; wrongly flagged those of them on which a rule that names the class spoke.
    To name are those which no other fault of the table has met: where two met, each of their names is one of the day.
    `said` and `key_of` are `findings` and `customers_of`, worked out once, as most classes need them. `searched_on`:
    when breaks of level were last looked for.
    """
    outcomes = [
        flagged(notes, said),
        wrong_multipliers(notes, said, searched_on),
        thefts(notes, said, searched_on),
        awaited_corrections(notes, said),
        as_delivered(notes, held),
        late_readings(notes, held),
        events(notes, truth, held, key_of),
        duplicated_deliveries(notes, held),
        truncated_files(notes, held),
    ]
    by_class = counted(reduce(DataFrame.unionByName, outcomes))
    wrongly = wrongly_flagged(notes, said, held, key_of)
    columns = (*by_class.columns, "wrongly_flagged", "clean")
    return by_class.join(wrongly, "fault", "left").select(*columns).orderBy("fault")


def counted(outcomes: DataFrame) -> DataFrame:
    """A class: fault, injected, mixed, detected, to_name, named_right."""
    can_name = "is_named IS NOT NULL"
    return outcomes.groupBy("fault").agg(
        F.count("*").alias("injected"),
        F.count_if("is_mixed").alias("mixed"),
        F.count_if(F.expr("is_detected AND NOT is_mixed")).alias("detected"),
        F.sum(F.expr(f"CASE WHEN {can_name} THEN CAST(is_alone AND NOT is_mixed AS INT) END")).alias("to_name"),
        F.sum(F.expr(f"CASE WHEN {can_name} THEN CAST(is_named AND is_alone AND NOT is_mixed AS INT) END")).alias(
            "named_right"
        ),
    )


def findings(held: Recorded) -> DataFrame:
    """A meter and date on which something was said: meter_id, read_date, said (rule ids)."""
    said = (
        held.validated.where("size(flags) > 0")
        .select(*_METER_DAY, F.explode("flags").alias("rule"))
        .unionByName(held.quarantined.select(*_METER_DAY, F.explode("broken_rules").alias("rule")))
        .unionByName(
            held.levels.select("meter_id", F.col("since").alias("read_date"), F.explode("flags").alias("rule"))
        )
        .unionByName(_of_weeks(held.profiles))
    )
    return said.groupBy(*_METER_DAY).agg(F.array_sort(F.collect_set("rule")).alias("said"))


def _of_weeks(profiles: DataFrame) -> DataFrame:
    """A meter, a date and what a profile says of it: the last days before the week, which lie at other hours."""
    moved = profiles.where("clock_shift_days > 0 AND size(flags) > 0")
    dates = F.expr("sequence(date_sub(week_start, clock_shift_days), date_sub(week_start, 1))")
    return moved.select("meter_id", F.explode(dates).alias("read_date"), "flags").select(
        *_METER_DAY, F.explode("flags").alias("rule")
    )


# -- must be flagged --------------------------------------------------------------------------------------------------


def flagged(notes: DataFrame, said: DataFrame) -> DataFrame:
    """A meter day and class which must be flagged. A day of several faults counts for each, and is_alone for none."""
    wanted = [name for name in NAMED_BY if name not in _OF_LEVEL]
    fault = F.when(F.col("detail").endswith(", slight"), F.lit(SLIGHT)).otherwise(F.col("fault"))
    injected = notes.where(F.col("fault").isin(wanted)).select(fault.alias("fault"), *_METER_DAY).distinct()
    is_alone = F.count("*").over(Window.partitionBy(*_METER_DAY)) == 1
    return _outcome(injected.withColumn("is_alone", is_alone).join(said, _METER_DAY, "left"), _spoke(), named=_named())


def wrong_multipliers(notes: DataFrame, said: DataFrame, searched_on: date) -> DataFrame:
    """A meter whose multiplier is wrong from a date on; the young ones as a class of their own."""
    return _lasting(notes, said, "wrong_multiplier", searched_on)


def thefts(notes: DataFrame, said: DataFrame, searched_on: date) -> DataFrame:
    """A meter past which energy is drawn from a date on; the young ones as a class of their own."""
    return _lasting(notes, said, "theft", searched_on)


def _lasting(notes: DataFrame, said: DataFrame, fault: str, searched_on: date) -> DataFrame:
    of_fault = notes.where(F.col("fault") == fault)
    since = of_fault.groupBy("fault", "meter_id").agg(F.min("read_date").alias("since"))
    is_young = F.col("since") > F.date_sub(F.lit(searched_on), _YOUNGER_THAN_DAYS)
    begun = since.withColumn("fault", F.when(is_young, F.lit(YOUNG)).otherwise(F.col("fault")))
    naming = said.where(F.arrays_overlap("said", _texts(NAMED_BY[fault])))
    found = naming.groupBy("meter_id").agg(F.max("read_date").alias("latest"))
    speaks = F.coalesce(F.col("latest") >= F.date_sub("since", _DATED_OFF_DAYS), F.lit(False))
    return _outcome(begun.join(found, "meter_id", "left"), speaks, named=speaks)


def awaited_corrections(notes: DataFrame, said: DataFrame) -> DataFrame:
    """A meter day which is wrong and has not been corrected yet."""
    of = notes.where("fault = 'correction'")
    corrected = of.where("detail = 'corrected'").select(*_METER_DAY)
    waiting = of.where("detail = 'wrong'").select(*_METER_DAY).distinct().join(corrected, _METER_DAY, "left_anti")
    return _outcome(waiting.withColumn("fault", F.lit(AWAITED)).join(said, _METER_DAY, "left"), _spoke())


def _spoke() -> Column:
    """Whether a rule spoke of the day, or one of its week whose reason is the fault's own."""
    return (F.size(F.array_except("said", _texts(_OF_WEEKS))) > 0) | _named()


def _named() -> Column:
    """Whether a rule spoke whose reason is the fault's own."""
    of_class = F.create_map(
        *(part for name, rules in NAMED_BY.items() for part in (F.lit(name), _texts(rules))),
    )
    return F.coalesce(F.arrays_overlap("said", of_class[F.col("fault")]), F.lit(False))


def _texts(texts: Iterable[str]) -> Column:
    return F.array(*(F.lit(text) for text in texts)).cast("array<string>")


# -- must come out right ----------------------------------------------------------------------------------------------


def as_delivered(notes: DataFrame, held: Recorded) -> DataFrame:
    """A meter day which was stamped 24:00, sent twice in a delivery, sent late, or corrected."""
    of = notes.where("feed = 'meter_days' AND fault IN ('stamp_2400', 'duplicated_row', 'late', 'correction')")
    injected = _with_mixed(
        of.where("fault <> 'correction' OR detail = 'corrected'").select(
            "fault",
            *_METER_DAY,
            _of_delivery().alias("sent_by"),
            F.aggregate("true_kwh", F.lit(0.0), lambda total, kwh: total + kwh).alias("true_kwh"),
        ),
        notes,
        _METER_DAY,
    )
    now = held.meter_days.groupBy(*_METER_DAY).agg(
        F.count("*").alias("rows_held"),
        F.max("total_kwh").alias("total_kwh"),
        F.max(_of_delivery()).alias("held_from"),
    )
    before = held.versions.select(*_METER_DAY, _of_delivery("replaced_by").alias("sent_by")).distinct()
    joined = (
        injected.join(now, _METER_DAY, "left")
        .join(before.withColumn("has_version", F.lit(True)), [*_METER_DAY, "sent_by"], "left")
        .join(_enough_duplicates(injected, held), ["fault", "sent_by"], "left")
    )
    is_true = F.expr(f"rows_held = 1 AND abs(total_kwh - true_kwh) <= {_CLOSE_KWH} AND held_from = sent_by")
    special = F.expr(
        "CASE fault WHEN 'correction' THEN coalesce(has_version, false) "
        "WHEN 'duplicated_row' THEN coalesce(is_counted, false) ELSE true END"
    )
    return _outcome(joined, is_true & special)


def _enough_duplicates(injected: DataFrame, held: Recorded) -> DataFrame:
    """A delivery with rows sent twice: whether reconciliation counts at least as many duplicates."""
    counted = held.reconciliation.where("feed = 'meter_days'").groupBy(_of_delivery().alias("sent_by"))
    twice = injected.where("fault = 'duplicated_row' AND NOT is_mixed").groupBy("fault", "sent_by").count()
    return twice.join(counted.agg(F.max("rows_duplicate").alias("duplicates")), "sent_by").select(
        "fault", "sent_by", F.expr("duplicates >= count").alias("is_counted")
    )


def late_readings(notes: DataFrame, held: Recorded) -> DataFrame:
    """A reading which was sent late."""
    late = notes.where("feed = 'register_readings' AND fault = 'late'").select(
        "fault", *_METER_DAY, _of_delivery().alias("sent_by"), F.lit(False).alias("is_mixed")
    )
    total = held.readings.where("register_code = 'total'").select(*_METER_DAY, _of_delivery().alias("held_from"))
    return _outcome(late.join(total, _METER_DAY, "left"), F.col("held_from") == F.col("sent_by"))


def events(notes: DataFrame, truth: DataFrame, held: Recorded, key_of: DataFrame) -> DataFrame:
    """A date on which a meter was exchanged, its multiplier changed, or its dial rolled over.

    Mixed also where a wrong multiplier began before, or where the curve of the date has not come.
    """
    begun = notes.where("fault IN ('swapped_meter', 'multiplier_change', 'roll_over')").select(
        "fault", *_METER_DAY, "customer_no"
    )
    wrong = notes.where("fault = 'wrong_multiplier'").groupBy("customer_no").agg(F.min("read_date").alias("since"))
    known = truth.select("customer_no", F.col("usage_date").alias("read_date"), F.col("kwh").alias("true_kwh"))
    days = held.customer_days.select(
        "customer_key", F.col("usage_date").alias("read_date"), "kwh", "sum_check", "completeness"
    )
    joined = (
        _with_mixed(begun.distinct(), notes, ["customer_no", "read_date"])
        .join(known, ["customer_no", "read_date"], "left")
        .join(wrong, "customer_no", "left")
        .join(key_of, "customer_no", "left")
        .join(days, ["customer_key", "read_date"], "left")
        .withColumn(
            "is_mixed",
            F.expr("is_mixed OR coalesce(since <= read_date, false) OR sum_check IS NULL OR sum_check = 'not_checked'"),
        )
    )
    is_true = F.expr(f"abs(kwh - true_kwh) <= {_CLOSE_KWH} + {_CLOSE_SHARE} * true_kwh AND sum_check = 'ok'")
    return _outcome(joined, is_true)


def duplicated_deliveries(notes: DataFrame, held: Recorded) -> DataFrame:
    """A delivery which repeats another one."""
    sent = notes.where("fault = 'duplicated_delivery'").select("fault", "feed", "delivery_id")
    status = held.deliveries.select("feed", "delivery_id", "status")
    taken = held.reconciliation.select(
        "feed", "delivery_id", F.expr("rows_accepted + rows_superseding = 0").alias("is_nothing_taken")
    )
    joined = sent.join(status, ["feed", "delivery_id"], "left").join(taken, ["feed", "delivery_id"], "left")
    return _outcome(joined, F.col("is_nothing_taken"), named=F.col("status") == "duplicate")


def truncated_files(notes: DataFrame, held: Recorded) -> DataFrame:
    """A delivery with a file that was cut, which came again whole."""
    again = F.regexp_extract("detail", r"(\S+)$", 1)
    sent = notes.where("fault = 'truncated_file'").select("fault", "feed", "delivery_id", again.alias("again_id"))
    # a refusal is entered as often as it was looked at with another manifest
    of = held.deliveries.groupBy("feed", "delivery_id").agg(
        F.collect_set("status").alias("statuses"), F.max("reason").alias("reason")
    )
    loaded = of.select("feed", F.col("delivery_id").alias("again_id"), F.col("statuses").alias("again"))
    joined = sent.join(of, ["feed", "delivery_id"], "left").join(loaded, ["feed", "again_id"], "left")
    is_right = (F.col("statuses") == _texts(["refused"])) & F.array_contains("again", "loaded")
    return _outcome(joined, is_right, named=F.col("reason").contains("checksum"))


def _of_delivery(column: str = "delivery_id") -> Column:
    """Feed and date of a delivery: what came cut is sent again under the next number of the day."""
    return F.regexp_replace(column, r"-\d+$", "")


def _with_mixed(injected: DataFrame, notes: DataFrame, on: list[str]) -> DataFrame:
    """Grain of `injected`: adds is_mixed, whether there is a note of another class on the same meter or customer."""
    there = notes.where(F.col("read_date").isNotNull()).groupBy(*on).agg(F.collect_set("fault").alias("classes"))
    others = F.size(F.array_except(F.col("classes"), F.array("fault"))) > 0
    return injected.join(there, on, "left").withColumn("is_mixed", F.coalesce(others, F.lit(False))).drop("classes")


def _outcome(rows: DataFrame, detected: Column, *, named: Column | None = None) -> DataFrame:
    """fault, is_mixed, is_alone, is_detected, is_named (null where nothing is to be named)."""
    is_mixed = F.col("is_mixed") if "is_mixed" in rows.columns else F.lit(False)
    is_alone = F.col("is_alone") if "is_alone" in rows.columns else F.lit(True)
    return rows.select(
        "fault",
        is_mixed.alias("is_mixed"),
        is_alone.alias("is_alone"),
        F.coalesce(detected, F.lit(False)).alias("is_detected"),
        (F.lit(None) if named is None else F.coalesce(named, F.lit(False))).cast("boolean").alias("is_named"),
    )


# -- where nothing is wrong -------------------------------------------------------------------------------------------


def customers_of(notes: DataFrame, held: Recorded) -> DataFrame:
    """A customer in the ledger: customer_no, customer_key. The meter tells: the jobs keep no customer numbers."""
    keys = held.points.select("meter_id", "customer_key").distinct()
    return notes.select("customer_no", "meter_id").distinct().join(keys, "meter_id").drop("meter_id").distinct()


def clean_days(notes: DataFrame, held: Recorded, key_of: DataFrame) -> DataFrame:
    """A meter and date, held, of a customer with no fault on that date and none that lasts begun by then."""
    # a reading says how much was used before it and how much after it
    is_reading = F.col("fault").isin("register_backwards", "register_jump")
    dates = F.when(is_reading, F.array("read_date", F.date_add("read_date", 1))).otherwise(F.array("read_date"))
    touched = notes.join(key_of, "customer_no").select("customer_key", F.explode(dates).alias("read_date"), "fault")
    lasting = (
        touched.where(F.col("fault").isin(*_LASTING)).groupBy("customer_key").agg(F.min("read_date").alias("since"))
    )
    owners = customers_points(held.points).select("meter_id", "customer_key").distinct()
    return (
        held.meter_days.select(*_METER_DAY)
        .join(owners, "meter_id")
        .join(touched.select("customer_key", "read_date").distinct(), ["customer_key", "read_date"], "left_anti")
        .join(lasting, "customer_key", "left")
        .where("since IS NULL OR read_date < since")
        .select(*_METER_DAY)
        .distinct()
    )


def wrongly_flagged(notes: DataFrame, said: DataFrame, held: Recorded, key_of: DataFrame) -> DataFrame:
    """A class which rules name: on how many meter days one of these rules spoke, of how many which are clean."""
    named = {name: rules for name, rules in NAMED_BY.items() if rules}
    clean = clean_days(notes, held, key_of).join(said, _METER_DAY, "left")
    spoke = (F.count_if(F.arrays_overlap("said", _texts(rules))).alias(name) for name, rules in named.items())
    counts = clean.agg(F.count("*").alias("clean"), *spoke)
    pairs = (part for name in named for part in (F.lit(name), F.col(name)))
    return counts.select("clean", F.explode(F.create_map(*pairs)).alias("fault", "wrongly_flagged"))
