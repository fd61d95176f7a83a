"""Derive class profiles from the meters' own: features.meter_profiles -> a delivery of the feed class_profiles.

For who has no published profiles. Takes the latest week up to the date; a class is the mean shape of its meters with
enough days behind them. The delivery waits in landing for ingest_class_profiles, and holds from the Monday of the week
on, or from `valid_from`. A rerun writes nothing; no clock, and no customer, is in the delivery.

    wattlake derive_class_profiles --date 2025-06-30 --key valid_from=2025-01-01
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from jobs.kernels.class_shares import FEWEST_METERS, SUMS, class_shares, class_sums
from jobs.kernels.meter_profiles import FEWEST_DAYS
from jobs.runtime.context import Context
from jobs.runtime.errors import DataError, UserError
from jobs.runtime.sending import send
from jobs.transforms.changes import Facts
from jobs.transforms.class_profiles import meters_of_classes, summed
from jobs.transforms.meter_profiles import PROFILE_FEEDS
from schemas.meter_profiles import METER_PROFILES
from schemas.reference import CLASS_PROFILES


def run(ctx: Context) -> str:
    """Sum up the meters of each class, warn of classes of too few, write the delivery."""
    ctx.needs("build_meter_profiles", PROFILE_FEEDS, "Profiles have to be made before")
    weeks = [week for week in ctx.lake.partition_dates(METER_PROFILES) if week <= ctx.date]
    if not weeks:
        raise DataError(
            f"There are no profiles of meters up to {ctx.date}: they need a day before their week's Monday."
        )
    week = weeks[-1]
    valid_from = _valid_from(ctx, week)
    facts = Facts.of(ctx.lake.read, ctx.settings.site.time_zone)
    meters = meters_of_classes(ctx.lake.read(METER_PROFILES), facts, week, FEWEST_DAYS)
    rows, too_few = class_shares(summed(meters, class_sums, SUMS))
    for name, count in too_few.items():
        ctx.log.warning("%s is left out: %s meter(s) with a past, %s are needed", name, count, FEWEST_METERS)
    if not rows:
        raise DataError(f"No usage class has {FEWEST_METERS} meters with {FEWEST_DAYS} days before {week}.")
    names = sorted({row["usage_class"] for row in rows})
    dated = ({**row, "valid_from": valid_from, "share": f"{row['share']:.8f}"} for row in rows)
    delivery_id = f"class_profiles-{ctx.date:%Y%m%d}-of-{week:%Y%m%d}-from-{valid_from:%Y%m%d}"
    midnight = datetime.combine(ctx.date + timedelta(days=1), time(), ZoneInfo(ctx.settings.site.time_zone))
    feed = ctx.feeds.load(CLASS_PROFILES.noun)
    is_new = send(ctx.settings.landing.root, feed, delivery_id, ctx.date, midnight, dated)
    return f"{delivery_id} {'written' if is_new else 'was there already'}: {', '.join(names)}; next: ingest_{feed.name}"


def _valid_from(ctx: Context, week: date) -> date:
    text = ctx.option("valid_from", week.isoformat())
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"--key valid_from={text}: a date as YYYY-MM-DD is needed.") from None
