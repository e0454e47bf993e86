"""A report written to an output, or refused there."""

from pathlib import Path

import pytest

from systrace.errors import OutputError
from systrace.output import opened
from systrace.target.user import Identity


def write(name: str | Path, text: str = "report\n", author: Identity | None = None) -> None:
    with opened([str(name)], author) as (file,):
        file.write(text)


def refusal(name: str | Path, author: Identity | None = None) -> str:
    with pytest.raises(OutputError) as caught, opened([str(name)], author):
        pass
    return str(caught.value)
