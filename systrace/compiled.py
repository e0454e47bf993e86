"""What the compiler makes of sources: maps to be created, and programs to be loaded.

Where a program refers to a map its instructions hold nothing yet: a descriptor is put there when
the maps have been created (BPF_PSEUDO_MAP_FD, include/uapi/linux/bpf.h).
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from systrace.bpf import INSTRUCTION_BYTES, MapLayout

_LOAD_64: Final = 0x18  # BPF_LD | BPF_IMM | BPF_DW, which takes two instructions
_MAP_FD: Final = 1
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


def program(instructions: bytes, fds: Mapping[int, int]) -> Program:
    """Take the compiler's own descriptors, with their maps' indices, out of instructions.

    Raises ValueError if they refer to anything else.
    """
    code = bytearray(instructions)
    references = []
    offset = 0
    while offset < len(code):
        opcode, registers = code[offset], code[offset + 1]
        if opcode == _LOAD_64 and registers >> _SOURCE_REGISTER:
            (fd,) = struct.unpack_from("=i", code, offset + 4)
            if registers >> _SOURCE_REGISTER != _MAP_FD or fd not in fds:
                raise ValueError(f"instruction {offset // INSTRUCTION_BYTES} refers to no map")
            references.append((offset, fds[fd]))
            struct.pack_into("=i", code, offset + 4, 0)
        offset += INSTRUCTION_BYTES * (2 if opcode == _LOAD_64 else 1)
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
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not what the compiler wrote") from error
