"""Counters: sums, differences, and what is taken out of them."""

from errno import EBADF, EINTR

from systrace.layout import Space
from systrace.tally import Entries, RowTally, without_redone


def test_entries_are_true_only_where_something_was_entered() -> None:
    assert not Entries()
    assert not Entries({"time": 0}, {"clock_gettime": {}})
    assert Entries({"time": 1})
    assert Entries({}, {"clock_gettime": {1: 1}})


def test_entries_add_up_and_subtract_by_name_and_clock() -> None:
    one = Entries({"time": 3}, {"clock_gettime": {0: 5, 1: 7}})
    other = Entries({"time": 1, "getcpu": 2}, {"clock_gettime": {1: 7}})
    both = one.plus(other)
    assert both == Entries({"time": 4, "getcpu": 2}, {"clock_gettime": {0: 5, 1: 14}})
    assert both.since(other) == Entries({"time": 3}, {"clock_gettime": {0: 5, 1: 7}})


def test_a_call_that_ran_again_is_one_call_without_an_error() -> None:
    epoll_wait = (Space.X86_64, 232)
    row = RowTally(
        count=5, total_ns=500, histogram={3: 2, 40: 3}, errors={EINTR: 2, EBADF: 1}, max_ns=300
    )
    kept = without_redone({epoll_wait: row}, {232: 2, 1: 7})[epoll_wait]
    assert (kept.count, kept.finished) == (3, 3)
    assert kept.errors == {EBADF: 1}
    assert kept.total_ns == 500


def test_what_did_not_run_again_stays_as_it_is() -> None:
    rows = {(Space.X86_64, 0): RowTally(count=1, histogram={9: 1})}
    assert without_redone(rows, {0: 0, 232: 4}) == rows
