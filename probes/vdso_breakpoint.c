/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * Entries into vDSO functions, seen by a hardware breakpoint on each. It fires in any process of
 * the tree, each with its vDSO elsewhere, so the function is known by its place in the image.
 */
#define BPF_LICENSE Dual MIT/GPL

#include "arch_x86_64.h"
#include "helpers.h"
#include <asm/ptrace.h>

BPF_HASH(first_counters, u32, u32, MAX_FUNCTIONS); /* by offset in the image */
BPF_ARRAY(entries, u64, MAX_FUNCTIONS * CLOCKS);

/* perf event: the debug exception interrupts the program before the function's first instruction */
int on_breakpoint(struct pt_regs *ctx)
{
	u32 offset = ctx->ip - vdso_base(current_btf());
	u32 *first = first_counters.lookup(&offset);
	u32 id = ctx->di, index;
	u64 *count;

	if (!first)
		return 0;
	index = *first & ~COUNTER_BY_CLOCK;
	if (*first & COUNTER_BY_CLOCK)
		index += id < CLOCKS - 1 ? id : CLOCKS - 1;
	count = entries.lookup(&index);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}
