"""Counts in sentences."""


def plural(number: float, one: str, many: str = "") -> str:
    """Write a count and what it counts: ``1 call``, ``2,000 calls``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
