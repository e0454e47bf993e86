"""The vDSO's image and its trampolines, read and written once for each kernel (cache.py).

Each takes a library that is slow to load, and their results depend on nothing but the image.
"""

import contextlib
import json
import os
import sys

from systrace import cache, machine
from systrace.vdso.image import Function, Image, parse
from systrace.vdso.x86_64 import Plan, Trampoline, make_plan


def image(data: bytes) -> Image:
    """Read an image. Raises UnsupportedError, as ``parse``."""

    def decode(text: bytes) -> Image:
        functions, (start, stop) = json.loads(text)
        return Image(data, tuple(Function(*fields) for fields in functions), range(start, stop))

    sources = (data, cache.own_source("vdso/image.py", "vdso/kept.py"), _version("elftools"))
    return cache.kept("image", sources, lambda: parse(data), _encode_image, decode)


def plan(of: Image, *, marked: bool = False) -> Plan:
    """Write the trampolines of an image for this machine, as ``make_plan``."""
    by_cpu = machine.has_rdpid()

    def decode(text: bytes) -> Plan:
        trampolines, refused = json.loads(text)
        return Plan(
            of,
            tuple(
                Trampoline(
                    of.functions[index],
                    position,
                    site,
                    bytes.fromhex(code),
                    tuple(fixups),
                    counter,
                    counters,
                )
                for index, position, site, code, fixups, counter, counters in trampolines
            ),
            refused,
            marked,
        )

    own = cache.own_source("vdso/x86_64.py", "vdso/kept.py", "layout.py")
    kind = f"{'by CPU' if by_cpu else 'by stack'}{', marked' if marked else ''}"
    sources = (of.data, own, _version("iced_x86"), kind.encode("ascii"))

    def make() -> Plan:
        return make_plan(of, by_cpu=by_cpu, marked=marked)

    return cache.kept("trampolines", sources, make, _encode_plan, decode)


def _version(library: str) -> bytes:
    """Tell one installed library from another, without loading it."""
    for directory in sys.path:
        with contextlib.suppress(OSError):
            status = os.stat(f"{directory}/{library}/__init__.py")  # noqa: PTH116
            return f"{status.st_ino} {status.st_size} {status.st_mtime_ns}".encode()
    return b""


def _encode_image(found: Image) -> bytes:
    functions = [(function.name, function.offset, function.size) for function in found.functions]
    return json.dumps([functions, [found.text.start, found.text.stop]]).encode("ascii")


def _encode_plan(made: Plan) -> bytes:
    trampolines = [
        (
            made.image.functions.index(trampoline.function),
            trampoline.position,
            trampoline.site,
            trampoline.code.hex(),
            trampoline.fixups,
            trampoline.counter,
            trampoline.counters,
        )
        for trampoline in made.trampolines
    ]
    return json.dumps([trampolines, made.refused]).encode("ascii")
