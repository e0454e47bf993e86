/* calls KIND THREADS MILLISECONDS: makes one call over and over, once a line came on standard
 * input, and prints how many there were, and how many ns of one CPU each took.
 *
 * one, stack, percpu and thread are clock with a counter before it, as a trampoline counts: one for
 * all threads, or one of 16 by a hash of the stack pointer, by CPU, or by a hash of the thread.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH 100
#define HASH "$0x9e3779b1"

static unsigned char shards[16][1024] __attribute__((aligned(4096)));

static int kind, zero;
static unsigned long long end_ns;

static unsigned long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* As systrace/vdso/x86_64.py has it, with another source of the shard. */
#define COUNT_IN_SHARD(source)                                                                 \
	asm volatile(source "imul " HASH ", %%eax, %%eax\n\tshr $28, %%eax\n\tshl $10, %%eax\n\t"   \
		     "lock incq (%0, %%rax)"                                                    \
		     :                                                                          \
		     : "r"(shards)                                                              \
		     : "rax", "memory", "cc")

static void count(void)
{
	if (kind == 'o')
		asm volatile("lock incq %0" : "+m"(shards[0][0]));
	else if (kind == 's')
		COUNT_IN_SHARD("mov %%esp, %%eax\n\tshr $12, %%eax\n\t");
	else if (kind == 't')
		COUNT_IN_SHARD("rdfsbase %%rax\n\tshr $12, %%eax\n\t");
	else if (kind == 'p')
		asm volatile("rdpid %%rax\n\tand $15, %%eax\n\tshl $10, %%eax\n\t"
			     "lock incq (%0, %%rax)"
			     :
			     : "r"(shards)
			     : "rax", "memory", "cc");
}

static void call(void)
{
	struct timespec now;
	char byte;

	if (kind == 'g')
		syscall(SYS_getppid);
	else if (kind == 'r')
		syscall(SYS_read, zero, &byte, 1);
	else {
		count();
		clock_gettime(CLOCK_REALTIME, &now);
	}
}

static void *loop(void *count)
{
	do
		for (int i = 0; i < BATCH; i++, ++*(unsigned long long *)count)
			call();
	while (now_ns() < end_ns);
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc == 4 ? atoi(argv[2]) : 0, cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned long long counts[256][8] = {0}, begin, total = 0; /* a cache line each */
	pthread_t others[256];

	if (threads < 1 || threads > 256) {
		fprintf(stderr, "usage: %s getppid|read|clock|one|stack|percpu|thread THREADS MILLISECONDS\n", argv[0]);
		return 2;
	}
	kind = argv[1][0];
	zero = open("/dev/zero", O_RDONLY);
	if (getchar() == EOF)
		return 2;
	begin = now_ns();
	end_ns = begin + atoi(argv[3]) * 1000000ull;
	for (int i = 1; i < threads; i++)
		pthread_create(&others[i], NULL, loop, counts[i]);
	loop(counts[0]);
	for (int i = 1; i < threads; i++)
		pthread_join(others[i], NULL);
	for (int i = 0; i < threads; i++)
		total += counts[i][0];
	printf("%llu %.2f\n", total,
	       (double)(now_ns() - begin) * (threads < cpus ? threads : cpus) / total);
	return 0;
}
