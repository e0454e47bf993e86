/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * `attach`: the threads that exist already, found by an iterator over all tasks that systrace
 * reads. on_newtask is attached before: a thread that is born meanwhile is seen by one of the two.
 */

#define PF_EXITING 0x00000004 /* include/linux/sched.h */
#define ITER_TASK 8           /* offset in struct bpf_iter__task, kernel/bpf/task_iter.c */

BPF_HASH(wanted, u32, u32, MAX_PROCESSES); /* tgid: key into processes + 1, 0 before the first */
BPF_ARRAY(seeding, struct seeding, 1);

static inline u64 read_pointer(u64 task, u32 offset)
{
	u64 pointer = 0;

	bpf_probe_read_kernel(&pointer, sizeof(pointer), (void *)task + offset);
	return pointer;
}

static inline u32 seed_process(u64 leader, u32 tgid, u32 level)
{
	u64 parent = read_pointer(read_pointer(leader, TASK_REAL_PARENT), TASK_GROUP_LEADER);
	struct process fresh = {.pid = tgid};

	fresh.ppid = pid_at_level((void *)parent, level);
	fresh.pid_in_namespace = pid_at_level((void *)leader, pid_level((void *)leader));
	fresh.start_ns = read_pointer(leader, TASK_START_TIME);
	bpf_probe_read_kernel(&fresh.comm, sizeof(fresh.comm), (void *)leader + TASK_COMM);
	return list_process(&fresh);
}

static inline int is_exiting(u64 task)
{
	u32 flags = 0;

	bpf_probe_read_kernel(&flags, sizeof(flags), (void *)task + TASK_FLAGS);
	return flags & (PF_EXITING | PF_IO_WORKER);
}

/* iterator over tasks, {meta, task}; `current` is systrace, which reads */
int on_task(void *ctx)
{
	u64 typed = LOAD("u64", ctx, ITER_TASK), task, identity, leader;
	u32 zero = 0, tgid, above, newborn = NEWBORN, in_flight = 0;
	struct config *cfg = configuration();
	struct seeding *seed = seeding.lookup(&zero);
	void *registers;
	u32 *process;
	s64 result, nr;

	if (!typed || !cfg || !seed)
		return 0;
	registers = task_registers((struct task_struct *)typed);
	result = LOAD("u64", registers, REG_AX);
	nr = LOAD("u64", registers, REG_ORIG_AX);
	task = address_of((void *)typed);
	identity = identity_at(registers);

	cfg->level = pid_level((void *)current_task());
	leader = read_pointer(task, TASK_GROUP_LEADER);
	tgid = pid_at_level((void *)leader, cfg->level);
	if (seed->mode == SEED_FORGET) {
		if (tgid == seed->pid)
			forget_task(identity);
		return 0;
	}
	process = wanted.lookup(&tgid);
	if (!process)
		return 0;
	if (slot_of(identity) || is_exiting(task))
		return 0;
	if (seed->mode == SEED_HELD) {
		/* it stands behind the exit of a call, which it makes again if that says so */
		newborn = 0;
		if (nr >= 0 && is_restart(result)) {
			newborn = RUNS_AGAIN + (u32)nr;
			in_flight = IN_FLIGHT_IGNORED;
		}
	}
	if (!*process)
		*process = seed_process(leader, tgid, cfg->level) + 1;
	add_thread(*process - 1, 1);
	if (follow_task(identity, *process - 1, newborn, in_flight)) {
		add_thread(*process - 1, -1);
		return 0;
	}
	seed->added += 1;
	/* it may have passed on_exit before it was followed; its address will be another's */
	if (is_exiting(task) && forget_task(identity))
		add_thread(*process - 1, -1);
	return 0;
}
