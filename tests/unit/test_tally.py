"""Counters: sums and differences."""

from systrace.tally import Entries


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
