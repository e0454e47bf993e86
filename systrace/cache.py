"""What systrace worked out at an earlier start, kept in a directory that root alone can write to.

What is read here decides what root loads into the kernel and writes into a target. So neither the
directory nor one above it may be a symbolic link, or be writable by anybody but root; what is
opened is what is checked; and an entry carries a digest of itself and of all that it was made
from. One that is missing, stale or damaged is made anew, and where none can be kept, none is.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from systrace import __version__

DIRECTORY = "/var/cache/systrace"
_MAGIC: Final = b"systrace cache 1\n"
_DIGEST_BYTES: Final = 32
_MOST_BYTES: Final = 1 << 24
_MOST_ENTRIES: Final = 100
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_FOLLOW_NO_LINK: Final = os.O_NOFOLLOW | os.O_CLOEXEC

_STUMBLES: Final = (ValueError, TypeError, AttributeError, LookupError, RecursionError)

Made = TypeVar("Made")


class UntrustedError(Exception):
    """Somebody other than root can write there; the reason is a sentence about the path."""


def kept(
    kind: str,
    sources: tuple[bytes, ...],
    make: Callable[[], Made],
    encode: Callable[[Made], bytes],
    decode: Callable[[bytes], Made],
) -> Made:
    """Return what was made from the same ``sources`` before, or make it, and keep it.

    ``decode`` stumbles, in whatever way, over what ``encode`` cannot have written. Raises what
    ``make`` does.
    """
    entry = read(kind, sources)
    if entry is not None:
        with contextlib.suppress(*_STUMBLES):
            return decode(entry)
    made = make()
    write(kind, sources, encode(made))
    return made


def own_source(*names: str) -> bytes:
    """Return files of this package, whose change makes stale what they made."""
    package = Path(__file__).parent
    texts = [__version__.encode("ascii")]
    for name in names:
        with contextlib.suppress(FileNotFoundError):  # installed as byte code only
            texts.append((package / name).read_bytes())
    return b"\0".join(texts)


def read(kind: str, sources: tuple[bytes, ...]) -> bytes | None:
    """Return an entry; None where there is none that can be trusted."""
    key = _key(sources)
    try:
        with _trusted(DIRECTORY) as parent:
            flags = os.O_RDONLY | os.O_NONBLOCK | _FOLLOW_NO_LINK  # a FIFO must not block
            found = os.open(_name(kind, key), flags, dir_fd=parent)
            with open(found, "rb") as file:  # noqa: PTH123 - a descriptor
                status = os.fstat(found)
                if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_BYTES:
                    return None
                _check(status, kind)
                entry = file.read(_MOST_BYTES)
    except (OSError, UntrustedError):
        return None
    head = len(_MAGIC) + _DIGEST_BYTES
    content = entry[head:]
    return content if entry[:head] == _MAGIC + _digest(key, content) else None


def write(kind: str, sources: tuple[bytes, ...], content: bytes) -> None:
    """Keep an entry, which appears whole or, where it cannot be kept, not at all."""
    key = _key(sources)
    try:
        above, name = os.path.split(DIRECTORY)
        with contextlib.suppress(FileExistsError), _trusted(above) as parent:
            os.mkdir(name, 0o755, dir_fd=parent)
        with _trusted(DIRECTORY) as parent:
            _remove_oldest(parent)
            _replace(parent, _name(kind, key), _MAGIC + _digest(key, content) + content)
    except (OSError, UntrustedError):
        return


def refusal() -> str | None:
    """Return why nothing is kept there; None where it is, or will be once it has been made."""
    try:
        with _trusted(DIRECTORY):
            return None
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{DIRECTORY} cannot be used: {error.strerror}"
    except UntrustedError as error:
        return str(error)


def _key(sources: tuple[bytes, ...]) -> bytes:
    whole = hashlib.sha256()
    for source in sources:
        whole.update(len(source).to_bytes(8, "little"))
        whole.update(source)
    return whole.digest()


def _digest(key: bytes, content: bytes) -> bytes:
    return hashlib.sha256(key + content).digest()


def _name(kind: str, key: bytes) -> str:
    return f"{kind}-{key.hex()[:32]}"


@contextlib.contextmanager
def _trusted(directory: str) -> Iterator[int]:
    """Open a directory, step by step from the root, for what is in it. Raises UntrustedError."""
    walked = "/"
    flags = os.O_RDONLY | os.O_DIRECTORY | _FOLLOW_NO_LINK
    fd = os.open(walked, flags)
    try:
        _check(os.fstat(fd), walked)
        for name in directory.strip("/").split("/"):
            following = os.open(name, flags, dir_fd=fd)
            os.close(fd)
            fd = following
            walked = os.path.join(walked, name)  # noqa: PTH118
            _check(os.fstat(fd), walked)
        yield fd
    finally:
        os.close(fd)


def _check(status: os.stat_result, name: str) -> None:
    """Sticky directories are no exception: others can create there what we have not yet."""
    if status.st_uid != 0:
        raise UntrustedError(f"{name} does not belong to root")
    if status.st_mode & _OTHERS_WRITE:
        raise UntrustedError(f"others than root can write to {name}")


def _replace(parent: int, name: str, entry: bytes) -> None:
    temporary = f".{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FOLLOW_NO_LINK
    fd = os.open(temporary, flags, 0o644, dir_fd=parent)
    try:
        with open(fd, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor
            rest = memoryview(entry)
            while rest:
                rest = rest[file.write(rest) :]
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        os.unlink(temporary, dir_fd=parent)
        raise


def _remove_oldest(parent: int) -> None:
    """Make room for one more: kernels, releases and options come and go."""
    ages = []
    for name in os.listdir(parent):
        with contextlib.suppress(FileNotFoundError):  # another systrace was quicker
            ages.append((os.stat(name, dir_fd=parent, follow_symlinks=False).st_mtime_ns, name))
    for _, name in sorted(ages, reverse=True)[_MOST_ENTRIES - 1 :]:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)
