"""The head-end: curves and register readings of a chunk as they are delivered, late and faulty ones included."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from jobs.province.dials import Bookcase, Books, MeteredDay, is_month_end, meter_ids, next_day, opening_books
from jobs.province.draws import Bools, Dials, Ints, draw
from jobs.province.faults import ROW_CLASSES, RowFault, lags, which
from jobs.province.ledger import TRUTH_SCHEMA, FaultNotes
from jobs.province.meter_faults import spoil_meters, stray_rows
from jobs.province.parts import STAMPED, CurveParts, ReadingParts
from jobs.province.plan import Plan
from jobs.province.population import Chunk
from jobs.province.register_faults import Misreading, misread
from jobs.province.value_faults import other_values, spoil, spoil_for_correction

LATEST_DAYS = 5
_NEVER = 10_000
_UNKNOWN_METER = 500_000_000_000


@dataclass(frozen=True)
class Window:
    """Which dates a run delivers: all from first to last at once, or the last with what is late from before."""

    first: int
    last: int
    initial: bool

    def is_due(self, ordinal: int, lag: Ints) -> Bools:
        """Whether rows of a date with these lags are in this delivery."""
        arrives = ordinal + lag
        return np.asarray(arrives <= self.last if self.initial else arrives == self.last, dtype=np.bool_)

    def is_own(self, ordinal: int) -> bool:
        """Whether what is not late of a date is in this delivery."""
        return self.initial or ordinal == self.last


@dataclass
class Metering:
    """Writes one chunk after another into the same part files."""

    window: Window
    faults: Mapping[str, float]
    curves: CurveParts
    readings: ReadingParts
    notes: FaultNotes
    delivery_ids: Mapping[str, str]
    bookcase: Bookcase

    def write(self, chunk: Chunk, plan: Plan) -> tuple[pa.Table, pa.Table]:
        """Deliver a chunk's dates, keep its books; the truth of the window's dates, of customers and of districts."""
        books = self._opening(chunk, plan)
        if self.window.initial:
            on_time = np.zeros(len(chunk.points.customer), dtype=np.int64)
            self._write_readings(chunk, plan, books.ordinal, books.readings, on_time)
            self._write_district_readings(chunk, books)
            self.bookcase.put(chunk.index, books)
        truth, districts = [], []
        while books.ordinal < self.window.last:
            before, day = books, next_day(chunk, plan, books)
            books = day.books
            self._write_curves(chunk, plan, day)
            self._write_day_readings(chunk, plan, before, day)
            if self.window.is_own(books.ordinal):
                self.curves.add(*_district_curves(chunk, day))
                self._write_district_readings(chunk, books)
            if is_month_end(books.ordinal) or books.ordinal > self.window.last - LATEST_DAYS - 3:
                self.bookcase.put(chunk.index, books)
            if books.ordinal >= self.window.first:
                truth.append(_truth(chunk, day))
                districts.append(day.supply.truth(chunk.districts, books.ordinal))
        self.bookcase.forget(chunk.index, self.window.last - LATEST_DAYS - 3)
        return pa.concat_tables(truth), pa.concat_tables(districts)

    def _opening(self, chunk: Chunk, plan: Plan) -> Books:
        """The latest books from which all dates of the delivery follow."""
        if self.window.initial:
            return opening_books(chunk, plan)
        for ordinal in range(self.window.last - LATEST_DAYS - 1, plan.start - 1, -1):
            books = self.bookcase.get(chunk.index, ordinal)
            if books is not None:
                return books
        return opening_books(chunk, plan)

    def _write_curves(self, chunk: Chunk, plan: Plan, day: MeteredDay) -> None:
        ordinal = day.ordinal
        lag = lags(chunk, ordinal, self.faults["late"], "late")
        lag[which(chunk, ordinal, ("missing_day",), self.faults)["missing_day"]] = _NEVER
        wrong_first = np.zeros(len(lag), dtype=np.bool_)
        wrong_first[which(chunk, ordinal, ("correction",), self.faults)["correction"]] = True
        wrong_first &= lag == 0
        corrected = self.window.is_due(ordinal, lags(chunk, ordinal, 1.0, "correction"))
        due = self.window.is_due(ordinal, lag) & day.is_active
        # what came wrong and is corrected within the same delivery was never seen wrong
        is_wrong = due & wrong_first & ~corrected if self.window.initial else due & wrong_first
        is_correction = wrong_first & corrected & day.is_active & ~due
        if not (due.any() or is_correction.any()):
            return
        delivered, meter_id = day.curves.copy(), day.meter_id.copy()
        found = spoil_meters(chunk, plan, day, delivered, meter_id)
        capacity = chunk.customers.capacity_kva[chunk.points.customer] * 2_500 / day.known_multiplier
        found += spoil(chunk, ordinal, delivered, self.faults, capacity)
        delivered[wrong_first] = day.curves[wrong_first]
        found = [fault for fault in found if not wrong_first[fault.point]]
        for point in np.flatnonzero(is_wrong).tolist():
            luck = draw(chunk.seed, "correction", int(chunk.point_number[point]), ordinal)
            found.append(RowFault("correction", point, *spoil_for_correction(delivered[point], luck), "wrong"))
        for point in np.flatnonzero(is_correction).tolist():
            found.append(RowFault("correction", point, 0, 96, "corrected"))
        if not self.window.initial:
            late = np.flatnonzero(due & (lag > 0))
            found += [RowFault("late", point, 0, 96, f"{lag[point]} days") for point in late.tolist()]
        missed = (lag == _NEVER) if self.window.initial or ordinal == self.window.last else np.zeros_like(due)
        found += [RowFault("missing_day", point, 0, 96) for point in np.flatnonzero(missed & day.is_active).tolist()]
        sent = due | is_correction
        self._note(chunk, day, [fault for fault in found if sent[fault.point] or fault.fault == "missing_day"])
        on_time = due & (self.window.initial | (lag == 0))
        self._add_rows(chunk, day, delivered, meter_id, sent, on_time)
        if self.window.is_own(ordinal):
            strays, stray_id = stray_rows(chunk, plan, day)
            points = [stray.point for stray in strays]
            if points:
                self._note(chunk, day, strays, meter_id=stray_id)
                self.curves.add(stray_id[points], np.full(len(points), ordinal), day.curves[points])

    def _add_rows(
        self, chunk: Chunk, day: MeteredDay, delivered: Dials, meter_id: Ints, sent: Bools, on_time: Bools
    ) -> None:
        dates = np.full(len(meter_id), day.ordinal, dtype=np.int64)
        hit = {
            name: points[on_time[points]]
            for name, points in which(chunk, day.ordinal, ROW_CLASSES, self.faults).items()
        }
        dates[hit["stamp_2400"]] += STAMPED
        again, unknown, future = hit["duplicated_row"], hit["unknown_meter"], hit["future_row"]
        twice = hit["conflicting_row"]
        second = self._conflicting(chunk, day, delivered, twice)
        stranger, ahead = meter_id + _UNKNOWN_METER, self.window.last + 1 + chunk.point_number % 30
        whole = {name: [RowFault(name, p, 0, 96) for p in points.tolist()] for name, points in hit.items()}
        self._note(chunk, day, whole["stamp_2400"] + whole["duplicated_row"])
        self._note(chunk, day, whole["unknown_meter"], meter_id=stranger)
        self._note(chunk, day, whole["future_row"], meter_id=meter_id, ordinals=ahead)
        self.curves.add(
            np.concatenate([meter_id[sent], meter_id[again], stranger[unknown], meter_id[future], meter_id[twice]]),
            np.concatenate([dates[sent], dates[again], dates[unknown], ahead[future], dates[twice]]),
            np.concatenate([delivered[sent], delivered[again], delivered[unknown], delivered[future], second]),
        )

    def _conflicting(self, chunk: Chunk, day: MeteredDay, delivered: Dials, points: Ints) -> Dials:
        """Second rows of these points, with other values: the first ones hold the truth, or in place these do."""
        second = delivered[points]
        found = []
        for place, point in enumerate(points.tolist()):
            luck = draw(chunk.seed, "conflicting_row", int(chunk.point_number[point]), day.ordinal)
            is_first_true = luck.random() < 0.5
            changed = second[place] if is_first_true else delivered[point]
            changed[:] = day.curves[point]
            said = f"{'first' if is_first_true else 'second'} row is true"
            found.append(RowFault("conflicting_row", point, *other_values(changed, luck), said))
        self._note(chunk, day, found)
        return second

    def _write_day_readings(self, chunk: Chunk, plan: Plan, before: Books, day: MeteredDay) -> None:
        lag = lags(chunk, day.ordinal, self.faults["late"] / 2, "late_reading")
        readings, wrong = misread(chunk, plan, before, day, self.faults)
        due = self._write_readings(chunk, plan, day.ordinal, readings, lag)
        self._note_misreadings(chunk, day, [one for one in wrong if due[one.point]])
        if not self.window.is_own(day.ordinal):
            return
        # a meter put up today brings the reading at which it was put up
        installed = plan.happens("swapped_meter", day.ordinal) & day.is_active
        installed |= chunk.customers.supply_start[chunk.points.customer] == day.ordinal
        zeros = np.zeros((int(installed.sum()), 5), dtype=np.int64)
        if len(zeros):
            self.readings.add(day.meter_id[installed], np.full(len(zeros), day.ordinal - 1), zeros)
        self._note_events(chunk, plan, before, day)

    def _write_readings(self, chunk: Chunk, plan: Plan, ordinal: int, readings: Ints, lag: Ints) -> Bools:
        """Deliver the readings of a date which are due, and say which these are."""
        # on the eve of the first day the meters of that day are read
        is_active = chunk.customers.supply_start[chunk.points.customer] <= max(ordinal, plan.start)
        due = self.window.is_due(ordinal, lag) & is_active
        if due.any():
            self.readings.add(meter_ids(chunk, plan, ordinal)[due], np.full(int(due.sum()), ordinal), readings[due])
        if not self.window.initial:
            for point in np.flatnonzero(due & (lag > 0)).tolist():
                self.notes.note(
                    "late",
                    "register_readings",
                    self.delivery_ids["register_readings"],
                    file=self.readings.current,
                    meter_id=int(meter_ids(chunk, plan, ordinal)[point]),
                    customer_no=int(chunk.customers.customer_no[chunk.points.customer[point]]),
                    ordinal=ordinal,
                    detail=f"{lag[point]} days",
                )
        return due

    def _write_district_readings(self, chunk: Chunk, books: Books) -> None:
        meter_id = chunk.districts.meter_id
        self.readings.add(meter_id, np.full(len(meter_id), books.ordinal), books.district_readings)

    def _note_misreadings(self, chunk: Chunk, day: MeteredDay, wrong: list[Misreading]) -> None:
        for one in wrong:
            self.notes.note(
                one.fault,
                "register_readings",
                self.delivery_ids["register_readings"],
                file=self.readings.current,
                meter_id=int(day.meter_id[one.point]),
                customer_no=int(chunk.customers.customer_no[chunk.points.customer[one.point]]),
                ordinal=day.ordinal,
                true_kwh=one.true_kwh,
                detail=one.detail,
            )

    def _note(
        self,
        chunk: Chunk,
        day: MeteredDay,
        found: list[RowFault],
        meter_id: Ints | None = None,
        ordinals: Ints | None = None,
    ) -> None:
        """Note faults of a date's curves; by point, the meter and the date written in place of the true ones."""
        meters = day.meter_id if meter_id is None else meter_id
        numbers = chunk.customers.customer_no[chunk.points.customer]
        for fault in found:
            # of a stolen kWh no curve of the meter tells
            curves = day.drawn if fault.fault == "theft" else day.curves
            true = curves[fault.point, fault.slot_from : fault.slot_to] / 10_000
            self.notes.note(
                fault.fault,
                "meter_days",
                self.delivery_ids["meter_days"],
                file=self.curves.current if fault.fault != "missing_day" else None,
                meter_id=int(meters[fault.point]),
                customer_no=int(numbers[fault.point]),
                ordinal=day.ordinal if ordinals is None else int(ordinals[fault.point]),
                slots=(fault.slot_from, fault.slot_to),
                true_kwh=true.tolist(),
                detail=fault.detail,
            )

    def _note_events(self, chunk: Chunk, plan: Plan, before: Books, day: MeteredDay) -> None:
        numbers = chunk.customers.customer_no[chunk.points.customer]
        rolled = (day.books.readings[:, 0] < before.readings[:, 0]) & ~plan.happens("swapped_meter", day.ordinal)
        events = {
            name: plan.happens(name, day.ordinal) for name in ("swapped_meter", "multiplier_change", "wrong_multiplier")
        }
        for name, points in (*events.items(), ("roll_over", rolled)):
            feed = {"roll_over": "register_readings", "wrong_multiplier": "meter_days"}.get(name, "metering_points")
            for point in np.flatnonzero(points & day.is_active).tolist():
                self.notes.note(
                    name,
                    feed,
                    self.delivery_ids[feed],
                    meter_id=int(day.meter_id[point]),
                    customer_no=int(numbers[point]),
                    ordinal=day.ordinal,
                    detail=f"multiplier {day.multiplier[point]:g}" if "multiplier" in name else "",
                )


def _district_curves(chunk: Chunk, day: MeteredDay) -> tuple[Ints, Ints, Dials]:
    meter_id = chunk.districts.meter_id
    return meter_id, np.full(len(meter_id), day.ordinal), day.supply.curves


def _truth(chunk: Chunk, day: MeteredDay) -> pa.Table:
    size = len(chunk.customers.number)
    customer, kwh = chunk.points.customer, day.primary_kwh
    by_period = [np.bincount(customer, weights=kwh[:, period], minlength=size) for period in range(4)]
    served = chunk.customers.supply_start <= day.ordinal
    columns = [sum(by_period), *by_period]
    unix = day.ordinal - 719_163
    return pa.table(
        [
            pa.array(chunk.customers.customer_no[served]).cast(pa.string()),
            pa.array(np.full(int(served.sum()), unix, dtype=np.int32)).cast(pa.date32()),
            *(pa.array(np.asarray(column)[served]) for column in columns),
        ],
        schema=TRUTH_SCHEMA,
    )
