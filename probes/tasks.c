/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * Which tasks are counted. A task is known by the address of its user registers, at the top of its
 * kernel stack, for as long as it lives: no number that is reused, no pid namespace, nothing
 * changes when a thread other than the leader execs, and both tracepoints of a system call are
 * handed that address. Each has a slot that only the task itself writes, so nothing is locked.
 */
/* The helpers want a licence that is compatible with the GPL. */
#define BPF_LICENSE Dual MIT/GPL

#include "arch_x86_64.h"
#include "helpers.h"

#define IN_FLIGHT_IGNORED 0xffffffff

#define NEWBORN 1    /* its first exit has no enter: its parent's clone, or a call older than us */
#define RUNS_AGAIN 2

#define CLONE_VM 0x00000100       /* include/uapi/linux/sched.h */
#define CLONE_THREAD 0x00010000
#define PF_IO_WORKER 0x00000010   /* include/linux/sched.h */
#define GROUP_EXIT 0x00000004     /* SIGNAL_GROUP_EXIT, include/linux/sched/signal.h */

struct slot {
	u64 owner;    /* identity of a task; 0: free */
	u64 enter_ns;
	u32 in_flight; /* row index + 1 of the call it is in */
	u32 process;  /* key into processes */
	u32 newborn;  /* NEWBORN, or RUNS_AGAIN + the number of a call that it makes once more */
	u32 spilled;  /* tasks of this index that live in `spill` */
};

BPF_ARRAY(slots, struct slot, 1 << SLOT_BITS);
BPF_HASH(spill, u64, struct slot, SPILL_SIZE);
BPF_HASH(processes, u32, struct process, MAX_PROCESSES);
BPF_ARRAY(totals, u64, TOTALS);
BPF_ARRAY(config, struct config, 1);
#ifdef TYPED
BPF_ARRAY(anchor, u64, 1); /* nothing is in it: identities are counted from where it is */

/* Its address: systrace/compiled.py has the kernel put it in place of this number. */
#define ANCHOR(address) asm("%0 = 0x53595354524143 ll" : "=r"(address))
#endif

static inline void add_total(u32 which, s64 value)
{
	u64 *total = totals.lookup(&which);

	if (total)
		__sync_fetch_and_add(total, value);
}

static inline u64 next_total(u32 which)
{
	u64 *total = totals.lookup(&which);

	return total ? __sync_fetch_and_add(total, 1) : 0;
}

static inline struct config *configuration(void)
{
	u32 zero = 0;

	return config.lookup(&zero);
}

static inline u64 current_task(void)
{
	return bpf_get_current_task();
}

