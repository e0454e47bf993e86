"""What a report has to say about vDSO calls that were counted otherwise than asked, or not."""

from collections import Counter
from collections.abc import Iterator

from systrace.words import plural


class Notes:
    """Reasons, and for how many programs or processes each holds."""

    def __init__(self) -> None:
        self.uncounted: Counter[str] = Counter()
        self.by_breakpoints: Counter[str] = Counter()
        self.with_parent: Counter[str] = Counter()
        self.too_many = 0  # entries that may be those of children that were left out
        self.sharers = 0  # such children, of whose entries nobody knows how many they are

    @property
    def doubtful(self) -> bool:
        """Whether calls were not counted, or calls that should not have been."""
        return bool(self.uncounted.total() or self.too_many or self.sharers)

    def warnings(self) -> list[str]:
        """Return a sentence for each."""
        return [
            *(
                f"vDSO calls of {plural(count, 'program')} were not counted: {reason}"
                for reason, count in (+self.uncounted).items()
            ),
            *(
                f"vDSO calls of {plural(count, 'program')} were counted by breakpoints: {reason}"
                for reason, count in self.by_breakpoints.items()
            ),
            *(
                f"vDSO calls of {plural(count, 'forked process', 'forked processes')} "
                f"are shown with the parent's: {reason}"
                for reason, count in (+self.with_parent).items()
            ),
            *self._beside(),
        ]

    def _beside(self) -> Iterator[str]:
        why = "until they exec, they have its memory (vfork); --vdso breakpoint leaves them out"
        if self.too_many:
            yield (
                f"up to {self.too_many:,} vDSO calls of children were counted with the parent's: "
                f"{why}"
            )
        if self.sharers:
            children = plural(self.sharers, "child", "children")
            yield f"vDSO calls of {children}, if any, were counted with the parent's: {why}"
