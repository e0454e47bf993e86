"""Parsers of what the kernel, a target or an earlier systrace left; each takes bytes.

As in texts.py: a value, or the error that the parser documents.
"""

import ctypes
import functools
import mmap
import os
import struct
from contextlib import suppress
from unittest import mock

from systrace import btf, cache, compiled, kernel, proc
from systrace.errors import UnsupportedError
from systrace.layout import Hold
from systrace.ring import Ring
from systrace.target import status
from systrace.vdso import image, kept, place, remove, x86_64

_BLOCK, _VDSO = 0x7FFF_0000_0000, 0x7FFF_1234_5000


def vdso_image(content: bytes) -> None:
    """An image is refused, or lies within itself and can be planned for."""
    try:
        found = image.parse(content)
    except UnsupportedError:
        return
    for function in found.functions:
        assert 0 <= function.offset < function.offset + function.size <= len(content)
    with suppress(UnsupportedError):
        at = found.syscall_offset
        assert content[at : at + 2] == b"\x0f\x05"
    _check_plan(found)


_NAMES = ("clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres", "odd")


def vdso_code(content: bytes) -> None:
    """As ``vdso_image``, with ELF left out: functions and their code are anything."""
    count = min(content[0] % 24, (len(content) - 1) // 3) if content else 0
    data = content[1 + 3 * count :]
    functions = {}
    for number in range(count):
        offset, size = struct.unpack_from("<HB", content, 1 + 3 * number)
        if offset + size <= len(data) and size:
            name = _NAMES[(offset + size) % len(_NAMES)]
            functions[offset] = image.Function(name, offset, size)
    ordered = tuple(functions[offset] for offset in sorted(functions))
    _check_plan(image.Image(data, ordered, range(len(data))))


def _check_plan(found: image.Image) -> None:
    for by_cpu in (False, True):
        _check(found, x86_64.make_plan(found, by_cpu=by_cpu))


def _check(found: image.Image, plan: x86_64.Plan) -> None:
    entries = {function.offset for function in found.functions}
    assert len(plan.code_page(_BLOCK, _VDSO)) == x86_64.PAGE
    used: set[int] = set()
    for item in plan.trampolines:
        assert len(item.code) <= x86_64.STRIDE
        assert all(at + 4 <= len(item.code) for at in item.fixups)
        counters = set(range(item.counter, item.counter + item.counters))
        assert not used & counters
        used |= counters
        begin = item.function.offset
        assert item.function.size >= x86_64.JUMP_BYTES
        assert not entries & set(range(begin + 1, begin + x86_64.JUMP_BYTES))
        assert len(plan.jump(item, _BLOCK, _VDSO)) == x86_64.JUMP_BYTES
    assert max(used, default=0) < x86_64.SHARD_BYTES // 8


def auxiliary_vector(content: bytes) -> None:
    """A stack is searched to its end, and nothing is hidden but what the kernel put there."""
    for word in (4, 8):
        stack = remove._Stack(content, word)
        begin = stack.vector()
        if begin is None:
            continue
        for offset in stack.entries_to_hide(begin, content[begin:]):
            assert begin <= offset <= len(content) - word
        with suppress(remove.NotRemovedError):
            assert stack.entries_to_hide(begin, b"") == []


def names(content: bytes) -> None:
    """A process's name, and that of a file which it maps, where the kernel shows them."""
    shown = content.replace(b"\0", b"")[:200]
    comm = shown[:15].replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    fields = proc.status_fields(b"Name:\t" + comm + b"\nTgid:\t7\nSigIgn:\t0000000000000080\n")
    assert (fields["Tgid"], len(fields)) == ("7", 3)
    assert status.masks_in(b"Name:\t" + comm + b"\nSigIgn:\tff\n")["SigIgn"] == 0xFF
    assert proc.stat_field(b"7 (" + shown[:15] + b") R 5 7 7\n", 4) == b"5"
    path = b"/" + shown.replace(b"\n", b"\\012")
    maps = b"1000-2000 r--p 0 08:01 12   " + path + b"\n3000-4000 rw-s 0 00:01 9 \n"
    found = place.parse_maps(proc.lines(maps))
    assert found == [
        place.Mapping(0x1000, 0x2000, os.fsdecode(path)),
        place.Mapping(0x3000, 0x4000, ""),
    ]


def ring(content: bytes) -> None:
    """Records of any length, whole or not: read in order, to where the kernel has written."""
    data = mmap.PAGESIZE
    fd = os.memfd_create("ring")
    try:
        os.ftruncate(fd, 2 * mmap.PAGESIZE + 2 * data)
        written = content[: data - 8]
        os.pwrite(fd, struct.pack("=Q", len(written)), mmap.PAGESIZE)
        os.pwrite(fd, written, 2 * mmap.PAGESIZE)
        os.pwrite(fd, written, 2 * mmap.PAGESIZE + data)
        with suppress(ValueError):  # a record shorter than its kind
            held: Ring[Hold] = Ring(fd, data, Hold)
            waiting = [bytes(hold) for hold in held.waiting()]
            assert [bytes(hold) for hold in held.take()] == waiting
    finally:
        os.close(fd)


def program(content: bytes) -> None:
    """The cache's entry for compiled programs."""
    with suppress(ValueError):
        compiled.encode(compiled.decode(content))


def instructions(content: bytes) -> None:
    """What a compiler made: descriptors of maps are taken out, and put in again."""
    code = content[: len(content) // 8 * 8]
    with suppress(ValueError):
        made = compiled.program(code, {3: 0, 5: 1}, anchor=1)
        assert len(made.linked([3, 5])) == len(code)


@functools.cache
def _own() -> image.Image:
    return image.parse(image.own_bytes() or b"")


def entry(content: bytes) -> None:
    """The cache's other entries: what is no entry is made anew."""
    own = _own()
    with (
        mock.patch.object(cache, "read", return_value=content),
        mock.patch.object(cache, "write"),
        mock.patch.object(kept, "parse", return_value=own),
        mock.patch.object(kept, "make_plan", return_value=x86_64.Plan(own, (), {})),
        mock.patch.object(kernel, "_read", return_value=kernel.Types({}, {})),
    ):
        kept.image(own.data)
        kept.plan(own)
        kernel.types.__wrapped__()


_STRINGS = b"\0task\0next\0a\0\xff\0"
_OFFSETS = (0, 1, 6, 11, 13)
_KINDS = (1, 2, 4, 4, 4, 5, 8, 9, 10, 11)  # int, pointer, struct, union, typedef, qualifiers


def kernel_types(content: bytes) -> None:
    """Type information in which types refer to each other in any way: cycles too."""
    types = []
    for at in range(0, len(content) - 3, 4):
        kind, name, first, second = content[at : at + 4]
        types.append((_KINDS[kind % len(_KINDS)], _OFFSETS[name % len(_OFFSETS)], first, second))
    encoded = b"".join(_encoded(*one, count=len(types) + 1) for one in types)
    lengths = (24, 0, len(encoded), len(encoded), len(_STRINGS))
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, *lengths)
    library = _libbpf()
    text = header + encoded + _STRINGS
    found = library.btf__new(text, len(text))
    if not found or found > 2**64 - 4096:
        return
    made = object.__new__(btf.KernelTypes)
    made._lib, made._btf = library, found
    with made, suppress(UnsupportedError):
        made.size("task")
        made.offset("task.next.a")


def _encoded(kind: int, name: int, first: int, second: int, *, count: int) -> bytes:
    if kind == 1:
        return struct.pack("<IIII", name or 1, kind << 24, 4, 32)
    if kind in (4, 5):
        members = ((first % count, second), (second % count, first))
        packed = (struct.pack("<III", _OFFSETS[at % 5], kind, 0) for kind, at in members)
        return struct.pack("<III", name, kind << 24 | len(members), 8) + b"".join(packed)
    return struct.pack("<III", (name or 1) if kind == 8 else 0, kind << 24, first % count)


@functools.cache
def _libbpf() -> ctypes.CDLL:
    library = btf.libbpf()
    library.btf__new.restype = ctypes.c_void_p
    library.btf__new.argtypes = [ctypes.c_char_p, ctypes.c_uint32]
    library.libbpf_set_print(None)
    return library
