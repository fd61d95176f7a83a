"""The protocol of estimation on real households: some hundred masked runs, small enough for every run of the tests."""

from pathlib import Path

import pytest

from jobs.kernels.london_runs import READINGS, read_households
from jobs.kernels.protocol_f import CLASS, LENGTHS, OURS, OURS_TOTAL, PLAIN, Report, run, table

DATA = Path(__file__).parents[3] / "shared" / "data" / "lcl_london_dev"
pytestmark = pytest.mark.skipif(not (DATA / READINGS).is_file(), reason=f"the London readings are not there: {DATA}")


@pytest.fixture(scope="module")
def report() -> Report:
    return run(read_households(DATA), runs=400, seeds=2)


def error(report: Report, length: str, method: str) -> float:
    return sum(report.error[length, method]) / len(report.error[length, method])


@pytest.mark.parametrize("length", LENGTHS)
def test_gaps_of_real_households_are_filled_as_well_as_by_any_plain_method(report: Report, length: str) -> None:
    errors = {method: error(report, of, method) for of, method in report.error if of == length}
    # so few runs do not tell methods apart which differ by a percent
    for kind, ours in (("without a total", OURS), ("with a total", OURS_TOTAL)):
        assert errors[ours] < 1.01 * min(errors[method] for method in PLAIN[kind])
    # a total makes good a part of what the class does not know of a meter
    assert errors[f"{CLASS}, total"] < errors[CLASS] < 0.65


@pytest.mark.parametrize("length", LENGTHS)
def test_no_energy_is_lost_and_four_of_five_true_values_lie_in_the_stated_range(report: Report, length: str) -> None:
    assert abs(sum(report.bias[length, OURS]) / 2) < 4.0
    assert abs(sum(report.bias[length, OURS_TOTAL]) / 2) < 0.5
    for method in (OURS, OURS_TOTAL):
        assert sum(report.cover[length, method]) / 2 == pytest.approx(0.8, abs=0.04)
    assert sum(report.run_cover[length, OURS]) / 2 == pytest.approx(0.8, abs=0.05)


def test_the_protocol_is_the_one_whose_figures_are_known(report: Report) -> None:
    known = {"linear": (0.402, 0.588, 0.706, 0.720), "mean of 28 days, total": (0.199, 0.413, 0.452, 0.461)}
    for method, figures in known.items():
        for length, figure in zip(LENGTHS, figures, strict=True):
            assert error(report, length, method) == pytest.approx(figure, rel=0.15), (method, length)
    assert "| ours, total | with a total |" in table(report)
