"""A sequence that makes its items at each look is read like any other."""

import itertools
import pickle

import pytest

from systrace.on_demand import OnDemand


def test_it_is_read_as_a_tuple_is() -> None:
    squares = OnDemand(5, lambda index: index * index)
    assert len(squares) == 5
    assert tuple(squares) == (0, 1, 4, 9, 16)
    assert (squares[1], squares[-1]) == (1, 16)
    assert squares[1:3] == (1, 4)
    assert squares[-2:] == (9, 16)
    assert 9 in squares
    assert not OnDemand(0, str)


@pytest.mark.parametrize("index", [5, -6])
def test_beyond_its_ends_there_is_nothing(index: int) -> None:
    with pytest.raises(IndexError):
        OnDemand(5, str)[index]


def test_an_item_is_made_when_it_is_asked_for_and_each_time() -> None:
    numbers = itertools.count(7)
    items = OnDemand(3, lambda _: next(numbers))
    assert [items[2], items[2], items[0]] == [7, 8, 9]


def test_pickled_it_is_a_tuple() -> None:
    pickled = pickle.dumps(OnDemand(3, lambda index: -index))
    assert pickle.loads(pickled) == (0, -1, -2)  # noqa: S301 - our own
