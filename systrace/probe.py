"""The eBPF programs: compiled and loaded by bcc, attached to raw tracepoints.

The only importer of bcc. PyPI's package of that name is an unrelated library, so the
distribution's is looked for where distributions put it, from inside any virtual environment.
"""

import contextlib
import ctypes
import errno
import importlib.util
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final

from systrace import bpf
from systrace.btf import KernelTypes
from systrace.errors import PrivilegeError, UnsupportedError

_BCC_HOMES: Final = (
    "/usr/lib/python3/dist-packages",  # Debian, Ubuntu
    "/usr/lib/python3*/site-packages",  # Fedora, Arch
    "/usr/lib64/python3*/site-packages",
)
_BCC_INSTALL: Final = (
    "Debian and Ubuntu: apt-get install python3-bpfcc; Fedora: dnf install python3-bcc; "
    "Arch: pacman -S python-bcc"
)
COUNTING: Final = ("tasks.c", "moves.c", "per_process.c", "syscalls.c", "start.c", "vsyscall.c")
SEEDING: Final = ("seed.c",)

_RAW_TRACEPOINT: Final = 17  # BPF_PROG_TYPE_RAW_TRACEPOINT

_OFFSETS: Final = {
    "TASK_STATUS": "task_struct.thread_info.status",
    "TASK_FLAGS": "task_struct.flags",
    "TASK_MM": "task_struct.mm",
    "TASK_PTRACE": "task_struct.ptrace",
    "TASK_PARENT": "task_struct.parent",
    "TASK_EXIT_CODE": "task_struct.exit_code",
    "TASK_SIGNAL": "task_struct.signal",
    "SIGNAL_FLAGS": "signal_struct.flags",
    "SIGNAL_GROUP_EXIT_CODE": "signal_struct.group_exit_code",
    "TASK_SECCOMP_MODE": "task_struct.seccomp.mode",
    "TASK_THREAD_PID": "task_struct.thread_pid",
    "TASK_GROUP_LEADER": "task_struct.group_leader",
    "TASK_REAL_PARENT": "task_struct.real_parent",
    "TASK_START_TIME": "task_struct.start_time",
    "TASK_COMM": "task_struct.comm",
    "MM_VDSO": "mm_struct.context.vdso",
    "PID_LEVEL": "pid.level",
    "PID_NUMBERS": "pid.numbers",
    "UPID_NR": "upid.nr",
}


def sources() -> Path:
    """Directory of the C sources: in the wheel beside this file, in a checkout at the top."""
    package = Path(__file__).parent
    inside = package / "probes"
    return inside if inside.is_dir() else package.parent / "probes"


def kernel_offsets() -> dict[str, int]:
    """Read the structure offsets that the programs are compiled with from the kernel's BTF."""
    with KernelTypes() as types:
        found = {name: types.offset(path) for name, path in _OFFSETS.items()}
        found["UPID_SIZE"] = types.size("upid")
    return found


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


def find_bcc(homes: Sequence[str] = _BCC_HOMES) -> Path:
    """Directory of the distribution's ``bcc`` package.

    Raises UnsupportedError, which names PyPI's package if that is what is installed.
    """
    for home in homes:
        for directory in sorted(Path("/").glob(home.lstrip("/"))):
            if (directory / "bcc" / "libbcc.py").is_file():
                return directory / "bcc"
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


@contextlib.contextmanager
def _captured_stderr() -> Iterator[Any]:
    """Catch what clang writes to descriptor 2, so that a refusal stays two lines."""
    with tempfile.TemporaryFile() as log:
        if sys.stderr is not None:  # as Python has it where descriptor 2 was closed
            sys.stderr.flush()
        saved = os.dup(2) if _is_open(2) else None
        os.dup2(log.fileno(), 2)
        try:
            yield log
        finally:
            if saved is None:
                os.close(2)
            else:
                os.dup2(saved, 2)
                os.close(saved)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _first_error(log: Any) -> str:
    log.seek(0)
    lines: list[str] = log.read().decode("utf-8", "replace").splitlines()
    interesting = [line for line in lines if "error" in line.lower() or "R0" in line]
    return (interesting or lines or ["no message"])[0].strip()


