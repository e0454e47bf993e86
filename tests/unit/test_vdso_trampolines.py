"""Trampolines, written for this kernel's own vDSO and for images that are not sound."""

import struct

import pytest
from iced_x86 import Decoder, FlowControl, Mnemonic

from systrace.errors import UnsupportedError
from systrace.vdso import image, x86_64

BLOCK, VDSO = 0x7FFF_0000_0000, 0x7FFF_1234_5000


def own() -> image.Image:
    data = image.own_bytes()
    assert data is not None
    return image.parse(data)


@pytest.fixture(params=[(True, False), (False, False), (False, True)])
def plan(request: pytest.FixtureRequest) -> x86_64.Plan:
    by_cpu, marked = request.param
    return x86_64.make_plan(own(), by_cpu=by_cpu, marked=marked)


@pytest.mark.parametrize("by_cpu", [True, False])
def test_only_cpus_that_can_say_which_they_are_are_asked(*, by_cpu: bool) -> None:
    for item in x86_64.make_plan(own(), by_cpu=by_cpu).trampolines:
        asks = [one for one in Decoder(64, item.code) if one.mnemonic == Mnemonic.RDPID]
        assert len(asks) == by_cpu


def test_every_function_that_the_kernel_exports_has_one(plan: x86_64.Plan) -> None:
    assert plan.refused == {}
    assert {item.function.name for item in plan.trampolines} >= {
        "clock_gettime",
        "gettimeofday",
        "time",
        "getcpu",
    }


@pytest.mark.parametrize("distance", [0, -0x40000000, 0x40000000], ids=["there", "lower", "higher"])
def test_each_ends_behind_the_instructions_that_it_displaced(
    plan: x86_64.Plan, distance: int
) -> None:
    vdso = VDSO + distance
    page = plan.code_page(BLOCK, vdso)
    for item in plan.trampolines:
        code = page[item.position : item.position + len(item.code)]
        *_, last = Decoder(64, code, ip=BLOCK + item.position)
        assert last.flow_control == FlowControl.UNCONDITIONAL_BRANCH
        behind = last.near_branch_target - vdso - item.function.offset
        assert 5 <= behind < 20


def test_what_is_displaced_refers_to_the_same_memory_as_before(plan: x86_64.Plan) -> None:
    found = plan.image
    page = plan.code_page(BLOCK, VDSO)
    for item in plan.trampolines:
        start = item.function.offset
        before = {
            instruction.ip_rel_memory_address
            for instruction in Decoder(64, found.data[start : start + 12], ip=VDSO + start)
            if instruction.is_ip_rel_memory_operand
            and instruction.ip < VDSO + start + 5
            and instruction.mnemonic != Mnemonic.INVALID
        }
        code = page[item.position : item.position + len(item.code)]
        after = {
            instruction.ip_rel_memory_address
            for instruction in Decoder(64, code, ip=BLOCK + item.position)
            if instruction.is_ip_rel_memory_operand
            and instruction.ip_rel_memory_address
            not in (BLOCK + x86_64.PAGE, BLOCK + x86_64.MARK_AT)
        }
        assert before == after


def test_where_there_is_no_mark_nothing_is_counted_and_no_uprobe_is_passed() -> None:
    plan = x86_64.make_plan(own(), by_cpu=False, marked=True)
    page = plan.code_page(BLOCK, VDSO)
    for item in plan.trampolines:
        start = BLOCK + item.position
        code = page[item.position : item.position + len(item.code)]
        instructions = {one.ip: one for one in Decoder(64, code, ip=start)}
        compare, branch, nop, *_ = instructions.values()
        assert compare.ip_rel_memory_address == BLOCK + x86_64.MARK_AT
        assert (branch.mnemonic, nop.ip) == (Mnemonic.JE, BLOCK + item.site)
        counted = [one.ip for one in instructions.values() if one.has_lock_prefix]
        assert counted
        assert branch.near_branch_target > max(counted)
        assert branch.near_branch_target in instructions


