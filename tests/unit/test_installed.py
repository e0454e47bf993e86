"""What is tested is what users get: the installed wheel."""

import os
import sys
from pathlib import Path

import pytest

import systrace

pytestmark = pytest.mark.skipif(
    "PYTHONPATH" in os.environ, reason="PYTHONPATH says which systrace to test"
)


def test_the_tests_import_the_installed_package_and_not_the_source_tree() -> None:
    assert Path(systrace.__file__).is_relative_to(sys.prefix)


def test_the_wheel_contains_the_probes() -> None:
    source = Path(__file__).parents[2] / "probes"
    installed = Path(systrace.__file__).parent / "probes"

    def files(root: Path) -> set[Path]:
        return {path.relative_to(root) for path in root.rglob("*") if path.is_file()}

    assert files(source) == files(installed)
    assert files(installed)


def test_the_wheel_leaves_the_command_beside_its_python() -> None:
    command = Path(sys.prefix) / "bin" / "systrace"
    assert os.access(command, os.X_OK)
