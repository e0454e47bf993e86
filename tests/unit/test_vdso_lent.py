"""What comes to counters while a child that is left out may count there."""

from typing import cast

from systrace.tally import Entries
from systrace.vdso.lent import Lent
from systrace.vdso.patch import CounterPages


class Pages:
    """Counters that show a number of calls."""

    def __init__(self, calls: int = 0) -> None:
        self.calls = calls

    def read(self) -> Entries:
        return Entries({"time": self.calls}, {"clock_gettime": {1: self.calls}})


def lent_to(child: int, lent: Lent, calls: int = 0) -> Pages:
    pages = Pages(calls)
    lent.lend(child, cast("CounterPages", pages))
    return pages


def test_what_came_before_and_after_is_the_parents_own() -> None:
    lent = Lent()
    pages = lent_to(7, lent, 1_009)
    pages.calls += 3
    lent.regain(7)
    pages.calls += 1_013
    assert lent.came() == 2 * 3


def test_what_is_lent_still_is_in_doubt_up_to_now() -> None:
    lent = Lent()
    pages = lent_to(7, lent)
    for _ in range(2):
        pages.calls += 5
        assert lent.came() == 2 * pages.calls


def test_a_child_that_is_told_of_twice_is_one() -> None:
    lent = Lent()
    pages = lent_to(7, lent)
    pages.calls += 5
    lent.lend(7, cast("CounterPages", pages))
    assert (lent.came(), lent.children) == (2 * 5, 1)
    lent.regain(8)
    assert lent.came() == 2 * 5
