"""Which meters of a district explain that its loss changes its level: a search by least squares, step after step.

In each hour the loss of a district (supplied - counted, kWh) is

    loss(t) = a + b supplied(t)^2 + sum over meters i with a break of share_i counted_i(t) [date(t) >= since_i]

The first two terms are what is lost in meters and insulation at any time, and in the lines by the square of the
current. A meter which shows only a part s of its energy from a date on leaves 1/s - 1 times what it counts to the
loss; one that counts f times too much takes 1 - 1/f of what it counts from it. So the loss moves with the curve of
that very meter, hour by hour, and the date and the meter are found which take most from the squares of what is left
(orthogonal matching pursuit: Mallat and Zhang 1993; Pati, Rezaiifar and Krishnaprasad 1993).

What is left is compared with itself: its spread is that of the district's own quiet hours, hours in which energy is
estimated weigh less, and single hours which stand far out weigh less as well (Huber 1964). Hours and dates which follow
each other are wrong together, so that there are fewer that count than there are: the sum of the correlations from date
to date says by which factor (Newey and West 1987).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.kernels.own_levels import OwnLevels

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# places of meter and date
Steps = list[tuple[int, int]]
_Key = tuple[tuple[int, int], ...]

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
# and from which on one is looked at, when the district still seems restless for want of it
_WORTH_A_LOOK = 4.0
# what the days of a meter, which has reasons of its own, can add to the squares which its step explains
_MOST_BY_OWN = 16.0
# dates so far apart can be alike in what is left of the loss: a warm spell, a phase that carries more than the others
_ALIKE_DATES = 7
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

    error: standard error of the share. likelihood: how likely it is this meter among all of the district, by the
    squares which the best step of each leaves.
    """

    meter: int
    since: int
    share: float
    error: float
    likelihood: float

    @property
    def level(self) -> float:
        """What the meter counts of what flows: below 1 too little, above 1 too much."""
        return 1.0 / (1.0 + self.share)


def loss_steps(hours: DistrictHours, own: OwnLevels, shares: tuple[Floats, Floats]) -> list[LossStep]:
    """The steps of the window, in the order in which they were found.

    The first date stands for a break before the window, which is looked for as well and not told. own: what the days of
    each meter say alone. shares: (meters, dates), the lowest and the highest share that the meter may have if it begins
    there; between -0.2 and 0.2 is no break.
    """
    search = _Search(hours, own, shares)
    # several large ones hide each other in the loss, and not in the days of their meters
    steps = min([search.grown([]), search.grown(search.told_by_own())], key=search.unlikeliness)
    if len(steps) > 1:
        # a wrong step can keep others from their place: begin again without each, and with each before the window
        meters = [meter for meter, _ in steps[:_MOST_STARTS]]
        others = [search.grown([], without=meter) for meter in meters]
        others += [search.grown([(meter, 0)]) for meter in meters]
        steps = min([steps, *others], key=search.unlikeliness)
    return search.told(steps)


