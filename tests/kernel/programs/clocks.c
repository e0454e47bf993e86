/* Reads CLOCK_MONOTONIC 10,007 times in each of 4 threads, in the first process and in each of
 * two that it forks: 3 * 4 * 10,007 = 120,084 calls of clock_gettime.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, CHILDREN = 2 };

static void *read_clock(void *unused)
{
	struct timespec now;

	for (int i = 0; i < 10007; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
	return unused;
}

static void read_in_threads(void)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, read_clock, NULL))
			_exit(1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	int status, failed = 0;

	for (int i = 0; i < CHILDREN; i++) {
		if (fork() == 0) {
			read_in_threads();
			_exit(0);
		}
	}
	read_in_threads();
	for (int i = 0; i < CHILDREN; i++)
		failed |= wait(&status) < 0 || status;
	return failed;
}
