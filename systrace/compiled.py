"""What the compiler makes of sources: maps to be created, and programs to be loaded.

Where a program refers to a map its instructions hold nothing yet: a descriptor is put there when
the maps have been created (BPF_PSEUDO_MAP_FD, include/uapi/linux/bpf.h). One map can be had by
the address of its only value, too (BPF_PSEUDO_MAP_VALUE), which bcc cannot say: ANCHOR.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from systrace.bpf import INSTRUCTION_BYTES, MapLayout

_LOAD_64: Final = 0x18  # BPF_LD | BPF_IMM | BPF_DW, which takes two instructions
_MAP_FD: Final = 1
_MAP_VALUE: Final = 2
_ANCHOR: Final = 0x53595354524143  # stands for the address of the anchor's value, in probes/tasks.c
ANCHOR: Final = "anchor"  # the map's name
_SOURCE_REGISTER: Final = 4  # bits that it is shifted by


class Program(NamedTuple):
    """Instructions, and which of them (offset in bytes) refers to which map (index)."""

    instructions: bytes
    references: tuple[tuple[int, int], ...]

    def linked(self, fds: Sequence[int]) -> bytes:
        """Return the instructions for maps with these descriptors."""
        code = bytearray(self.instructions)
        for offset, index in self.references:
            struct.pack_into("=i", code, offset + 4, fds[index])
        return bytes(code)


class Compiled(NamedTuple):
    """All maps and programs of some sources."""

    maps: tuple[MapLayout, ...]
    programs: Mapping[str, Program]


def program(instructions: bytes, fds: Mapping[int, int], anchor: int | None = None) -> Program:
    """Take the compiler's own descriptors, with their maps' indices, out of instructions.

    ``anchor`` is the index of that map. Raises ValueError if they refer to anything else.
    """
    code = bytearray(instructions)
    references = []
    offset = 0
    while offset < len(code):
        opcode, kind = code[offset], code[offset + 1] >> _SOURCE_REGISTER
        if opcode != _LOAD_64:
            offset += INSTRUCTION_BYTES
            continue
        if offset + 2 * INSTRUCTION_BYTES > len(code):
            raise ValueError("the last instruction is cut off")
        low, high = struct.unpack_from("=i4xi", code, offset + 4)
        index = fds.get(low) if kind == _MAP_FD else None
        if kind == 0 and (high << 32 | low & 0xFFFFFFFF) == _ANCHOR:
            index = anchor
            code[offset + 1] |= _MAP_VALUE << _SOURCE_REGISTER
        elif kind == 0:
            offset += 2 * INSTRUCTION_BYTES
            continue
        if index is None:
            raise ValueError(f"instruction {offset // INSTRUCTION_BYTES} refers to no map")
        references.append((offset, index))
        struct.pack_into("=i4xi", code, offset + 4, 0, 0)
        offset += 2 * INSTRUCTION_BYTES
    return Program(bytes(code), tuple(references))


def encode(compiled: Compiled) -> bytes:
    """Write it down."""
    programs = {
        name: [program.instructions.hex(), program.references]
        for name, program in compiled.programs.items()
    }
    return json.dumps({"maps": compiled.maps, "programs": programs}).encode("ascii")


def decode(text: bytes) -> Compiled:
    """Read what ``encode`` wrote. Raises ValueError for anything else."""
    try:
        document = json.loads(text)
        return Compiled(
            tuple(MapLayout(*fields) for fields in document["maps"]),
            {
                name: Program(bytes.fromhex(code), tuple((at, index) for at, index in references))
                for name, (code, references) in document["programs"].items()
            },
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not what the compiler wrote") from error
