"""What a report has to say about vDSO calls that were counted otherwise than asked, or not."""

from collections import Counter


class Notes:
    """Reasons, and for how many programs or processes each holds."""

    def __init__(self) -> None:
        self.uncounted: Counter[str] = Counter()
        self.by_breakpoints: Counter[str] = Counter()
        self.with_parent: Counter[str] = Counter()

    def warnings(self) -> list[str]:
        """Return a sentence for each."""
        return [
            *(
                f"vDSO calls of {programs(count)} were not counted: {reason}"
                for reason, count in self.uncounted.items()
            ),
            *(
                f"vDSO calls of {programs(count)} were counted by breakpoints: {reason}"
                for reason, count in self.by_breakpoints.items()
            ),
            *(
                f"vDSO calls of {_forked(count)} are shown with the parent's: {reason}"
                for reason, count in self.with_parent.items()
            ),
        ]


def programs(count: int) -> str:
    """So many of them, in words."""
    return "1 program" if count == 1 else f"{count:,} programs"


def _forked(count: int) -> str:
    return "1 forked process" if count == 1 else f"{count:,} forked processes"
