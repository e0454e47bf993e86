/* SPDX-License-Identifier: MIT
 * All that the probes know about x86_64: which table a number belongs to, and the registers.
 * TASK_STATUS, MM_VDSO and the other offsets come from the kernel's BTF (systrace/btf.py).
 */
#ifndef SYSTRACE_ARCH_X86_64_H
#define SYSTRACE_ARCH_X86_64_H

#include "shared.h"

#define TS_COMPAT 0x0002u             /* arch/x86/include/asm/thread_info.h */
#define X32_SYSCALL_BIT 0x40000000u   /* arch/x86/include/uapi/asm/unistd.h */
#define NEGATIVE 0x80000000u
#define NR_EXECVE 59
#define NR_RESTART 219     /* restart_syscall(2) */
#define NR_RESTART_I386 0

#define REG_BX 40 /* offsets into struct pt_regs, arch/x86/include/asm/ptrace.h */
#define REG_R10 56
#define REG_R8 72
#define REG_AX 80
#define REG_DX 96
#define REG_SI 104
#define REG_DI 112
#define REG_ORIG_AX 120
#define REG_IP 128

/* Loads through a BTF pointer, out of sight of bcc's rewriter, which would turn each into a
 * bpf_probe_read(): the verifier checks type and offset, and a bad address reads as 0.
 */
#define LOAD(width, pointer, offset)                                                     \
	({                                                                               \
		u64 value_;                                                              \
		asm volatile("%0 = *(" width " *)(%1 + %2)"                              \
			     : "=r"(value_)                                              \
			     : "r"(pointer), "i"(offset));                               \
		value_;                                                                  \
	})

static inline u64 vdso_base(struct task_struct *task)
{
	void *mm = (void *)LOAD("u64", task, TASK_MM);

	return LOAD("u64", mm, MM_VDSO);
}

static inline u32 space_of(struct task_struct *task, u32 nr)
{
	if (LOAD("u32", task, TASK_STATUS) & TS_COMPAT)
		return SPACE_I386;
	/* a negative number has that bit, too, and is a call of neither */
	return (nr & (NEGATIVE | X32_SYSCALL_BIT)) == X32_SYSCALL_BIT ? SPACE_X32 : SPACE_X86_64;
}

/* restart_syscall's number, by which a call that was interrupted may go on. */
static inline u32 restart_number(struct task_struct *task)
{
	return LOAD("u32", task, TASK_STATUS) & TS_COMPAT ? NR_RESTART_I386 : NR_RESTART;
}

/* The number's index within its space. */
static inline u32 number_of(u32 space, u32 nr)
{
	return space == SPACE_X32 ? nr & ~X32_SYSCALL_BIT : nr;
}

#endif
