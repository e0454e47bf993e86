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


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("processor\t: 0\nflags\t\t: fpu rdpid sha_ni\nbugs\t\t:\n\n", True),
        ("processor\t: 0\nflags\t\t: fpu rdtscp\nbugs\t\t: rdpid\n\n", False),
        ("processor\t: 0\nflags\t\t: fpu\n\nprocessor\t: 1\nflags\t\t: rdpid\n\n", False),
        ("", False),
    ],
)
def test_the_first_cpu_says_what_it_can(tmp_path: Path, text: str, *, has: bool) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert machine.has_rdpid(file) == has


def test_cpus_that_say_nothing_can_nothing(tmp_path: Path) -> None:
    assert not machine.has_rdpid(tmp_path / "cpuinfo")
