"""Durations and counts as people read them."""

_UNITS = ((1, "ns"), (1_000, "us"), (1_000_000, "ms"), (1_000_000_000, "s"))
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86_400


def count(number: float) -> str:
    """Write a count in full: ``2,000,152``; a median may have a half: ``304.5``."""
    return f"{number:,}"


def duration(nanoseconds: float, digits: int = 3) -> str:
    """Write a duration: ``907 ns``, ``6.20 us``, ``135 ms``, ``12.3 s``, ``2 m 5 s``.

    Below a minute with ``digits`` significant digits, but without fractions of a nanosecond; from
    a minute on in two units. At most 9 characters up to 99 days.
    """
    if round(nanoseconds / 1_000_000_000, 1) >= _MINUTE_S:
        return _long(round(nanoseconds / 1_000_000_000))
    for factor, unit in _UNITS:
        text = _significant(nanoseconds / factor, digits if factor > 1 else 1)
        # Judged after rounding: 999,600 ns is 1.00 ms and not 1000 us.
        if float(text) < 1000 or unit == "s":
            return f"{text} {unit}"
    raise AssertionError("the last unit takes everything")


def share(part: float, whole: float) -> str:
    """Write a percentage without its sign: ``12.3``; ``-`` of nothing."""
    return f"{100 * part / whole:.1f}" if whole else "-"


def _significant(value: float, digits: int) -> str:
    for decimals in range(digits - 1, 0, -1):
        text = f"{value:.{decimals}f}"
        if float(text) < 10 ** (digits - decimals):
            return text
    return f"{value:.0f}"


def _long(seconds: int) -> str:
    for large, small, names in (
        (_DAY_S, _HOUR_S, ("d", "h")),
        (_HOUR_S, _MINUTE_S, ("h", "m")),
    ):
        # Rounded to the smaller unit first: 59 m 59.9 s is 1 h 0 m.
        rounded = round(seconds / small)
        if rounded * small >= large:
            return f"{rounded * small // large} {names[0]} {rounded % (large // small)} {names[1]}"
    return f"{seconds // _MINUTE_S} m {seconds % _MINUTE_S} s"
