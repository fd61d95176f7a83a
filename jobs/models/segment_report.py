"""What segments are worth: how well they foretell the shape of days they have not seen, and whether to use them.

A segment says "customers like this one use their hours so". Segments fitted on the days before are therefore judged by
how much of the spread of next month's normalised profiles their mean profiles explain, customer by customer. The naive
baseline is as many groups by level of use alone, which needs no model; the other rival is the champion in use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from jobs.models.segment_profiles import HOURS, PROFILE_COLUMNS
from jobs.models.segments import SegmentModel, SegmentParams, assign, fit

Floats = npt.NDArray[np.float64]

MOST_TIMES_MEAN = 6.0  # hours above six times a customer's mean are cut, or a few idle homes would decide the result
LEAST_STABILITY = 0.3


@dataclass(frozen=True)
class SegmentReport:
    """Comparison of segments on customers known before and after.

    explained: share of the variance of the later profiles explained by the candidate's mean profiles; below 0 is worse
    than one mean profile for all. gain_over_*: the candidate's explained share less the other's, with its standard
    error over customers. agreement_with_champion: adjusted Rand index of the segments, candidate against champion.
    """

    model: SegmentModel
    customers: int
    explained: float
    baseline_explained: float
    gain_over_baseline: float
    gain_over_baseline_se: float
    champion_explained: float | None
    gain_over_champion: float | None
    gain_over_champion_se: float | None
    agreement_with_champion: float | None
    stability: float
    separation: float
    smallest_share: float

    def metrics(self) -> dict[str, float]:
        """Flat numbers for a tracking server."""
        names = (
            "customers",
            "explained",
            "baseline_explained",
            "gain_over_baseline",
            "gain_over_baseline_se",
            "champion_explained",
            "gain_over_champion",
            "agreement_with_champion",
            "stability",
            "separation",
            "smallest_share",
        )
        values = {name: getattr(self, name) for name in names}
        return {"segments": float(len(self.model.segments))} | {
            name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)
        }


@dataclass(frozen=True)
class SegmentDecision:
    """Whether segments may be used, and why, in sentences."""

    promote: bool
    reasons: tuple[str, ...]


def evaluate(
    before: pd.DataFrame, after: pd.DataFrame, params: SegmentParams | None = None, champion: SegmentModel | None = None
) -> SegmentReport:
    """Fit on the profile frame `before` (from the champion's centres, if there is one) and judge on the frame `after`.

    Raises ValueError when too few customers are known in both.
    """
    candidate = fit(before, params, previous=champion)
    segments = assign(candidate, before).set_index("unique_id")["segment_id"].dropna()
    later = after.set_index("unique_id")[list(PROFILE_COLUMNS)].dropna()
    ids = segments.index.intersection(later.index).sort_values()
    if len(ids) < 2:
        raise ValueError("no customers with a known profile both before and after: nothing to judge segments on")
    truth = np.clip(later.loc[ids].to_numpy(dtype=np.float64), -MOST_TIMES_MEAN, MOST_TIMES_MEAN)
    earlier = before.set_index("unique_id").loc[ids]
    shapes = earlier[list(PROFILE_COLUMNS)].to_numpy(dtype=np.float64)
    spread = ((truth - shapes.mean(axis=0)) ** 2).sum(axis=1)
    mine = ((truth - _segment_shapes(candidate, segments.loc[ids])) ** 2).sum(axis=1)
    level = earlier["log_level"].to_numpy(dtype=np.float64)
    naive = ((truth - _level_shapes(shapes, level, len(candidate.segments))) ** 2).sum(axis=1)
    over_naive, over_naive_se = _gain(mine, naive, spread)
    measured = next((m for m in candidate.selection if int(m["k"]) == len(candidate.segments)), {})
    over: tuple[float | None, float | None, float | None, float | None] = (None, None, None, None)
    if champion is not None:
        held = assign(champion, before).set_index("unique_id")["segment_id"].loc[ids].astype("Int64")
        now = assign(candidate, before, current=held).set_index("unique_id")["segment_id"].loc[ids]
        used = held.notna() & now.notna()
        theirs = ((truth - _segment_shapes(champion, held.fillna(champion.segments[0].segment_id))) ** 2).sum(axis=1)
        gain, error = _gain(mine[used], theirs[used], spread[used])
        agreement = float(adjusted_rand_score(held[used].astype(int), now[used].astype(int)))
        over = (1.0 - float(theirs[used].sum() / spread[used].sum()), gain, error, agreement)
    return SegmentReport(
        model=candidate,
        customers=len(ids),
        explained=1.0 - float(mine.sum() / spread.sum()),
        baseline_explained=1.0 - float(naive.sum() / spread.sum()),
        gain_over_baseline=over_naive,
        gain_over_baseline_se=over_naive_se,
        champion_explained=over[0],
        gain_over_champion=over[1],
        gain_over_champion_se=over[2],
        agreement_with_champion=over[3],
        stability=float(measured.get("stability", math.nan)),
        separation=float(measured.get("separation", math.nan)),
        smallest_share=min(s.share for s in candidate.segments),
    )


def segment_decision(report: SegmentReport) -> SegmentDecision:
    """Promote segments which foretell shapes better than a split by level does, and than the champion does.

    Better: by more than two standard errors over customers for the split, by more than one for the champion (replacing
    segments in use has a price). Bootstrap refits must agree, and no segment may be nearly empty.
    """
    reasons = []
    wins = report.gain_over_baseline > 2 * report.gain_over_baseline_se
    reasons.append(
        f"{len(report.model.segments)} segments explain {report.explained:.1%} of the spread of the next month's "
        f"profiles of {report.customers} customers, as many groups by level alone {report.baseline_explained:.1%}: "
        f"{'better' if wins else 'not clearly better'} (gain {report.gain_over_baseline:.4f} ± "
        f"{report.gain_over_baseline_se:.4f})."
    )
    if report.gain_over_champion is not None and report.gain_over_champion_se is not None:
        beats = report.gain_over_champion > report.gain_over_champion_se
        wins &= beats
        reasons.append(
            f"The champion explains {report.champion_explained:.1%}: the candidate is "
            f"{'better' if beats else 'not clearly better'} (gain {report.gain_over_champion:.4f} ± "
            f"{report.gain_over_champion_se:.4f}); their segments agree to {report.agreement_with_champion:.2f} "
            "(adjusted Rand index)."
        )
    else:
        reasons.append("There is no champion to compare with.")
    stable = not report.stability < LEAST_STABILITY
    reasons.append(
        f"Refits on redrawn customers agree to {report.stability:.2f} (adjusted Rand index), "
        f"{'enough' if stable else f'below the {LEAST_STABILITY} required'}."
    )
    least = report.model.params.min_share
    filled = report.smallest_share >= least
    reasons.append(
        f"The smallest segment holds {report.smallest_share:.1%} of the customers"
        f"{'' if filled else f', below the {least:.0%} required'}."
    )
    return SegmentDecision(bool(wins and stable and filled), tuple(reasons))


def _segment_shapes(model: SegmentModel, segments: pd.Series) -> Floats:
    """Mean profile of each customer's segment: (customers, 48)."""
    row = {s.segment_id: i for i, s in enumerate(model.segments)}
    shapes = np.array([(*s.weekday, *s.weekend) for s in model.segments]).reshape(-1, 2 * HOURS)
    return np.asarray(shapes[[row[int(i)] for i in segments]])


def _level_shapes(shapes: Floats, level: Floats, groups: int) -> Floats:
    """Mean profile of each customer's group, the groups being equal parts of the customers by level."""
    edges = np.quantile(level, np.arange(1, groups) / groups)
    group = np.searchsorted(edges, level, side="right")
    means = np.array(
        [shapes[group == g].mean(axis=0) if (group == g).any() else shapes.mean(axis=0) for g in range(groups)]
    )
    return np.asarray(means[group])


def _gain(mine: Floats, other: Floats, spread: Floats) -> tuple[float, float]:
    """Explained share of `mine` less that of `other`, with its standard error over customers."""
    difference = (other - mine) / spread.mean()
    return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))
