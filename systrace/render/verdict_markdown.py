"""What came of limits as Markdown, for the comment on a pull request."""

from systrace.limits.evaluate import Verdict
from systrace.render import wording
from systrace.render.markdown import heading, limits, prose
from systrace.report import Report


def render(verdict: Verdict, report: Report) -> str:
    """Write the comment: what ran, what is violated, and the notes."""
    blocks = [heading(wording.subject(report)), limits(verdict), *map(prose, verdict.remarks)]
    return "\n\n".join(blocks) + "\n"
