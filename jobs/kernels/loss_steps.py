"""Which meters of a district explain that its loss changes its level: a search by least squares, step after step.

In each hour the loss of a district (supplied - counted, kWh) is

    loss(t) = a + b supplied(t)^2 + sum over meters i with a break of share_i counted_i(t) [date(t) >= since_i]

The first two terms are what is lost in meters and insulation at any time, and in the lines by the square of the
current. A meter which shows only a part s of its energy from a date on leaves 1/s - 1 times what it counts to the
loss; one that counts f times too much takes 1 - 1/f of what it counts from it. So the loss moves with the curve of
that very meter, hour by hour, and the date and the meter are found which take most from the squares of what is left
(orthogonal matching pursuit: Mallat and Zhang 1993; Pati, Rezaiifar and Krishnaprasad 1993).

What is left is compared with itself: its spread is that of the district's own quiet hours, hours in which energy is
estimated weigh less, and single hours which stand far out weigh less as well (Huber 1964).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# half a year's losses are known to no better than this, kWh an hour: what intervals round away, some ten meters each
_LEAST_SPREAD_KWH = 0.005
# an estimate is wrong by such a share of itself
_ESTIMATES_ERR = 0.4
_HUBER = 2.5
_ROUNDS = 4
# a date is held against so many dates on both sides; far from these it counts no more than that
_AROUND, _CLEARLY_ALONE, _ALONE_COUNTS = 2, 5.0, 0.05
# steps in one district and window beyond which it is not the meters that changed
_MOST_STEPS = 8
# standard errors which a step must be away from none: of 90 meters x 50 dates the best would have 5 by chance alone
_CLEAR = 6.0
# a step with fewer hours that count on one of its sides cannot be told
_FEWEST_HOURS = 12
# how often each step is looked at again with all others as they are
_SWEEPS = 3
_MOST_STARTS = 4


@dataclass(frozen=True, eq=False)
class DistrictHours:
    """Hours of a district's window in which nobody feeds in, primary kWh; NaN where unknown. All (dates, hours).

    counted_kwh: (meters, dates, hours), 0 where a meter counts for nobody.
    """

    supplied_kwh: Floats
    loss_kwh: Floats
    doubtful_kwh: Floats
    counted_kwh: Floats


@dataclass(frozen=True)
class LossStep:
    """A meter and the place of the date from which it leaves `share` times what it counts to the loss.

    error: standard error of the share. margin: 1 - squares left by this meter / squares left by the best other one.
    """

    meter: int
    since: int
    share: float
    error: float
    margin: float

    @property
    def level(self) -> float:
        """What the meter counts of what flows: below 1 too little, above 1 too much."""
        return 1.0 / (1.0 + self.share)


def loss_steps(hours: DistrictHours, possible: Bools, shares: tuple[Floats, Floats]) -> list[LossStep]:
    """The steps of the window, in the order in which they were found.

    possible: (meters, dates), whether a break of the meter may begin there. The first date stands for a break before
    the window, which is looked for as well and not told. shares: (meters, dates), the lowest and
    the highest share that the meter may have if it begins there; between -0.2 and 0.2 is no break.
    """
    search = _Search(hours, possible, shares)
    steps = search.grown([])
    if len(steps) > 1:
        # a step at a wrong date can keep others from their place: begin again with each as one from before the window
        others = [search.grown([(meter, 0)]) for meter, since in steps[:_MOST_STARTS] if since]
        steps = min([steps, *others], key=search.spread)
    return search.told(steps)


class _Search:
    def __init__(self, hours: DistrictHours, possible: Bools, shares: tuple[Floats, Floats]) -> None:
        self._dates, self._hours = hours.loss_kwh.shape
        usable = ~(np.isnan(hours.loss_kwh) | np.isnan(hours.supplied_kwh))
        self._usable = usable.ravel()
        self._loss = np.where(usable, hours.loss_kwh, 0.0).ravel()
        supplied = np.where(usable, hours.supplied_kwh, 0.0).ravel()
        mean = max(float(supplied.sum()) / max(int(self._usable.sum()), 1), 1e-9)
        self._base = np.stack([np.ones_like(supplied), (supplied / mean) ** 2], axis=1)
        self._doubtful = np.nan_to_num(hours.doubtful_kwh).ravel()
        self._counted = np.nan_to_num(hours.counted_kwh).reshape(len(hours.counted_kwh), self._dates * self._hours)
        after = np.cumsum(usable.sum(axis=1)[::-1])[::-1]
        enough = (after >= _FEWEST_HOURS) & (self._usable.sum() - after >= _FEWEST_HOURS)
        self._possible = possible & enough
        # any meter may have been wrong before the window: it explains what would else be laid to others
        self._possible[:, 0] = True
        self._shares = shares
        self._date = np.repeat(np.arange(self._dates), self._hours)

    def grown(self, steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """The steps and those which explain more beside them."""
        for _ in range(_MOST_STEPS):
            found = self.best(steps)
            if found is None:
                break
            # what was found first was found with all others in its way
            steps = self.moved([*steps, found])
        return steps

    def spread(self, steps: list[tuple[int, int]]) -> float:
        """Of what the steps leave of the loss in quiet hours, kWh an hour."""
        return self._fitted(steps)[3]

    def best(self, steps: list[tuple[int, int]]) -> tuple[int, int] | None:
        """The step beside those known which explains most; None where none is clear."""
        gain = self._gains(steps)
        if not gain.size:
            return None
        meter, since = np.unravel_index(int(np.argmax(gain)), gain.shape)
        return (int(meter), int(since)) if gain[meter, since] > _CLEAR**2 else None

    def moved(self, steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Each step where it is best with all others as they are, in the order found; gone where it is not clear."""
        for _ in range(_SWEEPS):
            before = set(steps)
            for step in list(steps):
                others = [other for other in steps if other != step]
                found = self.best(others)
                steps = others if found is None else [*others, found]
            if set(steps) == before:
                break
        return steps

    def told(self, steps: list[tuple[int, int]]) -> list[LossStep]:
        """The steps with their shares, all fitted together."""
        if not steps:
            return []
        design, weight, _, _ = self._fitted(steps)
        _, upper = np.linalg.qr(design * weight[:, None])
        answer = _least_squares(design, self._loss, weight)
        error = np.sqrt((np.linalg.inv(upper) ** 2).sum(axis=1))
        left = float((((self._loss - design @ answer) * weight) ** 2).sum())
        told = []
        for place, (meter, since) in enumerate(steps):
            if since == 0:
                continue
            number = self._base.shape[1] + place
            margin = 1 - left / max(self._left_by_others(np.delete(design, number, axis=1), weight, meter), left, 1e-12)
            told.append(LossStep(meter, since, float(answer[number]), float(error[number]), float(margin)))
        return told

    def _left_by_others(self, design: Floats, weight: Floats, meter: int) -> float:
        """Squares which the best step of any other meter would leave, each hour weighed as it was."""
        left = (self._loss - design @ _least_squares(design, self._loss, weight)) * weight
        gain, share = self._gains_of(design, weight, left)
        others = np.delete((gain * share)[:, 1:], meter, axis=0)
        return float((left**2).sum()) - (float(others.max()) if others.size else 0.0)

    def _fitted(self, steps: list[tuple[int, int]]) -> tuple[Floats, Floats, Floats, float]:
        """The design, the weight of each hour, what is left of the loss, weighed, and its spread in quiet hours."""
        spread = _LEAST_SPREAD_KWH
        columns = [self._counted[meter] * (self._date >= since) for meter, since in steps]
        design = np.concatenate([self._base, *(column[:, None] for column in columns)], axis=1)
        weight = self._usable.astype(np.float64)
        for _ in range(_ROUNDS):
            left = self._loss - design @ _least_squares(design, self._loss, weight)
            sure = self._usable & (self._doubtful <= 0)
            quiet = sure if sure.sum() >= 2 * _FEWEST_HOURS else self._usable
            spread = max(1.4826 * float(np.median(np.abs(left[quiet]))) if quiet.any() else 0.0, _LEAST_SPREAD_KWH)
            allowed = np.sqrt(spread**2 + (_ESTIMATES_ERR * self._doubtful) ** 2)
            far = np.abs(left) / allowed
            weight = np.where(self._usable, np.sqrt(np.minimum(1.0, _HUBER / np.maximum(far, 1e-9))) / allowed, 0.0)
            weight = np.where(self._alone(left, allowed), _ALONE_COUNTS * weight, weight)
        left = self._loss - design @ _least_squares(design, self._loss, weight)
        return design, weight, left * weight, spread

    def _alone(self, left: Floats, allowed: Floats) -> Bools:
        """(hours,) of dates whose loss is unlike that of the dates around: wrong for a day, which is no break."""
        shape = (self._dates, self._hours)
        usable = self._usable.reshape(shape)
        count = np.maximum(usable.sum(axis=1), 1)
        mean = np.where(usable, left.reshape(shape), 0.0).sum(axis=1) / count
        error = np.sqrt(np.where(usable, allowed.reshape(shape) ** 2, 0.0).sum(axis=1) / count)
        padded = np.pad(mean, _AROUND, mode="edge")
        around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1), axis=1)
        alone = np.abs(mean - around) > _CLEARLY_ALONE * error + 0.5 * np.abs(around)
        return np.asarray(np.repeat(alone, self._hours))

    def _gains(self, steps: list[tuple[int, int]]) -> Floats:
        """(meters, dates) by how much each step would lower the squares of what is left.

        All steps at once: sums over the hours since a date are sums from the end.
        """
        design, weight, left, _ = self._fitted(steps)
        along, share = self._gains_of(design, weight, left)
        lowest, highest = self._shares
        plausible = (share >= lowest) & (share <= highest) & (np.abs(share) > 0.2)
        known = [meter for meter, _ in steps]
        is_other = ~np.isin(np.arange(len(self._counted)), known)[:, None]
        return np.where(plausible & is_other & self._possible, along * share, 0.0)

    def _gains_of(self, design: Floats, weight: Floats, left: Floats) -> tuple[Floats, Floats]:
        """(meters, dates) what is left along the step of each, and its share: their product are the squares gained."""
        basis, _ = np.linalg.qr(design * weight[:, None])
        counted = self._counted * weight
        along = self._since(counted * left)
        square = all_of_it = self._since(counted**2)
        for column in basis.T:
            square = square - self._since(counted * column) ** 2
        enough = square > 1e-6 * np.maximum(all_of_it, 1e-12)
        return along, np.where(enough, along / np.where(enough, square, 1.0), 0.0)

    def _since(self, by_hour: Floats) -> Floats:
        by_date = by_hour.reshape(len(by_hour), self._dates, self._hours).sum(axis=2)
        return np.asarray(np.cumsum(by_date[:, ::-1], axis=1)[:, ::-1])


def _least_squares(design: Floats, values: Floats, weight: Floats) -> Floats:
    """Weighted least squares by an orthogonal basis; columns which say nothing of their own get next to nothing."""
    basis, upper = np.linalg.qr(design * weight[:, None])
    size = np.abs(np.diag(upper))
    np.fill_diagonal(upper, np.where(size > 1e-9 * max(float(size.max()), 1e-300), np.diag(upper), 1e300))
    return np.asarray(np.linalg.solve(upper, basis.T @ (values * weight)))
