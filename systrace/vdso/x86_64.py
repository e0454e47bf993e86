"""Trampolines for x86_64: a jump at each function's entry, a counter, and the way back.

A trampoline counts, runs the instructions that the jump displaced, and jumps behind them. Code
and counters are one block: the code page, then the counter pages. Where forked children are not to
be counted, a page with a mark follows, which they find empty (MADV_WIPEONFORK).
Counting is ``lock inc`` on a shard, so that CPUs do not fight over one cache line: that of the CPU,
or where the machine has no ``rdpid`` one that a hash of the stack pointer picks
(benchmarks/NOTES.md has the figures).
At a function's entry the System V ABI leaves rax, r10, r11 and the flags free.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from systrace.layout import CLOCKS
from systrace.vdso.image import Function, Image

PAGE: Final = 4096
SHARDS: Final = 16
SHARD_BYTES: Final = 1024
COUNTER_BYTES: Final = SHARDS * SHARD_BYTES
MARK_AT: Final = PAGE + COUNTER_BYTES  # where in a block
MARK: Final = b"\x01\0\0\0"
BLOCK_BYTES: Final = MARK_AT + PAGE

STRIDE: Final = 256  # bytes of code for each trampoline
MAX_FUNCTIONS: Final = PAGE // STRIDE
BY_CLOCK: Final = ("clock_gettime", "clock_getres")  # their first argument is a clock id

# long call_loop(count, function, first, second): calls function(first, second, NULL) so often
CALL_LOOP: Final = bytes.fromhex(
    "53 4154 4155 4156 4157"  # push rbx, r12 to r15: the stack is aligned for the calls
    "488bdf 4c8be6 4c8bea 4c8bf1"  # mov rbx, rdi; mov r12, rsi; mov r13, rdx; mov r14, rcx
    "498bfd 498bf6 33d2 41ffd4"  # mov rdi, r13; mov rsi, r14; xor edx, edx; call r12
    "48ffcb 75f0"  # dec rbx; jne to the mov of rdi
    "415f 415e 415d 415c 5b c3"  # pop r15 to r12, rbx; ret
)

JUMP_BYTES: Final = 5
JUMP: Final = b"\xe9"  # and a 32-bit distance
_HASH: Final = 0x9E3779B1 - 2**32
_STACK_SHIFT: Final = 12
_BLOCK_AT: Final = 0x7000_0000_0000  # where code is encoded for, before it is fixed up
_NEAR: Final = 2**19  # of the image: half of what place.py keeps for what code refers to
_VDSO_AT: Final = _BLOCK_AT + 2**28  # far, so that no branch becomes a short one


class Trampoline(NamedTuple):
    """One function's share of the code page.

    ``code`` is encoded for a block and a vDSO that lie ``_VDSO_AT - _BLOCK_AT`` apart; the four
    bytes at each of ``fixups`` hold distances between the two, and are moved with them.
    ``counter`` is the index, within a shard, of its first 64-bit counter; ``site`` is where in the
    page a uprobe may sit.
    """

    function: Function
    position: int
    site: int
    code: bytes
    fixups: tuple[int, ...]
    counter: int
    counters: int


class Plan(NamedTuple):
    """All trampolines of an image, and why a function has none.

    ``marked``: they count only where the block's mark is set, which no forked child inherits.
    """

    image: Image
    trampolines: tuple[Trampoline, ...]
    refused: dict[str, str]
    marked: bool = False

    def code_page(self, block: int, vdso: int) -> bytes:
        """Return the code for a block at ``block`` in a process with its vDSO at ``vdso``."""
        page = bytearray(b"\xcc" * PAGE)
        for trampoline in self.trampolines:
            page[trampoline.position : trampoline.position + len(trampoline.code)] = trampoline.code
        for at, distance in self.distances(block, vdso):
            page[at : at + len(distance)] = distance
        return bytes(page)

    def distances(self, block: int, vdso: int) -> Iterator[tuple[int, bytes]]:
        """Yield what of the code page depends on where the two are: offset and bytes."""
        moved = (vdso - block) - (_VDSO_AT - _BLOCK_AT)
        for trampoline in self.trampolines:
            for at in trampoline.fixups:
                encoded = trampoline.code[at : at + 4]
                distance = int.from_bytes(encoded, "little", signed=True) + moved
                yield trampoline.position + at, distance.to_bytes(4, "little", signed=True)

    def jump(self, trampoline: Trampoline, block: int, vdso: int) -> bytes:
        """Return the jump that goes to the function's entry."""
        after = vdso + trampoline.function.offset + JUMP_BYTES
        distance = block + trampoline.position - after
        return JUMP + distance.to_bytes(4, "little", signed=True)


