/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * The first call of `run`: the target's own execve, found from inside eBPF, since neither
 * systrace nor the target need be in the initial pid namespace. And every later exec.
 */

struct armed {
	u64 task;
	u64 enter_ns;
};

BPF_ARRAY(armed, struct armed, 1);

/* raw tracepoint sys_enter(regs, id), attached until the target has started. An execve that
 * fails is not the target's first call, so the counting itself waits for the new image.
 */
int on_first_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct config *cfg = configuration();
	struct bpf_pidns_info pids = {};
	struct armed *start;
	u32 zero = 0;

	if (ctx->args[1] != NR_EXECVE || !cfg)
		return 0;
	if (bpf_get_ns_current_pid_tgid(cfg->pidns_dev, cfg->pidns_ino, &pids, sizeof(pids)))
		return 0;
	start = armed.lookup(&zero);
	if (!start || pids.tgid != cfg->target)
		return 0;
	start->enter_ns = bpf_ktime_get_ns();
	start->task = current_task();
	return 0;
}

static inline void count_first_execve(u64 task, struct armed *start)
{
	u32 *ref = ref_of(SPACE_X86_64, NR_EXECVE);
	struct config *cfg = configuration();
	u32 row_plus_1, key;
	struct row *row;
	struct slot *slot;

	if (!ref || !cfg)
		return;
	cfg->level = pid_level((void *)task) - cfg->level;
	key = add_process((void *)task, cfg->level, cfg->parent, start->enter_ns, 0);
	if (follow_task(identity_of(task), key, 0, 0))
		return;
	slot = slot_of(identity_of(task));
	if (!slot)
		return;
	slot->in_flight = IN_FLIGHT_IGNORED;
	if (*ref & REF_SKIP)
		return;
	row_plus_1 = row_of(ref, SPACE_X86_64, NR_EXECVE);
	row = row_plus_1 ? row_at(row_plus_1) : 0;
	if (!row)
		return;
	row->count += 1;
	count_in_process(key, row_plus_1);
	finish(row, row_plus_1, key, start->enter_ns, 0);
}

/* raw tracepoint sched_process_exec(task, old_pid, bprm): the exec has succeeded. It ends here,
 * before ptrace holds the task, so that the hold is not part of execve's time.
 */
int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	u64 task = current_task();
	struct slot *slot = slot_of(identity_of(task));
	struct process *process;
	struct armed *start;
	struct row *row;
	u32 zero = 0;

	if (!slot) {
		start = armed.lookup(&zero);
		if (start && start->task == task) {
			start->task = 0;
			count_first_execve(task, start);
		}
		return 0;
	}
	add_total(TOTAL_EXECS, 1);
	process = processes.lookup(&slot->process);
	if (process) {
		process->execs += 1;
		process->shares_memory = 0;
		bpf_get_current_comm(&process->comm, sizeof(process->comm));
	}
	if (slot->in_flight && slot->in_flight != IN_FLIGHT_IGNORED) {
		row = row_at(slot->in_flight);
		if (row)
			finish(row, slot->in_flight, slot->process, slot->enter_ns, 0);
	}
	slot->in_flight = IN_FLIGHT_IGNORED;
	hold_exec(current_btf());
	return 0;
}
