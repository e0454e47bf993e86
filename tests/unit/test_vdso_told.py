"""Processes that eBPF lists, and that nobody told of."""

from systrace.tally import ProcessTally
from systrace.vdso.told import How, Told


def process(pid: int, ppid: int) -> ProcessTally:
    return ProcessTally(pid, ppid, "", start_ns=pid, end_ns=0)


def told(**how: How) -> Told:
    known = Told()
    for name, value in how.items():
        known.tell(int(name.removeprefix("pid")), value)
    return known


def test_what_nobody_told_of_is_counted_as_its_parent_is_and_so_are_its_children() -> None:
    known = told(pid1=How.PAGES, pid2=How.BREAKPOINTS)
    listed = [process(1, 0), process(2, 1), process(3, 1), process(4, 3), process(5, 2)]
    assert known.untold(listed) == {How.PAGES: 2, How.BREAKPOINTS: 1}


def test_the_first_process_needs_nobody_to_tell_of_it() -> None:
    assert not Told().untold([process(7, 0)])


def test_a_number_that_was_never_told_is_unknown_however_large() -> None:
    known = told(pid3=How.NOT)
    assert [known.how(pid) for pid in (0, 3, 4, 2**22)] == [0, How.NOT, 0, 0]
