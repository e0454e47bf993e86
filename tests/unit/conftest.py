"""Reports made by hand and by hypothesis, for everything that renders one."""

from typing import Any

import pytest
from hypothesis import strategies as st

from systrace.options import Selection
from systrace.report import (
    RING,
    Attached,
    Bucket,
    Call,
    Exit,
    Machine,
    Overhead,
    Probes,
    Process,
    Report,
    Times,
)

# The report of the design's example table.
GOAPP = Report(
    command=("./goapp",),
    exit=Exit(code=0),
    started="2026-11-22T10:00:00Z",
    elapsed_ns=67_200_000,
    machine=Machine(kernel="6.18.44", arch="x86_64", cpus=2, clocksource="tsc"),
    probes=Probes(syscalls="raw_tracepoint", vdso="patch"),
    calls=(
        Call(
            "clock_gettime",
            "vdso",
            "x86_64",
            2_000_152,
            by_clock={"CLOCK_REALTIME": 1_000_003, "CLOCK_MONOTONIC": 1_000_149},
            times=Times(total_ns=42_000_000, mean_ns=21.0, estimated=True),
        ),
        Call(
            "futex",
            "syscall",
            "x86_64",
            29,
            restarted=3,
            errors={"ETIMEDOUT": 1},
            times=Times(
                total_ns=135_000_000,
                mean_ns=4_655_172.4,
                min_ns=900,
                max_ns=67_000_000,
                p50_ns=2_000,
                p95_ns=66_000_000,
                p99_ns=67_000_000,
                histogram=(Bucket(512, 1024, 3), Bucket(1024, 2048, 26)),
            ),
        ),
        Call(
            "rt_sigaction",
            "syscall",
            "x86_64",
            114,
            times=Times(total_ns=103_398, mean_ns=907.0, max_ns=9_000, p99_ns=6_200),
        ),
        Call(
            "clock_gettime",
            "vdso-fallback",
            "x86_64",
            12,
            by_clock={"CLOCK_PROCESS_CPUTIME_ID": 12},
            times=Times(total_ns=3_410, mean_ns=284.2, max_ns=400, p99_ns=400),
        ),
    ),
    process_count=1,
    thread_count=4,
    lost=0,
    processes=(Process(4242, 4241, "goapp"),),
)

_NS = st.integers(0, 10**15)
_COUNTS = st.integers(0, 999_999_999_999)

# What os.fsdecode can hand over: text, and single bytes that are no UTF-8.
TEXT = st.binary(max_size=30).map(lambda raw: raw.decode(errors="surrogateescape")) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=30
)

# What would be something else than text in one format or another.
HOSTILE = st.sampled_from(
    [
        "=cmd|' /C calc'!A0",
        "@SUM(1+1)",
        "-2+3",
        " +1",
        "x;=1+1",
        "\N{FULLWIDTH EQUALS SIGN}1",
        'a,b"c',
        "a|b",
        "a\\|b",
        "`code`",
        "``",
        "*bold* _it_ ~~s~~ $x$ **",
        "[a](javascript:alert(1)) ![b](c)",
        "<script>alert(1)</script>",
        "</code></details><!--",
        "@octocat #12 GH-12 :tada: &amp;",
        "https://example.org www.example.org a@example.org",
        "# heading",
        "- item",
        "1. one",
        "---",
        "    indented",
        "::error::x",
        "::set-output name=a::b%0A",
        "a%25:b,c",
        "\r\n::stop-commands::x",
        "\x1b[31m\x00\x07",
        "\u202etxt.exe\u200b",
        '"} 1\nup{a="',
        "\\n",
        "\\",
        "\udc80\udcff",
        "",
        " ",
    ]
)
TEXT |= HOSTILE
_NAMES = (
    st.sampled_from(
        [
            "read",
            "clock_gettime",
            "getrandom",
            "futex",
            "exit_group",
            "clock_nanosleep_time64",
            "sched_rr_get_interval_time64",
            "sched_get_priority_max",
            "syscall_9999",
        ]
    )
    | TEXT
)
_CLOCKS = st.dictionaries(
    st.sampled_from(["CLOCK_MONOTONIC", "CLOCK_PROCESS_CPUTIME_ID", "CLOCK_REALTIME_ALARM"]),
    _COUNTS,
    max_size=3,
)
_ERRORS = st.dictionaries(
    st.sampled_from(["ENOENT", "ETIMEDOUT", "EAGAIN", "errno 4095"]) | TEXT, _COUNTS, max_size=6
)
# The document holds means to a tenth of a nanosecond.
_MEANS = st.integers(0, 10**16).map(lambda tenths: tenths / 10)