class Programs:
    """Compiled sources: their programs, loaded at first use, and their maps."""

    def __init__(self, files: Sequence[str], definitions: Mapping[str, int]) -> None:
        """Compile files of ``probes/`` as one; raises UnsupportedError or PrivilegeError.

        bcc gives meaning to maps and programs in its main file only, not in what that includes:
        so the files, one for each concern, are handed to it one after the other.
        """
        bcc = import_bcc(find_bcc())
        directory = sources()
        # bcc is told where the kernel headers are, and trusts nothing else from the environment
        for name in [name for name in os.environ if name.startswith("BCC_")]:
            del os.environ[name]
        os.environ["BCC_KERNEL_SOURCE"] = str(directory / "kernel")
        flags = [f"-I{directory}", *(f"-D{key}={value}" for key, value in definitions.items())]
        self._programs: dict[str, int] = {}
        text = "".join(
            f'#line 1 "{name}"\n{(directory / name).read_text(encoding="ascii")}' for name in files
        )
        with _captured_stderr() as log:
            try:
                self._module = bcc.BPF(text=text.encode("ascii"), cflags=flags)
            except Exception as error:  # bcc raises nothing narrower
                raise _refusal("bcc could not compile the probes", error, log) from error
        self._lib = bcc.lib

    def program(self, name: str, kind: int = _RAW_TRACEPOINT) -> int:
        """Load a program once and return its descriptor, which stays open."""
        if name not in self._programs:
            with _captured_stderr() as log:
                try:
                    self._programs[name] = self._module.load_func(name, kind).fd
                except Exception as error:  # bcc raises nothing narrower
                    raise _refusal(f"the kernel refused program {name}", error, log) from error
        return self._programs[name]

    def task_iterator(self, name: str) -> "bpf.Iterator":
        """Load a program that runs for every task; bcc can compile one, and not load it."""
        with KernelTypes() as types:
            target = types.function("bpf_iter_task")
        try:
            return bpf.Iterator(self._module.dump_func(name.encode("ascii")), target)
        except OSError as error:
            raise UnsupportedError(
                f"the kernel refused program {name}: {error.strerror}\n"
                "attach needs BPF iterators (Linux 5.8)"
            ) from error

    def map_fd(self, name: str) -> int:
        """Return a map's descriptor."""
        fd: int = self._lib.bpf_table_fd(self._module.module, name.encode("ascii"))
        if fd < 0:
            raise KeyError(name)
        return fd

    def scalars(self, name: str) -> "bpf.Map[ctypes.c_uint32, ctypes.c_uint64]":
        """Return an array of u64."""
        return bpf.Map(self.map_fd(name), ctypes.c_uint32, ctypes.c_uint64)

    def numbers(self, name: str) -> "bpf.Map[ctypes.c_uint32, ctypes.c_uint32]":
        """Return a map of u32 by u32."""
        return bpf.Map(self.map_fd(name), ctypes.c_uint32, ctypes.c_uint32)

    def close(self) -> None:
        """Unload: maps and programs vanish with their last descriptor."""
        self._module.cleanup()

    def __enter__(self) -> "Programs":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _refusal(what: str, error: Exception, log: Any) -> PrivilegeError | UnsupportedError:
    number = ctypes.get_errno()
    if "super-user" in str(error):
        return PrivilegeError(f"{what}: permission denied; is the kernel locked down?")
    detail = _first_error(log)
    if detail == "no message":
        detail = f"{error} ({os.strerror(number)})"
    return UnsupportedError(f"{what}: {detail}")


class Links:
    """Programs attached to raw tracepoints, detached together or one by one."""

    def __init__(self) -> None:
        self._fds: dict[str, int] = {}

    def attach(self, tracepoint: str, program_fd: int, name: str | None = None) -> None:
        """Attach; raises UnsupportedError if this kernel has no such tracepoint."""
        try:
            fd = bpf.open_raw_tracepoint(tracepoint, program_fd)
        except OSError as error:
            raise UnsupportedError(
                f"cannot attach to raw tracepoint {tracepoint}: {error.strerror}\n"
                "systrace needs a kernel with CONFIG_BPF_EVENTS and CONFIG_FTRACE_SYSCALLS"
            ) from error
        self._fds[name or tracepoint] = fd

    def attach_if_there(self, tracepoint: str, program_fd: int) -> None:
        """Attach to a tracepoint that a kernel may be built without."""
        with contextlib.suppress(UnsupportedError):
            self.attach(tracepoint, program_fd)

    def detach(self, name: str) -> None:
        """Detach one; nothing happens if it is not attached."""
        fd = self._fds.pop(name, None)
        if fd is not None:
            os.close(fd)

    def close(self) -> None:
        """Detach all that is left, the last one first: enters before the exits that end them."""
        for name in reversed(list(self._fds)):
            self.detach(name)


def attach_uprobe(program_fd: int, path: str, offset: int) -> int:
    """Attach to a file's offset, in every process that maps it; returns a descriptor.

    Raises OSError.
    """
    bcc = import_bcc(find_bcc())
    name = f"systrace_{os.getpid()}_{offset:x}".encode("ascii")
    with _captured_stderr():
        fd: int = bcc.lib.bpf_attach_uprobe(
            program_fd, 0, name, path.encode("ascii"), offset, -1, 0
        )
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return fd
