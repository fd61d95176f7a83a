"""Segments of customers by the shape of their day and by how much they use.

A customer is described by its mean weekday and weekend profiles, each hour relative to the customer's mean hour, and by
the logarithm of its daily kWh. Hours are averaged into blocks of three (single hours of one home are mostly chance),
and k-means groups the customers. Segments are named in words from their centres.
"""

from __future__ import annotations

# scikit-learn and SciPy are imported where a model is fitted: assigning needs neither, and each import costs a worker
# more than its work
import json
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from jobs.models.segment_choice import choose_k, measure_k, nearest
from jobs.models.segment_names import Centre, name_segments
from jobs.models.segment_profiles import HOURS, PROFILE_COLUMNS
from jobs.models.segment_profiles import profile_frame as profile_frame

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLOCK_HOURS = 3
BLOCKS = HOURS // BLOCK_HOURS
LEAST_CUSTOMERS_A_SEGMENT = 10

FORMAT = "wattlake.segments/1"


@dataclass(frozen=True)
class SegmentParams:
    """Choices of the segmentation; the reasons are in docs/decisions.

    k_min, k_max: numbers of segments tried. level_weight: weight of the log level against the whole shape (1 = equal).
    clip: features are cut at so many robust standard deviations, so that odd customers cannot claim a segment.
    min_share: no segment may hold fewer of the customers. min_weekdays, min_weekend_days: known days below which a
    customer's profile is not used. keep_margin: how far past the border a customer must be to change its segment, as
    (distance to its own centre - distance to the nearest) / their sum.
    """

    k_min: int = 4
    k_max: int = 8
    level_weight: float = 0.75
    clip: float = 2.5
    min_share: float = 0.03
    min_weekdays: int = 10
    min_weekend_days: int = 4
    keep_margin: float = 0.125
    bootstraps: int = 8
    sample: int = 4000
    starts: int = 5
    seed: int = 95598


@dataclass(frozen=True)
class Segment:
    """One segment: its words, its size and its centre in units people read.

    share: of the customers fitted on. mean_daily_kwh: geometric mean. weekday and weekend: 24 hourly values, 1 = the
    customer's mean hour. usage_class: the class of most of its customers, or None where none was given.
    """

    segment_id: int
    name: str
    name_zh: str
    share: float
    mean_daily_kwh: float
    weekday: tuple[float, ...]
    weekend: tuple[float, ...]
    usage_class: str | None


@dataclass(frozen=True)
class SegmentModel:
    """A fitted segmentation. centres[i] belongs to segments[i]; centre and scale belong to the embedding.

    selection: what was measured for each number of segments tried (k, stability, stability_se, separation,
    smallest_share).
    """

    params: SegmentParams
    segments: tuple[Segment, ...]
    centres: tuple[tuple[float, ...], ...]
    middle: tuple[float, ...]
    scale: tuple[float, ...]
    selection: tuple[dict[str, float], ...]

    def to_json(self) -> str:
        """Model as JSON; `from_json` gives back an equal one."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, sort_keys=True)


def from_json(text: str) -> SegmentModel:
    """Model which `SegmentModel.to_json` wrote. Raises ValueError for anything else."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError("this text is not a segment model") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"not a segment model of the format {FORMAT}")
    segments = tuple(
        Segment(**(s | {"weekday": tuple(s["weekday"]), "weekend": tuple(s["weekend"])})) for s in document["segments"]
    )
    return SegmentModel(
        params=SegmentParams(**document["params"]),
        segments=segments,
        centres=tuple(tuple(c) for c in document["centres"]),
        middle=tuple(document["middle"]),
        scale=tuple(document["scale"]),
        selection=tuple(document["selection"]),
    )


def fit(frame: pd.DataFrame, params: SegmentParams | None = None, previous: SegmentModel | None = None) -> SegmentModel:
    """Fit segments on the customers of a `profile_frame` whose profiles rest on enough days.

    previous: the segmentation in use. Then its number of segments and its measure stay, its centres are the start, and
    each new segment takes over the id (and, unless it moved far, the name) of the nearest old one.
    Raises ValueError when there are too few customers.
    """
    params = params or (previous.params if previous else SegmentParams())
    usable = _usable(frame, params)
    mine = frame[usable].sort_values("unique_id", kind="stable")
    if len(mine) < LEAST_CUSTOMERS_A_SEGMENT * params.k_min:
        raise ValueError(f"{len(mine)} customers with a known profile are too few for {params.k_min} segments")
    raw = _embed(mine)
    # one thread: its sums have one order, so a model does not depend on the machine; and it is quicker on small data
    with threadpool_limits(limits=1):
        if previous is None:
            middle, scale = _measure(raw, params)
            centres, selection = _first_centres(_scaled(raw, middle, scale, params.clip), params)
        else:
            middle, scale = np.asarray(previous.middle), np.asarray(previous.scale)
            selection = previous.selection
            centres = _next_centres(_scaled(raw, middle, scale, params.clip), np.asarray(previous.centres))
    labels = nearest(_scaled(raw, middle, scale, params.clip), centres)
    return SegmentModel(
        params=params,
        segments=_segments(mine, labels, centres, previous),
        centres=tuple(tuple(float(v) for v in c) for c in centres),
        middle=tuple(float(v) for v in middle),
        scale=tuple(float(v) for v in scale),
        selection=selection,
    )


