"""``-o FILE``: opened before the target starts, there whole or not at all, the caller's own.

A regular file is written beside its name and renamed over it at the end, so a reader never sees
half a report and a failed run leaves the old one alone. A FIFO, a character device and a
descriptor (``-``, ``/dev/stderr``, ``/dev/fd/3``) are written to as they are.
"""

import errno
import fcntl
import os
import re
import select
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from systrace import launcher, overwriting
from systrace.errors import OutputError
from systrace.options import Format
from systrace.target.user import Identity, acting_as

ENDINGS: Mapping[str, Format] = {
    ".txt": "table",
    ".json": "json",
    ".csv": "csv",
    ".md": "markdown",
    ".prom": "prometheus",
}

_STDOUT = 1
_BLOCK = 1 << 16  # characters
_LINKS = 40  # path_resolution(7): more than this is ELOOP
# The mode bits of the group, set-group-ID with them.
_GROUP_BITS = 0o2070
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def format_of(name: str, otherwise: Format = "table") -> Format:
    """Read the format off a file's ending; ``otherwise`` where that is none we know."""
    return ENDINGS.get(Path(name).suffix.lower(), otherwise)


def write_all(fd: int, data: bytes) -> None:
    """Write everything, also to a descriptor that somebody made non-blocking. Raises OSError."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # noqa: PERF203  costs nothing beside the write
            select.select((), (fd,), ())


@dataclass(frozen=True, slots=True)
class Output:
    """One ``-o``, open. ``name`` is as it was typed."""

    name: str
    format: Format
    _fd: int
    _finish: Callable[[], None]

    def add(self, pieces: Iterable[str]) -> None:
        """Put a text, or its pieces, there, to be followed by more. Raises OutputError."""
        self._put(pieces, _nothing)

    def write(self, pieces: Iterable[str]) -> None:
        """Put the last of the text there, and make a file appear under its name.

        Raises OutputError.
        """
        self._put(pieces, self._finish)

    def _put(self, pieces: Iterable[str], then: Callable[[], None]) -> None:
        try:
            for block in _blocks(pieces):
                write_all(self._fd, block.encode(errors="backslashreplace"))
            then()
        except OSError as error:
            raise OutputError(_cannot(self.name, error)) from error


def _blocks(pieces: Iterable[str]) -> Iterator[str]:
    """Join what is small, so that each call writes something worth it."""
    block: list[str] = []
    size = 0
    for piece in (pieces,) if isinstance(pieces, str) else pieces:
        block.append(piece)
        size += len(piece)
        if size >= _BLOCK:
            yield "".join(block)
            block.clear()
            size = 0
    yield "".join(block)


@contextmanager
def opened(
    names: Collection[str],
    author: Identity | None,
    otherwise: Format = "table",
    inputs: Iterable[str] = (),
) -> Iterator[tuple[Output, ...]]:
    """Open every ``-o`` as ``author`` would (None: as ourselves) and close it at the end.

    ``otherwise`` is the format of those whose ending says none. What was not written by then is
    gone without a trace. ``inputs`` are files that are read or run, as ``overwriting`` has them.

    Raises OutputError for the first that cannot be written, UsageError for one that is an input.
    """
    overwriting.refuse(names, inputs, author)
    with ExitStack() as stack:
        yield tuple([_open(name, author, otherwise, stack) for name in names])


def _open(name: str, author: Identity | None, otherwise: Format, stack: ExitStack) -> Output:
    try:
        with acting_as(author):
            fd, finish = _opened(name, author, stack)
    except OSError as error:
        raise OutputError(_cannot(name, error)) from error
    return Output(name, format_of(name, otherwise), fd, finish)


def _opened(name: str, author: Identity | None, stack: ExitStack) -> tuple[int, Callable[[], None]]:
    """Find the descriptor to write to, and what is left to do after that. Raises OSError."""
    inherited = _STDOUT if name == "-" else _descriptor(name)
    if inherited is not None:
        return _duplicate(inherited, stack), _nothing
    if not name:
        raise FileNotFoundError(errno.ENOENT, "the file name is empty")
    try:
        old = os.stat(name)  # noqa: PTH116  Path would drop a trailing slash
    except FileNotFoundError:
        old = None
    _refuse_planted(name, exists=old is not None)
    if old is None or stat.S_ISREG(old.st_mode):
        return _beside(name, old, author, stack)
    if stat.S_ISFIFO(old.st_mode) or stat.S_ISCHR(old.st_mode):
        fd = os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
        stack.callback(os.close, fd)
        return fd, _nothing
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a directory")
    raise OSError(errno.EINVAL, "it is neither a file, a FIFO nor a character device")


def _refuse_planted(name: str, *, exists: bool) -> None:
    """Refuse what another user left where anybody may leave something, as in /tmp.

    The kernel does it too where fs.protected_symlinks, _regular and _fifos say so, proc(5).
    """
    for _ in range(_LINKS):
        directory = os.path.dirname(name)  # noqa: PTH120  Path would drop what a link means
        try:
            above, found = os.stat(directory or "."), os.lstat(name)  # noqa: PTH116
        except FileNotFoundError:
            if exists:
                raise
            return
        anybodys = above.st_mode & stat.S_ISVTX and above.st_mode & _OTHERS_WRITE
        if anybodys and found.st_uid not in (os.geteuid(), above.st_uid):
            raise PermissionError(
                errno.EACCES, "it is another user's, in a directory where anybody may leave files"
            )
        if not stat.S_ISLNK(found.st_mode):
            return
        name = os.path.join(directory, os.readlink(name))  # noqa: PTH115, PTH118


def _nothing() -> None:
    pass


def _descriptor(name: str) -> int | None:
    """Find the descriptor that ``name`` leads to: ``/dev/stdout``, ``/dev/fd/3`` and their like.

    To open such a name would start at the beginning of the file; to resolve it would end at a
    file that somebody else has open, and put another one in its place.
    """
    ours = os.path.realpath("/proc/self/fd")
    for _ in range(_LINKS):
        directory, base = os.path.split(name)
        if os.path.realpath(directory or ".") == ours and re.fullmatch("[0-9]{1,9}", base):
            return int(base)
        try:
            # Not Path, which would drop the dot and the slash that decide what a link means.
            name = os.path.join(directory, os.readlink(name))  # noqa: PTH115, PTH118
        except OSError:
            return None
    return None


def _duplicate(fd: int, stack: ExitStack) -> int:
    # What we inherited has no close-on-exec flag; what has one is ours, or holds a closed place.
    if fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "it is open for reading only")
    copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    stack.callback(os.close, copy)
    return copy


def _beside(
    name: str, old: os.stat_result | None, author: Identity | None, stack: ExitStack
) -> tuple[int, Callable[[], None]]:
    """Create a file without a name in the directory where ``name`` is or, through links, leads."""
    if name.endswith("/"):
        raise IsADirectoryError(errno.EISDIR, "it is a directory")
    if old is not None and not os.access(name, os.W_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, "it exists and may not be written")
    where, base = os.path.split(os.path.realpath(name))
    directory = os.open(where, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, directory)
    temporary = f".systrace-{os.urandom(8).hex()}"
    try:
        fd, named = _new(where, temporary, directory)
    except PermissionError:
        raise PermissionError(
            errno.EACCES, f"no file may be created in {launcher.quoted((where,))}"
        ) from None
    stack.callback(os.close, fd)

    def remove() -> None:
        with suppress(OSError), acting_as(author):
            os.unlink(temporary, dir_fd=directory)

    def rename() -> None:
        with acting_as(author):
            os.fsync(fd)
            if not named:
                # With a dir_fd it is linkat(2) with AT_SYMLINK_FOLLOW, as open(2) advises.
                os.link(f"/proc/self/fd/{fd}", temporary, dst_dir_fd=directory)
                stack.callback(remove)
            os.rename(temporary, base, src_dir_fd=directory, dst_dir_fd=directory)

    if named:
        stack.callback(remove)
    if old is not None:
        _inherit(fd, old)
    return fd, rename


def _new(where: str, temporary: str, directory: int) -> tuple[int, bool]:
    """Create an empty file; True if it had to have a name: then SIGKILL could leave it behind."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    try:
        return os.open(where, flags | os.O_TMPFILE, 0o666), False
    except OSError as error:
        # open(2): file systems without O_TMPFILE (NFS, FUSE) say so with one of these.
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
    flags |= os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    return os.open(temporary, flags, 0o666, dir_fd=directory), True


def _inherit(fd: int, old: os.stat_result) -> None:
    """Give the new file the owner and mode of the one it replaces, as far as its author may."""
    mode = stat.S_IMODE(old.st_mode) & ~stat.S_ISUID
    try:
        os.fchown(fd, old.st_uid, old.st_gid)
    except OSError:
        try:
            os.fchown(fd, -1, old.st_gid)
        except OSError:
            # Rights that were one group's must not become another's.
            mode &= ~_GROUP_BITS
    os.fchmod(fd, mode)


def _cannot(name: str, error: OSError) -> str:
    # A path of its own in the error would only repeat the name.
    shown = "standard output" if name == "-" else launcher.quoted((name,))
    return f"cannot write {shown}: {error.strerror or error}"
