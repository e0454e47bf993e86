"""Calls that fail as the kernel's do, and what has to hold for what is said of that."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

from systrace.errors import SystraceError


def fails(number: int) -> Callable[..., NoReturn]:
    """Return what raises OSError with this errno, however it is called."""

    def call(*_: Any, **__: Any) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return call


@contextmanager
def refused(kind: type[SystraceError], said: str) -> Iterator[None]:
    """Expect a refusal of this very kind that begins like that: one line or two, and harmless."""
    with pytest.raises(kind) as caught:
        yield
    assert caught.type is kind
    message = str(caught.value)
    assert message.startswith(said), message
    lines = message.split("\n")
    assert len(lines) <= 2
    assert all(line.isprintable() for line in lines)
