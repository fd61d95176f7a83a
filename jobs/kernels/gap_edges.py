"""What is known at the two ends of a gap, and the straight line between them, for a block of meter days at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GapEdges:
    """(points, rows): the nearest values before and after an interval, NaN where there is none, and how far they are.

    Distances are in intervals; to the end of the day where there is no value.
    """

    left: Floats
    right: Floats
    to_left: Floats
    to_right: Floats

    @classmethod
    def of(cls, kwh: Floats, before: Floats, after: Floats) -> "GapEdges":
        """kwh: (points, rows), NaN where missing; before and after: the value that comes before and after the day."""
        left, to_left = _nearest(kwh, before)
        right, to_right = _nearest(kwh[::-1], after)
        return cls(left, right[::-1], to_left, to_right[::-1])

    def line(self) -> Floats:
        """Straight between the two values, level where there is one."""
        slope = self.to_left / (self.to_left + self.to_right)
        both = self.left + (self.right - self.left) * slope
        return np.where(np.isnan(both), np.where(np.isnan(self.left), self.right, self.left), both)

    def gap_minutes(self, interval_minutes: int) -> Floats:
        """Length of the gap an interval lies in. With a value at one end alone a gap counts twice; with none, inf."""
        values = 2 - np.isnan(self.left).astype(np.int64) - np.isnan(self.right)
        length = (self.to_left + self.to_right - 1) * interval_minutes
        return np.where(values == 0, np.inf, length * np.where(values == 1, 2, 1))

    def nearest_minutes(self, interval_minutes: int) -> Floats:
        """How far the nearest value is; inf where there is none."""
        left = np.where(np.isnan(self.left), np.inf, self.to_left)
        right = np.where(np.isnan(self.right), np.inf, self.to_right)
        return np.minimum(left, right) * interval_minutes


def _nearest(kwh: Floats, before: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(kwh)
    value, distance = before.copy(), np.zeros(len(before))
    values, distances = np.empty(kwh.shape), np.empty(kwh.shape)
    for point in range(len(kwh)):
        distance += 1
        values[point], distances[point] = value, distance
        value = np.where(known[point], kwh[point], value)
        distance[known[point]] = 0
    return values, distances