def test_where_all_are_counted_a_uprobe_may_sit_at_the_entry() -> None:
    plan = x86_64.make_plan(own(), by_cpu=False)
    assert all(item.site == item.position for item in plan.trampolines)


def test_the_jump_leads_to_the_trampoline(plan: x86_64.Plan) -> None:
    for item in plan.trampolines:
        jump = plan.jump(item, BLOCK, VDSO)
        (instruction,) = Decoder(64, jump, ip=VDSO + item.function.offset)
        assert instruction.len == len(jump) == 5
        assert instruction.near_branch_target == BLOCK + item.position


def test_no_two_counters_are_the_same_and_all_fit_a_shard(plan: x86_64.Plan) -> None:
    used = [
        number
        for item in plan.trampolines
        for number in range(item.counter, item.counter + item.counters)
    ]
    assert len(used) == len(set(used))
    assert max(used) < x86_64.SHARD_BYTES // 8


def function(code: bytes) -> image.Image:
    """An image of one function, at offset 16, with a second one behind it that is nothing."""
    padded = b"\x90" * 16 + code + b"\x90" * 64
    return image.Image(padded, (image.Function("f", 16, len(code)),), range(16, 16 + len(code)))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (b"\x90\xc3", "cannot be moved"),  # returns before the jump would end
        (b"\xe8\x00\x00\x00\x00\xc3", "cannot be moved"),  # a call: its return address would show
        (b"\x90\x90\x90\x90\x90\x90\xeb\xfa\xc3", "branches to its first"),  # back to the 3rd byte
        (b"\x90\x90\x90\x90\x90\x90\xeb\xf8\xc3", "branches to its first"),  # back to the entry
        (b"\x06\x90\x90\x90\x90\xc3", "cannot be moved"),  # no instruction of 64-bit code
    ],
)
def test_what_cannot_be_patched_safely_is_refused(code: bytes, reason: str) -> None:
    plan = x86_64.make_plan(function(code), by_cpu=True)
    assert plan.trampolines == ()
    assert reason in plan.refused["f"]


@pytest.mark.parametrize("length", [0, 4, 63, 64, 200, 1000, 3000])
def test_a_truncated_image_is_refused(length: int) -> None:
    data = image.own_bytes()
    assert data is not None
    with pytest.raises(UnsupportedError):
        image.parse(data[:length])


def test_an_image_whose_symbol_lies_outside_of_it_is_refused() -> None:
    data = bytearray(image.own_bytes() or b"")
    found = image.parse(bytes(data))
    entry = struct.pack("<QQ", found.functions[0].offset, found.functions[0].size)
    at = data.find(entry)
    assert at > 0
    data[at : at + 8] = struct.pack("<Q", len(data) + 4096)
    with pytest.raises(UnsupportedError, match="outside"):
        image.parse(bytes(data))


def test_a_branch_that_is_encoded_as_two_still_leads_where_it_led() -> None:
    """``jrcxz`` has no long form: it becomes one over a jump, and only the jump is moved."""
    image_ = function(b"\xe3\x10" + b"\x90" * 30)
    (item,) = x86_64.make_plan(image_, by_cpu=False).trampolines
    for distance in (-0x40000000, 0, 0x40000000):
        plan = x86_64.make_plan(image_, by_cpu=False)
        page = plan.code_page(BLOCK, VDSO + distance)
        code = page[item.position : item.position + len(item.code)]
        targets = [
            instruction.near_branch_target
            for instruction in Decoder(64, code, ip=BLOCK + item.position)
            if instruction.flow_control != FlowControl.NEXT
        ]
        inside = [at for at in targets if BLOCK <= at < BLOCK + x86_64.PAGE]
        assert set(targets) - set(inside) == {VDSO + distance + 16 + at for at in (2 + 0x10, 5)}
        assert len(inside) == 2
