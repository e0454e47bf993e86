"""The first file system of a guest: busybox, the modules for the way to its root, and a script.

The format is cpio's ``newc``: Documentation/driver-api/early-userspace/buffer-format.rst.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

# virtio for the disks that are none, 9p for the machine's root, and a writable layer above it.
WANTED = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng")

_DIRECTORY, _FILE, _CHARACTER_DEVICE = 0o040755, 0o100755, 0o020600
_CONSOLE = (5, 1)


def build(busybox: bytes, modules: Mapping[str, bytes]) -> bytes:
    """Return the archive; ``modules`` are all that the kernel has, by name."""
    ordered = list(in_order(modules))
    script = Path(__file__).with_name("init.sh").read_bytes()
    inserted = "".join(f"/bin/busybox insmod /modules/{name}.ko\n" for name in ordered)
    entries: list[tuple[str, int, bytes, tuple[int, int]]] = [
        *((name, _DIRECTORY, b"", (0, 0)) for name in ("bin", "dev", "modules")),
        ("dev/console", _CHARACTER_DEVICE, b"", _CONSOLE),
        ("bin/busybox", _FILE, busybox, (0, 0)),
        ("init", _FILE, script, (0, 0)),
        ("insert", _FILE, inserted.encode("ascii"), (0, 0)),
        *((f"modules/{name}.ko", _FILE, modules[name], (0, 0)) for name in ordered),
        ("TRAILER!!!", 0, b"", (0, 0)),
    ]
    return b"".join(_entry(number, *entry) for number, entry in enumerate(entries, start=1))


def in_order(modules: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what is wanted after what that needs; what a kernel has built in is left out."""
    done: set[str] = set()

    def after(name: str) -> Iterator[str]:
        if name in modules and name not in done:
            done.add(name)
            for needed in _needs(modules[name]):
                yield from after(needed)
            yield name

    for name in WANTED:
        yield from after(name)


def _needs(module: bytes) -> list[str]:
    """Return what a module says it depends on (modinfo(8))."""
    section: Any = ELFFile(io.BytesIO(module)).get_section_by_name(".modinfo")
    facts = dict(fact.split("=", 1) for fact in section.data().decode().split("\0") if "=" in fact)
    return [name.replace("-", "_") for name in facts.get("depends", "").split(",") if name]


def _entry(number: int, name: str, mode: int, content: bytes, device: tuple[int, int]) -> bytes:
    path = name.encode("ascii") + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device, that it stands for, name's size, checksum
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + path) + _padded(content)


def _padded(block: bytes) -> bytes:
    return block + bytes(-len(block) % 4)
