"""What SECURITY.md and tests/FAULTS.md call a proof is a test, in the file that they name."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def functions() -> dict[str, set[str]]:
    """Return the tests of each file; some names are those of two files."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for file in TESTS.glob("*/test_*.py"):
        found[file.stem] |= set(re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE))
    return found


@pytest.mark.parametrize("document", [TESTS.parent / "SECURITY.md", TESTS / "FAULTS.md"])
def test_every_test_that_a_document_names_is_in_the_file_that_it_names(document: Path) -> None:
    known = functions()
    named = 0
    for cell in document.read_text().split("|"):
        file = None
        for name in re.findall(r"`(test_\w+)`", cell):
            named += 1
            if name in known:
                file = name
            elif file is not None:
                assert name in known[file], f"not in {file}.py"
            else:
                assert any(name in tests for tests in known.values())
    assert named > 20
