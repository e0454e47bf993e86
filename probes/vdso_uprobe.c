/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * Entries into vDSO functions, seen by a uprobe on each trampoline. A uprobe may be preempted,
 * so these counters are shared and atomic.
 */
#define BPF_LICENSE Dual MIT/GPL

#include "shared.h"
#include <asm/ptrace.h>

BPF_ARRAY(entries, u64, MAX_FUNCTIONS * CLOCKS);

/* uprobe: the trampoline's place in its page says which function, rdi may say which clock */
int on_entry(struct pt_regs *ctx)
{
	u32 id = ctx->di;
	u32 function = (ctx->ip & (PAGE - 1)) / STRIDE;
	u32 index = function * CLOCKS;
	u64 *count;

	if (CLOCKED_FUNCTIONS & (1u << function))
		index += id < CLOCKS - 1 ? id : CLOCKS - 1;
	count = entries.lookup(&index);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}
