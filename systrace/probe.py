"""The eBPF programs: compiled by bcc, or kept from an earlier start; loaded; attached.

The only importer of bcc. PyPI's package of that name is an unrelated library, so the
distribution's is looked for where distributions put it, from inside any virtual environment.
"""

import contextlib
import ctypes
import errno
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Final

from systrace import bpf, cache, compiled, kernel, machine
from systrace.errors import PrivilegeError, UnsupportedError

if TYPE_CHECKING:
    from systrace import compiler

_BCC_HOMES: Final = (
    "/usr/lib/python3/dist-packages",  # Debian, Ubuntu
    "/usr/lib/python3*/site-packages",  # Fedora, Arch
    "/usr/lib64/python3*/site-packages",
)
_LIBBCC_HOMES: Final = (
    f"/usr/lib/{os.uname().machine}-linux-gnu",  # Debian, Ubuntu
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
)
_BCC_INSTALL: Final = (
    "Debian and Ubuntu: apt-get install python3-bpfcc; Fedora: dnf install python3-bcc; "
    "Arch: pacman -S python-bcc"
)
COUNTING: Final = (
    *("tasks.c", "hold.c", "moves.c", "per_process.c"),
    *("syscalls.c", "start.c", "vsyscall.c"),
)
SEEDING: Final = ("seed.c",)


def sources() -> Path:
    """Directory of the C sources: in the wheel beside this file, in a checkout at the top."""
    package = Path(__file__).parent
    inside = package / "probes"
    return inside if inside.is_dir() else package.parent / "probes"


def require_bpf() -> None:
    """Refuse early where the kernel has no BPF, or does not let us have it.

    Raises UnsupportedError and PrivilegeError.
    """
    try:
        bpf.probe()
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise UnsupportedError(
                "this kernel has no BPF, which is what counts\n"
                "systrace needs Linux 5.15 or later with CONFIG_BPF_SYSCALL=y"
            ) from error
        raise PrivilegeError(
            f"the kernel does not let us use BPF: {error.strerror}\n"
            "a container needs --cap-add SYS_ADMIN --security-opt seccomp=unconfined; "
            "a locked-down kernel allows none"
        ) from error
    if machine.lockdown() == "confidentiality":
        raise UnsupportedError(
            "this kernel is locked down (confidentiality): no eBPF program may read its memory\n"
            "boot without lockdown=confidentiality; lockdown=integrity does no harm"
        )


def find_bcc(homes: Sequence[str] = _BCC_HOMES) -> Path:
    """Directory of the distribution's ``bcc`` package.

    Raises UnsupportedError, which names PyPI's package if that is what is installed.
    """
    for home in homes:
        for directory in sorted(Path("/").glob(home.lstrip("/"))):
            if (directory / "bcc" / "libbcc.py").is_file():
                return directory / "bcc"
    import importlib.util  # noqa: PLC0415 - no start that finds it needs this

    wrong = importlib.util.find_spec("bcc")
    if wrong is not None and wrong.origin is not None:
        raise UnsupportedError(
            f"the bcc in {Path(wrong.origin).parent} is PyPI's, an unrelated library; "
            f"systrace needs the BPF Compiler Collection\n{_BCC_INSTALL}"
        )
    raise UnsupportedError(
        f"bcc, the BPF Compiler Collection, is not installed for Python 3\n{_BCC_INSTALL}"
    )


