/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 * Counts by process (-P). Threads of a process run on several CPUs, so these counters are atomic;
 * they are not per CPU, since there are as many of them as processes times kinds of calls. User
 * space takes out those of processes that have ended. A full table costs no total, and what is
 * missing here is counted to the last call.
 */
#ifdef PER_PROCESS

BPF_HASH(process_rows, struct process_row_key, struct process_row, PROCESS_ROWS);

static inline struct process_row *process_row_of(u32 process, u32 row_plus_1, u32 error)
{
	struct process_row_key key = {.process = process, .row = row_plus_1, .error = error};
	struct process_row none = {}, *row;

	if (process == UNLISTED)
		return 0;
	row = process_rows.lookup(&key);
	if (row)
		return row;
	process_rows.insert(&key, &none); /* fails if another thread was faster: it is there then */
	return process_rows.lookup(&key);
}

static inline void count_in_process(u32 process, u32 row_plus_1)
{
	struct process_row *row = process_row_of(process, row_plus_1, 0);

	if (row)
		__sync_fetch_and_add(&row->count, 1);
	else
		add_total(TOTAL_LOST_PROCESS_CALLS, 1);
}

static inline void count_error_in_process(u32 process, u32 row_plus_1, u32 error)
{
	struct process_row *row = process_row_of(process, row_plus_1, error);

	if (row)
		__sync_fetch_and_add(&row->count, 1);
	else
		add_total(TOTAL_LOST_PROCESS_ERRORS, 1);
}

static inline void time_in_process(u32 process, u32 row_plus_1, u64 ns)
{
	struct process_row_key key = {.process = process, .row = row_plus_1};
	struct process_row *row = process_rows.lookup(&key);

	if (row)
		__sync_fetch_and_add(&row->total_ns, ns);
}

#else

static inline void count_in_process(u32 process, u32 row_plus_1) {}
static inline void count_error_in_process(u32 process, u32 row_plus_1, u32 error) {}
static inline void time_in_process(u32 process, u32 row_plus_1, u64 ns) {}

#endif
