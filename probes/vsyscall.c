/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * The legacy vsyscall page: a call to it traps, and the kernel emulates the call.
 */

/* raw tracepoint emulate_vsyscall(nr): gettimeofday 0, time 1, getcpu 2 on that page */
int on_vsyscall(struct bpf_raw_tracepoint_args *ctx)
{
	struct slot *slot = slot_of(identity_of(current_task()));
	u32 index = ctx->args[0];
	u32 nr = index == 0 ? 96 : index == 1 ? 201 : 309, row_plus_1;
	struct row *row;
	u32 *ref;

	if (!slot)
		return 0;
	ref = ref_of(SPACE_VSYSCALL, nr);
	if (!ref || *ref & REF_SKIP)
		return 0;
	row_plus_1 = row_of(ref, SPACE_VSYSCALL, nr);
	row = row_plus_1 ? row_at(row_plus_1) : 0;
	if (row) {
		row->count += 1;
		count_in_process(slot->process, row_plus_1);
	} else {
		add_total(TOTAL_LOST_CALLS, 1);
	}
	return 0;
}