def import_bcc(directory: Path) -> ModuleType:
    """Import bcc from its own directory and nothing else from beside it."""
    loaded = sys.modules.get("bcc")
    if loaded is not None and loaded.__file__ == str(directory / "__init__.py"):
        return loaded
    import importlib.util  # noqa: PLC0415 - as above

    spec = importlib.util.spec_from_file_location(
        "bcc", directory / "__init__.py", submodule_search_locations=[str(directory)]
    )
    if spec is None or spec.loader is None:
        raise UnsupportedError(f"bcc in {directory} cannot be imported\n{_BCC_INSTALL}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["bcc"] = module
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer Pythons find fault with how bcc is written
            spec.loader.exec_module(module)
    except (ImportError, OSError, SyntaxError) as error:
        del sys.modules["bcc"]
        raise UnsupportedError(
            f"bcc in {directory} cannot be imported: {error}\n{_BCC_INSTALL}"
        ) from error
    return module


class Build:
    """Sources on their way to what the kernel loads: at once where an earlier start kept it.

    Otherwise another process compiles them, until ``result``.
    """

    def __init__(self, files: Sequence[str], definitions: Mapping[str, int]) -> None:
        """Begin; raises UnsupportedError without bcc.

        bcc gives meaning to maps and programs in its main file only, not in what that includes:
        so the files, one for each concern, are handed to it one after the other.
        """
        directory, home = sources(), find_bcc()
        text = b"".join(
            b'#line 1 "%s"\n%s' % (name.encode("ascii"), (directory / name).read_bytes())
            for name in files
        )
        self.sources = (
            text,
            *(header.read_bytes() for header in sorted(directory.rglob("*.h"))),
            repr(sorted(definitions.items())).encode(),
            _version(home),
            kernel.build(),
            cache.own_source("probe.py", "compiler.py", "compiled.py"),
        )
        self._compiled: compiled.Compiled | None = None
        self._compilation: compiler.Compilation | None = None
        kept = cache.read("programs", self.sources)
        if kept is not None:
            with contextlib.suppress(ValueError):
                self._compiled = compiled.decode(kept)
        if self._compiled is None:
            from systrace.compiler import Compilation  # noqa: PLC0415 - at a first start only

            flags = [f"-I{directory}", *(f"-D{key}={value}" for key, value in definitions.items())]
            self._compilation = Compilation(
                text, flags, directory / "kernel", lambda: import_bcc(home).lib
            )

    def result(self) -> compiled.Compiled:
        """Wait for what was made of them. Raises UnsupportedError or PrivilegeError."""
        if self._compilation is not None:
            self._compiled = self._compilation.result()
            self._compilation = None
            cache.write("programs", self.sources, compiled.encode(self._compiled))
        if self._compiled is None:
            raise RuntimeError("the build was closed")
        return self._compiled

    def close(self) -> None:
        """End the compiler if its result is not wanted any more."""
        if self._compilation is not None:
            self._compilation.close()
            self._compilation = None


def _version(home: Path) -> bytes:
    """Return what changes with bcc: its version, and the library itself."""
    found = [(home / "version.py").read_bytes()]
    for directory in _LIBBCC_HOMES:
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(f"{directory}/libbcc.so.0")  # noqa: PTH116 - followed
            found.append(f"{status.st_ino} {status.st_size} {status.st_mtime_ns}".encode())
    return b"\0".join(found)


class Programs:
    """Compiled sources: their maps, and their programs, loaded at first use."""

    def __init__(self, build: Build) -> None:
        """Take what was built; raises UnsupportedError or PrivilegeError."""
        self._compiled = build.result()
        self._maps: dict[str, int] = {}
        self._programs: dict[str, int] = {}
        try:
            for layout in self._compiled.maps:
                self._maps[layout.name] = bpf.create_map(layout)
        except OSError as error:
            self.close()
            raise _refusal(f"the kernel refused map {layout.name}", error) from error

    def program(self, name: str, kind: int = bpf.RAW_TRACEPOINT) -> int:
        """Load a program once and return its descriptor, which stays open."""
        if name not in self._programs:
            self._programs[name] = self._load(name, kind)
        return self._programs[name]

    def _load(self, name: str, kind: int, attach_kind: int = 0, attach_id: int = 0) -> int:
        instructions = self._compiled.programs[name].linked(tuple(self._maps.values()))
        try:
            return bpf.load_program(name, kind, instructions, attach_kind, attach_id)
        except OSError as error:
            raise _refusal(f"the kernel refused program {name}", error) from error

    def typed(self, name: str, tracepoint: int) -> int:
        """Load a program, as ``program`` does, for the typed tracepoint with this BTF id."""
        if name not in self._programs:
            kind = bpf.ATTACH_TYPED_TRACEPOINT
            self._programs[name] = self._load(name, bpf.TRACING, kind, tracepoint)
        return self._programs[name]

    def task_iterator(self, name: str) -> "bpf.Iterator":
        """Load a program that runs for every task. Raises UnsupportedError."""
        target = kernel.task_iterator()
        program = self._load(name, bpf.TRACING, bpf.ATTACH_ITERATOR, target)
        try:
            return bpf.Iterator(program)
        except OSError as error:
            raise UnsupportedError(
                f"the kernel refused program {name}: {error.strerror}\n"
                "attach needs BPF iterators (Linux 5.8)"
            ) from error

    def map_fd(self, name: str) -> int:
        """Return a map's descriptor."""
        return self._maps[name]

    def scalars(self, name: str) -> "bpf.Map[ctypes.c_uint32, ctypes.c_uint64]":
        """Return an array of u64."""
        return bpf.Map(self.map_fd(name), ctypes.c_uint32, ctypes.c_uint64)

    def numbers(self, name: str) -> "bpf.Map[ctypes.c_uint32, ctypes.c_uint32]":
        """Return a map of u32 by u32."""
        return bpf.Map(self.map_fd(name), ctypes.c_uint32, ctypes.c_uint32)

    def close(self) -> None:
        """Unload: maps and programs vanish with their last descriptor."""
        for fd in (*self._programs.values(), *self._maps.values()):
            os.close(fd)
        self._programs.clear()
        self._maps.clear()

    def __enter__(self) -> "Programs":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _refusal(what: str, error: OSError) -> PrivilegeError | UnsupportedError:
    if error.errno == errno.EPERM:
        return PrivilegeError(f"{what}: permission denied; is the kernel locked down?")
    log = error.log if isinstance(error, bpf.LoadError) else ""
    lines = [line.strip() for line in log.splitlines()]
    # the verifier's last words but one: what follows is statistics
    reason = next((line for line in reversed(lines) if line and "processed" not in line), "")
    return UnsupportedError(f"{what}: {reason or error.strerror}")
