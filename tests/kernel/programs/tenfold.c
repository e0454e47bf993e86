/* For ever: ten calls of clock_gettime through the vDSO, one getppid, and one rt_sigsuspend that a
 * timer ends after a millisecond, so that one rt_sigreturn follows.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void on_alarm(int number)
{
	(void)number;
}

int main(void)
{
	struct itimerval each = {{0, 1000}, {0, 1000}};
	struct sigaction action = {.sa_handler = on_alarm};
	struct timespec now;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
	sigemptyset(&set);
	puts("ready");
	fflush(stdout);
	for (;;) {
		for (int i = 0; i < 10; i++)
			clock_gettime(CLOCK_MONOTONIC, &now);
		syscall(SYS_getppid);
		sigsuspend(&set);
	}
}
