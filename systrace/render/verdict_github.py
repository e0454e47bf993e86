"""What came of limits as annotations of a GitHub Actions workflow: an error each."""

from systrace.limits.evaluate import Verdict
from systrace.render import wording
from systrace.render.github import annotation, errors, title_of
from systrace.render.text import printable
from systrace.render.verdict_wording import summary
from systrace.report import Report


def render(verdict: Verdict, report: Report) -> str:
    """Write the errors, and a notice with the notes."""
    title = title_of(wording.subject(report))
    notice = "\n".join(map(printable, (summary(verdict), *verdict.remarks)))
    return "\n".join((*errors(verdict, title), annotation("notice", notice, title=title))) + "\n"
