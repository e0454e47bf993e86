/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * Holding the current task before it is back in ring 3, until systrace has seen to it. SIGSTOP
 * from here is SI_KERNEL, as no user can send it: the task executes nothing more of its program.
 */

#define SIGSTOP 19

static inline u32 is_traced(struct task_struct *task)
{
	u32 traced = 0;

	bpf_probe_read_kernel(&traced, sizeof(traced), (void *)task + TASK_PTRACE);
	return traced;
}

/* By a process that systrace's own pid namespace numbers so. */
static inline int is_traced_by(struct task_struct *task, u32 pid, u32 level)
{
	u64 tracer = 0;

	if (!is_traced(task))
		return 0;
	bpf_probe_read_kernel(&tracer, sizeof(tracer), (void *)task + TASK_PARENT);
	bpf_probe_read_kernel(&tracer, sizeof(tracer), (void *)tracer + TASK_GROUP_LEADER);
	return pid_at_level((void *)tracer, level) == pid;
}

#ifdef BY_SIGNAL
/* --follow=signal: nobody traces it, so it stops, and systrace hears of it. */

BPF_RINGBUF_OUTPUT(holds, HOLD_PAGES);

static inline void hold(struct task_struct *task, u32 why)
{
	struct config *cfg = configuration();
	struct slot *slot = slot_of(identity_of(current_task()));
	struct process *process;
	struct hold *record;
	u32 tid;

	if (!cfg || !slot || cfg->hold_nobody)
		return;
	process = processes.lookup(&slot->process);
	tid = pid_at_level(task, cfg->level);
	record = holds.ringbuf_reserve(sizeof(*record));
	if (!record)
		return; /* whoever hears nothing lets nothing go */
	record->tid = tid;
	record->why = why;
	/* a tracer of its own would take the signal for the program's */
	record->held = tid && !is_traced(task) && !bpf_send_signal_thread(SIGSTOP);
	record->process = slot->process;
	record->execs = process ? process->execs : 0;
	record->unused = 0;
	holds.ringbuf_submit(record, 0);
}

static inline void hold_exec(struct task_struct *task)
{
	struct config *cfg = configuration();

	if (cfg && cfg->hold_execs)
		hold(task, HOLD_EXEC);
}

/* At the first exit of a new task. */
static inline void hold_birth(struct task_struct *task)
{
	struct config *cfg = configuration();
	u64 leader = 0;

	if (!cfg || !cfg->hold_births)
		return;
	bpf_probe_read_kernel(&leader, sizeof(leader), (void *)task + TASK_GROUP_LEADER);
	if ((void *)leader == (void *)task)
		hold(task, HOLD_BIRTH);
}

#else
/* Under ptrace: its tracer, systrace, takes the signal in its place. */

static inline void hold(struct task_struct *task, u32 why)
{
	struct config *cfg = configuration();

	/* nobody else would let it go on: a child that says CLONE_UNTRACED, for one, has no tracer */
	if (cfg && is_traced_by(task, cfg->parent, cfg->level))
		bpf_send_signal_thread(SIGSTOP);
}

static inline void hold_exec(struct task_struct *task) {}
static inline void hold_birth(struct task_struct *task) {}

#endif
