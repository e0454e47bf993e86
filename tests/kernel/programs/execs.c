/* Executes itself over and over, or COUNT times, each time from a thread that is not the first
 * one, which has read the clock 211 times.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char **arguments;

static void *execute(void *unused)
{
	char rest[16] = "again", *again[] = {arguments[0], rest, NULL};
	int left = arguments[1] ? atoi(arguments[1]) : 0;
	struct timespec now;

	for (int i = 0; i < 211; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
	usleep(1000);
	if (left == 1)
		exit(0);
	if (left)
		snprintf(rest, sizeof(rest), "%d", left - 1);
	execv("/proc/self/exe", again);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	arguments = argv;
	if (argc == 1) {
		puts("ready");
		fflush(stdout);
	}
	pthread_create(&thread, NULL, execute, NULL);
	for (;;)
		pause();
}
