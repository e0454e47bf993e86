/* Executes itself over and over, each time from a thread that is not the first one. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char **arguments;

static void *execute(void *unused)
{
	char *again[] = {arguments[0], "again", NULL};
	struct timespec now;

	for (int i = 0; i < 211; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
	usleep(1000);
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
