"""The calibration of vDSO calls, against our own vDSO."""

from systrace.vdso import image
from systrace.vdso.calibrate import Calibration


def calibration() -> Calibration:
    data = image.own_bytes()
    assert data is not None
    return Calibration(image.parse(data))


def test_a_clock_read_costs_more_than_nothing_and_less_than_a_system_call_on_a_bad_day() -> None:
    cost = calibration().call_ns("clock_gettime", 1)
    assert cost is not None
    assert 1 < cost < 1_000_000


def test_a_cost_is_measured_once() -> None:
    measured = calibration()
    assert measured.call_ns("time") == measured.call_ns("time")


def test_a_call_that_is_no_plain_read_has_no_known_cost() -> None:
    measured = calibration()
    assert measured.call_ns("getrandom") is None
    assert measured.call_ns("no_such_function") is None