def make_plan(image: Image, *, by_cpu: bool, marked: bool = False) -> Plan:
    """Write the trampolines of an image. A function that cannot be patched safely is refused.

    ``by_cpu``: the machine's CPUs have ``rdpid``; ``marked`` as in Plan.
    """
    trampolines: list[Trampoline] = []
    refused: dict[str, str] = {}
    clock_counter, plain_counter = 0, len(BY_CLOCK) * CLOCKS
    targets = _branch_targets(image)
    counted = Counter(function.name for function in image.functions)
    for function in image.functions:
        if len(trampolines) == MAX_FUNCTIONS:
            refused[function.name] = "the code page is full"
            continue
        if counted[function.name] > 1:
            refused[function.name] = "the vDSO exports several functions of this name"
            continue
        head = range(function.offset, function.offset + JUMP_BYTES)
        if any(other.offset in head[1:] for other in image.functions):
            refused[function.name] = "another function begins in its first instructions"
            continue
        if any(target in head for target in targets):
            refused[function.name] = "the vDSO itself branches to its first instructions"
            continue
        displaced = _displaced(image, function)
        if displaced is None:
            refused[function.name] = "its first instructions cannot be moved"
            continue
        clocked = function.name in BY_CLOCK
        counter = clock_counter if clocked else plain_counter
        position = len(trampolines) * STRIDE
        counting = _counting(counter, clocked=clocked, by_cpu=by_cpu)
        code, site, fixups = _encode(displaced, position, counting, marked=marked)
        if len(code) > STRIDE:
            refused[function.name] = "its trampoline is too long"
            continue
        count = CLOCKS if clocked else 1
        trampolines.append(Trampoline(function, position, site, code, fixups, counter, count))
        if clocked:
            clock_counter += CLOCKS
        else:
            plain_counter += 1
    return Plan(image, tuple(trampolines), refused, marked)


def _decoder(data: bytes, ip: int) -> Any:
    from iced_x86 import Decoder  # noqa: PLC0415 - 60 ms

    return Decoder(64, data, ip=ip)


def _branch_targets(image: Image) -> set[int]:
    """Offsets that anything in the image's text branches or calls to."""
    from iced_x86 import OpKind  # noqa: PLC0415

    code = image.data[image.text.start : image.text.stop]
    return {
        instruction.near_branch_target
        for instruction in _decoder(code, image.text.start)
        if instruction.op_count and instruction.op0_kind == OpKind.NEAR_BRANCH64
    }


def _displaced(image: Image, function: Function) -> list[Any] | None:
    """Instructions that the jump overwrites, decoded as if the vDSO were at ``_VDSO_AT``.

    None if they are too few, invalid, refer to something far away, or end the function or call
    before the jump's end.
    """
    from iced_x86 import Code, FlowControl  # noqa: PLC0415

    code = image.data[function.offset : function.offset + function.size]
    instructions: list[Any] = []
    length = 0
    for instruction in _decoder(code, _VDSO_AT + function.offset):
        plain = instruction.flow_control in (
            FlowControl.NEXT,
            FlowControl.CONDITIONAL_BRANCH,
        )
        if instruction.code == Code.INVALID or not plain or not _stays_near(instruction):
            return None
        instructions.append(instruction)
        length += instruction.len
        if length >= JUMP_BYTES:
            return instructions
    return None


def _stays_near(instruction: Any) -> bool:
    """Whether what it refers to is in reach of code that lies as far from the vDSO as can be."""
    from iced_x86 import OpKind  # noqa: PLC0415

    addresses = []
    if instruction.is_ip_rel_memory_operand:
        addresses.append(instruction.ip_rel_memory_address)
    if instruction.op_count and instruction.op0_kind == OpKind.NEAR_BRANCH64:
        addresses.append(instruction.near_branch_target)
    return all(abs(address - _VDSO_AT) < _NEAR for address in addresses)


