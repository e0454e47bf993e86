"""What /proc says of a process that chose hostile names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from systrace import proc
from systrace.target import find, seccomp, status
from systrace.vdso.place import parse_maps

# Whatever Python takes for the end of a line, but the newline that the kernel escapes.
ENDS = ("\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
# PR_SET_NAME; then maps the file that it is given, if any
NAMED = """
import ctypes, mmap, sys
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]), 0, 0, 0)
if sys.argv[2:]:
    with open(bytes.fromhex(sys.argv[2]), "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
print(flush=True)
sys.stdin.read()
"""


class Named:
    """A process with a name of its own choice, and a file mapped that has one too."""

    def __init__(self, name: bytes, file: bytes = b"") -> None:
        words = [sys.executable, "-c", NAMED, name.hex(), *([file.hex()] if file else [])]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> int:
        assert self.process.stdout
        assert self.process.stdout.readline() == b"\n"
        return self.process.pid

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


@pytest.mark.parametrize(
    "name",
    [
        b"\rTgid:\t1",
        b"\x0bNSpid:\t1",
        b"\x1cSigIgn: zz",
        b"\x0cSeccomp:\t2",
        b"\nTgid: 1",
        "\u2028PPid: 1".encode(),
        "\x85PPid: 1".encode(),
        b"\xff\xfe",
        b") Z 1 1 1",
    ],
)
def test_a_name_is_taken_for_no_other_field(name: bytes) -> None:
    with Named(name) as pid:
        fields = proc.status(pid)
        assert {fields[key] for key in ("Tgid", "Pid", "NSpid")} == {str(pid)}
        assert fields["PPid"] == str(os.getpid())
        assert status.tgid_of(pid) == pid
        assert status.masks(pid) == status.masks(os.getpid()) | {
            key: status.masks(pid)[key] for key in ("SigCgt", "SigPnd", "ShdPnd")
        }
        assert not seccomp.filters_more_than_ours(pid)
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        assert int(proc.stat_field(stat, 4)) == os.getpid()
        assert find.find([str(pid)])[0].pid == pid


def test_a_message_names_it_in_one_line() -> None:
    with Named(b"a\nb\r\x1b[2J\xff") as pid:
        said = str(find.find([str(pid)])[0])
    assert said == f"$'a\\x0ab\\x0d\\x1b[2J\udcff' ({pid})"


@pytest.mark.parametrize("end", [*ENDS, "\n", "\udcff"])
def test_a_mapped_file_is_one_mapping_whatever_its_name(end: str, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path / f"a{end}0-1 r-xp 0 0:0 0 [vdso]")
    Path(os.fsdecode(name)).write_bytes(b"x")
    with Named(b"x", name) as pid:
        found = parse_maps(proc.maps(pid))
        count = Path(f"/proc/{pid}/maps").read_bytes().count(b"\n")
    assert len(found) == count
    shown = os.fsdecode(name).replace("\n", "\\012")
    assert [mapping.name for mapping in found].count(shown) == 1
    assert [mapping.name for mapping in found].count("[vdso]") == 1