def assign(model: SegmentModel, frame: pd.DataFrame, current: pd.Series | None = None) -> pd.DataFrame:
    """One row per row of the frame: unique_id, segment_id, segment_name, segment_name_zh, distance, margin.

    distance: to the segment's centre, in robust standard deviations of an hour block. margin: 0 on the border to the
    next segment, 1 at the own centre. A customer without enough known days gets no segment (missing id and name, NaN).
    current: segment_id by unique_id of the segments in use; a customer stays there unless it is `keep_margin` past the
    border, so that nobody moves to and fro. The result for a customer does not depend on who else is in the frame.
    """
    usable = _usable(frame, model.params)
    space = _scaled(_embed(frame), np.asarray(model.middle), np.asarray(model.scale), model.params.clip)
    space = np.where(usable[:, None], space, 0.0)
    centres = np.asarray(model.centres)
    distances = np.sqrt(((space[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2))
    label = distances.argmin(axis=1)
    if current is not None:
        ids = np.array([s.segment_id for s in model.segments])
        held = frame["unique_id"].map(current).to_numpy(dtype=np.float64, na_value=np.nan)
        position = np.array([int(np.flatnonzero(ids == h)[0]) if h in ids else -1 for h in held])
        has = position >= 0
        old = distances[np.arange(len(frame)), np.where(has, position, 0)]
        best = distances.min(axis=1)
        stays = has & ((old - best) < model.params.keep_margin * (old + best))
        label = np.where(stays, position, label)
    own = distances[np.arange(len(frame)), label]
    others = distances.copy()
    others[np.arange(len(frame)), label] = np.inf
    second = others.min(axis=1)
    margin = (second - own) / np.maximum(second + own, 1e-12)
    segments = model.segments
    return pd.DataFrame(
        {
            "unique_id": frame["unique_id"].to_numpy(dtype=object),
            "segment_id": pd.array(
                [segments[i].segment_id if ok else None for i, ok in zip(label, usable, strict=True)], dtype="Int64"
            ),
            "segment_name": [segments[i].name if ok else None for i, ok in zip(label, usable, strict=True)],
            "segment_name_zh": [segments[i].name_zh if ok else None for i, ok in zip(label, usable, strict=True)],
            "distance": np.where(usable, own, np.nan),
            "margin": np.where(usable, np.maximum(margin, 0.0), np.nan),
        }
    )


def _usable(frame: pd.DataFrame, params: SegmentParams) -> npt.NDArray[np.bool_]:
    enough = np.ones(len(frame), dtype=bool)
    if "weekdays_known" in frame.columns:
        enough &= frame["weekdays_known"].to_numpy() >= params.min_weekdays
        enough &= frame["weekend_days_known"].to_numpy() >= params.min_weekend_days
    values = frame[[*PROFILE_COLUMNS, "log_level"]].to_numpy(dtype=np.float64, na_value=np.nan)
    return enough & np.isfinite(values).all(axis=1)


def _embed(frame: pd.DataFrame) -> Floats:
    """Shape in blocks of hours, weekday then weekend, on a square-root scale, and the log level: (customers, 17)."""
    shape = frame[list(PROFILE_COLUMNS)].to_numpy(dtype=np.float64, na_value=np.nan)
    blocks = shape.reshape(len(frame), 2 * BLOCKS, BLOCK_HOURS).mean(axis=2)
    level = frame["log_level"].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.concatenate([np.sqrt(np.maximum(blocks, 0.0)), level[:, None]], axis=1)


def _measure(raw: Floats, params: SegmentParams) -> tuple[Floats, Floats]:
    """Middle and scale of the embedding: medians, and robust standard deviations.

    All blocks share one scale, so that quiet hours are not blown up; the level weighs against the shape as a whole.
    """
    middle = np.median(raw, axis=0)
    spread = 1.4826 * np.median(np.abs(raw - middle), axis=0)
    shape = float(np.sqrt((spread[:-1] ** 2).mean()))
    scale = np.full(raw.shape[1], max(shape, 1e-6))
    weight = params.level_weight * np.sqrt(raw.shape[1] - 1)
    scale[-1] = max(float(spread[-1]), 1e-6) / weight
    return middle, scale


def _scaled(raw: Floats, middle: Floats, scale: Floats, clip: float) -> Floats:
    out = (raw - middle) / scale
    limits = np.full(raw.shape[1], clip)
    limits[-1] = clip * np.sqrt(raw.shape[1] - 1)
    return np.clip(out, -limits, limits)


def _first_centres(space: Floats, params: SegmentParams) -> tuple[Floats, tuple[dict[str, float], ...]]:
    """Centres for the number of segments chosen by measurement, highest level first, and what was measured."""
    from sklearn.cluster import KMeans

    def cluster(points: Floats, k: int, seed: int) -> Floats:
        fitted = KMeans(n_clusters=k, n_init=params.starts, random_state=seed, max_iter=200).fit(points)
        return np.asarray(fitted.cluster_centers_, dtype=np.float64)

    most = max(params.k_min, min(params.k_max, len(space) // LEAST_CUSTOMERS_A_SEGMENT))
    measured = measure_k(space, range(params.k_min, most + 1), cluster, params.bootstraps, params.sample, params.seed)
    centres = cluster(space, choose_k(measured, params.min_share), params.seed)
    # ids by level: an order which does not depend on chance
    return centres[np.argsort(-centres[:, -1], kind="stable")], measured


def _next_centres(space: Floats, old: Floats) -> Floats:
    """Centres found from the old ones, each in the place of the old one it continues."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.cluster import KMeans

    found = KMeans(n_clusters=len(old), init=old, n_init=1, max_iter=100).fit(space).cluster_centers_
    new, continued = linear_sum_assignment(((found[:, None, :] - old[None, :, :]) ** 2).sum(axis=2))
    centres = np.empty_like(old)
    centres[continued] = found[new]
    return centres


def _segments(frame: pd.DataFrame, labels: Ints, centres: Floats, previous: SegmentModel | None) -> tuple[Segment, ...]:
    profiles = frame[list(PROFILE_COLUMNS)].to_numpy(dtype=np.float64)
    level = frame["log_level"].to_numpy(dtype=np.float64)
    classes = frame["usage_class"].to_numpy(dtype=object) if "usage_class" in frame.columns else None
    described = []
    for i in range(len(centres)):
        mine = labels == i
        if not mine.any() and previous is not None:
            described.append(_as_before(previous.segments[i]))
            continue
        shape, kwh = profiles[mine].mean(axis=0), float(np.exp(level[mine].mean()))
        described.append(
            Centre(
                weekday=tuple(round(float(v), 4) for v in shape[:HOURS]),
                weekend=tuple(round(float(v), 4) for v in shape[HOURS:]),
                mean_daily_kwh=round(kwh, 3),
                usage_class=_main_class(classes[mine]) if classes is not None else None,
                share=round(float(mine.mean()), 4),
            )
        )
    kept: dict[int, tuple[str, str]] = {}
    if previous is not None:
        old = np.asarray(previous.centres)
        gaps = np.sqrt(((old[:, None, :] - old[None, :, :]) ** 2).sum(axis=2))
        np.fill_diagonal(gaps, np.inf)
        moved = np.sqrt(((centres - old) ** 2).sum(axis=1))
        kept = {
            i: (s.name, s.name_zh) for i, s in enumerate(previous.segments) if moved[i] < 0.5 * float(gaps[i].min())
        }
    names = name_segments(described, kept)
    ids = [s.segment_id for s in previous.segments] if previous is not None else list(range(1, len(centres) + 1))
    return tuple(
        Segment(
            segment_id=ids[i],
            name=names[i][0],
            name_zh=names[i][1],
            share=c.share,
            mean_daily_kwh=c.mean_daily_kwh,
            weekday=c.weekday,
            weekend=c.weekend,
            usage_class=c.usage_class,
        )
        for i, c in enumerate(described)
    )


def _as_before(segment: Segment) -> Centre:
    """Description of a segment in which nobody is left for now."""
    return Centre(segment.weekday, segment.weekend, segment.mean_daily_kwh, segment.usage_class, 0.0)


def _main_class(classes: npt.NDArray[np.object_]) -> str | None:
    """Class of at least two thirds of the customers, else None."""
    known = [str(c) for c in classes if isinstance(c, str)]
    if not known:
        return None
    names, counts = np.unique(known, return_counts=True)
    top = int(np.argmax(counts))
    return str(names[top]) if counts[top] >= 2 / 3 * len(classes) else None
