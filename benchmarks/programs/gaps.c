/* gaps THREADS: all but one sleep; that one reads the clock until a line comes on standard input,
 * and prints how many us the longest time was in which it could not.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static unsigned long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void *sleep_on(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

int main(int argc, char **argv)
{
	unsigned long long before, after, longest = 0;
	pthread_attr_t small;
	pthread_t thread;
	char line;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (int i = 1; i < atoi(argv[argc - 1]); i++)
		if (pthread_create(&thread, &small, sleep_on, NULL))
			return 1;
	fcntl(0, F_SETFL, O_NONBLOCK);
	puts("ready");
	fflush(stdout);
	before = now_ns();
	do {
		for (int i = 0; i < 1000; i++, before = after) {
			after = now_ns();
			if (after - before > longest)
				longest = after - before;
		}
	} while (read(0, &line, 1) < 0);
	printf("%.1f\n", longest / 1e3);
	return 0;
}
