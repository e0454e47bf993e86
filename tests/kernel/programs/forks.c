/* Processes that never exec, each with its own number of vDSO calls; prints "pid calls" for each.
 * One is made by vfork and one by clone(CLONE_VM): they share their parent's memory, and so its
 * counters. The rest are forked, and the third of them forks once more.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void call(int times)
{
	struct timespec now;

	for (int i = 0; i < times; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

static void __attribute__((noinline)) vforked(int times)
{
	if (vfork() == 0) {
		call(times);
		_exit(0);
	}
	wait(NULL);
}

static int cloned(void *unused)
{
	call(1019);
	return unused != NULL;
}

int main(void)
{
	static const int times[] = {1009, 1013, 1021, 1031};
	static char stack[65536];

	setvbuf(stdout, NULL, _IOLBF, 0);
	call(1033);
	for (int i = 0; i < 4; i++) {
		pid_t child = fork();

		if (child == 0) {
			call(times[i]);
			if (i == 2) {
				child = fork();
				call(child ? 1039 : 1049);
				if (child)
					wait(NULL);
			}
			printf("%d %d\n", getpid(), i != 2 ? times[i] : times[i] * !!child +
						    (child ? 1039 : 1049));
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	vforked(1051);
	if (clone(cloned, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL) < 0)
		return 1;
	wait(NULL);
	call(1061);
	printf("%d %d\n", getpid(), 1033 + 1051 + 1019 + 1061);
	return 0;
}
