"""Equal numbers for equal curves, and for no others."""

import numpy as np

from jobs.kernels.curve_hashes import curve_hashes


def _hashes(*curves: str) -> list[int]:
    kwh = np.array([[float(text or "nan") for text in curve.split(",")] for curve in curves]).T
    missing = np.isnan(kwh)
    return list(curve_hashes(np.where(missing, 0.0, kwh), missing))


def test_equal_curves_have_equal_hashes_and_others_do_not() -> None:
    others = _hashes("1,2,3,4", "2,1,3,4", "1,2,3,", "1,2,3,0", "0,0,0,0", ",,,")
    assert len(set(others)) == len(others)
    assert _hashes("1.0,2.00,3,4", "-0,0,0,0") == [others[0], others[4]]
