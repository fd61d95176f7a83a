"""Assign segments: features.customer_days up to the date -> features.segment_scores, a customer.

The champion of the date is applied on the workers. A customer stays in its segment of the slice before while it is
near the border. A rerun replaces the slice of the date by the same rows.

    wattlake score_segments --date 2025-06-30
"""

from datetime import timedelta

import pandas as pd
import pyspark.sql.functions as F

from expectations.features import SEGMENT_SCORES_SUITE
from jobs.models.segment_profiles import profile_frame
from jobs.models.segments import assign, from_json
from jobs.runtime.context import Context
from jobs.runtime.tracking import SEGMENTS
from jobs.transforms.model_frames import in_chunks, shape_days
from jobs.transforms.segment_history import segments_before
from schemas.customers import CUSTOMERS
from schemas.features import CUSTOMER_DAYS, SEGMENT_SCORES

# scores older than this say nothing of the segment a customer is in
LOOK_BACK_DAYS = 366


def run(ctx: Context) -> str:
    """Load the champion, assign in chunks of customers, judge, replace the slice."""
    if ctx.is_history():
        return "published already, and a later date as well: it stays as it is (--key again=yes makes it again)"
    champion = ctx.tracking.required_champion(SEGMENTS, "train_segments")
    days = shape_days(
        ctx.lake.read(CUSTOMER_DAYS), ctx.lake.read(CUSTOMERS), ctx.date, ctx.settings.segments.history_days
    )
    earlier = [ctx.date - timedelta(days=n) for n in range(1, LOOK_BACK_DAYS + 1)]
    latest = max(ctx.lake.partitions_held(SEGMENT_SCORES, earlier), default=None)
    held = segments_before(ctx.lake.read(SEGMENT_SCORES), latest, champion.label)
    customers = ctx.lake.read(CUSTOMERS).select("customer_key").distinct().count()
    as_of, label, text = ctx.date, champion.label, champion.data.decode("utf-8")

    def segment(chunk: pd.DataFrame) -> pd.DataFrame:
        current = chunk.groupby("unique_id")["held_segment_id"].first()
        assigned = assign(from_json(text), profile_frame(chunk), current)
        known = assigned["segment_id"].notna()
        return assigned.rename(columns={"unique_id": "customer_key"}).assign(
            as_of_date=as_of,
            sufficiency=known.map({True: "sufficient", False: "not_enough_data"}),
            model_version=label,
        )

    rows = days.join(held.select(F.col("customer_key").alias("unique_id"), "held_segment_id"), "unique_id", "left")
    scores = in_chunks(rows, customers, segment, SEGMENT_SCORES.struct)
    ctx.lake.replace(ctx.gate(scores, SEGMENT_SCORES_SUITE), SEGMENT_SCORES, ctx.date)
    return f"segments of {champion.label} assigned"
