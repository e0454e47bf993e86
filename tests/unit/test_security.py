"""SECURITY.md names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = [file for file in (ROOT / "tests").rglob("test_*.py") if ".cache" not in file.parts]


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text()))
    there = {file.stem for file in FILES}
    for file in FILES:
        there |= set(re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE))
    assert len(named) > 40
    assert named <= there, named - there
