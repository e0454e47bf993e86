"""Whether two series of runs differ by more than the runs of each differ among themselves.

For each quantity the two-sided Mann-Whitney (Wilcoxon rank-sum) test, ties at their midranks. Up to
100 runs in all, or with a few on one side, it is exact, by counting every way to deal the runs out
to the two sides; beyond that it is the normal approximation, the more careful one in the tails.

Holm's step-down correction (1979) keeps the chance that any quantity of a comparison is wrongly
called a difference at ``LEVEL``. Quantities with so little variation that no outcome could reach
the level do not count for it: Tarone (1990) showed that they need not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from statistics import NormalDist
from typing import Final, Literal

Verdict = Literal["same", "within", "beyond", "unknown"]
Series = Sequence[float]

LEVEL: Final = 0.001
TEST: Final = "Mann-Whitney, two-sided, Holm-corrected"
# What takes a few hundredths of a second.
_EXACT_RUNS: Final = 100
_FEW_RUNS: Final = 4


@dataclass(frozen=True, slots=True)
class Judgement:
    """What can be said of a quantity.

    ``same``: it had one value in all runs. ``beyond``, ``within``: its difference is, or is not,
    beyond the noise. ``unknown``: every run of one side lies above every run of the other, and
    that is still too few runs to tell. ``p`` is corrected for the number of quantities; None
    where no outcome could have reached the level.
    """

    verdict: Verdict
    p: float | None = None


def judge(pairs: Sequence[tuple[Series, Series]]) -> list[Judgement]:
    """Judge the quantities of one comparison together; a pair has the runs of side A and of B.

    Every series must have at least one run.
    """
    tests = [_Test(a, b) for a, b in pairs]
    tried = _testable(tests)
    judgements = [Judgement(test.untested) for test in tests]
    corrected = 0.0
    for place, index in enumerate(sorted(tried, key=lambda index: tests[index].p)):
        corrected = max(corrected, min(1.0, tests[index].p * (len(tried) - place)))
        verdict: Verdict = "beyond" if corrected <= LEVEL else "within"
        judgements[index] = Judgement(verdict, corrected)
    return judgements


def decidable(a: int, b: int, quantities: int) -> bool:
    """Whether so many runs of each side can tell a difference in one of so many quantities."""
    return _least_p(a, b) * quantities <= LEVEL


def runs_needed(quantities: int) -> int:
    """Return how many runs on each side can tell a difference in one of so many quantities."""
    runs = 2
    while not decidable(runs, runs, quantities):
        runs += 1
    return runs


def _least_p(a: int, b: int) -> float:
    """The smallest p that so many runs can have: A's all below B's, or all above."""
    return min(1.0, 2 / math.comb(a + b, a))


def _testable(tests: "Sequence[_Test]") -> list[int]:
    """Find the quantities that could reach the level, corrected for their own number."""
    number = 1
    while sum(test.least_p <= LEVEL / number for test in tests) > number:
        number += 1
    return [index for index, test in enumerate(tests) if test.least_p <= LEVEL / number]


class _Test:
    """One quantity's test; ``p`` and ``least_p``, the smallest that its ties allow, uncorrected."""

    def __init__(self, a: Series, b: Series) -> None:
        pooled = sorted((*a, *b))
        self.untested: Verdict = "within"
        self.p = self.least_p = 1.0
        if pooled[0] == pooled[-1]:
            self.untested = "same"
            return
        if max(a) < min(b) or max(b) < min(a):
            self.untested = "unknown"
        ranks = _doubled_midranks(pooled)
        rank_of = dict(zip(pooled, ranks, strict=True))
        fewer = min(a, b, key=len)
        self.p = _p(ranks, len(fewer), sum(rank_of[value] for value in fewer))
        extremes = sum(ranks[: len(fewer)]), sum(ranks[-len(fewer) :])
        self.least_p = min(_p(ranks, len(fewer), extreme) for extreme in extremes)


def _doubled_midranks(ordered: Series) -> tuple[int, ...]:
    """Rank from 1, twice over so that the mean rank of equal values is a whole number."""
    ranks: list[int] = []
    for _, group in groupby(ordered):
        equal = len(list(group))
        ranks += [2 * len(ranks) + equal + 1] * equal
    return tuple(ranks)


def _p(ranks: tuple[int, ...], size: int, rank_sum: int) -> float:
    """Return how likely a rank sum of ``size`` of the runs is as far from its mean as this."""
    mean = size * (len(ranks) + 1)
    distance = abs(rank_sum - mean)
    if len(ranks) > _EXACT_RUNS and size > _FEW_RUNS:
        return _normal_p(ranks, size, distance)
    ways = _ways(ranks, size)
    far = sum(count for total, count in enumerate(ways) if abs(total - mean) >= distance)
    return far / math.comb(len(ranks), size)


def _normal_p(ranks: tuple[int, ...], size: int, distance: int) -> float:
    runs = len(ranks)
    ties = sum(equal**3 - equal for equal in (len(list(group)) for _, group in groupby(ranks)))
    # of doubled ranks: four times the textbook's
    variance = size * (runs - size) / 3 * (runs + 1 - ties / (runs * (runs - 1)))
    # continuity: half a rank, doubled
    return 2 * NormalDist().cdf(-max(distance - 1, 0) / math.sqrt(variance))


@lru_cache(maxsize=256)
def _ways(ranks: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Count the choices of ``size`` of the ranks by their sum.

    The coefficients of a polynomial, packed into one whole number (Kronecker's substitution):
    multiplying by x^rank is then a shift, which is a hundred times as fast as a loop.
    """
    width = (math.comb(len(ranks), size).bit_length() + 7) // 8
    chosen = [1] + [0] * size
    for rank in ranks:
        for number in range(size, 0, -1):
            chosen[number] += chosen[number - 1] << (8 * width * rank)
    packed = chosen[size].to_bytes(width * (sum(ranks[-size:]) + 1), "little")
    return tuple(
        int.from_bytes(packed[place : place + width], "little")
        for place in range(0, len(packed), width)
    )
