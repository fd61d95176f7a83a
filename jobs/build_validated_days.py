"""Validate and estimate meter days: readings, registers, past -> features.validated_days, a meter and a local date.

Curves are held against registers, neighbouring days, other meters and the meter's own past; what breaks a rule is
flagged, what the flags condemn or nobody sent is estimated, and says so in its quality. Meters without a past are
estimated by the profile of their usage class, where core.class_profiles has one. Only days which depend on
deliveries not taken up yet are made again. A rerun finds nothing new; a run that was killed is made again whole.

    wattlake build_validated_days --date 2025-06-30
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from expectations.validated_days import VALIDATED_DAYS_SUITE
from jobs._validation import validated
from jobs.kernels.class_profiles import ClassProfiles, class_profiles
from jobs.kernels.day_checks import Tolerance, day_evidence
from jobs.kernels.meter_profiles import FEWEST_DAYS
from jobs.kernels.tou_periods import tou_periods
from jobs.kernels.validated_curves import finished_days as finish
from jobs.runtime.changes import Change
from jobs.runtime.context import Context
from jobs.transforms.changes import OF_METERS, Facts, Touched, meters_since, reach, rows_touched, touched_by
from jobs.transforms.class_profiles import days_of_classes, profile_rows, versions_changed
from jobs.transforms.customer_days import lines_of
from jobs.transforms.differences import changed_rows
from jobs.transforms.meter_profiles import PROFILE_FEEDS, dates_told, worked_dates
from jobs.transforms.validated_days import (
    VALIDATION_FEEDS,
    Batches,
    DaysSince,
    all_days,
    dates_between,
    dates_with_neighbours,
    days_read,
    days_to_validate,
    made_beside,
    no_longer_expected,
    with_expectation,
)
from schemas.meter_days import METER_DAYS
from schemas.meter_profiles import METER_PROFILES
from schemas.ops import REVALIDATIONS
from schemas.validated_days import REVALIDATED_DAYS, VALIDATED_DAYS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def run(ctx: Context) -> str:
    """Find the days, hold each against all that is known, judge, estimate, merge; say which others were touched."""
    changes = ctx.lake.new_changes(ctx.job, VALIDATION_FEEDS)
    if not changes:
        return "nothing new"
    ctx.needs("build_meter_profiles", PROFILE_FEEDS, "Profiles have to be made before")
    touched = touched_by(changes, everything=not ctx.lake.exists(VALIDATED_DAYS))
    ctx.expect_days(None if touched.everything else rows_touched(changes))
    facts = Facts.of(ctx.lake.read, ctx.settings.site.time_zone)
    facts = facts.with_periods(ctx.stage(facts.periods, "periods"))
    worked = worked_dates(facts.calendar)
    classes = _classes(ctx, facts, worked)
    # without anything held every day is made: what names the days is not asked
    direct = None if touched.everything else ctx.stage(days_read(touched, facts), "direct")
    named, keys = _keys(ctx, touched, facts, classes, direct)
    dates = sorted(row.read_date for row in named.select("read_date").distinct().collect())
    if dates:
        near, profiles = facts.on(dates_with_neighbours(dates)), ctx.lake.read(METER_PROFILES)
        mend = finish(worked, classes, facts.time_zone)
        days = validated(keys, near, profiles, _evidence(ctx, facts), mend, ctx.stage)
        made = ctx.gate(days, VALIDATED_DAYS_SUITE)
        _write(ctx, changes, named, dates, made, direct)
    ctx.lake.mark_consumed(ctx.job, changes)
    return f"{len(changes)} deliveries taken up, days of {len(dates)} date(s) made"


def _classes(ctx: Context, facts: Facts, worked: Mapping[int, bool]) -> ClassProfiles:
    classes, unused = class_profiles(profile_rows(facts.class_profiles), worked)
    for version in unused:
        ctx.log.warning("the class profile of %s is not used: deliver all of its intervals", version)
    return classes


def _keys(
    ctx: Context, touched: Touched, facts: Facts, classes: ClassProfiles, direct: "DataFrame | None"
) -> "tuple[DataFrame, DataFrame]":
    """The days to look at, and those of them to make, with whether each is expected.

    `direct` are those which deliveries name, None for all. Made are days between the first and the last date on which
    anything was sent, of meters which are installed or sent something: what is held of others goes.
    """
    delivered = [day for day in ctx.lake.partition_dates(METER_DAYS) if day <= ctx.date]
    held = ctx.lake.partition_dates(VALIDATED_DAYS)
    # dates between two with readings are dates without any
    dates = dates_between(delivered)
    fresh = sorted(set(dates) - set(held))
    if direct is None:
        every = ctx.stage(all_days(facts, dates), "keys")
        return every, every
    since = None
    if touched.has(*OF_METERS):
        meters = ctx.stage(meters_since(touched, facts), "since")
        first, _ = reach(meters, ctx.date)
        since = DaysSince(meters, [day for day in dates if day >= first])
    known = sorted({*dates, *held})
    told = dates_told(touched, facts, ctx.date)
    of_classes = _of_classes(ctx, touched, facts, classes, held) if touched.has("class_profiles") else None
    named = ctx.stage(days_to_validate(touched, facts, known, fresh, direct, since, told, of_classes), "named")
    sent_between = named.where(F.col("read_date").between(*((dates[0], dates[-1]) if dates else (None, None))))
    return named, ctx.stage(with_expectation(sent_between, facts), "keys")


def _of_classes(
    ctx: Context, touched: Touched, facts: Facts, classes: ClassProfiles, held: Sequence[date]
) -> "DataFrame":
    """The held days which rest on class profiles that are others now."""
    changed = [(name, valid_from.toordinal()) for name, valid_from in versions_changed(touched, facts)]
    found = classes.dates_of(changed, [day.toordinal() for day in held])
    class_dates = [(name, date.fromordinal(ordinal)) for name, ordinal in found]
    return days_of_classes(class_dates, facts, ctx.lake.read(METER_PROFILES), FEWEST_DAYS)


def _evidence(ctx: Context, facts: Facts) -> Batches:
    limits = ctx.settings.validation
    tolerance = Tolerance(limits.dial_kwh, limits.interval_kwh, limits.share)
    return day_evidence(tou_periods(lines_of(facts.tariffs)), limits.register_tariff, facts.time_zone, tolerance)


def _write(
    ctx: Context,
    changes: list[Change],
    named: "DataFrame",
    dates: Sequence[date],
    made: "DataFrame",
    direct: "DataFrame | None",
) -> None:
    """First which days were made beside those that deliveries name, then the days: killed between, it is repeated."""
    if direct is None:
        ctx.lake.merge(made, VALIDATED_DAYS)
        return
    held = ctx.lake.read(VALIDATED_DAYS).where(F.col("read_date").isin(list(dates)))
    changed = ctx.stage(changed_rows(made, held, VALIDATED_DAYS), "changed")
    gone = ctx.stage(no_longer_expected(named, made, held), "gone")
    beside = ctx.stage(made_beside(changed, gone, direct), "beside")
    named = "\n".join(sorted(f"{change.feed} {change.delivery_id} {change.manifest_sha256}" for change in changes))
    revalidation_id = hashlib.sha256(named.encode()).hexdigest()[:16]
    days = {row.read_date: row["count"] for row in beside.groupBy("read_date").count().collect()}
    if days:
        ctx.lake.insert_missing(beside.selectExpr("*", f"'{revalidation_id}' AS revalidation_id"), REVALIDATED_DAYS)
        entry = {
            "revalidation_id": revalidation_id,
            "run_date": ctx.date,
            "received_at": max(change.received_at for change in changes),
            "touched_dates": sorted(days),
            "days": sum(days.values()),
        }
        ctx.books.append(REVALIDATIONS, [entry])
    ctx.lake.synchronise(changed.selectExpr("*", "true AS keep").unionByName(gone, True), VALIDATED_DAYS, "keep")
