import pytest
from hypothesis import given
from hypothesis import strategies as st

from systrace.render import units
from systrace.render.text import clip, columns, printable, wrap

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (8.4, "8 ns"),
        (907, "907 ns"),
        (999.4, "999 ns"),
        (999.6, "1.00 us"),
        (3_410, "3.41 us"),
        (9_996, "10.0 us"),
        (999_600, "1.00 ms"),
        (4_655_172.4, "4.66 ms"),
        (135_000_000, "135 ms"),
        (999_600_000, "1.00 s"),
        (12.3 * SECOND, "12.3 s"),
        (59.94 * SECOND, "59.9 s"),
        (59.96 * SECOND, "1 m 0 s"),
        (125 * SECOND, "2 m 5 s"),
        (3599.7 * SECOND, "1 h 0 m"),
        (4320 * SECOND, "1 h 12 m"),
        (86_399 * SECOND, "1 d 0 h"),
        (99 * 86_400 * SECOND, "99 d 0 h"),
    ],
)
def test_a_duration_has_three_digits_and_the_unit_that_fits(nanoseconds: float, text: str) -> None:
    assert units.duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(400, "400 ns"), (6_200, "6.2 us"), (9_960, "10 us"), (67_000_000, "67 ms")],
)
def test_two_digits_are_enough_where_more_would_be_invented(nanoseconds: float, text: str) -> None:
    assert units.duration(nanoseconds, digits=2) == text


@given(st.integers(0, 99 * 86_400 * SECOND))
def test_a_duration_is_never_long(nanoseconds: int) -> None:
    text = units.duration(nanoseconds)
    assert len(text) <= 9
    assert "1000" not in text
    assert not text.startswith("60 m ")


def test_counts_have_separators_and_shares_one_decimal() -> None:
    assert units.count(2_000_152) == "2,000,152"
    assert units.share(1, 3) == "33.3"
    assert units.share(0, 0) == "-"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("naïve 日本 🦀", "naïve 日本 🦀"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\0\x7f\x9b", r"\x00\x7f\x9b"),
        ("\udc80\udcff", r"\x80\xff"),
        ("\ud800", r"\ud800"),
        ("\u202e\u2066\u200b\ufeff", r"\u202e\u2066\u200b\ufeff"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_what_would_not_show_as_itself_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_printable_text_is_one_line_that_encodes(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown


def test_columns_are_those_of_a_terminal() -> None:
    assert columns("abc") == 3
    assert columns("日本") == 4
    assert columns("e\u0301") == 1


def test_what_is_clipped_says_so() -> None:
    assert clip("12345678", 8) == "12345678"
    assert clip("123456789", 8) == "12345..."
    assert clip("日本日本日本", 8) == "日本..."
    assert clip("abc", 2) == ".."


def test_lines_break_at_spaces_and_long_words_anywhere() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert wrap("a 123456789", 4) == ["a", "1234", "5678", "9"]
    assert wrap("", 10) == []


@given(st.text().map(printable), st.integers(2, 40))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