_ESTIMATES = st.builds(Times, total_ns=_NS, mean_ns=_MEANS, estimated=st.just(value=True))
_TIMES = st.builds(
    Times,
    total_ns=_NS,
    mean_ns=_MEANS,
    min_ns=st.none() | _NS,
    max_ns=st.none() | _NS,
    p50_ns=st.none() | _NS,
    p95_ns=st.none() | _NS,
    p99_ns=st.none() | _NS,
    histogram=st.lists(st.builds(Bucket, _NS, _NS, _COUNTS), max_size=3).map(tuple),
)
_ABIS = st.sampled_from(["x86_64", "i386", "x32"])
_RING_0 = st.sampled_from([via for via, ring in RING.items() if ring == "3->0"])

_VDSO_CALLS = st.builds(
    Call,
    name=_NAMES,
    via=st.just("vdso"),
    abi=_ABIS,
    count=_COUNTS,
    by_clock=_CLOCKS,
    times=st.none() | _ESTIMATES,
)
_RING_0_CALLS = st.builds(
    Call,
    name=_NAMES,
    via=_RING_0,
    abi=_ABIS,
    count=_COUNTS,
    unfinished=_COUNTS,
    filtered=_COUNTS,
    restarted=_COUNTS,
    errors=_ERRORS,
    by_clock=_CLOCKS,
    times=st.none() | _TIMES,
)


def _process_call(drawn: tuple[Any, ...]) -> Call:
    name, via, abi, count, errors, total_ns = drawn
    if via == "vdso":
        return Call(name, via, abi, count)
    times = None
    if total_ns is not None:
        times = Times(total_ns, round(total_ns / max(count, 1), 1))
    return Call(name, via, abi, count, errors=errors, times=times)


_PROCESS_CALLS = st.tuples(
    _NAMES, st.sampled_from(list(RING)), _ABIS, _COUNTS, _ERRORS, st.none() | _NS
).map(_process_call)

_TENTHS = st.integers(0, 10_000_000).map(lambda tenths: tenths / 10)
_OVERHEADS = st.builds(
    Overhead,
    syscall_ns=st.none() | _TENTHS,
    vdso_ns=st.none() | _TENTHS,
    added_ns=_NS,
    held_ns=st.integers(0, 2**53),
    slowdown_least=st.none() | st.integers(10_000, 10**9).map(lambda parts: parts / 10_000),
    slowdown_most=st.none() | st.integers(10_000, 10**9).map(lambda parts: parts / 10_000),
)

REPORTS = st.builds(
    Report,
    command=st.lists(TEXT, max_size=4).map(tuple),
    exit=st.sampled_from([Exit(), Exit(code=0), Exit(code=255), Exit(signal=15), Exit(signal=40)]),
    started=st.just("2026-11-22T10:00:00Z"),
    elapsed_ns=_NS,
    machine=st.builds(
        Machine,
        kernel=TEXT,
        arch=st.just("x86_64"),
        cpus=st.integers(1, 1024),
        clocksource=st.sampled_from(["tsc", "hpet", ""]) | TEXT,
    ),
    probes=st.builds(
        Probes,
        syscalls=st.just("raw_tracepoint"),
        vdso=st.sampled_from(["patch", "breakpoint", "uprobe", "off", "none"]),
    ),
    calls=st.lists(
        _VDSO_CALLS | _RING_0_CALLS,
        max_size=8,
        unique_by=lambda call: (call.name, call.via, call.abi),
    ).map(tuple),
    process_count=_COUNTS,
    thread_count=_COUNTS,
    lost=st.just(0) | _COUNTS,
    processes=st.lists(
        st.builds(
            Process,
            pid=st.integers(0, 4_194_304),
            ppid=st.integers(0, 4_194_304),
            comm=TEXT,
            calls=st.lists(_PROCESS_CALLS, max_size=3).map(tuple),
        ),
        max_size=6,
    ).map(tuple),
    warnings=st.lists(TEXT, max_size=3).map(tuple),
    selected=st.booleans(),
    without_children=st.booleans(),
    attached=st.lists(st.builds(Attached, pid=_COUNTS, comm=TEXT), max_size=6).map(tuple),
    longest_stop_ns=st.none() | _NS,
    since_ns=st.none() | _NS,
    selection=st.none() | st.builds(Selection, st.frozensets(_NAMES, max_size=3), st.booleans()),
    overhead=st.none() | _OVERHEADS,
    incomplete=st.lists(st.sampled_from(["vdso", "vdso getcpu", "threads"]), max_size=2).map(tuple),
)


@pytest.fixture(scope="session")
def goapp() -> Report:
    """The report of the design's example table."""
    return GOAPP


@pytest.fixture(scope="session")
def reports() -> st.SearchStrategy[Report]:
    """Every report whose numbers can be; session-wide, for hypothesis wants nothing shorter."""
    return REPORTS
