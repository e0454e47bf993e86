/* Reads CLOCK_MONOTONIC 1,013 times, 1,009 in a child that is made with CLONE_UNTRACED, which no
 * tracer hears of, and 1,019 in one that this one forks. One that is forked makes 1,021 more.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void call(int times)
{
	struct timespec now;

	for (int i = 0; i < times; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

int main(void)
{
	if (syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0) == 0) {
		call(1009);
		if (fork() == 0) {
			call(1019);
			_exit(0);
		}
		wait(NULL);
		_exit(0);
	}
	wait(NULL);
	if (fork() == 0) {
		call(1021);
		_exit(0);
	}
	wait(NULL);
	call(1013);
	return 0;
}
