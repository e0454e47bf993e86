"""The offset of this process's CLOCK_MONOTONIC, as the kernel writes it."""

from pathlib import Path

import pytest

from systrace.time_namespace import offset_ns


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("monotonic           0         0\nboottime            0         0\n", 0),
        ("monotonic      100003         7\nboottime            0         0\n", 100_003_000_000_007),
        # below zero the seconds are rounded down
        ("monotonic          -2 999999999\nboottime           17         0\n", -1_000_000_001),
        ("1         11         13\n7          0         0\n", 11_000_000_013),
    ],
)
def test_seconds_and_nanoseconds_are_added(tmp_path: Path, text: str, offset: int) -> None:
    file = tmp_path / "timens_offsets"
    file.write_text(text)
    assert offset_ns(file) == offset


def test_a_kernel_without_time_namespaces_has_none(tmp_path: Path) -> None:
    assert offset_ns(tmp_path / "timens_offsets") == 0
