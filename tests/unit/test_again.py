"""Calls that ran again because somebody traced are one call each."""

from errno import EBADF, EINTR

from systrace.again import Rerun, without
from systrace.layout import Space, bucket_bounds
from systrace.tally import Key, ProcessRow, ProcessTally, RowTally, Tally

EPOLL_WAIT, READ, NANOSLEEP, RESTART = 232, 0, 35, 219


def key(nr: int) -> Key:
    return Space.X86_64, nr


def tally(rows: dict[int, RowTally], *processes: ProcessTally) -> Tally:
    return Tally(0, {key(nr): row for nr, row in rows.items()}, {}, {}, 0, processes)


def test_a_call_that_ended_with_eintr_is_one_call_without_an_error() -> None:
    row = RowTally(
        count=5, total_ns=500, histogram={3: 2, 40: 3}, errors={EINTR: 2, EBADF: 1}, max_ns=300
    )
    reruns = {Rerun(7, EPOLL_WAIT, EINTR): 2, Rerun(7, 1, EINTR): 7}
    kept = without(tally({EPOLL_WAIT: row}), reruns).rows[key(EPOLL_WAIT)]
    assert (kept.count, kept.finished) == (3, 3)
    assert kept.errors == {EBADF: 1}
    assert kept.total_ns == 500


def test_a_call_that_was_restarted_is_one_call_that_was_not() -> None:
    row = RowTally(count=5, total_ns=500, histogram={3: 2, 40: 3}, restarted=3)
    kept = without(tally({READ: row}), {Rerun(7, READ, 512): 2}).rows[key(READ)]
    assert (kept.count, kept.finished, kept.restarted, kept.total_ns) == (3, 3, 1, 500)


def test_a_sleep_that_went_on_as_restart_syscall_is_one_sleep() -> None:
    rows = {
        NANOSLEEP: RowTally(count=1, total_ns=30, histogram={30: 1}, restarted=1),
        RESTART: RowTally(count=2, total_ns=100, histogram={20: 1, 40: 1}),
    }
    kept = without(tally(rows), {Rerun(7, NANOSLEEP, 516): 1}).rows
    assert (kept[key(NANOSLEEP)].count, kept[key(NANOSLEEP)].restarted) == (1, 0)
    assert kept[key(NANOSLEEP)].total_ns == 80
    assert (kept[key(RESTART)].count, kept[key(RESTART)].finished) == (1, 1)
    assert kept[key(RESTART)].total_ns == 50


def test_it_is_taken_from_the_process_as_well_and_from_no_other() -> None:
    def process(pid: int) -> ProcessTally:
        rows = {key(READ): ProcessRow(3, 90), key(EPOLL_WAIT): ProcessRow(2, 20, {EINTR: 1})}
        return ProcessTally(pid, 1, "a", 0, 0, rows=rows)

    row = RowTally(count=6, histogram={3: 6}, restarted=1)
    reruns = {Rerun(7, READ, 512): 1, Rerun(7, EPOLL_WAIT, EINTR): 1}
    kept = without(tally({READ: row}, process(7), process(8)), reruns)
    assert kept.rows[key(READ)].count == 5
    assert kept.processes[0].rows[key(READ)] == ProcessRow(2, 90)
    assert kept.processes[0].rows[key(EPOLL_WAIT)] == ProcessRow(1, 20, {})
    assert kept.processes[1] == process(8)


def test_what_did_not_run_again_stays_as_it_is() -> None:
    before = tally({READ: RowTally(count=1, histogram={9: 1})})
    assert without(before, {Rerun(7, READ, EINTR): 0, Rerun(7, EPOLL_WAIT, EINTR): 4}) == before


def test_the_extremes_stay_within_the_calls_that_are_left() -> None:
    first, second = bucket_bounds(20)[0], bucket_bounds(40)[0]
    row = RowTally(
        count=3,
        total_ns=first + 2 * second,
        min_ns=first,
        max_ns=second,
        histogram={20: 1, 40: 2},
        errors={EINTR: 1},
    )
    kept = without(tally({EPOLL_WAIT: row}), {Rerun(7, EPOLL_WAIT, EINTR): 1}).rows[key(EPOLL_WAIT)]
    mean = -(-row.total_ns // 2)
    assert (kept.min_ns, kept.max_ns) == (second, mean)
    assert mean > second
    assert kept.finished == 2
    low, high = bucket_bounds(max(kept.histogram))
    assert low <= mean < high


def test_a_single_call_took_what_all_its_parts_took() -> None:
    row = RowTally(
        count=2, total_ns=900, min_ns=400, max_ns=500, histogram={20: 1, 21: 1}, restarted=1
    )
    kept = without(tally({READ: row}), {Rerun(7, READ, 512): 1}).rows[key(READ)]
    assert (kept.min_ns, kept.max_ns, kept.total_ns) == (900, 900, 900)
    ((bucket, calls),) = kept.histogram.items()
    assert bucket_bounds(bucket)[0] <= 900 < bucket_bounds(bucket)[1]
    assert calls == 1


def test_a_call_that_has_not_returned_took_no_time_yet() -> None:
    row = RowTally(count=2, total_ns=400, min_ns=400, max_ns=400, histogram={20: 1}, restarted=1)
    kept = without(tally({READ: row}), {Rerun(7, READ, 512): 1}).rows[key(READ)]
    assert (kept.count, kept.finished, kept.total_ns) == (1, 0, 0)
    assert (kept.min_ns, kept.max_ns) == (None, None)


def test_a_sleep_that_went_on_took_as_long_as_both_parts() -> None:
    rows = {
        NANOSLEEP: RowTally(
            count=1, total_ns=300, min_ns=300, max_ns=300, histogram={18: 1}, restarted=1
        ),
        RESTART: RowTally(count=1, total_ns=500, min_ns=500, max_ns=500, histogram={20: 1}),
    }
    kept = without(tally(rows), {Rerun(7, NANOSLEEP, 516): 1}).rows[key(NANOSLEEP)]
    assert (kept.min_ns, kept.max_ns, kept.total_ns, kept.finished) == (800, 800, 800, 1)
