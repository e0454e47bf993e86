/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * System calls, aggregated where they happen. The number is taken at enter, and counted there;
 * errors, times and the histogram follow at exit. Rows are per CPU and the tracepoints run with
 * preemption off, so plain increments are exact.
 */

#define SECCOMP_MODE_FILTER 2 /* include/uapi/linux/seccomp.h */
#define EINTR 4               /* include/uapi/asm-generic/errno-base.h */
#define MAX_ERRNO 4095        /* include/linux/err.h */
#define ERESTARTSYS 512       /* include/linux/errno.h; up to ERESTART_RESTARTBLOCK */
#define ERESTART_RESTARTBLOCK 516

BPF_ARRAY(refs, u32, SPACES * SPACE_NUMBERS);
BPF_HASH(odd_refs, struct row_key, u32, MAX_ROWS);
BPF_ARRAY(row_keys, struct row_key, MAX_ROWS);
BPF_PERCPU_ARRAY(rows, struct row, MAX_ROWS);
BPF_PERCPU_HASH(errors, u32, u64, MAX_ERRORS); /* row index << 16 | errno */
BPF_PERCPU_ARRAY(fallback_clocks, u64, 2 * CLOCKS);

static inline u32 *ref_of(u32 space, u32 nr)
{
	struct row_key odd = {.space = space, .nr = (s32)nr};
	u32 none = 0, index = space * SPACE_NUMBERS + nr;
	u32 *ref;

	if (nr < SPACE_NUMBERS) {
		ref = refs.lookup(&index);
		/* or clang makes one call of the two lookups, which the kernel then cannot inline */
		asm volatile("" : "+r"(ref));
		return ref;
	}
	ref = odd_refs.lookup(&odd);
	if (ref)
		return ref;
	none = ODD_FLAGS;
	odd_refs.insert(&odd, &none);
	return odd_refs.lookup(&odd);
}

/* The row's index + 1, allocated at first use; 0 if none is left. Two CPUs may both allocate:
 * both rows carry the key and are added up when they are read.
 */
static inline u32 row_of(u32 *ref, u32 space, u32 nr)
{
	struct row_key key = {.space = space, .nr = (s32)nr};
	u32 row = *ref & REF_ROW;

	if (row)
		return row;
	row = next_total(TOTAL_ROWS);
	if (row >= MAX_ROWS)
		return 0;
	row_keys.update(&row, &key);
	*ref = (*ref & ~REF_ROW) | (row + 1);
	return row + 1;
}

static inline struct row *row_at(u32 row_plus_1)
{
	u32 row = row_plus_1 - 1;

	return rows.lookup(&row);
}

/* Without a branch: the verifier walks every path, and this is inlined three times. */
static inline u64 log2_of(u64 value)
{
	value |= value >> 1;
	value |= value >> 2;
	value |= value >> 4;
	value |= value >> 8;
	value |= value >> 16;
	value |= value >> 32;
	/* now the number of bits that are set, less one */
	value -= value >> 1 & 0x5555555555555555;
	value = (value & 0x3333333333333333) + (value >> 2 & 0x3333333333333333);
	value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (value * 0x0101010101010101 >> 56) - 1;
}

static inline u64 bucket_of(u64 ns)
{
	u64 log2, bucket;

	if (ns < 1 << HIST_SUB_BITS)
		return ns;
	log2 = log2_of(ns);
	bucket = ((log2 - HIST_SUB_BITS + 1) << HIST_SUB_BITS) +
		 ((ns >> (log2 - HIST_SUB_BITS)) & ((1 << HIST_SUB_BITS) - 1));
	asm volatile("" : "+r"(bucket)); /* or clang drops a check that the verifier needs */
	return bucket < HIST_BUCKETS ? bucket : HIST_BUCKETS - 1;
}

static inline void count_error(u32 row_plus_1, u32 process, u32 number)
{
	u32 key = (row_plus_1 - 1) << 16 | number;
	u64 one = 1, *count = errors.lookup(&key);

	if (count)
		*count += 1;
	else if (errors.update(&key, &one))
		add_total(TOTAL_LOST_ERRORS, 1);
	count_error_in_process(process, row_plus_1, number);
}

