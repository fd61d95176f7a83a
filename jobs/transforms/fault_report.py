"""How the faults of a generated province were found: the ledger of what was injected against what the rules said."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

# what names a class: the rules (or the sum check) whose reason is the fault's own; every flag counts as detection
NAMED_BY = {
    "missing_points": ("MD-08",),
    "spike": ("MD-12", "MD-13"),
    "stuck": ("MD-10",),
    "zero_run": ("MD-11",),
    "negative": ("MD-06",),
    "text_value": ("MD-00",),
    "unknown_meter": ("MD-04",),
    "future_row": ("MD-03",),
    "kw_as_kwh": ("MD-13", "SUM"),
    "wrong_multiplier": ("MD-13", "SUM"),
    "identical_curves": ("SUM",),
    "swapped_ids": ("SUM",),
    "shifted_clock": (),
}


def findings(meter_days: DataFrame, quarantined: DataFrame, failed_sums: DataFrame) -> DataFrame:
    """One row per meter and date on which something was said: meter_id, read_date, said (rule ids, SUM).

    `failed_sums` holds a meter and a date whose intervals and registers disagree (meter_id, read_date).
    """
    said = (
        meter_days.where("size(flags) > 0")
        .select("meter_id", "read_date", F.explode("flags").alias("rule"))
        .unionByName(quarantined.select("meter_id", "read_date", F.explode("broken_rules").alias("rule")))
        .unionByName(failed_sums.select("meter_id", "read_date", F.lit("SUM").alias("rule")))
    )
    return said.groupBy("meter_id", "read_date").agg(F.array_sort(F.collect_set("rule")).alias("said"))


def fault_table(faults: DataFrame, found: DataFrame, meter_days: DataFrame) -> DataFrame:
    """One row per class: fault, injected, detected, named_right (meter days), wrongly_flagged, clean (meter days).

    faults: fault, meter_id, read_date. Wrongly flagged are meter days without any fault on which a rule that names the
    class spoke. A meter day with several faults counts for each of them.
    """
    naming = F.create_map(
        *(part for name, rules in NAMED_BY.items() for part in (F.lit(name), F.array(*(F.lit(r) for r in rules))))
    )
    injected = faults.where(F.col("fault").isin(list(NAMED_BY))).select("fault", "meter_id", "read_date").distinct()
    met = injected.join(found, ["meter_id", "read_date"], "left").withColumn("naming", naming[F.col("fault")])
    by_class = met.groupBy("fault").agg(
        F.count("*").alias("injected"),
        F.count_if(F.size(F.coalesce("said", F.array().cast("array<string>"))) > 0).alias("detected"),
        F.count_if(F.coalesce(F.arrays_overlap("said", "naming"), F.lit(False))).alias("named_right"),
    )
    touched = faults.select("meter_id", "read_date").distinct()
    clean = meter_days.select("meter_id", "read_date").join(touched, ["meter_id", "read_date"], "left_anti")
    said_clean = clean.join(found, ["meter_id", "read_date"])
    clean_days = clean.agg(F.count("*").alias("clean"))
    columns = [
        F.count_if(F.arrays_overlap("said", F.array(*(F.lit(r) for r in rules)))).alias(name)
        for name, rules in NAMED_BY.items()
        if rules
    ]
    wrong = said_clean.agg(*columns)
    stacked = wrong.select(
        F.explode(
            F.create_map(*(p for name, rules in NAMED_BY.items() if rules for p in (F.lit(name), F.col(name))))
        ).alias("fault", "wrongly_flagged")
    )
    return by_class.join(stacked, "fault", "left").crossJoin(clean_days).orderBy("fault")
