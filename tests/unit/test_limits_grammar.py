"""The grammar of a limit: what is read, and what is refused, with its place."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systrace import syscalls
from systrace.limits.grammar import OPERATORS, Limit, LimitError, parse
from systrace.limits.quantity import COUNTS, NEW_CALLS, TIMES, TOTALS, Quantity

SECOND = 10**9
UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}


@pytest.mark.parametrize("total", TOTALS)
def test_a_total_stands_alone(total: str) -> None:
    bound = "5ms" if total == "elapsed" else "5"
    limit = parse(f"{total} > {bound}")
    assert limit.quantity == Quantity(total)
    assert limit.quantity.is_time == (total == "elapsed")
    assert limit.bound == (5_000_000 if total == "elapsed" else 5)


@pytest.mark.parametrize("field", [*COUNTS, *TIMES])
def test_a_figure_of_a_call_follows_its_name(field: str) -> None:
    bound = "5us" if field in TIMES else "5"
    limit = parse(f"clock_gettime.{field} >= {bound}")
    assert limit.quantity == Quantity(field, "clock_gettime")
    assert limit.quantity.is_time == (field in TIMES)
    assert limit.bound == (5_000 if field in TIMES else 5)


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_is_read_with_spaces_and_without(operator: str) -> None:
    for text in (f"errors{operator}7", f"  errors  {operator}\t7 "):
        assert parse(text).operator == operator
        assert parse(text).bound == 7


@pytest.mark.parametrize(
    ("typed", "ns"),
    [
        *((f"3{unit}", 3 * factor) for unit, factor in UNITS.items()),
        *((f"3 {unit}", 3 * factor) for unit, factor in UNITS.items()),
        ("1.5us", 1_500),
        (".5ms", 500_000),
        ("0.1ns", Fraction(1, 10)),
        ("2_000.25us", 2_000_250),
    ],
)
def test_a_time_is_read_exactly_in_every_unit(typed: str, ns: Fraction) -> None:
    assert parse(f"write.p99 > {typed}").bound == ns


@pytest.mark.parametrize("typed", ["2000152", "2_000_152", "2,000,152", "20_00_152"])
def test_thousands_may_be_separated(typed: str) -> None:
    assert parse(f"ring3_calls > {typed}").bound == 2_000_152


@pytest.mark.parametrize(
    ("typed", "bound", "change"),
    [
        ("+10", 10, "by"),
        ("-10", -10, "by"),
        ("+5%", 5, "percent"),
        ("-2.5%", Fraction(-5, 2), "percent"),
        ("+5 %", 5, "percent"),
        ("+0", 0, "by"),
        ("10", 10, ""),
    ],
)
def test_a_sign_makes_a_change(typed: str, bound: Fraction, change: str) -> None:
    limit = parse(f"openat.count > {typed}")
    assert (limit.bound, limit.change) == (bound, change)
    assert limit.needs_baseline == bool(change)


def test_a_time_changes_by_a_time_or_a_share() -> None:
    assert parse("write.max > +200us").bound == 200_000
    assert parse("write.max > +5%").change == "percent"


def test_new_calls_are_those_of_no_baseline() -> None:
    assert parse("new_calls > 0").needs_baseline


@pytest.mark.parametrize("name", ["openat", "mmap2", "sgx_enter_enclave", "syscall_9999", "time"])
def test_calls_of_every_abi_of_the_vdso_and_without_a_name_are_known(name: str) -> None:
    assert parse(f"{name}.count > 0").quantity.call == name


@pytest.mark.parametrize("pattern", ["*", "open*", "?ead", "syscall_*", "clock_*time*"])
def test_a_pattern_stands_in_the_place_of_a_name(pattern: str) -> None:
    assert parse(f"{pattern}.filtered > 0").quantity.is_pattern


def test_a_name_that_only_a_report_has_is_known_when_it_is_told() -> None:
    with pytest.raises(LimitError):
        parse("from_the_future.count > 0")
    assert parse("from_the_future.count > 0", {"from_the_future"}).quantity.call
    assert parse("from_the_f*.count > 0", {"from_the_future"}).quantity.is_pattern


REFUSED = {
    "": "column 1: expected a quantity such as ring0_calls or openat.count, found the end",
    "   ": "column 4: expected a quantity",
    "400 < ring0_calls": "column 1: expected a quantity such as ring0_calls or openat.count: "
    "the bound stands on the right, found '400'",
    "openat.count": "column 13: expected >, >=, <, <=, == or !=, found the end",
    "openat.count => 38": "column 14: expected >, >=, <, <=, == or !=, found '=>'; "
    "did you mean 'openat.count >= 38'?",
    "openat.count = 38": "column 14: expected >, >=, <, <=, == or !=, found '='; "
    "did you mean 'openat.count == 38'?",
    "openat.count ≤ 38": "did you mean 'openat.count <= 38'?",
    "openat.count >> 38": "column 14: expected >, >=, <, <=, == or !=, found '>>'",
    "openat.count over 38": "column 14: expected >, >=, <, <=, == or !=, found 'over'",
    "opneat.count > 3": "column 1: expected the name of a call, found 'opneat'; "
    "did you mean 'openat.count > 3'?",
    " OPENAT.count > 3": "column 2: expected the name of a call, found 'OPENAT'; "
    "did you mean 'openat.count > 3'?",
    "openat.cuont > 3": "column 8: expected a figure of a call, found 'cuont'; "
    "did you mean 'openat.count > 3'?",
    "openat.zzz > 3": "column 8: expected a figure of a call: count, ring0_calls,",
    "openat > 3": "column 1: expected a figure of the call, found 'openat'; "
    "did you mean 'openat.count > 3'?",
    "open* .count > 3": "expected a quantity without spaces, found 'open* .count'; "
    "did you mean 'open*.count > 3'?",
    "openat .size > 3": "expected a figure of the call, found 'openat'",
    "open* > 3": "did you mean 'open*.count > 3'?",
    "ring0_cals > 3": "did you mean 'ring0_calls > 3'?",
    "opneat > 3": "did you mean 'openat.count > 3'?",
    "zzz > 3": "or a total: ring0_calls, ring3_calls, vdso_fallbacks,",
    "ring0_calls.count > 3": "column 1: expected the name of a call; ring0_calls is a total and "
    "stands alone",
    "syscall_1.count > 0": "column 1: expected the name of a call, found 'syscall_1'",
    "opne*.count > 3": "column 1: expected a pattern that matches some call, found 'opne*'",
    "[a]*.count > 3": "column 1: expected the name of a call: letters,",
    "a-b.count > 3": "column 2: expected the name of a call: letters,",
    "write.p99 > 200": "column 16: expected a unit, for write.p99 is a time: ns, us, ms, s, m or "
    "h, found the end",
    "write.p99 > 200 parsecs": "column 17: expected a unit, for write.p99 is a time: ns, us, ms, "
    "s, m or h, found 'parsecs'",
    "elapsed > 5d": "column 12: expected a unit, for elapsed is a time",
    "threads > 5ms": "column 12: expected no unit, for threads is a count, found 'ms'",
    "errors > 5 or lost > 0": "column 12: expected the end, for one expression holds one limit, "
    "found 'or'",
    "errors > 5, lost > 0": "column 11: expected the end, for one expression holds one limit",
    "errors > 1.5": "column 10: expected a whole number, for errors is a count, found '1.5'",
    "errors > 1,5": "column 10: expected a number such as 2000000, 2_000_000 or 2,000,000, "
    "found '1,5'",
    "errors > 1,000_000": "column 10: expected a number such as",
    "errors > 1__0": "column 10: expected a number such as",
    "errors > 1_": "column 10: expected a number such as",
    "errors > many": "column 10: expected a number, with a sign in front where it is a change",
    "errors > ٣": "column 10: expected a number",
    "errors > + 5": "column 10: expected a number",
    "errors > 5%": "column 10: expected a sign in front of a change, found '5%'; "
    "did you mean 'errors > +5%'?",
    f"errors > {'9' * 21}": "column 10: expected a number of at most 20 digits",
    f"errors > {'9' * 5000}": "column 10: expected a number of at most 20 digits",
    f"write.p99 > 1.{'9' * 20}s": "column 13: expected a number of at most 20 digits",
    "new_calls > +1": "column 13: expected a number without a sign: new_calls is a change already",
    "errors < 0": "column 1: nothing is below 0, so this limit would never fail",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_limit_is_refused_with_its_place_and_what_was_expected(text: str) -> None:
    with pytest.raises(LimitError) as refused:
        parse(text)
    assert REFUSED[text] in str(refused.value)


@pytest.mark.parametrize("text", [text for text in REFUSED if "did you mean" in REFUSED[text]])
def test_what_was_meant_is_accepted(text: str) -> None:
    with pytest.raises(LimitError) as refused:
        parse(text)
    parse(str(refused.value).rpartition("did you mean '")[2].removesuffix("'?"))


def read(text: str) -> Limit | str:
    """The limit, or what is said against it."""
    try:
        return parse(text)
    except LimitError as error:
        return str(error)


_CALLS = st.sampled_from([*sorted(syscalls.names()), "syscall_9999", "*", "open*", "?ead"])
_NUMBERS = r"[+-]?([0-9]{1,9}|[0-9]{1,3}(,[0-9]{3}){1,3}|[0-9]{1,4}_[0-9]{1,4})"
_BOUNDS = st.from_regex(_NUMBERS, fullmatch=True)
_COUNTED = st.builds("{}.{}".format, _CALLS, st.sampled_from(COUNTS)) | st.sampled_from(
    [total for total in TOTALS if total not in ("elapsed", NEW_CALLS)]
)
_TIMED = st.builds("{}.{}".format, _CALLS, st.sampled_from(TIMES)) | st.just("elapsed")
_SPACES = st.sampled_from(["", " ", "\t ", "   "])


@given(
    quantity_bound=st.tuples(_COUNTED, _BOUNDS)
    | st.tuples(_TIMED, st.builds("{}{}".format, _BOUNDS, st.sampled_from(sorted(UNITS)))),
    operator=st.sampled_from(OPERATORS),
    space=_SPACES,
)
def test_a_limit_is_read_back_from_what_it_says_of_itself(
    quantity_bound: tuple[str, str], operator: str, space: str
) -> None:
    quantity, bound = quantity_bound
    text = f"{space}{quantity}{space}{operator}{space}{bound}{space}"
    limit = read(text)
    if not isinstance(limit, Limit):
        assert "nothing is below 0" in limit
        return
    assert str(limit) == f"{quantity} {operator} {bound}"
    assert parse(str(limit)) == limit
    assert bool(limit.change) == (bound[0] in "+-")


_PIECES = st.sampled_from(
    [
        "openat",
        ".count",
        ".p99",
        "ring0_calls",
        ">",
        "=",
        "!",
        "<",
        "+",
        "5",
        "%",
        "us",
        ",",
        "*",
        "_",
        ".",
        " ",
    ]
)


@given(st.text() | st.lists(_PIECES).map("".join))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    limit = read(text)
    if isinstance(limit, Limit):
        assert parse(str(limit)) == limit
        return
    place = re.match(r"column ([0-9]+): ", limit)
    assert place
    assert 1 <= int(place[1]) <= len(text) + 1
    assert len(limit) < 300 + 2 * len(text)
