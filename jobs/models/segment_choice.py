"""How many segments: measured by what a new draw of customers changes, and by how far they lie apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SILHOUETTE_CUSTOMERS = 2000
STABILITY_SLACK = 0.05
SEPARATION_SHARE = 0.9


def nearest(space: Floats, centres: Floats) -> Ints:
    """Index of the nearest centre for each point."""
    return np.asarray(((space[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2).argmin(axis=1))


def measure_k(
    space: Floats,
    candidates: Sequence[int],
    cluster: Callable[[Floats, int, int], Floats],
    bootstraps: int,
    sample: int,
    seed: int,
) -> tuple[dict[str, float], ...]:
    """For each number of segments: k, stability, stability_se, separation, smallest_share.

    cluster(points, k, seed) gives the centres. stability: mean adjusted Rand index between the segments of bootstrap
    refits, each pair judged on the same customers. separation: mean silhouette. Both on a sample of the customers.
    """
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    random = np.random.default_rng(seed)
    if len(space) > sample:
        space = space[np.sort(random.choice(len(space), sample, replace=False))]
    out = []
    for k in candidates:
        labels = nearest(space, cluster(space, k, seed))
        refits = [
            nearest(space, cluster(space[random.integers(0, len(space), len(space))], k, seed + 1 + i))
            for i in range(max(bootstraps, 2))
        ]
        agreement = np.array([adjusted_rand_score(a, b) for i, a in enumerate(refits) for b in refits[i + 1 :]])
        some = random.choice(len(space), min(len(space), SILHOUETTE_CUSTOMERS), replace=False)
        apart = float(silhouette_score(space[some], labels[some])) if len(np.unique(labels[some])) > 1 else -1.0
        out.append(
            {
                "k": float(k),
                "stability": float(agreement.mean()),
                # pairs share refits: the number of refits, not of pairs, says how much was measured
                "stability_se": float(agreement.std() / np.sqrt(len(refits))),
                "separation": apart,
                "smallest_share": float(np.bincount(labels, minlength=k).min() / len(labels)),
            }
        )
    return tuple(out)


def choose_k(measured: Sequence[dict[str, float]], min_share: float) -> int:
    """Of the numbers without a tiny segment, the largest which is about as good as the best.

    As good: stability within 0.05 of the most stable, and separation at least nine tenths of the best of those. More
    segments say more, so near ties go to the larger number. Where every number has a tiny segment: the one whose
    smallest segment is largest.
    """
    allowed = [m for m in measured if m["smallest_share"] >= min_share]
    if not allowed:
        return int(max(measured, key=lambda m: (m["smallest_share"], -m["k"]))["k"])
    stable = max(m["stability"] for m in allowed) - STABILITY_SLACK
    steady = [m for m in allowed if m["stability"] >= stable]
    best = max(m["separation"] for m in steady)
    return int(max(m["k"] for m in steady if m["separation"] >= best - (1 - SEPARATION_SHARE) * abs(best)))
