"""Every parser of systrace's, by the name of its directory in ``corpus``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from . import binaries, texts

CORPUS: Final = Path(__file__).parent / "corpus"

PARSERS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "report": texts.report,
    "budget": texts.budget,
    "limit": texts.limit,
    "selection": texts.selected,
    "command_line": texts.command_line,
    "sudo": texts.sudo,
    "vdso_image": binaries.vdso_image,
    "vdso_code": binaries.vdso_code,
    "auxiliary_vector": binaries.auxiliary_vector,
    "names": binaries.names,
    "ring": binaries.ring,
    "program": binaries.program,
    "instructions": binaries.instructions,
    "entry": binaries.entry,
    "kernel_types": binaries.kernel_types,
}


def corpus(name: str) -> list[Path]:
    """What is kept for a parser: seeds, and whatever it once did wrong."""
    return sorted((CORPUS / name).iterdir())
