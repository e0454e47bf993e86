"""What is said of limits as a whole."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A report without limits does without their modules.
    from systrace.limits.evaluate import Verdict


def summary(verdict: "Verdict") -> str:
    """Say how many limits are violated: ``3 of 4 limits violated``."""
    # a pattern may be violated by many calls
    broken = len({id(violation.limit) for violation in verdict.violations})
    number = len(verdict.limits)
    whole = "1 limit" if number == 1 else f"{number:,} limits"
    if not broken:
        return f"{whole} held" if number > 1 else "the limit held"
    return f"{broken:,} of {whole} violated"
