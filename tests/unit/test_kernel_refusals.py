"""What a kernel or a bcc may lack: refused in two lines, each made by taking it away."""

import ctypes
import errno
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from systrace import bpf, btf, kernel, links, probe
from systrace.bpf import MapLayout
from systrace.compiled import Compiled, Program
from systrace.compiler import Compilation
from systrace.errors import PrivilegeError, UnsupportedError

from .failing import fails, refused


class Libbpf:
    """A library that finds nothing, but says so as libbpf does."""

    def __init__(self, btf_: int = 1, found: int = -errno.ENOENT, type_: int | None = None) -> None:
        self.btf__load_vmlinux_btf = lambda: btf_
        self.btf__find_by_name_kind = lambda *_: found
        self.btf__type_by_id = lambda *_: type_
        self.btf__free = lambda *_: None


def test_a_missing_libbpf_is_refused_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", fails(errno.ENOENT))
    with refused(UnsupportedError, "libbpf is missing"):
        btf.libbpf()


@pytest.mark.parametrize("answer", [0, 2**64 - errno.ENOENT])
def test_a_kernel_without_type_information_is_refused(
    monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    monkeypatch.setattr(btf, "libbpf", lambda: Libbpf(answer))
    with refused(UnsupportedError, "this kernel has no type information"):
        btf.KernelTypes()


def test_a_structure_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(btf, "libbpf", Libbpf)
    with btf.KernelTypes() as types, refused(UnsupportedError, "this kernel has no struct task"):
        types.size("task")
    monkeypatch.setattr(btf, "libbpf", lambda: Libbpf(found=7))
    with btf.KernelTypes() as types:
        with refused(UnsupportedError, "the kernel's BTF has no type 7"):
            types.size("task")
        monkeypatch.setattr(types, "_members", lambda _: ())
        with refused(UnsupportedError, "this kernel's task has no files.count"):
            types.offset("task.files.count")


def test_a_kernel_without_task_iterators_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "types", lambda: kernel.Types({}, {}))
    with refused(UnsupportedError, "this kernel has no bpf_iter_task"):
        kernel.task_iterator()


def test_a_tracepoint_that_is_not_there_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpf, "open_tracepoint", fails(errno.ENOENT))
    with refused(UnsupportedError, "cannot attach to raw tracepoint sys_enter: No such file"):
        links.Links().attach("sys_enter", 0)
    with refused(UnsupportedError, "cannot attach to typed tracepoint sys_enter: No such file"):
        links.Links().attach_typed("sys_enter", 0)
    links.Links().attach_if_there("emulate_vsyscall", 0)


class Built:
    """A build that has one map and one program."""

    def result(self) -> Compiled:
        return Compiled((MapLayout("tasks", 1, 4, 4, 1, 0),), {"on_exit": Program(b"", ())})


def test_a_map_or_a_program_that_the_kernel_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build: Any = Built()
    monkeypatch.setattr(bpf, "create_map", fails(errno.E2BIG))
    with refused(UnsupportedError, "the kernel refused map tasks: Argument list too long"):
        probe.Programs(build)
    monkeypatch.setattr(bpf, "create_map", fails(errno.EPERM))
    with refused(PrivilegeError, "the kernel refused map tasks: permission denied"):
        probe.Programs(build)
    monkeypatch.setattr(bpf, "create_map", lambda _: os.open(os.devnull, os.O_RDONLY))
    programs = probe.Programs(build)
    monkeypatch.setattr(bpf, "load_program", fails(errno.EINVAL))
    with refused(UnsupportedError, "the kernel refused program on_exit: Invalid argument"):
        programs.program("on_exit")

    def verifier(*_: Any) -> int:
        log = "0: (95) exit\nR0 \x1b!read_ok\nprocessed 1 insns"
        raise bpf.LoadError(errno.EACCES, os.strerror(errno.EACCES), log)

    monkeypatch.setattr(bpf, "load_program", verifier)
    with pytest.raises(
        UnsupportedError, match=r"the kernel refused program on_exit: R0 .*!read_ok"
    ):
        programs.program("on_exit")
    monkeypatch.setattr(bpf, "load_program", lambda *_: os.open(os.devnull, os.O_RDONLY))
    monkeypatch.setattr(bpf, "Iterator", fails(errno.EINVAL))
    monkeypatch.setattr(kernel, "task_iterator", lambda: 1)
    with refused(UnsupportedError, "the kernel refused program on_exit: Invalid argument"):
        programs.task_iterator("on_exit")
    programs.close()


def test_a_bcc_that_cannot_be_imported_is_refused_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "bcc", raising=False)
    (tmp_path / "__init__.py").write_text("import no_such_module\n")
    with refused(UnsupportedError, f"bcc in {tmp_path} cannot be imported: No module named"):
        probe.import_bcc(tmp_path)
    (tmp_path / "__init__.py").write_text("def\n")
    with refused(UnsupportedError, f"bcc in {tmp_path} cannot be imported: invalid syntax"):
        probe.import_bcc(tmp_path)
    assert "bcc" not in sys.modules
    monkeypatch.setattr(importlib.util, "spec_from_file_location", lambda *_, **__: None)
    with refused(UnsupportedError, f"bcc in {tmp_path} cannot be imported"):
        probe.import_bcc(tmp_path)


class Libbcc:
    """A compiler that says something to standard error and compiles nothing."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def bpf_module_create_c_from_string(self, *_: Any) -> int:
        os.write(2, self._said)
        return 0


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        (b"bpf: Operation not permitted", PrivilegeError, "bpf: Operation not permitted"),
        (b"note\ntasks.c:1: error: no\nend", UnsupportedError, "tasks.c:1: error: no"),
        (b"", UnsupportedError, "no message"),
    ],
)
def test_what_cannot_be_compiled_is_refused_with_the_first_error(
    tmp_path: Path, said: bytes, kind: type[PrivilegeError | UnsupportedError], reason: str
) -> None:
    compilation = Compilation(b"", (), tmp_path, lambda: Libbcc(said))
    with refused(kind, f"bcc could not compile the probes: {reason}"):
        compilation.result()


def test_a_compiler_that_ends_early_is_no_result(tmp_path: Path) -> None:
    compilation = Compilation(b"", (), tmp_path, lambda: os._exit(3))
    with refused(UnsupportedError, "the compiler of the probes ended early (wait status 0x300)"):
        compilation.result()
