/* Takes so many timer signals a second, each of whose handlers calls the vDSO, and calls it in
 * between, until standard input ends; then prints how many of each clock it has read.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static volatile long in_handler;

static void handle(int number)
{
	struct timespec now;

	(void)number;
	clock_gettime(CLOCK_REALTIME, &now);
	in_handler++;
}

int main(int argc, char **argv)
{
	long period_us = 1000000 / (argc > 1 ? atol(argv[1]) : 5000);
	struct itimerval timer = {{0, period_us}, {0, period_us}};
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
	struct pollfd input = {.fd = 0, .events = POLLIN};
	struct timespec now;
	long between = 0;

	sigaction(SIGALRM, &action, NULL);
	puts("ready");
	fflush(stdout);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (poll(&input, 1, 0) <= 0)
		for (int i = 0; i < 1000; i++, between++)
			clock_gettime(CLOCK_MONOTONIC, &now);
	timer = (struct itimerval){{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &timer, NULL);
	printf("%ld %ld\n", in_handler, between);
	return 0;
}
