/* Calls every libc function that a vDSO may serve, each a prime number of times. Ring profile on
 * a clock source that the vDSO can read (tsc, kvm-clock, hyperv); all counts exact.
 *
 * vdso_all (glibc 2.31 and later, dynamic):
 *
 *	clock_gettime  vdso           ring 3     10,007 MONOTONIC
 *	clock_gettime  vdso-fallback  ring 3->0   1,009 PROCESS_CPUTIME_ID
 *	gettimeofday   vdso           ring 3      1,013
 *	time           vdso           ring 3      1,019
 *	getcpu         vdso           ring 3      1,021
 *	clock_getres   vdso           ring 3      1,031 MONOTONIC
 *
 * vdso_all_musl (musl 1.2, static), which knows two vDSO functions, builds gettimeofday and time
 * on clock_gettime, and asks the kernel for a clock's resolution:
 *
 *	clock_gettime  vdso           ring 3     12,039: 10,007 MONOTONIC, 2,032 REALTIME
 *	clock_gettime  vdso-fallback  ring 3->0   1,009 PROCESS_CPUTIME_ID
 *	getcpu         vdso           ring 3      1,021
 *	clock_getres   syscall        ring 3->0   1,031
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/time.h>
#include <time.h>

/* glibc reads sched_getcpu from its restartable-sequence area since 2.35, and musl has no getcpu. */
static void get_cpu(void)
{
#ifdef __GLIBC__
	unsigned int cpu, node;

	getcpu(&cpu, &node);
#else
	sched_getcpu();
#endif
}

int main(void)
{
	struct timespec spec;
	struct timeval val;

	for (int i = 0; i < 10007; i++)
		clock_gettime(CLOCK_MONOTONIC, &spec);
	for (int i = 0; i < 1009; i++)
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spec);
	for (int i = 0; i < 1013; i++)
		gettimeofday(&val, NULL);
	for (int i = 0; i < 1019; i++)
		time(NULL);
	for (int i = 0; i < 1021; i++)
		get_cpu();
	for (int i = 0; i < 1031; i++)
		clock_getres(CLOCK_MONOTONIC, &spec);
	return 0;
}