def _counting(counter: int, *, clocked: bool, by_cpu: bool) -> list[Any]:
    """Instructions that count an entry."""
    from iced_x86 import Code, Instruction, MemoryOperand, Register  # noqa: PLC0415

    counters = _BLOCK_AT + PAGE
    create = Instruction.create_reg_reg, Instruction.create_reg_i32, Instruction.create_reg_mem
    reg_reg, reg_i32, reg_mem = create
    if by_cpu:  # the vDSO's own getcpu reads it so: arch/x86/include/asm/segment.h
        shard = [
            Instruction.create_reg(Code.RDPID_R64, Register.RAX),
            reg_i32(Code.AND_RM32_IMM8, Register.EAX, SHARDS - 1),
        ]
    else:
        shard = [
            reg_reg(Code.MOV_R32_RM32, Register.EAX, Register.ESP),
            reg_i32(Code.SHR_RM32_IMM8, Register.EAX, _STACK_SHIFT),
            Instruction.create_reg_reg_i32(
                Code.IMUL_R32_RM32_IMM32, Register.EAX, Register.EAX, _HASH
            ),
            reg_i32(Code.SHR_RM32_IMM8, Register.EAX, 32 - (SHARDS - 1).bit_length()),
        ]
    instructions = [
        *shard,
        reg_i32(Code.SHL_RM32_IMM8, Register.EAX, (SHARD_BYTES - 1).bit_length()),
        reg_mem(Code.LEA_R64_M, Register.R11, MemoryOperand(Register.RIP, displ=counters)),
    ]
    index = Register.RAX
    scale = 1
    if clocked:
        instructions += [
            reg_reg(Code.ADD_R64_RM64, Register.R11, Register.RAX),
            reg_i32(Code.MOV_R32_IMM32, Register.EAX, CLOCKS - 1),
            reg_reg(Code.CMP_R32_RM32, Register.EDI, Register.EAX),
            reg_reg(Code.CMOVB_R32_RM32, Register.EAX, Register.EDI),
        ]
        scale = 8
    increment = Instruction.create_mem(
        Code.INC_RM64, MemoryOperand(Register.R11, index, scale, counter * 8, 8)
    )
    increment.has_lock_prefix = True
    return [*instructions, increment]


def _encode(
    displaced: list[Any], position: int, counting: list[Any], *, marked: bool
) -> tuple[bytes, int, tuple[int, ...]]:
    """Return the code, where a uprobe may sit, and the fixups, as Trampoline has them."""
    from iced_x86 import (  # noqa: PLC0415
        BlockEncoder,
        Code,
        Instruction,
        MemoryOperand,
        OpKind,
        Register,
    )

    start = _BLOCK_AT + position
    mark = MemoryOperand(Register.RIP, displ=_BLOCK_AT + MARK_AT)
    check = [
        Instruction.create_mem_i32(Code.CMP_RM32_IMM8, mark, 0),
        Instruction.create_branch(Code.JE_REL32_64, displaced[0].ip),
    ]
    # Where a uprobe may sit. One byte less than what Linux 6.18 turns into a call, to code that a
    # forked child lacks: it dies there (arch/x86/kernel/uprobes.c)
    nop4 = Instruction.create_mem(Code.NOP_RM32, MemoryOperand(Register.RAX, displ=0, displ_size=1))
    head = [*(check if marked else ()), nop4, *counting]
    back = Instruction.create_branch(Code.JMP_REL32_64, displaced[-1].next_ip)
    encoder = BlockEncoder(64, fix_branches=True)
    encoder.add_many([*head, *displaced, back])
    code = encoder.encode(start)

    # what follows the counting are the displaced instructions and the jump: all that leads out
    decoder = _decoder(code, start)
    fixups = []
    for number, instruction in enumerate(decoder):
        if number == len(head) - len(counting) - 1:
            site = instruction.ip - _BLOCK_AT
        if number < len(head):
            continue
        offsets = decoder.get_constant_offsets(instruction)
        if instruction.is_ip_rel_memory_operand:
            fixups.append(instruction.ip - start + offsets.displacement_offset)
        elif (
            instruction.op_count
            and instruction.op0_kind == OpKind.NEAR_BRANCH64
            # one displaced instruction may branch to another, or be made two by the encoder
            and not start <= instruction.near_branch_target < start + len(code)
        ):
            fixups.append(instruction.ip - start + offsets.immediate_offset)
    return code, site, tuple(fixups)
