/* SPDX-License-Identifier: MIT
 * What both sides of the kernel boundary read: systrace/layout.py mirrors this file, and
 * tests/kernel/test_layout.py holds the two against each other.
 */
#ifndef SYSTRACE_SHARED_H
#define SYSTRACE_SHARED_H

#include <linux/types.h>

/* A row's key: which table of numbers, and the number as the kernel saw it. */
enum space {
	SPACE_X86_64 = 0,
	SPACE_I386 = 1,
	SPACE_X32 = 2,
	SPACE_FALLBACK = 3, /* x86_64 numbers, issued from inside the vDSO */
	SPACE_VSYSCALL = 4, /* x86_64 numbers, emulated */
	SPACES = 5,
};

#define SPACE_NUMBERS 1024 /* numbers below this have an array entry; the rest live in a hash */

/* A reference, by (space, number), to a row; user space sets the flags, the kernel the index. */
#define REF_ROW 0xffff       /* index + 1; 0: not allocated yet */
#define REF_SKIP (1u << 16)  /* not selected: leave before any work */
#define REF_VDSO (1u << 17)  /* a vDSO function may issue it: look where it came from */
#define REF_CLOCK (1u << 18) /* its first argument is a clock id; set on fallback rows */
#define REF_CLOCK_SET (1u << 19) /* which set of clock counters: 0 or 1 */
#define REF_MAPS (1u << 20)  /* it may move or unmap the vDSO; only with REF_VDSO */

/* HDR-style buckets: exact below 8 ns, then 8 per power of two up to 2^45 ns (9.7 hours). */
#define HIST_SUB_BITS 3
#define HIST_MAX_LOG2 45
#define HIST_BUCKETS ((HIST_MAX_LOG2 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

#define MAX_ROWS 384
#define MAX_ERRORS 4096
#define UNLISTED 0xfffffffeu /* key of every process that found no place in the table */

#define CLOCKS 32 /* ids 0..30, and the rest (dynamic ones are negative) in the last */

struct row {
	u64 count;
	u64 total_ns;
	u64 max_ns;
	u64 min_ns_inverted; /* ~min, so that zeroed memory means: none yet */
	u64 restarted;
	u64 filtered;
	u64 histogram[HIST_BUCKETS];
};

struct row_key {
	u32 space;
	s32 nr;
};

/* What one process did. `error` 0: its calls of that row, and the time they took; otherwise how
 * many of them returned this errno.
 */
struct process_row_key {
	u32 process;
	u16 row; /* index + 1 */
	u16 error;
};

struct process_row {
	u64 count;
	u64 total_ns;
};

struct process {
	u32 pid;  /* tgid in systrace's own pid namespace; 0: not visible from there */
	u32 ppid;
	u64 start_ns;
	u64 end_ns; /* 0: alive */
	s64 threads; /* alive; 64 bit, since an atomic that returns the old value must be */
	u32 execs;
	s32 exit_code; /* as wait(2) encodes it */
	u32 pid_in_namespace; /* in its own, the innermost one */
	u32 shares_memory;    /* made with CLONE_VM, and no exec since */
	char comm[16];
};

enum total {
	TOTAL_ROWS,
	TOTAL_PROCESSES,
	TOTAL_THREADS,
	TOTAL_EXECS,          /* new images after the first one */
	TOTAL_LOST_CALLS,     /* no row was free */
	TOTAL_LOST_ERRORS,    /* counted, errno not kept */
	TOTAL_LOST_TASKS,     /* not followed: their calls are missing */
	TOTAL_LOST_PROCESSES, /* counted, not listed */
	TOTAL_ENDED,          /* listed processes that have ended */
	TOTAL_LOST_PROCESS_CALLS,  /* counted, not by process */
	TOTAL_LOST_PROCESS_ERRORS,
	TOTAL_SHARERS,        /* children that are left out, and had their parent's memory at first */
	TOTALS,
};

struct config {
	u64 secret;    /* rbx of a call that systrace injects */
	u64 pidns_dev; /* the pid namespace that numbers `target` */
	u64 pidns_ino;
	u32 target;
	u32 level;     /* of systrace's own pid namespace: first how far above the target's it is */
	u32 holder;    /* the process that interrupts threads: calls that this ends run again */
	u32 parent;    /* of the target: systrace, as its own pid namespace numbers it */
	u32 hold_execs;  /* hold processes at the exit of their exec */
	u32 hold_births; /* hold new processes before their first instruction */
	u32 hold_nobody; /* systrace is on its way out */
	u32 unused;
};

enum hold_reason {
	HOLD_EXEC,
	HOLD_BIRTH,
	HOLD_MOVE, /* it may have moved or unmapped its vDSO */
};

/* A task that stops, for systrace to see to it and let it go. */
struct hold {
	u32 tid; /* in systrace's own pid namespace */
	u32 why;
	u32 held; /* 0: it could not be stopped, and runs on */
	u32 process; /* key into processes */
	u32 execs;   /* of that process, so far */
	u32 unused;
};

enum seeding_mode {
	SEED_RUNNING,
	SEED_HELD,   /* every thread stands in a stop that systrace asked for */
	SEED_FORGET,
};

struct seeding {
	u32 mode;
	u32 added;
	u32 pid; /* whom to forget */
};

#endif
