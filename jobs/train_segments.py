"""Train the segmentation: features.customer_days up to the date -> a registered model, perhaps the champion.

Customers are grouped by the shape of their day and by level; the number of segments is chosen by measured stability and
separation. A candidate is fitted without the latest days and promoted only when it foretells their profiles better than
a split by level does, and better than the champion. A date is trained for once: a rerun finds its version, promotes it
where that was decided and not done, and changes nothing else; `--key again=yes` trains another.

    wattlake train_segments --date 2025-06-30
"""

from dataclasses import asdict
from datetime import timedelta

import pandas as pd

from jobs.models import plots
from jobs.models.segment_profiles import PROFILE_COLUMNS, profile_frame
from jobs.models.segment_report import evaluate, segment_decision
from jobs.models.segments import SegmentParams, from_json
from jobs.runtime.context import Context
from jobs.runtime.errors import DataError
from jobs.runtime.tracking import PROMOTED_TAG, SEGMENTS
from jobs.transforms.model_frames import in_chunks, in_periods, profile_type, sample_of_customers, shape_days
from schemas.customers import CUSTOMERS
from schemas.features import CUSTOMER_DAYS


def run(ctx: Context) -> str:
    """Profile a sample before and after a border, fit before it, judge after it, register, promote when better."""
    held = ctx.tracking.trained(SEGMENTS)
    if held and ctx.option("again", "no") != "yes":
        state = f"was trained for this date already: {ctx.tracking.settle(SEGMENTS, held)}"
        return f"{SEGMENTS} {held} {state} (--key again=yes trains another one)"
    conf = ctx.settings.segments
    before, after = _profiles(ctx)
    params = SegmentParams(k_min=conf.k_min, k_max=conf.k_max, bootstraps=conf.bootstraps, seed=conf.seed)
    champion = ctx.tracking.champion(SEGMENTS)
    with ctx.tracking.run(SEGMENTS, [CUSTOMER_DAYS, CUSTOMERS]) as tracked:
        tracked.params({**asdict(params), "history_days": conf.history_days, "judge_days": conf.judge_days})
        ctx.log.info("fitting on %s customers", len(before))
        try:
            report = evaluate(
                before, after, params, champion=from_json(champion.data.decode("utf-8")) if champion else None
            )
        except ValueError as error:
            raise DataError(f"Segments cannot be trained for {ctx.date}: {error}.") from None
        decision = segment_decision(report)
        tracked.metrics(report.metrics())
        tracked.text(pd.DataFrame(report.model.selection).to_csv(index=False), "selection.csv")
        for name, figure in plots.segment_figures(report.model).items():
            tracked.figure(figure, name)
        tracked.model(report.model.to_json().encode("utf-8"))
        reasons = " ".join(decision.reasons)
        tracked.tags({PROMOTED_TAG: str(decision.promote).lower(), "reasons": reasons})
        version = ctx.tracking.register(SEGMENTS, tracked, reasons, is_promoted=decision.promote)
    return f"{SEGMENTS} {version}: {ctx.tracking.settle(SEGMENTS, version)}. {reasons}"


def _profiles(ctx: Context) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Profiles of a sample of customers over the days to fit on and over the days to judge by, one row each.

    Made on the workers, in one pass: the days are read once, and no worker starts twice.
    """
    conf = ctx.settings.segments
    days = conf.history_days + conf.judge_days
    rows = shape_days(ctx.lake.read(CUSTOMER_DAYS), ctx.lake.read(CUSTOMERS), ctx.date, days)
    customers = ctx.lake.read(CUSTOMERS).select("customer_key").distinct().count()
    sample = sample_of_customers(rows, customers, conf.sample_customers, conf.seed)
    apart = in_periods(sample, ctx.date - timedelta(days=conf.judge_days))

    def profiles(chunk: pd.DataFrame) -> pd.DataFrame:
        return profile_frame(chunk).assign(is_after=bool(chunk["is_after"].iloc[0]))

    columns = profile_type(PROFILE_COLUMNS).add("is_after", "boolean")
    made = in_chunks(apart, customers, profiles, columns, "is_after").toPandas()
    is_after = made.pop("is_after").to_numpy(dtype=bool)
    return made[~is_after], made[is_after]