static inline int is_restart(long result)
{
	return result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK;
}

static inline void finish(struct row *row, u32 row_plus_1, u32 process, u64 enter_ns, long result)
{
#ifndef COUNTS_ONLY
	u64 ns = bpf_ktime_get_ns() - enter_ns;
	u64 bucket = bucket_of(ns);

	row->total_ns += ns;
	if (ns > row->max_ns)
		row->max_ns = ns;
	if (~ns > row->min_ns_inverted)
		row->min_ns_inverted = ~ns;
	row->histogram[bucket] += 1;
	time_in_process(process, row_plus_1, ns);
#else
	row->histogram[0] += 1;
#endif
	if (result < 0 && result >= -MAX_ERRNO) {
		if (is_restart(result))
			row->restarted += 1;
		else
			count_error(row_plus_1, process, -result);
	}
}

/* Where a call came from that the vDSO may have issued. */
enum origin { FROM_PROGRAM, FROM_VDSO, FROM_SYSTRACE };

static inline enum origin origin_of(struct task_struct *task, void *registers)
{
	struct config *cfg = configuration();

	if (LOAD("u64", registers, REG_IP) - vdso_base(task) >= VDSO_SIZE)
		return FROM_PROGRAM;
	return cfg && LOAD("u64", registers, REG_BX) == cfg->secret ? FROM_SYSTRACE : FROM_VDSO;
}

static inline void count_fallback_clock(u32 flags, void *registers)
{
	u32 id = LOAD("u64", registers, REG_DI);
	u32 index = (flags & REF_CLOCK_SET ? CLOCKS : 0) + (id < CLOCKS - 1 ? id : CLOCKS - 1);
	u64 *count = fallback_clocks.lookup(&index);

	if (count)
		*count += 1;
}

/* Whether this is no new call, but one that goes on after systrace interrupted it. If it does not,
 * a signal with a handler came in the same moment, and has ended it as it would have without us.
 */
static inline int runs_again(struct slot *slot, u32 nr)
{
	u32 state = slot->newborn, row_plus_1 = slot->in_flight;
	struct row *row;

	slot->newborn = 0;
	if (state < RUNS_AGAIN)
		return 0;
	if (nr == state - RUNS_AGAIN || nr == restart_number(current_btf()))
		return 1;
	row = row_plus_1 ? row_at(row_plus_1) : 0; /* none where it began before it was counted */
	if (row)
		finish(row, row_plus_1, slot->process, slot->enter_ns, -ERESTARTSYS);
	return 0;
}

#ifdef TYPED

/* The identity of the task whose call it is. */
static inline u64 caller(struct bpf_raw_tracepoint_args *ctx)
{
	u64 distance = LOAD("u64", ctx, 0);
	void *from;

	ANCHOR(from);
	asm volatile("%0 -= %1" : "+r"(distance) : "r"(from));
	return distance;
}

static inline void *registers_of(struct bpf_raw_tracepoint_args *ctx, struct task_struct *task)
{
	return (void *)LOAD("u64", ctx, 0);
}

#else

static inline u64 caller(struct bpf_raw_tracepoint_args *ctx)
{
	return ctx->args[0];
}

static inline void *registers_of(struct bpf_raw_tracepoint_args *ctx, struct task_struct *task)
{
	return task_registers(task);
}

#endif

