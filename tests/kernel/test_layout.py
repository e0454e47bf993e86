"""``probes/shared.h`` and ``systrace/layout.py`` describe the same memory."""

import ctypes
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from systrace import layout, probe

STRUCTS: dict[str, type[ctypes.Structure]] = {
    "row": layout.Row,
    "row_key": layout.RowKey,
    "process": layout.ProcessRecord,
    "process_row_key": layout.ProcessRowKey,
    "process_row": layout.ProcessRow,
    "config": layout.Config,
    "seeding": layout.Seeding,
    "hold": layout.Hold,
}
# struct NAME { and its fields, enum NAME { and its members, as shared.h writes them
BLOCK = re.compile(r"^(struct|enum) (\w+) \{\n(.*?)^\};", re.DOTALL | re.MULTILINE)
FIELD = re.compile(r"^\t\w+ (\w+)(?:\[\w+\])?;", re.MULTILINE)
MEMBER = re.compile(r"^\t(\w+)(?: = \d+)?,", re.MULTILINE)
CONSTANT = re.compile(r"^#define ([A-Z]\w+) ", re.MULTILINE)


def header() -> str:
    return (probe.sources() / "shared.h").read_text(encoding="ascii")


def blocks(kind: str) -> dict[str, str]:
    return {name: body for found, name, body in BLOCK.findall(header()) if found == kind}


def expected() -> Iterator[tuple[str, int]]:
    """Every C expression and what Python says that it is."""
    for name, struct in STRUCTS.items():
        yield f"sizeof(struct {name})", ctypes.sizeof(struct)
        for field, *_ in struct._fields_:
            descriptor = getattr(struct, field)
            yield f"__builtin_offsetof(struct {name}, {field})", descriptor.offset
            yield f"sizeof(((struct {name} *)0)->{field})", descriptor.size
    yield from ((f"SPACE_{space.name}", space.value) for space in layout.Space)
    yield "SPACES", len(layout.Space)
    yield from ((f"TOTAL_{total.name}", total.value) for total in layout.Total)
    yield "TOTALS", len(layout.Total)
    yield from ((f"SEED_{mode.name}", mode.value) for mode in layout.SeedingMode)
    yield from ((f"HOLD_{reason.name}", reason.value) for reason in layout.HoldReason)
    for name, value in vars(layout).items():
        if name.isupper():
            yield name, value


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Compile C that includes shared.h, as bcc does: with the stand-in kernel headers."""
    directory = tmp_path_factory.mktemp("layout")
    sources = probe.sources()

    def compile_(text: str) -> str:
        (directory / "program.c").write_text(text)
        subprocess.run(
            [
                *("gcc", "-Wall", "-Werror", f"-I{sources}", f"-I{sources}/kernel/include"),
                *("-o", directory / "program", directory / "program.c"),
            ],
            check=True,
        )
        return str(directory / "program")

    return compile_


def test_both_sides_agree_on_every_size_offset_and_constant(
    compiled: Callable[[str], str],
) -> None:
    wanted = dict(expected())
    prints = "".join(f'printf("%lld\\n", (long long)({expression}));' for expression in wanted)
    text = f'#include "shared.h"\nint printf(const char *, ...);\nint main(void) {{ {prints} }}'
    said = subprocess.check_output([compiled(text)], text=True).split()
    assert dict(zip(wanted, map(int, said), strict=True)) == wanted


def test_python_knows_every_struct_and_field_of_the_header() -> None:
    fields = {name: FIELD.findall(body) for name, body in blocks("struct").items()}
    assert fields == {
        name: [field for field, *_ in struct._fields_] for name, struct in STRUCTS.items()
    }


def test_python_knows_every_number_of_the_header() -> None:
    members = [member for body in blocks("enum").values() for member in MEMBER.findall(body)]
    constants = [name for name in CONSTANT.findall(header()) if not name.startswith("SYSTRACE_")]
    assert {*members, *constants} - dict(expected()).keys() == set()
    assert len(members) > 10


def durations() -> list[int]:
    """Each power of two, and its surroundings, up to what 64 bits hold."""
    powers = [1 << bit for bit in range(64)]
    eighths = [power + power // 8 * part for power in powers[3:63] for part in range(8)]
    near = {value + step for value in (*powers, *eighths) for step in (-1, 0, 1)}
    return sorted(value for value in near | set(range(5000)) if 0 <= value < 1 << 64)


def buckets(program: str, values: Sequence[int]) -> list[int]:
    asked = "\n".join(map(str, values))
    return [int(line) for line in subprocess.check_output([program], input=asked.encode()).split()]


def test_the_kernel_puts_a_duration_into_the_bucket_that_holds_it(
    compiled: Callable[[str], str],
) -> None:
    source = Path(probe.sources() / "syscalls.c").read_text(encoding="ascii")
    functions = re.findall(
        r"^static inline u64 (?:log2_of|bucket_of)\(.*?^\}", source, re.DOTALL | re.MULTILINE
    )
    assert len(functions) == 2
    program = compiled(
        f'#include "shared.h"\n{"".join(functions)}\n'
        "int printf(const char *, ...); int scanf(const char *, ...);\n"
        'int main(void) { unsigned long long ns; while (scanf("%llu", &ns) == 1)'
        ' printf("%llu\\n", (unsigned long long)bucket_of(ns)); }'
    )
    values = durations()
    last = layout.HIST_BUCKETS - 1
    for value, bucket in zip(values, buckets(program, values), strict=True):
        low, end = layout.bucket_bounds(bucket)
        assert low <= value
        assert value < end or bucket == last, value
