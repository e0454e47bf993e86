"""Debian's kernels, fetched with the machine's own apt and unpacked beside the tests.

Nothing is installed: of each package only the image and a few modules are kept, in ``.cache/``.
"""

import getpass
import lzma
import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import initramfs

CACHE = Path(__file__).with_name(".cache")

# What the package of a kernel is called; the newest one that apt knows is taken.
PACKAGES: Mapping[str, str] = {
    "6.1": r"linux-image-6\.1\.\d[\d.-]*-amd64",
    "6.1-rt": r"linux-image-6\.1\.\d[\d.-]*-rt-amd64",
    "6.12": r"linux-image-6\.12\.\d[\w.+-]*\+deb\d+-amd64",
}
BUSYBOX = "busybox-static"


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be booted: the image, and an initramfs that finds the machine's root."""

    name: str
    image: Path
    initramfs: Path


def kernel(name: str) -> Kernel:
    """Fetch and unpack it, unless that was done before."""
    CACHE.mkdir(exist_ok=True)
    package = _newest(PACKAGES[name])
    image, built = CACHE / f"{package}.vmlinuz", CACHE / f"{package}.cpio"
    if not built.exists():
        busybox = next(content for path, content in _files(BUSYBOX, r"\./bin/busybox"))
        modules = {}
        for path, content in _files(package, r"\./boot/vmlinuz-.*|.*/kernel/.*\.ko(\.xz)?"):
            if "/boot/" in path:
                _write(image, content)
            else:
                modules[Path(path).name.partition(".")[0].replace("-", "_")] = content
        _write(built, initramfs.build(busybox, modules))
    return Kernel(name, image, built)


def _newest(pattern: str) -> str:
    """Return the newest package that apt knows by such a name."""
    for update in (False, True):
        if update:  # apt's lists may be missing, as in a fresh container
            _apt_get("update")
        known = subprocess.check_output(["apt-cache", "pkgnames", "linux-image-"], text=True)
        found = [name for name in known.split() if re.fullmatch(pattern, name)]
        if found:
            return max(found, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])
    raise LookupError(f"apt knows no package {pattern}: these kernels are Debian's")


def _files(package: str, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of those files of a package whose whole path fits."""
    try:
        _apt_get("download", package)
    except subprocess.CalledProcessError:  # apt's lists are older than what the mirrors keep
        _apt_get("update")
        _apt_get("download", package)
    (archive,) = CACHE.glob(f"{package}_*.deb")
    try:
        with (
            subprocess.Popen(
                ["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE
            ) as tar,
            tarfile.open(fileobj=tar.stdout, mode="r|") as members,
        ):
            for member in members:
                file = members.extractfile(member) if member.isfile() else None
                if file is not None and re.fullmatch(pattern, member.name):
                    content = file.read()
                    xz = member.name.endswith(".xz")
                    yield member.name, lzma.decompress(content) if xz else content
    finally:
        archive.unlink()


def _apt_get(*words: str) -> None:
    # as whoever we are: apt's own user may not be able to write to a clone
    sandbox = f"APT::Sandbox::User={getpass.getuser()}"
    subprocess.run(["apt-get", "-qq", "-o", sandbox, *words], cwd=CACHE, check=True)


def _write(path: Path, content: bytes) -> None:
    """Write it whole or not at all: what is in the cache is complete."""
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(content)
    unfinished.rename(path)