/* A pointer as a number, which the verifier lets nobody do sums with otherwise. */
static inline u64 address_of(void *pointer)
{
	u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

static inline u64 stack_of(u64 task)
{
	u64 stack = 0;

	bpf_probe_read_kernel(&stack, sizeof(stack), (void *)task + TASK_STACK);
	return stack;
}

/* The identity of a task whose registers are there: in a typed tracepoint, where a pointer is no
 * number, but the distance between two of them is one, it is such a distance.
 */
static inline u64 identity_at(void *registers)
{
	u64 identity = address_of(registers);

#ifdef TYPED
	void *from;

	ANCHOR(from);
	identity -= address_of(from);
#endif
	return identity;
}

/* Registers lie equally high in every stack. */
static inline u64 identity_of(u64 task)
{
	u64 own = identity_at(task_registers(current_btf()));

	return own + stack_of(task) - stack_of(current_task());
}

static inline struct slot *home_slot(u64 identity)
{
	u32 index = ((u32)identity * 0x9e3779b1u) >> (32 - SLOT_BITS);

	return slots.lookup(&index);
}

static inline struct slot *slot_of(u64 identity)
{
	struct slot *slot = home_slot(identity);

	if (!slot || slot->owner == identity)
		return slot;
	return slot->spilled ? spill.lookup(&identity) : 0;
}

/* Returns 0; 1 if the task was followed already; -1 if there is no room. */
static inline int follow_task(u64 identity, u32 process, u32 newborn, u32 in_flight)
{
	struct slot fresh = {
		.owner = identity,
		.process = process,
		.newborn = newborn,
		.in_flight = in_flight,
	};
	struct slot *slot = home_slot(identity);
	u64 owner;

	if (!slot)
		return -1;
	owner = __sync_val_compare_and_swap(&slot->owner, 0, identity);
	if (owner == identity)
		return 1;
	if (slot->spilled && spill.lookup(&identity)) {
		if (owner == 0)
			slot->owner = 0;
		return 1;
	}
	if (owner == 0) {
		slot->in_flight = in_flight;
		slot->process = process;
		slot->newborn = newborn;
	} else {
		__sync_fetch_and_add(&slot->spilled, 1);
		if (spill.insert(&identity, &fresh)) {
			__sync_fetch_and_add(&slot->spilled, -1);
			add_total(TOTAL_LOST_TASKS, 1);
			return -1;
		}
	}
	add_total(TOTAL_THREADS, 1);
	return 0;
}

/* Whether this call, and no other, took the task out. */
static inline int forget_task(u64 identity)
{
	struct slot *slot = home_slot(identity);

	if (!slot)
		return 0;
	if (__sync_val_compare_and_swap(&slot->owner, identity, 0) == identity)
		return 1;
	if (!slot->spilled || spill.delete(&identity))
		return 0;
	__sync_fetch_and_add(&slot->spilled, -1);
	return 1;
}

/* How deep the task's own pid namespace lies; 0 is the initial one. */
static inline u32 pid_level(struct task_struct *task)
{
	u64 pid = 0;
	u32 level = 0;

	bpf_probe_read_kernel(&pid, sizeof(pid), (void *)task + TASK_THREAD_PID);
	bpf_probe_read_kernel(&level, sizeof(level), (void *)pid + PID_LEVEL);
	return level;
}

/* A pid as systrace's own namespace numbers it; 0 if the task is not visible there. */
static inline u32 pid_at_level(struct task_struct *task, u32 level)
{
	u64 pid = 0;
	u32 nr = 0;

	bpf_probe_read_kernel(&pid, sizeof(pid), (void *)task + TASK_THREAD_PID);
	if (pid && level <= pid_level(task))
		bpf_probe_read_kernel(&nr, sizeof(nr),
				      (void *)pid + PID_NUMBERS + level * UPID_SIZE + UPID_NR);
	return nr;
}

/* Returns the new process's key. A full table costs the listing, never a count. */
static inline u32 list_process(struct process *fresh)
{
	u32 key = next_total(TOTAL_PROCESSES);

	if (key != UNLISTED && !processes.insert(&key, fresh))
		return key;
	add_total(TOTAL_LOST_PROCESSES, 1);
	return UNLISTED;
}

static inline u32 add_process(struct task_struct *task, u32 level, u32 ppid, u64 start_ns,
			      u32 shares_memory)
{
	struct process fresh = {.ppid = ppid, .start_ns = start_ns, .threads = 1};

	fresh.pid = pid_at_level(task, level);
	fresh.pid_in_namespace = pid_at_level(task, pid_level(task));
	fresh.shares_memory = shares_memory;
	bpf_get_current_comm(&fresh.comm, sizeof(fresh.comm));
	return list_process(&fresh);
}

/* What its parent's wait(2) says, as kernel/exit.c has it: the group's code, or the leader's. */
static inline s32 exit_code_of(u64 leader, u64 task)
{
	u64 signal = 0;
	u32 flags = 0;
	s32 code = 0;

	bpf_probe_read_kernel(&signal, sizeof(signal), (void *)task + TASK_SIGNAL);
	bpf_probe_read_kernel(&flags, sizeof(flags), (void *)signal + SIGNAL_FLAGS);
	if (flags & GROUP_EXIT)
		bpf_probe_read_kernel(&code, sizeof(code), (void *)signal + SIGNAL_GROUP_EXIT_CODE);
	else
		bpf_probe_read_kernel(&code, sizeof(code), (void *)leader + TASK_EXIT_CODE);
	return code;
}

/* Its last thread, `task`, is about to die. */
static inline void end_process(struct process *process, u64 task)
{
	u64 leader = 0;

	bpf_probe_read_kernel(&leader, sizeof(leader), (void *)task + TASK_GROUP_LEADER);
	bpf_probe_read_kernel(&process->comm, sizeof(process->comm), (void *)leader + TASK_COMM);
	process->exit_code = exit_code_of(leader, task);
	if (!process->end_ns)
		add_total(TOTAL_ENDED, 1);
	asm volatile("" ::: "memory"); /* user space takes out what has an end: that comes last */
	process->end_ns = bpf_ktime_get_ns();
}

static inline void add_thread(u32 key, s64 value)
{
	struct process *process = processes.lookup(&key);

	if (process)
		__sync_fetch_and_add(&process->threads, value);
}

/* raw tracepoint task_newtask(task, clone_flags): in the parent, before the child can run */
int on_newtask(struct bpf_raw_tracepoint_args *ctx)
{
	u64 child = ctx->args[0], clone_flags = ctx->args[1];
	struct slot *parent = slot_of(identity_of(current_task()));
	struct config *cfg = configuration();
	struct process *process;
	u32 key, task_flags = 0, shares_memory = !!(clone_flags & CLONE_VM);

	if (!parent || !cfg)
		return 0;
	bpf_probe_read_kernel(&task_flags, sizeof(task_flags), (void *)child + TASK_FLAGS);
	if (task_flags & PF_IO_WORKER)
		return 0; /* runs in the kernel only: it makes no calls */
	if (clone_flags & CLONE_THREAD) {
		key = parent->process;
		add_thread(key, 1);
		if (follow_task(identity_of(child), key, NEWBORN, 0))
			add_thread(key, -1); /* no room, or the iterator was quicker (seed.c) */
		return 0;
	}
	if (!FOLLOW) {
		add_total(TOTAL_SHARERS, shares_memory);
		return 0;
	}
	process = processes.lookup(&parent->process);
	key = add_process((void *)child, cfg->level, process ? process->pid : 0,
			  bpf_ktime_get_ns(), shares_memory);
	if (follow_task(identity_of(child), key, NEWBORN, 0) && key != UNLISTED) {
		processes.delete(&key); /* nobody would see it end */
		add_total(TOTAL_LOST_PROCESSES, 1);
	}
	return 0;
}

/* raw tracepoint sched_process_exit(task): the task's last sign of life */
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	u64 task = current_task(), identity = identity_of(task);
	struct slot *slot = slot_of(identity);
	struct process *process;
	u32 key;

	if (!slot)
		return 0;
	key = slot->process;
	if (!forget_task(identity))
		return 0;
	process = processes.lookup(&key);
	if (process && __sync_fetch_and_add(&process->threads, -1) == 1)
		end_process(process, task);
	return 0;
}
