"""Options that verbs share, declared once.

Read at ``--help``: imports nothing that costs time beyond click.
"""

from collections.abc import Callable
from typing import Any

import click

from systrace.cli.values import Duration, HeadRoom, Rows, Runs, WarmUps
from systrace.options import FORMATS, SORT_KEYS, VDSO_MODES

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# Options of compare that say how commands run, by their names as parameters.
FOR_COMMANDS = frozenset(
    {
        "runs",
        "warmup",
        "shell",
        "show_output",
        "ignore_failure",
        "user",
        "vdso",
        "counts_only",
        "follow",
    }
)


def output(what: str = "the report") -> _Decorator:
    """``-o/--output FILE``, as often as wanted: ``tuple[str, ...]``."""
    return click.option(
        "-o",
        "--output",
        "outputs",
        metavar="FILE",
        multiple=True,
        help=f"Write {what} to FILE as well, in the format of its ending (.txt, .json, .csv, "
        ".md, .prom; otherwise that of -F); - is standard output. May be given more than once.",
    )


def format_(stream: str = "standard error") -> _Decorator:
    """``-F/--format``: what the stream gets, and every ``-o`` whose ending says nothing."""
    return click.option(
        "-F",
        "--format",
        "format_",
        type=click.Choice(FORMATS),
        default="table",
        help=f"What {stream} gets; table is the default.",
    )


def quiet(stream: str = "standard error") -> _Decorator:
    """``-q/--quiet``."""
    return click.option("-q", "--quiet", is_flag=True, help=f"Print no report to {stream}.")


def follow(more: str = "") -> _Decorator:
    """``-f/--follow`` and ``--no-follow``; ``more`` is said of them."""
    return click.option(
        "-f",
        "--follow/--no-follow",
        "follow",
        default=True,
        help=f"Count children too, which is the default, or leave them out.{more}",
    )


def wait_all() -> _Decorator:
    """``--wait-all``."""
    return click.option(
        "--wait-all",
        is_flag=True,
        help="Wait for children that outlive COMMAND; its exit status is systrace's all the same.",
    )


def per_process() -> _Decorator:
    """``-P/--per-process``."""
    return click.option(
        "-P",
        "--per-process",
        is_flag=True,
        help="Count by process too: a table of each, and its calls in the JSON report.",
    )


def user() -> _Decorator:
    """``-u/--user USER``."""
    return click.option(
        "-u",
        "--user",
        metavar="USER",
        help="Run COMMAND as this user (name or number). Under sudo the default is the user who "
        "called sudo.",
    )


def vdso() -> _Decorator:
    """``--vdso MODE``."""
    return click.option(
        "--vdso",
        type=click.Choice(VDSO_MODES),
        default="auto",
        help="How calls that stay in ring 3 are counted: by trampolines patched into the vDSO "
        "(patch; auto does that, and sets breakpoints where it cannot), by hardware breakpoints, "
        "by a uprobe on each, or not at all.",
    )


def without_vdso(
    meaning: str = "Take the vDSO away from COMMAND and its children, to see what it saves them: "
    "they make system calls instead.",
) -> _Decorator:
    """``--without-vdso``."""
    return click.option("--without-vdso", is_flag=True, help=meaning)


def counts_only() -> _Decorator:
    """``--counts-only``."""
    return click.option("--counts-only", is_flag=True, help="Count, but take no times: faster.")


def expr() -> _Decorator:
    """``-e/--expr SET``, as often as wanted."""
    return click.option(
        "-e",
        "--expr",
        "expressions",
        metavar="SET",
        multiple=True,
        help="Count only these: names and classes, ! leaves out, as in "
        "openat,%network or '!futex'.",
    )


def sort() -> _Decorator:
    """``-S/--sort KEY``."""
    return click.option(
        "-S",
        "--sort",
        type=click.Choice(SORT_KEYS),
        default="count",
        help="Order the rows by this; count is the default.",
    )


