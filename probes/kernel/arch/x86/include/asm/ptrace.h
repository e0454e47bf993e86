/* SPDX-License-Identifier: MIT
 * struct pt_regs as the kernel's arch/x86/include/asm/ptrace.h lays it out (64 bit).
 */
#ifndef SYSTRACE_ASM_PTRACE_H
#define SYSTRACE_ASM_PTRACE_H

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

#endif
