"""bcc at work, in a process of its own: none of LLVM is ever in systrace, nor in its target.

It runs while systrace goes on with its start, and hands over its result through a pipe.
"""

import contextlib
import ctypes
import gc
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from systrace import compiled, descriptors
from systrace.bpf import MapLayout
from systrace.compiled import Compiled
from systrace.errors import PrivilegeError, UnsupportedError

_PR_SET_PDEATHSIG: Final = 1  # include/uapi/linux/prctl.h
_PR_SET_SECUREBITS: Final = 28
_SECBIT_NO_SETUID_FIXUP: Final = 1 << 2  # include/uapi/linux/securebits.h
_NOBODY: Final = 65534
# clang need not optimize: bcc has LLVM do so again with what clang hands over. Nobody debugs it,
# and maps are created without their types (bcc asks for -g, a sixth of the time)
_FLAGS: Final = ("-Xclang", "-disable-llvm-passes", "-g0")
_MADE, _UNSUPPORTED, _FORBIDDEN = b"+", b"-", b"!"


class Compilation:
    """A compiler process; whoever starts one takes its result or closes it."""

    def __init__(
        self, text: bytes, flags: Sequence[str], headers: Path, load_library: Callable[[], Any]
    ) -> None:
        """Start, with a directory of kernel headers.

        ``load_library``, called in that process, returns libbcc.
        """
        self._pipe, write = os.pipe2(os.O_CLOEXEC)
        # a Ctrl-C is for the target, and it may come while there is none yet
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._pid: int | None = os.fork()
        if self._pid == 0:
            _work(write, lambda log: _compile(load_library(), text, flags, headers, log))
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(write)

    def result(self) -> Compiled:
        """Wait for it. Raises UnsupportedError or PrivilegeError."""
        with open(self._pipe, "rb", closefd=False) as pipe:
            said = pipe.read()
        status = self._reap()
        kind, content = said[:1], said[1:]
        if kind == _MADE:
            with contextlib.suppress(ValueError):  # cut short: it was killed
                return compiled.decode(content)
        if kind == _FORBIDDEN:
            raise PrivilegeError(content.decode())
        if kind == _UNSUPPORTED:
            raise UnsupportedError(content.decode())
        raise UnsupportedError(
            f"the compiler of the probes ended early (wait status {status:#x})\n"
            "is there enough memory? it takes about 150 MB"
        )

    def close(self) -> None:
        """End it if it still works."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            self._reap()

    def _reap(self) -> int:
        pid, self._pid = self._pid, None
        os.close(self._pipe)
        with contextlib.suppress(ChildProcessError):  # SIGCHLD was ignored when it ended
            return os.waitpid(pid, 0)[1] if pid is not None else 0
        return 0


def _work(write: int, compile_: Callable[[int], Compiled]) -> NoReturn:
    """In the child: compile, say what came of it, end. Never returns."""
    try:
        gc.disable()
        log = _redirect()
        _forget_euid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        try:
            with descriptors.many():  # one for each map
                answer = _MADE + compiled.encode(compile_(log))
        except PrivilegeError as error:
            answer = _FORBIDDEN + str(error).encode()
        except UnsupportedError as error:
            answer = _UNSUPPORTED + str(error).encode()
        except Exception as error:  # noqa: BLE001 - it is told to systrace
            answer = _UNSUPPORTED + f"bcc could not compile the probes: {error!r}".encode()
        with open(write, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)


def _redirect() -> int:
    """Let go of the standard streams; what clang writes goes to the file that is returned."""
    nothing = os.open(os.devnull, os.O_RDWR)
    log = os.memfd_create("systrace-compiler", 0)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.dup2(log, 2)
    return log


def _forget_euid() -> None:
    """Keep all capabilities, and no longer be root by name.

    bcc 0.26 reads all of /proc/kallsyms, a third of its time, to find out whether the kernel has
    bpf_probe_read_kernel(); it does not try where the effective uid is not 0. Our programs call
    that helper by its number. Where this is not permitted, it just takes longer.
    """
    if ctypes.CDLL(None).prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0:
        with contextlib.suppress(OSError):
            os.seteuid(_NOBODY)


def _compile(lib: Any, text: bytes, flags: Sequence[str], headers: Path, log: int) -> Compiled:
    # bcc is told where the kernel headers are, and trusts nothing else from the environment
    for name in [name for name in os.environ if name.startswith("BCC_")]:
        del os.environ[name]
    os.environ["BCC_KERNEL_SOURCE"] = str(headers)
    flags = (*flags, *_FLAGS)
    arguments = (ctypes.c_char_p * len(flags))(*[flag.encode() for flag in flags])
    module = lib.bpf_module_create_c_from_string(text, 0, arguments, len(flags), True, None)
    if not module:
        said = os.pread(log, 1 << 20, 0).decode("utf-8", "replace")
        forbidden = "Operation not permitted" in said
        kind = PrivilegeError if forbidden else UnsupportedError
        raise kind(f"bcc could not compile the probes: {_first_error(said)}")
    tables = _Tables(lib, module)
    anchor = tables.names.index(compiled.ANCHOR) if compiled.ANCHOR in tables.names else None
    programs = {}
    for index in range(lib.bpf_num_functions(module)):
        name = lib.bpf_function_name(module, index)
        start, size = lib.bpf_function_start(module, name), lib.bpf_function_size(module, name)
        code = ctypes.string_at(start, size)
        programs[name.decode("ascii")] = compiled.program(code, tables.indices, anchor)
    return Compiled(tables.layouts, programs)


def _first_error(log: str) -> str:
    lines = log.splitlines()
    interesting = [line for line in lines if "error" in line.lower()]
    return (interesting or lines or ["no message"])[0].strip()


class _Tables:
    """The maps that bcc has created: what they are like, and which descriptor is which."""

    def __init__(self, lib: Any, module: int) -> None:
        def ask(what: str, index: int) -> int:
            function = getattr(lib, f"bpf_table_{what}_id")
            function.argtypes, function.restype = (ctypes.c_void_p, ctypes.c_size_t), ctypes.c_int
            return int(function(module, index))

        lib.bpf_table_name.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
        lib.bpf_table_name.restype = ctypes.c_char_p
        lib.bpf_num_tables.argtypes = (ctypes.c_void_p,)
        lib.bpf_num_tables.restype = ctypes.c_size_t
        count = lib.bpf_num_tables(module)
        self.indices = {ask("fd", index): index for index in range(count)}
        self.layouts = tuple(
            MapLayout(
                lib.bpf_table_name(module, index).decode("ascii"),
                ask("type", index),
                ask("key_size", index),
                ask("leaf_size", index),
                ask("max_entries", index),
                ask("flags", index),
            )
            for index in range(count)
        )
        self.names = [layout.name for layout in self.layouts]
