/* A thread whose vfork does not come back: its child waits for a signal and never execs. Another
 * one, at each line that it reads, calls the vDSO 10,007 times and prints "done".
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static void *in_vfork(void *unused)
{
	if (vfork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		puts("ready");
		fflush(stdout);
		for (;;)
			pause();
	}
	return unused;
}

int main(void)
{
	struct timespec now;
	pthread_t thread;
	char line[16];

	pthread_create(&thread, NULL, in_vfork, NULL);
	while (read(0, line, sizeof(line)) > 0) {
		for (int i = 0; i < 10007; i++)
			clock_gettime(CLOCK_REALTIME, &now);
		puts("done");
		fflush(stdout);
	}
	_exit(0);
}