def top() -> _Decorator:
    """``-n/--top ROWS``."""
    return click.option(
        "-n",
        "--top",
        type=Rows(),
        metavar="N",
        help="Show the first N rows only; JSON, CSV and Prometheus have all of them.",
    )


def interval() -> _Decorator:
    """``-i/--interval SECONDS``."""
    return click.option(
        "-i",
        "--interval",
        type=Duration(),
        metavar="SECONDS",
        help="Report every so often (10, 10s, 2m, 500ms) what happened since the last time: to "
        "standard error, and as rows to CSV files; other files get the whole run.",
    )


def pids() -> _Decorator:
    """``-p/--pid PID[,PID...]``, as often as wanted."""
    return click.option(
        "-p",
        "--pid",
        "pids",
        metavar="PID,PID...",
        multiple=True,
        help="Attach to these pids as well, separated by commas.",
    )


def duration() -> _Decorator:
    """``-d/--duration SECONDS``."""
    return click.option(
        "-d",
        "--duration",
        type=Duration(),
        metavar="SECONDS",
        help="End after this time (10, 10s, 2m, 500ms).",
    )


def overhead() -> _Decorator:
    """``--overhead``."""
    return click.option(
        "--overhead",
        is_flag=True,
        help="Say what tracing cost: what it adds to a call on this machine, and so to this run; "
        "not in CSV.",
    )


def runs() -> _Decorator:
    """``-r/--runs N``; None where it was not given."""
    return click.option(
        "-r",
        "--runs",
        type=Runs(),
        metavar="N",
        help="Run each command N times (default 10), A and B in turn.",
    )


def warmup() -> _Decorator:
    """``--warmup N``."""
    return click.option(
        "--warmup",
        type=WarmUps(),
        default=0,
        metavar="N",
        help="Run each command N times before, for nothing.",
    )


def shell() -> _Decorator:
    """``--shell``."""
    return click.option(
        "--shell", is_flag=True, help="Give each command to sh -c, whose own calls count too."
    )


def show_output() -> _Decorator:
    """``--show-output``."""
    return click.option(
        "--show-output",
        is_flag=True,
        help="Let the commands write to standard error; without it they write to /dev/null.",
    )


def ignore_failure() -> _Decorator:
    """``--ignore-failure``."""
    return click.option(
        "--ignore-failure",
        is_flag=True,
        help="Go on where a command fails, and compare what it did.",
    )


def unchanged() -> _Decorator:
    """``--all``."""
    return click.option(
        "--all", "unchanged", is_flag=True, help="Show the rows that did not change, too."
    )


def fail_if(
    meaning: str = "End with 1 if this is true, as in 'ring0_calls > 400', 'openat.count > 38', "
    "'*.filtered > 0' or 'write.p99 > 2ms'.",
) -> _Decorator:
    """``--fail-if EXPR``, as often as wanted."""
    return click.option(
        "--fail-if",
        "fail_if",
        metavar="EXPR",
        multiple=True,
        help=f"{meaning} May be given more than once.",
    )


def budget() -> _Decorator:
    """``--budget FILE``, as often as wanted."""
    return click.option(
        "--budget",
        "budgets",
        metavar="FILE",
        multiple=True,
        help="End with 1 if a limit of this budget does not hold. May be given more than once.",
    )


def baseline() -> _Decorator:
    """``--baseline OLD.json``."""
    return click.option(
        "--baseline",
        metavar="OLD.json",
        help="The report that changes are counted from, for limits such as 'openat.count > +5%' "
        "and 'new_calls > 0'.",
    )


def head_room() -> _Decorator:
    """``--head-room FACTOR``."""
    return click.option(
        "--head-room",
        type=HeadRoom(),
        metavar="FACTOR",
        default="5",
        help="How many times their spread the limits of figures that differ from report to report "
        "lie above the largest; 5 is the default.",
    )


def budget_output() -> _Decorator:
    """``-o/--output FILE``, once."""
    return click.option(
        "-o",
        "--output",
        "output",
        metavar="FILE",
        help="Write the budget to FILE, whole or not at all; standard output is the default.",
    )
