/* Threads that come and go as fast as they can, and one that stays and, at each line that it
 * reads, calls the vDSO 10,007 times and prints "done".
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void *nothing(void *unused)
{
	return unused;
}

static void *churn(void *unused)
{
	pthread_t thread;

	for (;;)
		if (pthread_create(&thread, NULL, nothing, NULL) == 0)
			pthread_join(thread, NULL);
	return unused;
}

int main(void)
{
	struct timespec now;
	pthread_t thread;
	char line[16];

	pthread_create(&thread, NULL, churn, NULL);
	puts("ready");
	fflush(stdout);
	while (read(0, line, sizeof(line)) > 0) {
		for (int i = 0; i < 10007; i++)
			clock_gettime(CLOCK_REALTIME, &now);
		puts("done");
		fflush(stdout);
	}
	return 0;
}
