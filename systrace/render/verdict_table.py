"""What came of limits, a line each, for people."""

from systrace.limits.evaluate import Verdict
from systrace.render.text import printable
from systrace.render.verdict_wording import summary
from systrace.report import Report


def render(verdict: Verdict, _: Report) -> str:
    """Write every violation, and how many there are."""
    lines = [*(violation.text for violation in verdict.violations), summary(verdict)]
    return "".join(f"{printable(line)}\n" for line in lines)
