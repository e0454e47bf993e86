"""Figures as Markdown: medians of interleaved rounds, each with its spread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Generic, TypeVar

from tabulate import tabulate

from benchmarks.run import FailedError

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure; ``lost`` is what the tool missed, None where it does not say."""

    value: float
    lost: int | None = None


@dataclass(slots=True)
class Figures:
    """All samples of one subject, or why there are none."""

    samples: list[Sample] = field(default_factory=list)
    failure: str = ""

    @property
    def median(self) -> float:
        """The median; not a number without samples."""
        return median(sample.value for sample in self.samples) if self.samples else float("nan")

    @property
    def spread(self) -> str:
        """The lowest and the highest."""
        values = [sample.value for sample in self.samples]
        return f"{shown(min(values))} to {shown(max(values))}" if values else self.failure

    @property
    def lost(self) -> str:
        """What was lost in all rounds together."""
        lost = [sample.lost for sample in self.samples if sample.lost is not None]
        return f"{sum(lost):,}" if lost else ""


@dataclass(frozen=True, slots=True)
class Goal:
    """What was to be reached: ``figure`` at most, or with ``least`` at least, ``limit``."""

    name: str
    figure: float
    limit: float
    least: bool = False

    @property
    def reached(self) -> bool:
        """Whether it was; what could not be measured was not."""
        return self.figure >= self.limit if self.least else self.figure <= self.limit

    @property
    def row(self) -> tuple[str, str, str, str]:
        """A line of the table of goals."""
        bound = f"at {'least' if self.least else 'most'} {shown(self.limit)}"
        return self.name, bound, shown(self.figure), "yes" if self.reached else "**no**"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the results: Markdown, and what it says of the goals."""

    title: str
    text: str
    goals: Sequence[Goal] = ()


def interleaved(
    subjects: Sequence[Subject], rounds: int, measure: Callable[[Subject], Sample]
) -> "Table[Subject]":
    """Measure each subject once in each round, so that a slow minute is nobody's alone."""
    figures = [Figures() for _ in subjects]
    for _ in range(rounds):
        for subject, found in zip(subjects, figures, strict=True):
            if found.failure:
                continue
            try:
                found.samples.append(measure(subject))
            except FailedError as error:
                found.failure = " ".join(str(error).split())[-80:]
    return Table(subjects, figures)


class Table(Generic[Subject]):
    """Figures by subject."""

    def __init__(self, subjects: Sequence[Subject], figures: Sequence[Figures]) -> None:
        self._rows = list(zip(subjects, figures, strict=True))

    def median(self, subject: Subject) -> float:
        """One subject's median."""
        return next(figures.median for found, figures in self._rows if found == subject)

    def markdown(
        self,
        unit: str,
        name: Callable[[Subject], str],
        more: Sequence[tuple[str, Callable[[float], float]]] = (),
        *,
        lost: bool = True,
    ) -> str:
        """Lay it out; ``more`` are columns that are computed from the median."""
        headers = ["", unit, "spread", *(title for title, _ in more), *(["lost"] if lost else [])]
        rows = [
            [
                name(subject),
                shown(figures.median),
                figures.spread,
                *(shown(compute(figures.median)) for _, compute in more),
                *([figures.lost] if lost else []),
            ]
            for subject, figures in self._rows
        ]
        return markdown(headers, rows)


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    align = ("left", *("right" for _ in headers[1:]))
    return tabulate(rows, headers, tablefmt="github", colalign=align, disable_numparse=True)


def shown(value: float) -> str:
    """Three significant digits, and all of a large number."""
    if value != value:  # noqa: PLR0124 - not a number
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
