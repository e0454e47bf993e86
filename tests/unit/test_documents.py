"""What SECURITY.md and tests/FAULTS.md call a proof is a test that exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("document", [TESTS.parent / "SECURITY.md", TESTS / "FAULTS.md"])
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    files = list(TESTS.glob("*/test_*.py"))
    text = "\n".join(file.read_text() for file in files)
    functions = set(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", document.read_text()))
    assert len(named) > 20
    assert named - {file.stem for file in files} - functions == set()
