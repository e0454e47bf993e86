"""Offsets of kernel structures, from the running kernel's own BTF.

Read with libbpf, which bcc brings along: bcc's programs are compiled once and carry no CO-RE
relocations, so the offsets are compiled in. The format is the kernel's Documentation/bpf/btf.rst.
"""

import ctypes
import ctypes.util
from collections.abc import Iterable

from systrace.errors import UnsupportedError

_KIND_STRUCT = 4
_KIND_UNION = 5
KIND_TYPEDEF = 8
KIND_FUNCTION = 12
_KIND_MODIFIERS = frozenset({8, 9, 10, 11, 18})  # typedef, volatile, const, restrict, type tag

_DEEPEST = 32
_CYCLE = "the kernel's type information goes round in a circle"


class _Type(ctypes.Structure):
    _fields_ = (
        ("name_off", ctypes.c_uint32),
        ("info", ctypes.c_uint32),
        ("size_or_type", ctypes.c_uint32),
    )


class _Member(ctypes.Structure):
    _fields_ = (
        ("name_off", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("offset", ctypes.c_uint32),
    )


def libbpf() -> ctypes.CDLL:
    """Return libbpf; raises UnsupportedError where there is none."""
    for name in ("libbpf.so.1", "libbpf.so.0", "libbcc.so.0"):
        try:
            library = ctypes.CDLL(name)
            library.btf__load_vmlinux_btf.restype = ctypes.c_void_p
        except (OSError, AttributeError):
            continue
        library.btf__free.argtypes = [ctypes.c_void_p]
        library.btf__free.restype = None
        library.btf__find_by_name_kind.argtypes = [
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_uint32,
        ]
        library.btf__type_by_id.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
        library.btf__type_by_id.restype = ctypes.c_void_p
        library.btf__name_by_offset.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
        library.btf__name_by_offset.restype = ctypes.c_char_p
        return library
    raise UnsupportedError(
        "libbpf is missing, which reads the kernel's type information\n"
        "install it: it comes with bcc (Debian and Ubuntu: apt-get install python3-bpfcc)"
    )


class KernelTypes:
    """The running kernel's BTF; a context manager. Raises UnsupportedError without it."""

    def __init__(self) -> None:
        self._lib = libbpf()
        self._btf = self._lib.btf__load_vmlinux_btf()
        # libbpf before 1.0 answers with an encoded error instead of NULL
        if not self._btf or self._btf > 2**64 - 4096:
            raise UnsupportedError(
                "this kernel has no type information (/sys/kernel/btf/vmlinux)\n"
                "systrace needs a kernel built with CONFIG_DEBUG_INFO_BTF=y"
            )

    def __enter__(self) -> "KernelTypes":
        return self

    def __exit__(self, *_: object) -> None:
        self._lib.btf__free(self._btf)

    def size(self, struct: str) -> int:
        """Size of a struct in bytes."""
        return int(self._type(self._find(struct)).size_or_type)

    def id(self, name: str, kind: int) -> int | None:
        """Id of a function or a typedef; None if this kernel has none such."""
        found = int(self._lib.btf__find_by_name_kind(self._btf, name.encode("ascii"), kind))
        return found if found >= 0 else None

    def offset(self, path: str) -> int:
        """Offset in bytes of a member, written ``task_struct.thread_info.status``.

        Members of anonymous structs and unions are found as C finds them. Raises
        UnsupportedError if this kernel has no such member.
        """
        struct, *members = path.split(".")
        type_id = self._find(struct)
        total_bits = 0
        for name in members:
            found = self._member(type_id, name)
            if found is None:
                raise UnsupportedError(f"this kernel's {struct} has no {'.'.join(members)}")
            bits, type_id = found
            total_bits += bits
        return total_bits // 8

    def _find(self, struct: str) -> int:
        found = self.id(struct, _KIND_STRUCT)
        if found is None:
            raise UnsupportedError(f"this kernel has no struct {struct}")
        return found

    def _type(self, type_id: int) -> _Type:
        address = self._lib.btf__type_by_id(self._btf, type_id)
        if not address:
            raise UnsupportedError(f"the kernel's BTF has no type {type_id}")
        return _Type.from_address(address)

    def _resolved(self, type_id: int) -> int:
        """Return the struct or union behind typedefs and qualifiers."""
        for _ in range(_DEEPEST):
            found = self._type(type_id)
            if (found.info >> 24) & 0x1F not in _KIND_MODIFIERS:
                return type_id
            type_id = found.size_or_type
        raise UnsupportedError(_CYCLE)

    def _members(self, type_id: int) -> Iterable[tuple[str, int, int]]:
        """Yield name, offset in bits and type of each member; nothing for a scalar."""
        type_id = self._resolved(type_id)
        found = self._type(type_id)
        if (found.info >> 24) & 0x1F not in (_KIND_STRUCT, _KIND_UNION):
            return
        has_bitfields = bool(found.info >> 31)
        first = ctypes.addressof(found) + ctypes.sizeof(_Type)
        for index in range(found.info & 0xFFFF):
            member = _Member.from_address(first + index * ctypes.sizeof(_Member))
            name = self._lib.btf__name_by_offset(self._btf, member.name_off).decode(
                "ascii", "replace"
            )
            offset = member.offset & 0xFFFFFF if has_bitfields else member.offset
            yield name, offset, member.type

    def _member(self, type_id: int, name: str, depth: int = 0) -> tuple[int, int] | None:
        """Offset in bits from the start of ``type_id``, and the member's type."""
        if depth > _DEEPEST:
            raise UnsupportedError(_CYCLE)
        for member, bits, member_type in self._members(type_id):
            if member == name:
                return bits, member_type
            if not member:
                inner = self._member(member_type, name, depth + 1)
                if inner is not None:
                    return bits + inner[0], inner[1]
        return None
