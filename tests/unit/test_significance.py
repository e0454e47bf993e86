"""Differences told from noise: the test against its definition, and how often it is wrong."""

import math
import random
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systrace.significance import LEVEL, Judgement, judge, runs_needed

SMALL = st.lists(st.integers(0, 4), min_size=1, max_size=5)


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  noise, not a secret


def midranks(pooled: list[int]) -> list[Fraction]:
    ordered = sorted(pooled)
    return [Fraction(2 * ordered.index(value) + ordered.count(value) + 1, 2) for value in pooled]


def by_definition(a: list[int], b: list[int]) -> Fraction:
    """Of all ways to deal the runs out, those whose rank sum is as far from the mean."""
    ranks = midranks([*a, *b])
    mean = Fraction(len(a) * (len(ranks) + 1), 2)
    distance = abs(sum(ranks[: len(a)]) - mean)
    sums = [sum(chosen) for chosen in combinations(ranks, len(a))]
    return Fraction(sum(abs(total - mean) >= distance for total in sums), len(sums))


def uncorrected(a: list[int], b: list[int], monkeypatch: pytest.MonkeyPatch) -> float | None:
    monkeypatch.setattr("systrace.significance.LEVEL", 1.0)
    (found,) = judge([(a, b)])
    return found.p


@given(a=SMALL, b=SMALL)
@settings(max_examples=200)
def test_p_is_what_its_definition_says(a: list[int], b: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        p = uncorrected(a, b, patched)
    expected = by_definition(a, b)
    # what has one value in all runs is not tested
    assert p == pytest.approx(float(expected)) or (p is None and expected == 1)


def test_a_known_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """R: wilcox.test(c(1,2,3,4,6), c(5,7,8,9,10), exact=TRUE) gives p-value = 0.01587."""
    p = uncorrected([1, 2, 3, 4, 6], [5, 7, 8, 9, 10], monkeypatch)
    assert p == pytest.approx(4 / 252)


def exact_and_normal(more: int, monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    chance = seeded(1)
    a = [chance.randrange(60) for _ in range(50)]
    b = [chance.randrange(60) + more for _ in range(50)]
    found = []
    for most in (100, 99):
        monkeypatch.setattr("systrace.significance._EXACT_RUNS", most)
        found.append(uncorrected(a, b, monkeypatch))
    return found


def test_beyond_a_hundred_runs_it_goes_on_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, normal = exact_and_normal(5, monkeypatch)
    assert normal == pytest.approx(exact, rel=0.1)


def test_in_the_tails_the_approximation_claims_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, normal = exact_and_normal(20, monkeypatch)
    assert exact is not None
    assert normal is not None
    assert exact < normal < LEVEL / 1000


def test_counts_that_never_vary_and_differ_are_beyond_noise() -> None:
    (found,) = judge([([7] * 10, [8] * 10)])
    assert found.verdict == "beyond"
    assert found.p == pytest.approx(2 / math.comb(20, 10))


def test_counts_that_never_differ_are_the_same_however_many_rows() -> None:
    assert judge([([7] * 10, [7] * 10)] * 500) == [Judgement("same")] * 500


def test_rows_that_never_vary_cost_the_others_nothing() -> None:
    """Tarone: what cannot be significant is not corrected for."""
    differs = ([7] * 10, [8] * 10)
    still = ([3] * 10, [3] * 10)
    once = ([3] * 10, [3] * 9 + [4])
    alone = judge([differs])[0]
    assert judge([differs, *[still] * 1000, *[once] * 1000])[0] == alone


def test_one_outlier_is_no_difference() -> None:
    assert judge([([3] * 10, [3] * 9 + [400])]) == [Judgement("within")]


def test_holms_correction_multiplies_by_the_rows_that_are_left() -> None:
    differs = ([7] * 10, [8] * 10)
    overlaps = (list(range(10)), list(range(3, 13)))
    judged = judge([overlaps, differs, differs])
    least = 2 / math.comb(20, 10)
    # the second smallest, multiplied by 2, may not fall below the smallest, multiplied by 3
    assert [found.p for found in judged[1:]] == [pytest.approx(3 * least)] * 2
    assert judged[0].verdict == "within"


def test_too_many_rows_leave_the_same_runs_undecided() -> None:
    differs = ([7] * 10, [8] * 10)
    assert {found.verdict for found in judge([differs] * 92)} == {"beyond"}
    assert {found.verdict for found in judge([differs] * 93)} == {"unknown"}
    assert (runs_needed(92), runs_needed(93)) == (10, 11)


@pytest.mark.parametrize(("a", "b"), [(1, 1), (5, 5), (1, 1000), (6, 6)])
def test_too_few_runs_are_undecided_where_the_sides_do_not_overlap(a: int, b: int) -> None:
    assert judge([([1] * a, [2] * b), ([2] * a, [1] * b)]) == [Judgement("unknown")] * 2


def test_too_few_runs_that_overlap_are_within_noise() -> None:
    assert judge([([1, 5, 9], [4, 5, 6])]) == [Judgement("within")]


@pytest.mark.parametrize("quantities", [1, 7, 30, 500])
def test_the_runs_that_are_needed_are_enough_and_no_more(quantities: int) -> None:
    runs = runs_needed(quantities)
    verdicts = [judge([([1] * n, [2] * n)] * quantities)[0].verdict for n in (runs - 1, runs)]
    assert verdicts == ["unknown", "beyond"]


@given(a=SMALL, b=SMALL)
def test_it_does_not_matter_which_side_is_which(a: list[int], b: list[int]) -> None:
    assert judge([(a, b)]) == judge([(b, a)])


def noisy(chance: random.Random, more: int = 0) -> list[int]:
    return [300 + more + chance.randrange(20) for _ in range(10)]


def test_twenty_comparisons_of_one_noisy_program_with_itself_find_nothing() -> None:
    """As the Go server of the examples: 20 rows that vary by themselves, 10 runs a side."""
    chance = seeded(20)
    found = [
        judgement.verdict
        for _ in range(20)
        for judgement in judge([(noisy(chance), noisy(chance)) for _ in range(20)])
    ]
    assert set(found) == {"within"}


def test_one_more_call_in_each_of_many_requests_is_found_among_noisy_rows() -> None:
    chance = seeded(21)
    rows = [(noisy(chance), noisy(chance)) for _ in range(19)]
    rows.append((noisy(chance), noisy(chance, more=30)))
    verdicts = [judgement.verdict for judgement in judge(rows)]
    assert verdicts == ["within"] * 19 + ["beyond"]


def test_false_alarms_are_as_rare_as_the_level_says() -> None:
    """Without a correction, one row in a thousand is wrong; with it, one comparison is."""
    chance = seeded(22)
    alarms = sum(
        any(found.verdict == "beyond" for found in judge(rows))
        for rows in ([(noisy(chance), noisy(chance)) for _ in range(12)] for _ in range(500))
    )
    # half an alarm is due, and uncorrected it would be six
    assert alarms <= 2
    assert LEVEL == 0.001
