"""Reports of a few rows, and the tables that they make."""

from dataclasses import replace

from systrace.options import TableOptions
from systrace.render.table import render
from systrace.report import Call, Report


def table(report: Report, **options: object) -> str:
    return render(report, replace(TableOptions(), **options))  # type: ignore[arg-type]  # kwargs


def with_calls(report: Report, *calls: Call) -> Report:
    return replace(report, calls=calls)


def read(count: int, **more: object) -> Call:
    return replace(Call("read", "syscall", "x86_64", count), **more)  # type: ignore[arg-type]


def stayed(count: int) -> Call:
    return Call("time", "vdso", "x86_64", count)
