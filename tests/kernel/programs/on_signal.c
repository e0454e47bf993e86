/* Threads that wait, and call clock_gettime through the vDSO so often when SIGUSR1 comes. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static pthread_barrier_t begin, end;
static long calls;

static void *work(void *unused)
{
	struct timespec now;

	for (;;) {
		pthread_barrier_wait(&begin);
		for (long i = 0; i < calls; i++)
			clock_gettime(CLOCK_MONOTONIC, &now);
		pthread_barrier_wait(&end);
	}
	return unused;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 8, number;
	pthread_t thread;
	sigset_t set;

	calls = argc > 2 ? atol(argv[2]) : 10007;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_barrier_init(&begin, NULL, threads + 1);
	pthread_barrier_init(&end, NULL, threads + 1);
	for (int i = 0; i < threads; i++)
		pthread_create(&thread, NULL, work, NULL);
	puts("ready");
	fflush(stdout);
	while (sigwait(&set, &number) == 0) {
		pthread_barrier_wait(&begin);
		pthread_barrier_wait(&end);
		puts("done");
		fflush(stdout);
	}
	return 1;
}