class _Search:
    def __init__(self, hours: DistrictHours, own: OwnLevels, shares: tuple[Floats, Floats]) -> None:
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
        self._possible = np.tile(enough, (len(hours.counted_kwh), 1))
        # any meter may have been wrong before the window: it explains what would else be laid to others
        self._possible[:, 0] = True
        self._shares = shares
        self._own = own
        self._fits: dict[_Key, tuple[Floats, Floats, float, float]] = {}
        self._asked: dict[tuple[_Key, _Key, float], tuple[Floats, Ints]] = {}
        self._date = np.repeat(np.arange(self._dates), self._hours)

    def grown(self, steps: Steps, without: int | None = None) -> Steps:
        """The steps and those which explain more beside them, none of the meter `without`."""
        for _ in range(_MOST_STEPS):
            found = self.best(steps, steps, _WORTH_A_LOOK, without=without)
            if found is None:
                break
            # what was found first was found with all others in its way
            moved = self.moved([*steps, found], without)
            if set(moved) == set(steps):
                break
            steps = moved
        # hours are alike because of steps not known yet as well: only in the end does that speak against those known
        return self.moved(steps, without, is_end=True)

    def told_by_own(self) -> Steps:
        """Steps of the meters whose own days tell the clearest change, each at its clearest date."""
        with np.errstate(invalid="ignore", divide="ignore"):
            clear = np.where(self._possible, np.nan_to_num(np.abs(self._own.change / self._own.error)), 0.0)
        since = clear.argmax(axis=1) if clear.size else np.zeros(0, np.int64)
        most = clear.max(axis=1) if clear.size else np.zeros(0)
        meters = np.argsort(-most, kind="stable")[:_MOST_STARTS]
        return [(int(meter), int(since[meter])) for meter in meters if most[meter] > _WORTH_A_LOOK]

    def unlikeliness(self, steps: Steps) -> float:
        """Grows with what the steps leave of the loss, and with their number: each must be worth its clearness."""
        return float(self._usable.sum() * np.log(self._fitted(steps)[2]) + _CLEAR**2 / 2 * len(steps))

    def best(
        self, steps: Steps, weighed_by: Steps, clear: float, alike: float = 1.0, without: int | None = None
    ) -> tuple[int, int] | None:
        """The step beside those known which explains most; None where none is `clear` standard errors from none.

        Hours weigh as they do with the steps `weighed_by`: with a step unknown its district would seem restless. There
        are fewer that count by the factor `alike`.
        """
        gain, since = self._most(steps, weighed_by, alike)
        meter = int(np.argmax(np.where(np.arange(len(gain)) == without, 0.0, gain))) if gain.size else 0
        return (meter, int(since[meter])) if gain.size and meter != without and gain[meter] > clear**2 else None

    def moved(self, steps: Steps, without: int | None, *, is_end: bool = False) -> Steps:
        """Each step where it is best with all others as they are, in the order found; gone where it is not clear."""
        for _ in range(_SWEEPS):
            before = set(steps)
            for step in list(steps):
                others = [other for other in steps if other != step]
                alike = self._fitted(steps)[3] if is_end else 1.0
                found = self.best(others, steps, _CLEAR, alike, without)
                steps = others if found is None else [*others, found]
            if set(steps) == before:
                break
        return steps

    def told(self, steps: Steps) -> list[LossStep]:
        """The steps with their shares, all fitted together."""
        if not steps:
            return []
        design, weight, _, alike = self._fitted(steps)
        _, upper = np.linalg.qr(design * weight[:, None])
        answer = _least_squares(design, self._loss, weight)
        error = np.sqrt(alike * (np.linalg.inv(upper) ** 2).sum(axis=1))
        told = []
        for place, (meter, since) in enumerate(steps):
            if since == 0:
                continue
            number = self._base.shape[1] + place
            gain, _ = self._most([*steps[:place], *steps[place + 1 :]], steps, alike)
            likelihood = 1 / np.exp((gain - gain[meter]) / 2).sum()
            told.append(LossStep(meter, since, float(answer[number]), float(error[number]), float(likelihood)))
        return told

    def _fitted(self, steps: Steps) -> tuple[Floats, Floats, float, float]:
        """The design, the weight of each hour, the spread of what is left in quiet hours, kWh, and `_alike` of it."""
        known = self._fits.get(tuple(steps))
        if known is None:
            known = self._fits[tuple(steps)] = self._fit(steps)
        return known

    def _fit(self, steps: Steps) -> tuple[Floats, Floats, float, float]:
        spread = _LEAST_SPREAD_KWH
        design = self._design(steps)
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
        return design, weight, spread, self._alike(left * weight)

    def _alike(self, left: Floats) -> float:
        """By which factor squares of sums over many hours are above the sum of the squares; 1 where hours differ."""
        by_date = left.reshape(self._dates, self._hours).sum(axis=1)
        total = float(by_date @ by_date)
        for apart in range(1, min(_ALIKE_DATES, self._dates - 1) + 1):
            total += 2 * (1 - apart / (_ALIKE_DATES + 1)) * float(by_date[apart:] @ by_date[:-apart])
        return max(total / max(float(left @ left), 1e-12), 1.0)

    def _design(self, steps: Steps) -> Floats:
        """(hours, 2 and one for each step) what the loss is made of."""
        columns = [self._counted[meter] * (self._date >= since) for meter, since in steps]
        return np.concatenate([self._base, *(column[:, None] for column in columns)], axis=1)

    def _alone(self, left: Floats, allowed: Floats) -> Bools:
        """(hours,) of dates whose loss is unlike that of the dates around: wrong for a day, which is no break."""
        sure = np.where(self._usable, 1 / allowed**2, 0.0).reshape(self._dates, self._hours)
        total = sure.sum(axis=1)
        there = total > 0
        total = np.where(there, total, 1.0)
        mean = (sure * left.reshape(sure.shape)).sum(axis=1) / total
        # the hours of a night are wrong together
        error = np.sqrt(there * self._hours / total)
        padded = np.pad(mean, _AROUND, mode="edge")
        around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1), axis=1)
        alone = np.abs(mean - around) > _CLEARLY_ALONE * error + 0.5 * np.abs(around)
        return np.asarray(np.repeat(alone, self._hours))

    def _most(self, steps: Steps, weighed_by: Steps, alike: float) -> tuple[Floats, Ints]:
        """Of each meter the most that a step gains, and its date; searches from several sides ask the same again."""
        asked = (tuple(sorted(steps)), tuple(sorted(weighed_by)), alike)
        known = self._asked.get(asked)
        if known is None:
            gain = self._gains(steps, weighed_by, alike)
            known = self._asked[asked] = (gain.max(axis=1), gain.argmax(axis=1))
        return known

    def _gains(self, steps: Steps, weighed_by: Steps, alike: float) -> Floats:
        """(meters, dates) by how much each step would lower the squares of what is left, and those of the meter's days.

        All steps at once: sums over the hours since a date are sums from the end.
        """
        weight = self._fitted(weighed_by)[1]
        design = self._design(steps)
        left = (self._loss - design @ _least_squares(design, self._loss, weight)) * weight
        along, share = self._gains_of(design, weight, left)
        lowest, highest = self._shares
        plausible = (share >= lowest) & (share <= highest) & (np.abs(share) > 0.2)
        known = [meter for meter, _ in steps]
        is_other = ~np.isin(np.arange(len(self._counted)), known)[:, None]
        gain = along * share / alike + np.where(plausible, self._gained_by_own(share), 0.0)
        return np.where(plausible & is_other & self._possible, np.maximum(gain, 0.0), 0.0)

    def _gained_by_own(self, share: Floats) -> Floats:
        """(meters, dates) squares, in errors, of the own change of level less those which the share leaves of it."""
        with np.errstate(invalid="ignore", divide="ignore"):
            change = -np.log1p(share)
            gained = (self._own.change**2 - (self._own.change - change) ** 2) / self._own.error**2
        return np.minimum(np.nan_to_num(gained), _MOST_BY_OWN)

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
