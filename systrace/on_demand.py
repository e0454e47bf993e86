"""A sequence whose items are made at each look, from what takes less room than they do."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

Item = TypeVar("Item")


class OnDemand(Sequence[Item]):
    """``length`` items, each what ``make`` returns for its index, every time anew."""

    def __init__(self, length: int, make: Callable[[int], Item]) -> None:
        self._indexes = range(length)
        self._make = make

    def __len__(self) -> int:
        return len(self._indexes)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...

    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        if isinstance(index, slice):
            return tuple(map(self._make, self._indexes[index]))
        return self._make(self._indexes[index])

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what it holds, for what makes it stays here."""
        return tuple, (tuple(self),)