/* typed or raw tracepoint sys_enter(regs, id) */
int on_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct slot *slot = slot_of(caller(ctx));
	struct task_struct *task;
	u32 nr, space, row_plus_1, flags;
	struct row *row;
	u32 *ref;

	if (!slot)
		return 0;
	nr = ctx->args[1];
	if (slot->newborn && runs_again(slot, nr))
		return 0;
	task = current_btf();
	space = space_of(task, nr);
	nr = number_of(space, nr);
	ref = ref_of(space, nr);
	if (!ref) {
		slot->in_flight = IN_FLIGHT_IGNORED;
		add_total(TOTAL_LOST_CALLS, 1);
		return 0;
	}
	flags = *ref;
	if (flags & REF_VDSO) {
		void *registers = registers_of(ctx, task);
		enum origin origin = origin_of(task, registers);

		if (origin == FROM_SYSTRACE) {
			slot->in_flight = IN_FLIGHT_IGNORED;
			return 0;
		}
		if (flags & REF_MAPS)
			hold_if_vdso_moves(task, nr, registers);
		if (origin == FROM_VDSO) {
			u32 *fallback = ref_of(SPACE_FALLBACK, nr);

			if (!fallback)
				return 0;
			if (*fallback & REF_VDSO) { /* else a borrowed instruction: a plain call */
				ref = fallback;
				flags = *ref & ~REF_VDSO;
				space = SPACE_FALLBACK;
				if (flags & REF_CLOCK)
					count_fallback_clock(flags, registers);
			}
		}
	}
	if (flags & REF_SKIP) {
		slot->in_flight = IN_FLIGHT_IGNORED;
		return 0;
	}
	row_plus_1 = row_of(ref, space, nr);
	row = row_plus_1 ? row_at(row_plus_1) : 0;
	if (!row) {
		slot->in_flight = IN_FLIGHT_IGNORED;
		add_total(TOTAL_LOST_CALLS, 1);
		return 0;
	}
	row->count += 1;
	count_in_process(slot->process, row_plus_1);
	slot->in_flight = row_plus_1;
#ifndef COUNTS_ONLY
	slot->enter_ns = bpf_ktime_get_ns();
#endif
	return 0;
}

/* An exit without an enter: if the task has a filter, that answered the call. */
static inline void count_filtered(struct task_struct *task)
{
	u32 nr, space, row_plus_1;
	struct row *row;
	void *registers;
	u32 *ref;

	if (LOAD("u32", task, TASK_SECCOMP_MODE) != SECCOMP_MODE_FILTER)
		return;
	registers = task_registers(task);
	nr = LOAD("u64", registers, REG_ORIG_AX);
	space = space_of(task, nr);
	nr = number_of(space, nr);
	ref = ref_of(space, nr);
	if (!ref || *ref & REF_SKIP)
		return;
	row_plus_1 = row_of(ref, space, nr);
	row = row_plus_1 ? row_at(row_plus_1) : 0;
	if (row)
		row->filtered += 1;
	else
		add_total(TOTAL_LOST_CALLS, 1);
}

/* Whether systrace interrupted the call to hold its thread: it has not ended, and runs again. */
static inline int interrupted(struct slot *slot, long result)
{
	struct config *cfg = configuration();
	struct task_struct *task;
	void *registers;

	if (!cfg || !cfg->holder || (result != -EINTR && !is_restart(result)))
		return 0;
	task = current_btf();
	if (!is_traced_by(task, cfg->holder, cfg->level))
		return 0;
	registers = task_registers(task);
	slot->newborn = RUNS_AGAIN + (u32)LOAD("u64", registers, REG_ORIG_AX);
	return 1;
}

/* typed or raw tracepoint sys_exit(regs, ret) */
int on_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct slot *slot = slot_of(caller(ctx));
	u32 row_plus_1;
	struct row *row;

	if (!slot)
		return 0;
	row_plus_1 = slot->in_flight;
	if (row_plus_1 && (long)ctx->args[1] < 0 && interrupted(slot, ctx->args[1]))
		return 0;
	slot->in_flight = 0;
	if (!row_plus_1) {
		if (slot->newborn == NEWBORN) {
			slot->newborn = 0;
			hold_birth(current_btf());
		} else {
			count_filtered(current_btf());
		}
		return 0;
	}
	row = row_at(row_plus_1);
	if (row)
		finish(row, row_plus_1, slot->process, slot->enter_ns, ctx->args[1]);
	return 0;
}
