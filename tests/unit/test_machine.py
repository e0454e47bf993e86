"""What files of the kernel's say of the machine."""

from pathlib import Path

import pytest

from systrace import machine


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[none] integrity confidentiality\n", "none"),
        ("none [integrity] confidentiality\n", "integrity"),
        ("none integrity [confidentiality]\n", "confidentiality"),
        ("", None),
    ],
)
def test_the_marked_word_is_the_lockdown(tmp_path: Path, text: str, found: str | None) -> None:
    file = tmp_path / "lockdown"
    file.write_text(text)
    assert machine.lockdown(file) == found


def test_a_kernel_without_lockdown_says_nothing(tmp_path: Path) -> None:
    assert machine.lockdown(tmp_path / "lockdown") is None
