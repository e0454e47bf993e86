"""The kernel's vDSO image: an ELF shared object that the kernel maps into every process.

Linux maps the same image into all 64-bit processes, so our own is a faithful copy of the
target's; that it is, is checked before anything is written. vdso(7), getauxval(3).
"""

import ctypes
import io
from typing import Any, Final, NamedTuple

from systrace import proc
from systrace.errors import UnsupportedError
from systrace.vdso.place import parse_maps

AT_SYSINFO_EHDR: Final = 33
_PREFIX: Final = "__vdso_"
_SYSCALL: Final = b"\x0f\x05"


class Function(NamedTuple):
    """An exported function: its call's name, and offset and size in bytes within the image."""

    name: str
    offset: int
    size: int


class Image(NamedTuple):
    """A vDSO: its bytes as mapped, what it exports, ordered by offset, and where its code is."""

    data: bytes
    functions: tuple[Function, ...]
    text: range

    @property
    def syscall_offset(self) -> int:
        """Offset of a ``syscall`` instruction in it (x86_64)."""
        for function in self.functions:
            found = self.data.find(_SYSCALL, function.offset, function.offset + function.size)
            if found >= 0:
                return found
        raise UnsupportedError("the vDSO has no syscall instruction to borrow")


def parse(data: bytes) -> Image:
    """Read an image. Raises UnsupportedError for one that is no ELF file or lies about itself."""
    from elftools.common.exceptions import ELFError  # noqa: PLC0415 - 100 ms
    from elftools.construct import ConstructError  # noqa: PLC0415
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415
    from elftools.elf.sections import SymbolTableSection  # noqa: PLC0415

    try:
        elf = ELFFile(io.BytesIO(data))
        if elf["e_shentsize"] * elf.num_sections() > len(data):
            raise UnsupportedError("the vDSO is shorter than its section headers")
        section: Any = elf.get_section_by_name(".dynsym")
        dynamic = isinstance(section, SymbolTableSection) and section["sh_entsize"]
        symbols = list(section.iter_symbols()) if dynamic else []
        code = elf.get_section_by_name(".text")
        text = range(code["sh_addr"], code["sh_addr"] + code["sh_size"]) if code else range(0)
        found: dict[int, Function] = {}
        for symbol in symbols:
            kind = symbol["st_info"]["type"]
            offset, size = int(symbol["st_value"]), int(symbol["st_size"])
            if kind != "STT_FUNC" or symbol["st_shndx"] == "SHN_UNDEF":
                continue
            if not text.start <= offset < offset + size <= text.stop <= len(data):
                raise UnsupportedError(f"the vDSO's {symbol.name!r} lies outside of its code")
            name = symbol.name.removeprefix(_PREFIX)
            # glibc's aliases have no prefix and the same address: one function
            if offset not in found or symbol.name.startswith(_PREFIX):
                found[offset] = Function(name, offset, size)
    except (ELFError, ConstructError, ValueError, LookupError, TypeError, OverflowError) as error:
        raise UnsupportedError(f"the vDSO is not an ELF image: {error}") from error
    if not found:
        raise UnsupportedError("the vDSO exports no function")
    return Image(data, tuple(found[offset] for offset in sorted(found)), text)


def own_address() -> int:
    """Return where our own vDSO is; 0 if the kernel runs without one (``vdso=0``)."""
    libc = ctypes.CDLL(None)
    libc.getauxval.restype = ctypes.c_ulong
    return int(libc.getauxval(ctypes.c_ulong(AT_SYSINFO_EHDR)))


def own_bytes() -> bytes | None:
    """Copy our own vDSO out of memory; None if there is none."""
    base = own_address()
    if not base:
        return None
    for mapping in parse_maps(proc.maps("self")):
        if mapping.low == base:
            return ctypes.string_at(base, mapping.high - base)
    raise UnsupportedError("our own vDSO is not in /proc/self/maps")
